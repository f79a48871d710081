package transport

import (
	"math"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"

	"github.com/hindsight-go/hindsight/lib/scan"
)

// minibatches are the data of a step: rows of x0 and x1, shaped [tasks, batch, dim], and ε, shaped [tasks].
func minibatches(tasks, batch int) func(s *scan.Step) []*graph.Node {
	rows := func(s *scan.Step, name string) *graph.Node {
		all := s.Input(name)
		if batch < 0 {
			return all
		}
		n, dim := all.Shape().Dim(1), all.Shape().Dim(2)
		offset := graph.Iota(s.Graph(), shapes.Make(dtypes.Int32, tasks, batch), 0)
		index := graph.Add(s.IntegersEach(n, batch), graph.MulScalar(offset, int32(n)))
		return graph.Gather(graph.Reshape(all, tasks*n, dim), graph.InsertAxes(index, -1))
	}
	return func(s *scan.Step) []*graph.Node {
		return []*graph.Node{rows(s, "x0"), rows(s, "x1"), s.Input("epsilon")}
	}
}

// loss is mean log c(x) − mean log v(y) of each task. params are a = ε log α [tasks, K], logS [tasks, K, dim],
// r [tasks, K, dim] and, of full covariances, u [tasks, K, dim, dim]; data are those of minibatches.
func loss(params, data []*graph.Node) *graph.Node {
	a, logS, r := params[0], params[1], params[2]
	x, y, eps := data[0], data[1], graph.InsertAxes(data[2], -1, -1)
	s, fromR := graph.Exp(logS), graph.Sub(graph.InsertAxes(y, 2), graph.InsertAxes(r, 1))
	var square *graph.Node // xᵀSx
	if len(params) > 3 {
		u := tangent(params[3])
		fromR = graph.Einsum("tbkd,tkde->tbke", fromR, u)
		square = graph.ReduceSum(graph.Mul(graph.Square(graph.Einsum("tbd,tkde->tbke", x, u)), graph.InsertAxes(s, 1)), -1)
	} else {
		square = graph.Einsum("tbd,tkd->tbk", graph.Square(x), s)
	}
	logAlpha := graph.Div(graph.InsertAxes(a, 1), eps)
	twice := graph.MulScalar(eps, 2)
	logC := graph.Add(logAlpha, graph.Div(graph.Add(square, graph.MulScalar(graph.Einsum("tbd,tkd->tbk", x, r), 2)), twice))

	dim := float64(x.Shape().Dim(2))
	distance := graph.ReduceSum(graph.Mul(graph.Square(fromR), graph.InsertAxes(graph.Exp(graph.Neg(logS)), 1)), -1)
	logNorm := graph.MulScalar(graph.AddScalar(graph.Add(graph.InsertAxes(graph.ReduceSum(logS, -1), 1), graph.MulScalar(graph.Log(eps), dim)), dim*math.Log(2*math.Pi)), -0.5)
	logV := graph.Sub(graph.Add(logAlpha, logNorm), graph.Div(distance, twice))
	return graph.Sub(graph.ReduceMean(logSumExp(logC), -1), graph.ReduceMean(logSumExp(logV), -1))
}

// logSumExp is over the last axis.
func logSumExp(x *graph.Node) *graph.Node {
	top := graph.StopGradient(graph.ReduceAndKeep(x, graph.ReduceMax, -1))
	return graph.Add(graph.Log(graph.ReduceSum(graph.Exp(graph.Sub(x, top)), -1)), graph.Squeeze(top, -1))
}

// tangent is U(3I − UᵀU)/2: at an orthogonal U it is U, and its derivative is the projection to the directions in which U
// stays orthogonal. Without it Adam, which scales entry by entry, would turn U even where the loss is least.
func tangent(u *graph.Node) *graph.Node {
	gram := graph.Einsum("tkde,tkdf->tkef", u, u)
	return graph.Sub(graph.MulScalar(u, 1.5), graph.MulScalar(graph.Einsum("tkde,tkef->tkdf", u, gram), 0.5))
}

// project maps parameters back to where they are allowed: log s within ±20, u orthogonal.
func project(params []*graph.Node) []*graph.Node {
	params[1] = graph.ClipScalar(params[1], -logScaleBound, logScaleBound)
	if len(params) > 3 {
		for range 4 { // Newton–Schulz, which squares the error: a step of Adam is short
			params[3] = tangent(params[3])
		}
	}
	return params
}
