package curvature

import (
	"errors"
	"fmt"
	"math"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

// FisherConfig configures [NewInverseFisher]. Only Damping has no default.
type FisherConfig struct {
	// Damping is λ > 0 in F = λI + (1/m) Σ g gᵀ. The paper prunes with 1e-5.
	Damping float64
	// Block splits the d coordinates into blocks of this many, each with a Fisher matrix of its own (block-diagonal
	// approximation). 0: one block. The paper's pruning script uses 128.
	Block int
	// Page is how many gradients enter the set-up at once. 0: 32. 1 is the paper's recursion, one by one.
	Page int
}

func (c FisherConfig) validate(d int) error {
	var errs []error
	if !(c.Damping > 0) || math.IsInf(c.Damping, 0) {
		errs = append(errs, fmt.Errorf("curvature: FisherConfig: Damping is %g, must be positive and finite", c.Damping))
	}
	if c.Block < 0 || c.Block > d {
		errs = append(errs, fmt.Errorf("curvature: FisherConfig: Block is %d, must be between 0 (one block) and the dimension, %d", c.Block, d))
	}
	if c.Page < 0 {
		errs = append(errs, fmt.Errorf("curvature: FisherConfig: Page is %d, must not be negative (0 means 32)", c.Page))
	}
	return errors.Join(errs...)
}

// InverseFisher holds the inverse of the damped empirical Fisher matrix of m fixed gradients: M-FAC's static
// algorithm. It takes d·m numbers; products and the diagonal cost O(d·m), one entry O(m).
//
// Source: Frantar et al. (2021), Section 3.1. Its readers are safe for concurrent use; [InverseFisher.Refresh] is not.
type InverseFisher struct {
	config              FisherConfig
	m, d, blocks, width int
	v, q                *tensors.Tensor // [blocks, m, width], [blocks, m]
	prepare, mul, diag  *Exec
	setup, product      int64
}

// NewInverseFisher prepares the inverse for gradients, shaped [m, d] in float32 or float64, one a row. Gradients that
// are not finite are an error.
func NewInverseFisher(b compute.Backend, gradients *tensors.Tensor, config FisherConfig) (*InverseFisher, error) {
	if gradients == nil || gradients.Rank() != 2 || gradients.Size() == 0 || !gradients.DType().IsFloat() {
		return nil, fmt.Errorf("curvature: NewInverseFisher: gradients is %s, must be a float matrix [m, d] with m, d ≥ 1", describe(gradients))
	}
	m, d := gradients.Shape().Dimensions[0], gradients.Shape().Dimensions[1]
	if err := config.validate(d); err != nil {
		return nil, err
	}
	f := &InverseFisher{config: config, m: m, d: d, blocks: 1, width: d}
	if config.Block > 0 {
		f.width = config.Block
		f.blocks = (d + f.width - 1) / f.width
	}
	if config.Page == 0 {
		f.config.Page = 32
	}
	var failed [3]error
	f.prepare, failed[0] = NewExec(b, func(g *Node) []*Node {
		var c count
		v, q := staticVectors(&c, f.split(g), config.Damping, f.config.Page)
		f.setup = c.n
		return []*Node{v, q, LogicalAll(IsFinite(g))}
	})
	f.mul, failed[1] = NewExec(b, func(v, q, x *Node) *Node {
		var c count
		y := f.join(staticMul(&c, v, q, f.split(x), config.Damping))
		f.product = c.n
		return y
	})
	f.diag, failed[2] = NewExec(b, func(v, q *Node) *Node {
		return f.join(staticDiag(&count{}, v, q, config.Damping))
	})
	if err := errors.Join(failed[:]...); err != nil {
		return nil, fmt.Errorf("curvature: NewInverseFisher: %w", err)
	}
	if err := f.load("NewInverseFisher", gradients); err != nil {
		return nil, err
	}
	return f, nil
}

// Refresh makes f the inverse for other gradients of the same shape, without compiling anything again. On an error f is
// as it was.
func (f *InverseFisher) Refresh(gradients *tensors.Tensor) error {
	if want := shapes.Make(f.v.DType(), f.m, f.d); gradients == nil || !gradients.Shape().Equal(want) {
		return fmt.Errorf("curvature: InverseFisher.Refresh: gradients is %s, must be %s", describe(gradients), want)
	}
	return f.load("InverseFisher.Refresh", gradients)
}

func (f *InverseFisher) load(caller string, gradients *tensors.Tensor) error {
	out, err := f.prepare.Call(gradients)
	if err != nil {
		return fmt.Errorf("curvature: %s: %w", caller, err)
	}
	if !out[2].Value().(bool) {
		return fmt.Errorf("curvature: %s: gradients hold NaN or infinite entries, must be finite", caller)
	}
	f.v, f.q = out[0], out[1]
	return nil
}

// Mul returns F⁻¹x for x shaped [d], in the gradients' precision.
func (f *InverseFisher) Mul(x *tensors.Tensor) (*tensors.Tensor, error) {
	if want := shapes.Make(f.v.DType(), f.d); x == nil || !x.Shape().Equal(want) {
		return nil, fmt.Errorf("curvature: InverseFisher.Mul: x is %s, must be %s", describe(x), want)
	}
	return call1(f.mul, "InverseFisher.Mul", f.v, f.q, x)
}

// Diag returns the diagonal of F⁻¹, shaped [d].
func (f *InverseFisher) Diag() (*tensors.Tensor, error) {
	return call1(f.diag, "InverseFisher.Diag", f.v, f.q)
}

// Element returns the entry of F⁻¹ in row k and column l, both between 0 and d−1. Entries between two blocks are 0.
func (f *InverseFisher) Element(k, l int) (float64, error) {
	if k < 0 || k >= f.d || l < 0 || l >= f.d {
		return 0, fmt.Errorf("curvature: InverseFisher.Element: (%d, %d) is outside the matrix, both must be between 0 and %d", k, l, f.d-1)
	}
	block := k / f.width
	if l/f.width != block {
		return 0, nil
	}
	var sum float64
	entry := func(v, q func(int) float64) {
		for i := range f.m {
			at := (block*f.m + i) * f.width
			sum -= v(at+k%f.width) * v(at+l%f.width) / q(block*f.m+i)
		}
	}
	var err error
	if f.v.DType() == dtypes.Float64 {
		err = elements[float64](f, entry)
	} else {
		err = elements[float32](f, entry)
	}
	if err != nil {
		return 0, fmt.Errorf("curvature: InverseFisher.Element: %w", err)
	}
	if k == l {
		sum += 1 / f.config.Damping
	}
	return sum, nil
}

func elements[T float32 | float64](f *InverseFisher, entry func(v, q func(int) float64)) error {
	return tensors.ConstFlatData(f.v, func(v []T) {
		tensors.MustConstFlatData(f.q, func(q []T) {
			entry(func(i int) float64 { return float64(v[i]) }, func(i int) float64 { return float64(q[i]) })
		})
	})
}

// MultiplyAdds returns how many multiply-adds the matrix products of the set-up and of one Mul hold, counted on the
// graphs (0 for a Mul that has not run yet). Scaling by 1/λ is not a matrix product: the paper's counts add d to mul.
func (f *InverseFisher) MultiplyAdds() (setup, mul int64) { return f.setup, f.product }

// split turns [..., d] into [blocks, ..., width], with zeros where d is no multiple of the width.
func (f *InverseFisher) split(x *Node) *Node {
	dims := x.Shape().Dimensions
	if f.blocks == 1 {
		return InsertAxes(x, 0)
	}
	lead := dims[:len(dims)-1]
	if missing := f.blocks*f.width - f.d; missing > 0 {
		x = Concatenate([]*Node{x, Zeros(x.Graph(), shapes.Make(x.DType(), append(append([]int(nil), lead...), missing)...))}, -1)
	}
	x = Reshape(x, append(append([]int(nil), lead...), f.blocks, f.width)...)
	if len(lead) == 0 {
		return x
	}
	return TransposeAllAxes(x, 1, 0, 2)
}

// join undoes split for [blocks, width].
func (f *InverseFisher) join(x *Node) *Node {
	return Slice(Reshape(x, f.blocks*f.width), AxisRange(0, f.d))
}

func call1(e *Exec, name string, args ...any) (*tensors.Tensor, error) {
	out, err := e.Call(args...)
	if err != nil {
		return nil, fmt.Errorf("curvature: %s: %w", name, err)
	}
	return out[0], nil
}

func describe(t *tensors.Tensor) string {
	if t == nil {
		return "nil"
	}
	return t.Shape().String()
}
