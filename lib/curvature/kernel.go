package curvature

import (
	"strings"
	"sync"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

// kernel is a compiled graph function that knows, for each combination of shapes, how many multiply-adds it holds.
type kernel struct {
	exec   *Exec
	mu     sync.Mutex
	counts map[string]int64
}

func newKernel(b compute.Backend, f func(c *count, args []*Node) []*Node) (*kernel, error) {
	k := &kernel{counts: map[string]int64{}}
	var err error
	k.exec, err = NewExec(b, func(args []*Node) []*Node {
		var c count
		out := f(&c, args)
		var key strings.Builder
		for _, a := range args {
			key.WriteString(a.Shape().String() + ";")
		}
		k.mu.Lock()
		defer k.mu.Unlock()
		k.counts[key.String()] = c.n
		return out
	})
	return k, err
}

// call runs the kernel and returns its multiply-adds besides.
func (k *kernel) call(args ...*tensors.Tensor) ([]*tensors.Tensor, int64, error) {
	anys := make([]any, len(args))
	var key strings.Builder
	for i, a := range args {
		anys[i] = a
		key.WriteString(a.Shape().String() + ";")
	}
	out, err := k.exec.Call(anys...)
	if err != nil {
		return nil, 0, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return out, k.counts[key.String()], nil
}
