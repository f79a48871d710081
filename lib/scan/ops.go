package scan

import (
	"maps"
	"slices"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
)

// ops builds operations of a backend function around the step; it panics on an error, for try to catch.
type ops struct{ compute.Function }

// values by name.
type values map[string]compute.Value

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// leading adds a leading axis to a shape.
func leading(n int, shape shapes.Shape) shapes.Shape {
	return shapes.Make(shape.DType, append([]int{n}, shape.Dimensions...)...)
}

func (o ops) param(name string, shape shapes.Shape) compute.Value {
	return must(o.Parameter(name, shape, nil))
}

func (o ops) int64(v int) compute.Value { return must(o.Constant([]int64{int64(v)})) }

func (o ops) add(x, y compute.Value) compute.Value { return must(o.Add(x, y)) }

func (o ops) sub(x, y compute.Value) compute.Value { return must(o.Sub(x, y)) }

func (o ops) mul(x, y compute.Value) compute.Value { return must(o.Mul(x, y)) }

func (o ops) div(x, y compute.Value) compute.Value { return must(o.Div(x, y)) }

func (o ops) finish(results ...compute.Value) {
	if err := o.Return(results, nil); err != nil {
		panic(err)
	}
}

// while runs body, which changes the values it is given, as long as cond holds. The prefix keeps the names of nested
// loops' parameters apart.
func (o ops) while(prefix string, in values, cond func(f ops, v values) compute.Value, body func(f ops, v values)) values {
	names := slices.Sorted(maps.Keys(in))
	list := func(v values) []compute.Value {
		l := make([]compute.Value, len(names))
		for i, name := range names {
			l[i] = v[name]
		}
		return l
	}
	function := func(kind string) (ops, values) {
		f, v := ops{must(o.Closure())}, make(values)
		for _, name := range names {
			v[name] = f.param(prefix+kind+"_"+name, must(o.Shape(in[name])))
		}
		return f, v
	}
	condFn, v := function("cond")
	condFn.finish(cond(condFn, v))
	bodyFn, v := function("body")
	body(bodyFn, v)
	bodyFn.finish(list(v)...)

	out := make(values)
	for i, value := range must(o.While(condFn.Function, bodyFn.Function, list(in)...)) {
		out[names[i]] = value
	}
	return out
}

// row takes row i of x, without the leading axis.
func (o ops) row(x, i compute.Value) compute.Value {
	dims := slices.Clone(must(o.Shape(x)).Dimensions)
	dims[0] = 1
	return must(o.Reshape(must(o.DynamicSlice(x, o.starts(i, len(dims)), dims)), dims[1:]...))
}

// setRow returns x with row i replaced.
func (o ops) setRow(x, row, i compute.Value) compute.Value {
	return o.setRows(x, must(o.Reshape(row, append([]int{1}, must(o.Shape(row)).Dimensions...)...)), i)
}

// setRows returns x with the rows from i on replaced.
func (o ops) setRows(x, rows, i compute.Value) compute.Value {
	return must(o.DynamicUpdateSlice(x, rows, o.starts(i, must(o.Shape(x)).Rank())))
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
