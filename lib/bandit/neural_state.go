package bandit

import (
	"slices"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"

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
	var w, v, sign, signW, signV []float64
	var time []int64
	for i, seed := range seeds {
		s := runs[i].start(seed)
		w, v, signW, signV = append(w, s.W...), append(v, s.V...), append(signW, s.SignsW...), append(signV, s.SignsV...)
		sign, time = append(sign, runs[i].sign()), append(time, roundTime(seed))
	}
	r := len(runs)
	ofW := func(flat []float64) *tensors.Tensor { return tensorOf(n.DType, flat, r, n.Features, n.columns()) }
	ofV := func(flat []float64) *tensors.Tensor { return tensorOf(n.DType, flat, r, n.Width) }
	state, constants = scan.Vars{"w": ofW(w), "v": ofV(v)}, scan.Vars{}
	if n.anchored() {
		constants["w0"], constants["v0"] = ofW(w), ofV(v)
	}
	if n.Signs > 0 {
		constants["sign"] = tensorOf(n.DType, sign, r)
		if n.Redraw {
			constants["time"] = tensors.FromFlatDataAndDimensions(time, r)
		} else {
			constants["signW"] = tensorOf(n.DType, signW, r, n.Signs, n.Features*n.columns())
			constants["signV"] = tensorOf(n.DType, signV, r, n.Signs, n.Width)
			state["shift"] = tensorOf(n.DType, make([]float64, r*n.Signs), r, n.Signs)
		}
	}
	if widths {
		state["zw"], state["zv"] = ofW(slices.Repeat([]float64{1}, len(w))), ofV(slices.Repeat([]float64{1}, len(v)))
	}
	return state, constants
}
