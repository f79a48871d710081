package curvature

import (
	"errors"
	"fmt"
	"sync"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

// WindowFisher holds the inverse of the damped empirical Fisher matrix of the last m gradients: M-FAC's dynamic
// algorithm. It takes m·(d+m) numbers. A window that is not full yet still divides by m.
//
// Source: Frantar et al. (2021), Section 3.2. It is safe for concurrent use. Inside a graph, use [Window].
type WindowFisher struct {
	mu                  sync.Mutex
	d                   int
	damping             *tensors.Tensor
	state               [3]*tensors.Tensor // gradients, Gram matrix, slot
	insert, mul, newest *Exec
}

// NewWindowFisher returns an empty window of m gradients of d entries. damping is λ > 0, dtype Float32 or Float64.
func NewWindowFisher(b compute.Backend, m, d int, damping float64, dtype dtypes.DType) (*WindowFisher, error) {
	var errs []error
	if m < 1 {
		errs = append(errs, fmt.Errorf("curvature: NewWindowFisher: m is %d, must be at least 1", m))
	}
	if d < 1 {
		errs = append(errs, fmt.Errorf("curvature: NewWindowFisher: d is %d, must be at least 1", d))
	}
	errs = append(errs, checkDamping("NewWindowFisher", damping))
	if dtype != dtypes.Float32 && dtype != dtypes.Float64 {
		errs = append(errs, fmt.Errorf("curvature: NewWindowFisher: dtype is %s, must be Float32 or Float64", dtype))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	f := &WindowFisher{d: d, damping: tensors.FromScalar(damping), state: [3]*tensors.Tensor{
		tensors.FromShape(shapes.Make(dtype, m, d)), tensors.FromShape(shapes.Make(dtype, m, m)), tensors.FromScalar(int32(0)),
	}}
	var failed [3]error
	f.insert, failed[0] = NewExec(b, func(gradients, gram, slot, g *Node) []*Node {
		w := Window{gradients, gram, slot}.Insert(g)
		return []*Node{w.Gradients, w.Gram, w.Slot, LogicalAll(IsFinite(g))}
	})
	f.mul, failed[1] = NewExec(b, func(gradients, gram, slot, lambda, x *Node) *Node {
		return Window{gradients, gram, slot}.Mul(x, lambda)
	})
	f.newest, failed[2] = NewExec(b, func(gradients, gram, slot, lambda *Node) *Node {
		return Window{gradients, gram, slot}.MulNewest(lambda)
	})
	if err := errors.Join(failed[:]...); err != nil {
		return nil, fmt.Errorf("curvature: NewWindowFisher: %w", err)
	}
	return f, nil
}

// SetDamping replaces λ; the gradients stay, and nothing is compiled again.
func (f *WindowFisher) SetDamping(damping float64) error {
	if err := checkDamping("WindowFisher.SetDamping", damping); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.damping = tensors.FromScalar(damping)
	return nil
}

// Insert puts gradient g, shaped [d], in place of the oldest. A gradient that is not finite is an error and leaves the
// window as it was.
func (f *WindowFisher) Insert(g *tensors.Tensor) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.check("Insert", "g", g); err != nil {
		return err
	}
	out, err := f.insert.Call(f.state[0], f.state[1], f.state[2], g)
	if err != nil {
		return fmt.Errorf("curvature: WindowFisher.Insert: %w", err)
	}
	if !out[3].Value().(bool) {
		return errors.New("curvature: WindowFisher.Insert: g holds NaN or infinite entries, must be finite")
	}
	copy(f.state[:], out[:3])
	return nil
}

// Mul returns F⁻¹x for x shaped [d]. Before any Insert that is x/λ.
func (f *WindowFisher) Mul(x *tensors.Tensor) (*tensors.Tensor, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.check("Mul", "x", x); err != nil {
		return nil, err
	}
	return call1(f.mul, "WindowFisher.Mul", f.state[0], f.state[1], f.state[2], f.damping, x)
}

// MulNewest returns F⁻¹g of the gradient inserted last, to full precision also in float32; zero before any Insert.
func (f *WindowFisher) MulNewest() (*tensors.Tensor, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return call1(f.newest, "WindowFisher.MulNewest", f.state[0], f.state[1], f.state[2], f.damping)
}

func (f *WindowFisher) check(method, name string, x *tensors.Tensor) error {
	if want := shapes.Make(f.state[0].DType(), f.d); x == nil || !x.Shape().Equal(want) {
		return fmt.Errorf("curvature: WindowFisher.%s: %s is %s, must be %s", method, name, describe(x), want)
	}
	return nil
}
