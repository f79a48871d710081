package curvature

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"

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
	// Page is how many gradients enter the set-up at once. 0: 64. 1 is the paper's recursion, one by one.
	Page int
	// OffDevice keeps the vectors in the host's memory between calls: the device holds Page·3 of them at a time, and not all
	// m, for as much moving to and fro. It is for d·m numbers that do not fit.
	OffDevice bool
}

func (c FisherConfig) validate(d int) error {
	var errs []error
	errs = append(errs, checkDamping("FisherConfig", c.Damping))
	if c.Block < 0 || c.Block > d {
		errs = append(errs, fmt.Errorf("curvature: FisherConfig: Block is %d, must be between 0 (one block) and the dimension, %d", c.Block, d))
	}
	if c.Page < 0 {
		errs = append(errs, fmt.Errorf("curvature: FisherConfig: Page is %d, must not be negative (0 means 64)", c.Page))
	}
	return errors.Join(errs...)
}

// checkDamping names the field or argument Damping in its error.
func checkDamping(caller string, damping float64) error {
	if !(damping > 0) || math.IsInf(damping, 0) {
		return fmt.Errorf("curvature: %s: Damping is %g, must be positive and finite", caller, damping)
	}
	return nil
}

// InverseFisher holds the inverse of the damped empirical Fisher matrix of m fixed gradients: M-FAC's static
// algorithm. It takes d·m numbers; products and the diagonal cost O(d·m), one entry O(m).
//
// Source: Frantar et al. (2021), Section 3.1. Its readers are safe for concurrent use; [InverseFisher.Refresh] is not.
type InverseFisher struct {
	config              FisherConfig
	dtype               dtypes.DType
	m, d, blocks, width int
	damping             *tensors.Tensor // config.Damping
	pages               []page

	start, reduce, finish, mul, diag *kernel

	mu             sync.Mutex
	setup, product int64
}

// page is what a page of p gradients became: [blocks, p, width] and [blocks, p].
type page struct{ v, q *tensors.Tensor }

// NewInverseFisher prepares the inverse for gradients, shaped [m, d] in float32 or float64, one a row. Gradients that
// are not finite are an error.
func NewInverseFisher(b compute.Backend, gradients *tensors.Tensor, config FisherConfig) (*InverseFisher, error) {
	if gradients == nil || gradients.Rank() != 2 || gradients.Size() == 0 {
		return nil, fmt.Errorf("curvature: NewInverseFisher: gradients is %s, must be a float matrix [m, d] with m, d ≥ 1", describe(gradients))
	}
	dims := gradients.Shape().Dimensions
	return NewPagedInverseFisher(b, gradients.DType(), dims[0], dims[1], rowsOf(gradients), config)
}

// NewPagedInverseFisher is [NewInverseFisher] for gradients that do not fit the memory together: rows gives the gradients
// from, …, to−1, shaped [to−from, d]. It is called once for each page, in order.
func NewPagedInverseFisher(b compute.Backend, dtype dtypes.DType, m, d int, rows func(from, to int) (*tensors.Tensor, error), config FisherConfig) (*InverseFisher, error) {
	if m < 1 || d < 1 || dtype != dtypes.Float32 && dtype != dtypes.Float64 {
		return nil, fmt.Errorf("curvature: NewPagedInverseFisher: there are %d gradients of %d entries in %s, must be at least one of one, in Float32 or Float64", m, d, dtype)
	}
	if err := config.validate(d); err != nil {
		return nil, err
	}
	f := &InverseFisher{config: config, dtype: dtype, m: m, d: d, blocks: 1, width: d}
	if config.Block > 0 {
		f.width = config.Block
		f.blocks = (d + f.width - 1) / f.width
	}
	if config.Page == 0 {
		f.config.Page = 64
	}
	var errs []error
	compile := func(k **kernel, build func(c *count, a []*Node) []*Node) {
		var err error
		*k, err = newKernel(b, build)
		errs = append(errs, err)
	}
	compile(&f.start, func(_ *count, a []*Node) []*Node {
		g := f.split(a[0])
		return []*Node{g, Div(g, a[1]), LogicalAll(IsFinite(a[0]))}
	})
	compile(&f.reduce, func(c *count, a []*Node) []*Node { return []*Node{reducePage(c, a[0], a[1], a[2], a[3])} })
	compile(&f.finish, func(c *count, a []*Node) []*Node {
		v, q := finishPage(c, a[0], a[1], m)
		return []*Node{v, q}
	})
	compile(&f.mul, f.fold(mulPage))
	compile(&f.diag, f.fold(func(c *count, v, q, _, y *Node) *Node { return diagPage(c, v, q, y) }))
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("curvature: NewInverseFisher: %w", err)
	}
	if err := f.load(rows, config.Damping); err != nil {
		return nil, fmt.Errorf("curvature: NewInverseFisher: %w", err)
	}
	return f, nil
}

