package functions

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"gonum.org/v1/gonum/mat"

	"github.com/hindsight-go/hindsight/lib/optim"
	"github.com/hindsight-go/hindsight/lib/scan"
)

// MatrixQuadratic is ½·tr((W−W*)ᵀH(W−W*)) of a matrix W, shaped Rows × Columns, which starts at 0. H is a random rotation
// of a diagonal from 1 to Condition by equal factors; W* is standard normal, with each row's mean taken off.
//
// Source: the setting of theorem 1 in Ma et al. (2025), SWAN; sizes, H and W* are ours.
type MatrixQuadratic struct {
	Rows, Columns int     // default 20 and 400
	Condition     float64 // κ at least 1
	Seed          uint64
}

func (q MatrixQuadratic) complete() MatrixQuadratic {
	if q.Rows == 0 {
		q.Rows = 20
	}
	if q.Columns == 0 {
		q.Columns = 400
	}
	return q
}

// draw returns H and W*, row by row.
func (q MatrixQuadratic) draw() (h, target []float64) {
	rng := rand.New(rand.NewPCG(q.Seed, 1))
	gauss := mat.NewDense(q.Rows, q.Rows, nil)
	gauss.Apply(func(int, int, float64) float64 { return rng.NormFloat64() }, gauss)
	var qr mat.QR
	qr.Factorize(gauss)
	var rotation, curvature mat.Dense
	qr.QTo(&rotation)
	eigenvalues := make([]float64, q.Rows)
	for i := range eigenvalues {
		eigenvalues[i] = math.Pow(q.Condition, float64(i)/math.Max(1, float64(q.Rows-1)))
	}
	curvature.Product(&rotation, mat.NewDiagDense(q.Rows, eigenvalues), rotation.T())
	for range q.Rows {
		row, mean := make([]float64, q.Columns), 0.
		for j := range row {
			row[j] = rng.NormFloat64()
			mean += row[j] / float64(q.Columns)
		}
		for j := range row {
			row[j] -= mean
		}
		target = append(target, row...)
	}
	return curvature.RawMatrix().Data, target
}

// Descend follows a method on several quadratics of one size at once, in float64, and returns f(W)/f(0) before each step
// and after the last: steps+1 values a quadratic. With search, what t makes of the gradient is a direction, and each step
// goes to the lowest point along it; else it is the step. hyper may give each quadratic hyper-parameters of its own.
func Descend(ctx context.Context, b compute.Backend, t optim.Transform, quadratics []MatrixQuadratic, steps int, search bool, hyper optim.Hyper) ([][]float64, error) {
	if t == nil || len(quadratics) == 0 || steps < 0 {
		return nil, fmt.Errorf("functions: Descend: %d quadratics and %d steps, must be at least 1 and 0, and a method", len(quadratics), steps)
	}
	first := quadratics[0].complete()
	m, n := first.Rows, first.Columns
	var curvatures, targets []float64
	for i, q := range quadratics {
		q = q.complete()
		if q.Rows != m || q.Columns != n || q.Rows < 1 || q.Columns < 1 || !(q.Condition >= 1) || math.IsInf(q.Condition, 0) {
			return nil, fmt.Errorf("functions: Descend: quadratic %d is %d×%d with Condition %g, must be %d×%d like the first, at least 1×1, and finite and at least 1", i, q.Rows, q.Columns, q.Condition, m, n)
		}
		h, target := q.draw()
		curvatures, targets = append(curvatures, h...), append(targets, target...)
	}
	if search {
		t = lowest{t}
	}
	runs := len(quadratics)
	problem := optim.Problem{
		Lead: 1,
		Data: func(s *scan.Step) []*graph.Node { return []*graph.Node{s.Input("curvatures"), s.Input("targets")} },
		Loss: func(params, data []*graph.Node) *graph.Node {
			gap := graph.Sub(params[0], data[1])
			return graph.MulScalar(graph.Einsum("kij,kij->k", gap, graph.Einsum("kij,kjl->kil", data[0], gap)), 0.5)
		},
		Loop: scan.Loop{Name: "descent on quadratics", StopNonFinite: "-"},
	}
	params := scan.Vars{"w": tensors.FromFlatDataAndDimensions(make([]float64, runs*m*n), runs, m, n)}
	inputs := scan.Vars{
		"curvatures": tensors.FromFlatDataAndDimensions(curvatures, runs, m, m),
		"targets":    tensors.FromFlatDataAndDimensions(targets, runs, m, n),
	}
	program, err := optim.Compile(b, t, problem, params, inputs, hyper)
	if err != nil {
		return nil, err
	}
	r, err := program.Run(ctx, params, inputs, hyper, steps+1, 0) // the loss is that before a step
	if err != nil {
		return nil, err
	}
	if r.Status != scan.Done {
		return nil, ctx.Err()
	}
	losses := tensors.MustCopyFlatData[float64](r.Traces["loss"])
	out := make([][]float64, runs)
	for i, f := range losses {
		out[i%runs] = append(out[i%runs], f/losses[i%runs])
	}
	return out, nil
}

// lowest goes along a method's direction to the lowest point of a quadratic.
type lowest struct{ optim.Transform }

// Update implements optim.Transform. A second value of a quadratic gives its curvature along the direction.
func (l lowest) Update(s *optim.Step, gradients []*graph.Node, state optim.State) ([]*graph.Node, optim.State) {
	if s.Again == nil {
		panic(errors.New("functions: the host cannot give the loss at other weights"))
	}
	out, state := l.Transform.Update(s, gradients, state)
	d, w := out[0], s.Params[0].Value
	slope := graph.Einsum("kij,kij->k", gradients[0], d)
	bend := graph.MulScalar(graph.Sub(graph.Sub(s.Again([]*graph.Node{graph.Add(w, d)}), s.Loss), slope), 2)
	flat := graph.LessOrEqual(bend, graph.ZerosLike(bend)) // no direction is left
	length := graph.Where(flat, bend, graph.Neg(graph.Div(slope, graph.Where(flat, graph.OnesLike(bend), bend))))
	return []*graph.Node{graph.Mul(d, graph.Reshape(length, -1, 1, 1))}, state
}
