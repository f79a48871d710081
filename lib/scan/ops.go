package scan

import (
	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
)

// ops builds operations of a backend function around the step; it panics on an error, for try to catch.
type ops struct{ compute.Function }

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func (o ops) param(name string, shape shapes.Shape) compute.Value {
	return must(o.Parameter(name, shape, nil))
}

func (o ops) int64(v int64) compute.Value { return must(o.Constant([]int64{v})) }

func (o ops) add(x, y compute.Value) compute.Value { return must(o.Add(x, y)) }

func (o ops) sub(x, y compute.Value) compute.Value { return must(o.Sub(x, y)) }

func (o ops) div(x, y compute.Value) compute.Value { return must(o.Div(x, y)) }

func (o ops) finish(results ...compute.Value) {
	if err := o.Return(results, nil); err != nil {
		panic(err)
	}
}

// row takes row i of x, without the leading axis.
func (o ops) row(x compute.Value, i compute.Value) compute.Value {
	dims := append([]int{}, must(o.Shape(x)).Dimensions...)
	dims[0] = 1
	starts := o.starts(i, len(dims))
	return must(o.Reshape(must(o.DynamicSlice(x, starts, dims)), dims[1:]...))
}

// setRow returns x with row i replaced.
func (o ops) setRow(x, row, i compute.Value) compute.Value {
	dims := append([]int{1}, must(o.Shape(row)).Dimensions...)
	return must(o.DynamicUpdateSlice(x, must(o.Reshape(row, dims...)), o.starts(i, len(dims))))
}

func (o ops) starts(i compute.Value, rank int) []compute.Value {
	starts := []compute.Value{i}
	for range rank - 1 {
		starts = append(starts, o.int64(0))
	}
	return starts
}

// zeros of a shape.
func (o ops) zeros(shape shapes.Shape) compute.Value {
	zero := must(o.Constant(dtypes.MakeAnySlice(shape.DType, 1)))
	return must(o.BroadcastInDim(zero, shape, nil))
}

// firstBad keeps the number of the first step that was not finite; 0: none yet.
func (o ops) firstBad(bad, finite, count compute.Value) compute.Value {
	isFirst := must(o.LogicalAnd(must(o.Equal(bad, o.int64(0))), must(o.LogicalNot(finite))))
	return must(o.Where(isFirst, count, bad))
}