// rowsOf cuts pages out of a matrix.
func rowsOf(gradients *tensors.Tensor) func(from, to int) (*tensors.Tensor, error) {
	return func(from, to int) (page *tensors.Tensor, err error) {
		if gradients.DType() == dtypes.Float64 {
			return cut[float64](gradients, from, to)
		}
		return cut[float32](gradients, from, to)
	}
}

func cut[T float32 | float64](gradients *tensors.Tensor, from, to int) (page *tensors.Tensor, err error) {
	d := gradients.Shape().Dim(1)
	accessErr := tensors.ConstFlatData(gradients, func(all []T) {
		page = tensors.FromFlatDataAndDimensions(all[from*d:to*d], to-from, d)
	})
	return page, accessErr
}

// Refresh makes f the inverse for other gradients of the same shape and a damping, without compiling anything again. On
// an error f is as it was.
func (f *InverseFisher) Refresh(gradients *tensors.Tensor, damping float64) error {
	if err := checkDamping("InverseFisher.Refresh", damping); err != nil {
		return err
	}
	if want := shapes.Make(f.dtype, f.m, f.d); gradients == nil || !gradients.Shape().Equal(want) {
		return fmt.Errorf("curvature: InverseFisher.Refresh: gradients is %s, must be %s", describe(gradients), want)
	}
	if err := f.load(rowsOf(gradients), damping); err != nil {
		return fmt.Errorf("curvature: InverseFisher.Refresh: %w", err)
	}
	return nil
}

