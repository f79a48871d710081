package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/hindsight-go/hindsight/kernels/bench"
)

func TestEveryBenchmarkHasItsSubject(t *testing.T) {
	used := map[string]bool{}
	for _, b := range bench.All() {
		if b.Subject == "" {
			continue
		}
		name, _, _ := strings.Cut(b.Subject, " ")
		used[name] = true
		assert.Contains(t, subjects, name, b.Name)
		if b.Peer == bench.Ourselves {
			other, _, _ := strings.Cut(b.Script, " ")
			assert.Contains(t, subjects, other, b.Name)
		}
	}
	for name := range subjects {
		assert.True(t, used[name], "no benchmark uses subject %s", name)
	}
}

// The numbers are those of numbers in kernels/python/bench/models.py.
func TestNumbers(t *testing.T) {
	assert.Equal(t, []float32{0.64995205, 0.23307759, 0.670332, 0.94933593}, numbers(100, 4, 0, 1))
}
