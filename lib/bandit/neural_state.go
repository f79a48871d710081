package bandit

import (
	"slices"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"
	"gonum.org/v1/gonum/mat"

	"github.com/hindsight-go/hindsight/lib/scan"
)

// tensorOf numbers in a dtype, float32 or float64.
func tensorOf(dtype dtypes.DType, flat []float64, dims ...int) *tensors.Tensor {
	if dtype == dtypes.Float64 {
		return tensors.FromFlatDataAndDimensions(flat, dims...)
	}
	out := make([]float32, len(flat))
	for i, x := range flat {
		out[i] = float32(x)
	}
	return tensors.FromFlatDataAndDimensions(out, dims...)
}

// numbersOf a tensor of floats.
func numbersOf(t *tensors.Tensor) ([]float64, error) {
	if t.DType() == dtypes.Float64 {
		return tensors.CopyFlatData[float64](t)
	}
	flat, err := tensors.CopyFlatData[float32](t)
	out := make([]float64, len(flat))
	for i, x := range flat {
		out[i] = float64(x)
	}
	return out, err
}

// initial is where runs of these seeds and of these regressions, alike but in numbers, start: what changes from round to round
// and what does not, by the names that [Regression.model] asks for.
func initial(runs []Regression, seeds []uint64, widths bool) (state, constants scan.Vars) {
	n := runs[0]
	var w, v, sign, signW, signV, gram []float64
	var time []int64
	for i, seed := range seeds {
		s := runs[i].start(seed)
		w, v = append(w, s.W...), append(v, s.V...)
		if n.fixedSigns() {
			signW, signV, gram = append(signW, n.byFeature(s.SignsW)...), append(signV, s.SignsV...), append(gram, n.products(s.SignsW)...)
		}
		sign, time = append(sign, runs[i].sign()), append(time, roundTime(seed))
	}
	r := len(runs)
	ofW := func(flat []float64) *tensors.Tensor { return tensorOf(n.DType, flat, r, n.Features, n.columns()) }
	ofV := func(flat []float64) *tensors.Tensor { return tensorOf(n.DType, flat, r, n.Width) }
	state, constants = scan.Vars{"u": ofW(w), "v": ofV(v)}, scan.Vars{}
	if n.anchored() {
		constants["w0"], constants["v0"] = ofW(w), ofV(v)
	}
	if n.Signs > 0 {
		constants["sign"] = tensorOf(n.DType, sign, r)
		if n.Redraw {
			constants["time"] = tensors.FromFlatDataAndDimensions(time, r)
		} else {
			constants["signW"] = tensorOf(n.DType, signW, r, n.Features, n.Signs*n.columns())
			constants["signV"] = tensorOf(n.DType, signV, r, n.Signs, n.Width)
			constants["gram"] = tensorOf(n.DType, gram, r, n.Signs, n.Signs)
			for _, name := range []string{"q", "inner"} {
				state[name] = tensorOf(n.DType, make([]float64, r*n.Signs), r, n.Signs)
			}
		}
	}
	if widths {
		state["zw"], state["zv"] = ofW(slices.Repeat([]float64{1}, len(w))), ofV(slices.Repeat([]float64{1}, len(v)))
	}
	return state, constants
}

// byFeature lays signs [S, features·columns] out as [features, S·columns].
func (n Regression) byFeature(signs []float64) []float64 {
	out, c := make([]float64, 0, len(signs)), n.columns()
	for i := range n.Features {
		for s := range n.Signs {
			at := (s*n.Features + i) * c
			out = append(out, signs[at:at+c]...)
		}
	}
	return out
}

// products are ⟨E_s, E_r⟩, [S, S].
func (n Regression) products(signs []float64) []float64 {
	e := mat.NewDense(n.Signs, n.Features*n.columns(), signs)
	var gram mat.Dense
	gram.Mul(e, e.T())
	return gram.RawMatrix().Data
}
