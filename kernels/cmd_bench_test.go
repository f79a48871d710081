package main

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestBenchCommand(t *testing.T) {
	run := func(args ...string) (status int, out string) {
		var buf bytes.Buffer
		root := newRootCmd()
		root.SetOut(&buf)
		root.SetErr(&buf)
		status = execute(t.Context(), root, append([]string{"bench"}, args...))
		return status, buf.String()
	}
	status, out := run("--list")
	assert.Equal(t, 0, status)
	assert.Contains(t, out, "mlp-fused       the same in one executable, against lax.scan\n")
	status, out = run("--only", "speed")
	assert.Equal(t, 1, status)
	assert.Contains(t, out, `bench: "speed" is unknown; there are scan-quadratic, `)
	status, out = run("--repeats", "0")
	assert.Equal(t, 1, status)
	assert.Contains(t, out, "must be at least 1")
	status, _ = run("mlp-step")
	assert.Equal(t, 1, status, "names go with --only")
}