// load prepares the pages, and takes them over once all are there.
func (f *InverseFisher) load(rows func(from, to int) (*tensors.Tensor, error), damping float64) error {
	lambda := tensors.FromScalar(damping)
	if f.dtype == dtypes.Float32 {
		lambda = tensors.FromScalar(float32(damping))
	}
	var pages []page
	var total int64
	for from := 0; from < f.m; from += f.config.Page {
		to := min(from+f.config.Page, f.m)
		gradients, err := rows(from, to)
		if err != nil {
			return fmt.Errorf("gradients %d to %d: %w", from, to-1, err)
		}
		if want := shapes.Make(f.dtype, to-from, f.d); gradients == nil || !gradients.Shape().Equal(want) {
			return fmt.Errorf("gradients %d to %d are %s, must be %s", from, to-1, describe(gradients), want)
		}
		p, n, err := f.prepare(gradients, lambda, pages)
		if err != nil {
			return err
		}
		pages, total = append(pages, p), total+n
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.pages, f.setup, f.damping, f.config.Damping = pages, total, lambda, damping
	return nil
}

// prepare makes a page of gradients, behind earlier ones, and counts.
func (f *InverseFisher) prepare(gradients, lambda *tensors.Tensor, earlier []page) (p page, total int64, err error) {
	out, _, err := f.start.call(gradients, lambda)
	if err != nil {
		return p, 0, err
	}
	if !out[2].Value().(bool) {
		return p, 0, errors.New("gradients hold NaN or infinite entries, must be finite")
	}
	rows, h := out[0], out[1]
	var n int64
	for _, before := range earlier {
		out, n, err = f.reduce.call(rows, h, before.v, before.q)
		if err = errors.Join(err, f.release(before)); err != nil {
			return p, 0, err
		}
		h.MustFinalizeAll()
		h, total = out[0], total+n
	}
	if out, n, err = f.finish.call(rows, h); err != nil {
		return p, 0, err
	}
	rows.MustFinalizeAll()
	h.MustFinalizeAll()
	p = page{out[0], out[1]}
	return p, total + n, f.release(p)
}

// release takes a page off the device where it must not stay there.
func (f *InverseFisher) release(p page) error {
	if !f.config.OffDevice {
		return nil
	}
	return errors.Join(p.v.ToLocal(), p.q.ToLocal())
}

// fold is the graph of a sum over pages: x/λ, from which each page subtracts its part. Its arguments are x; λ, or the result
// for earlier pages; and v and q of each page.
func (f *InverseFisher) fold(subtract func(c *count, v, q, x, y *Node) *Node) func(c *count, a []*Node) []*Node {
	return func(c *count, a []*Node) []*Node {
		x, y, pages := a[0], a[1], a[2:]
		if y.IsScalar() {
			y = Div(x, y)
		}
		x, y = f.split(x), f.split(y)
		for i := 0; i < len(pages); i += 2 {
			y = subtract(c, pages[i], pages[i+1], x, y)
		}
		return []*Node{f.join(y)}
	}
}

// sum runs a kernel made by fold over all pages, at once where the device holds them, and counts.
func (f *InverseFisher) sum(k *kernel, x *tensors.Tensor) (y *tensors.Tensor, total int64, err error) {
	atOnce := len(f.pages)
	if f.config.OffDevice {
		atOnce = 1
	}
	y = f.damping
	for pages := range slices.Chunk(f.pages, atOnce) {
		args := []*tensors.Tensor{x, y}
		for _, p := range pages {
			args = append(args, p.v, p.q)
		}
		out, n, err := k.call(args...)
		for _, p := range pages {
			err = errors.Join(err, f.release(p))
		}
		if y != f.damping {
			y.MustFinalizeAll()
		}
		if err != nil {
			return nil, 0, err
		}
		y, total = out[0], total+n
	}
	return y, total, nil
}

// Mul returns F⁻¹x = x/λ − Σ_i v_i (v_i·x)/q_i for x shaped [d], in the gradients' precision.
func (f *InverseFisher) Mul(x *tensors.Tensor) (*tensors.Tensor, error) {
	if want := shapes.Make(f.dtype, f.d); x == nil || !x.Shape().Equal(want) {
		return nil, fmt.Errorf("curvature: InverseFisher.Mul: x is %s, must be %s", describe(x), want)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	y, n, err := f.sum(f.mul, x)
	if err != nil {
		return nil, fmt.Errorf("curvature: InverseFisher.Mul: %w", err)
	}
	f.product = n
	return y, nil
}

// Diag returns the diagonal of F⁻¹, 1/λ − Σ_i v_i²/q_i, shaped [d].
func (f *InverseFisher) Diag() (*tensors.Tensor, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	ones := tensors.FromShape(shapes.Make(f.dtype, f.d))
	if f.dtype == dtypes.Float64 {
		fill[float64](ones, 1)
	} else {
		fill[float32](ones, 1)
	}
	y, _, err := f.sum(f.diag, ones)
	if err != nil {
		return nil, fmt.Errorf("curvature: InverseFisher.Diag: %w", err)
	}
	return y, nil
}

func fill[T float32 | float64](t *tensors.Tensor, value T) {
	tensors.MustMutableFlatData(t, func(flat []T) {
		for i := range flat {
			flat[i] = value
		}
	})
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
	f.mu.Lock()
	defer f.mu.Unlock()
	var sum float64
	var err error
	for _, p := range f.pages {
		var part float64
		if f.dtype == dtypes.Float64 {
			part, err = elementPage[float64](p, block, k%f.width, l%f.width)
		} else {
			part, err = elementPage[float32](p, block, k%f.width, l%f.width)
		}
		if err != nil {
			return 0, fmt.Errorf("curvature: InverseFisher.Element: %w", err)
		}
		sum -= part
	}
	if k == l {
		sum += 1 / f.config.Damping
	}
	return sum, nil
}

// elementPage returns Σ_i v_i[k]·v_i[l]/q_i over a page's block.
func elementPage[T float32 | float64](p page, block, k, l int) (sum float64, err error) {
	n, width := p.v.Shape().Dim(1), p.v.Shape().Dim(2)
	err = tensors.ConstFlatData(p.v, func(v []T) {
		tensors.MustConstFlatData(p.q, func(q []T) {
			for i := range n {
				row := v[(block*n+i)*width:]
				sum += float64(row[k]) * float64(row[l]) / float64(q[block*n+i])
			}
		})
	})
	return sum, err
}

// MultiplyAdds returns how many multiply-adds the matrix products of the set-up and of one Mul hold, counted on the
// graphs (0 for a Mul that has not run yet). Scaling by 1/λ is not a matrix product: the paper's counts add d to mul.
func (f *InverseFisher) MultiplyAdds() (setup, mul int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.setup, f.product
}

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
