// Package optimtest tests that an optimizer keeps the rules of package optim. Whoever writes a Transform runs it over
// their own; the library runs it over every name of its registry.
//
//	func TestMine(t *testing.T) {
//		optimtest.Run(t, func(rate float64) optim.Transform { return Mine(rate) })
//	}
package optimtest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/hindsight-go/hindsight/lib/backend"
	"github.com/hindsight-go/hindsight/lib/optim"
	"github.com/hindsight-go/hindsight/lib/scan"
)

// New makes the ready optimizer with a learning rate.
type New func(rate float64) optim.Transform

// Run tests an optimizer on the environment's backend. Each rule is a subtest.
//
//   - converges: with one of [Rates] it comes within [Tolerance] of the minimum of every target of [Targets] in [Steps]
//     steps; the rate is an input named "learning_rate" where the optimizer has it.
//   - shapes: parameters of 0 to 3 axes in float32 and float64 keep shape and dtype and stay finite.
//   - repeats: the same run gives the same numbers, also with another run of the same value in between.
//   - resumes: two halves are the whole.
//   - rows: runs trained together along a leading axis do what each does alone.
//   - bytes: [optim.StateBytes] counts what the state takes.
//   - zero: zero gradients give finite steps, and nothing but decay moves the parameters.
//   - not finite: NaN in a gradient stops the run with [scan.ErrNonFinite] and the last finite parameters.
func Run(t *testing.T, make New) {
	s := &suite{backend: backend.ForTest(t), make: make}
	t.Run("converges", s.converges)
	t.Run("shapes", s.shapes)
	t.Run("repeats", s.repeats)
	t.Run("resumes", s.resumes)
	t.Run("rows", s.rows)
	t.Run("bytes", s.bytes)
	t.Run("zero", s.zero)
	t.Run("not finite", s.notFinite)
}

// Rates are the learning rates that converges tries, and Steps how many steps each gets.
var (
	Rates = []float64{0.03, 0.01, 0.1, 0.003, 0.3, 0.001, 1}
	Steps = 4000
)

// Tolerance is how far each coordinate may stay from the minimum.
const Tolerance = 0.03

type suite struct {
	backend compute.Backend
	make    New
}

// Target is a function with one known minimum, in parameters of its own.
type Target struct {
	Name    string
	Start   map[string][]float64
	Minimum map[string][]float64
	Shapes  map[string][]int
	Loss    func(p map[string]*graph.Node) *graph.Node
}

// Targets are a parabola of unequal axes, Rosenbrock's valley, a matrix parabola and a linear model of matrix and vector.
func Targets() []Target {
	return []Target{
		{
			Name: "parabola", Shapes: map[string][]int{"x": {3}},
			Start: map[string][]float64{"x": {0, 0, 0}}, Minimum: map[string][]float64{"x": {1, -0.5, 0.25}},
			Loss: func(p map[string]*graph.Node) *graph.Node {
				x := p["x"]
				return graph.ReduceAllSum(graph.Mul(constant(x, []float64{1, 0.5, 2}), graph.Square(graph.Sub(x, constant(x, []float64{1, -0.5, 0.25})))))
			},
		},
		{
			Name: "rosenbrock", Shapes: map[string][]int{"x": {2}},
			Start: map[string][]float64{"x": {0.5, 1.5}}, Minimum: map[string][]float64{"x": {1, 1}},
			Loss: func(p map[string]*graph.Node) *graph.Node { // (1−a)² + 5(b−a²)²: the valley, less steep than the classic one
				a, b := graph.Slice(p["x"], graph.AxisElem(0)), graph.Slice(p["x"], graph.AxisElem(1))
				return graph.ReduceAllSum(graph.Add(graph.Square(graph.OneMinus(a)), graph.MulScalar(graph.Square(graph.Sub(b, graph.Square(a))), 5)))
			},
		},
		{
			Name: "matrix", Shapes: map[string][]int{"w": {3, 2}},
			Start: map[string][]float64{"w": {0, 0, 0, 0, 0, 0}}, Minimum: map[string][]float64{"w": {1, -1, 0.5, 0.25, -0.5, 0.75}},
			Loss: func(p map[string]*graph.Node) *graph.Node {
				w := p["w"]
				a := constant(w, [][]float64{{1, 0.5, 0}, {0, 1, 0.25}, {0.25, 0, 1}})
				gap := graph.Sub(w, constant(w, [][]float64{{1, -1}, {0.5, 0.25}, {-0.5, 0.75}}))
				return graph.ReduceAllSum(graph.Square(graph.Dot(a, gap).Product()))
			},
		},
		{
			Name: "linear", Shapes: map[string][]int{"weights": {2, 3}, "biases": {3}},
			Start:   map[string][]float64{"weights": {0, 0, 0, 0, 0, 0}, "biases": {0, 0, 0}},
			Minimum: map[string][]float64{"weights": {0.5, -0.25, 1, -1, 0.75, 0.5}, "biases": {0.25, -0.5, 0.1}},
			Loss: func(p map[string]*graph.Node) *graph.Node {
				w, b := p["weights"], p["biases"]
				x := constant(w, [][]float64{{1, 0}, {0, 1}, {-1, 0.5}, {0.5, -1}, {1, 1}, {-1, -1}})
				y := graph.Add(graph.Dot(x, constant(w, [][]float64{{0.5, -0.25, 1}, {-1, 0.75, 0.5}})).Product(), constant(w, [][]float64{{0.25, -0.5, 0.1}}))
				return graph.ReduceAllMean(graph.Square(graph.Sub(graph.Add(graph.Dot(x, w).Product(), graph.InsertAxes(b, 0)), y)))
			},
		},
	}
}

func constant(like *graph.Node, value any) *graph.Node {
	return graph.ConvertDType(graph.Const(like.Graph(), value), like.DType())
}

// all is the sum of the targets as one problem, so that an optimizer is compiled once. Parameters are named
// target/name.
func all(dtype dtypes.DType) (optim.Problem, scan.Vars, map[string][]float64) {
	targets := Targets()
	start, minimum := scan.Vars{}, map[string][]float64{}
	var paths []string
	for _, target := range targets {
		for name, value := range target.Start {
			start[target.Name+"/"+name] = tensor(dtype, value, target.Shapes[name]...)
			minimum[target.Name+"/"+name] = target.Minimum[name]
		}
	}
	for path := range start {
		paths = append(paths, path)
	}
	paths = sorted(paths)
	return optim.Problem{Loss: func(params, _ []*graph.Node) *graph.Node {
		var sum *graph.Node
		for _, target := range targets {
			own := map[string]*graph.Node{}
			for i, path := range paths {
				if name, ok := strings.CutPrefix(path, target.Name+"/"); ok {
					own[name] = params[i]
				}
			}
			if loss := target.Loss(own); sum == nil {
				sum = loss
			} else {
				sum = graph.Add(sum, loss)
			}
		}
		return sum
	}, Loop: scan.Loop{TraceEvery: 1000}}, start, minimum
}

func (s *suite) converges(t *testing.T) {
	problem, start, minimum := all(dtypes.Float64)
	hyper := optim.Hyper{"learning_rate": {1}}
	program, err := optim.Compile(s.backend, s.make(1), problem, start, nil, hyper)
	free := err == nil // of another rate without compiling
	var report []string
	for _, rate := range Rates {
		if free {
			hyper["learning_rate"][0] = rate
		} else {
			hyper = nil
			if program, err = optim.Compile(s.backend, s.make(rate), problem, start, nil, nil); err != nil {
				t.Fatal(err)
			}
		}
		r, err := program.Run(context.Background(), start, nil, hyper, Steps, 0)
		if err != nil {
			report = append(report, fmt.Sprintf("rate %g: %v", rate, err))
			continue
		}
		path, gap := farthest(r.Params, minimum)
		if gap <= Tolerance {
			return
		}
		report = append(report, fmt.Sprintf("rate %g: %q is %.3g away from the minimum", rate, path, gap))
	}
	t.Errorf("no rate converges in %d steps:\n%s", Steps, strings.Join(report, "\n"))
}

// farthest is the parameter that is farthest from the minimum in a coordinate.
func farthest(got scan.Vars, minimum map[string][]float64) (path string, gap float64) {
	for name, want := range minimum {
		for i, v := range tensors.MustCopyFlatData[float64](got[name]) {
			if d := math.Abs(v - want[i]); !(d <= gap) {
				path, gap = name, d
			}
		}
	}
	return path, gap
}

// mixed are parameters of 0 to 3 axes, each at another place.
func mixed(dtype dtypes.DType) scan.Vars {
	return scan.Vars{
		"scalar": tensor(dtype, []float64{0.5}), "vector": tensor(dtype, []float64{1, -1, 2}, 3),
		"wide": tensor(dtype, []float64{1, 2, 3, -1, -2, -3}, 2, 3), "tall": tensor(dtype, []float64{1, 2, 3, -1, -2, -3}, 3, 2),
		"cube": tensor(dtype, []float64{1, 2, 3, 4, -1, -2, -3, -4}, 2, 2, 2),
	}
}

// bowl is half the squared norm, weighted; with lead it gives one value a run.
func bowl(lead int) optim.Problem {
	return optim.Problem{Lead: lead, Loss: func(params, _ []*graph.Node) *graph.Node {
		var sum *graph.Node
		for k, p := range params {
			term := graph.MulScalar(graph.Square(p), 0.5*float64(k+1))
			var axes []int
			for a := lead; a < term.Rank(); a++ {
				axes = append(axes, a)
			}
			if len(axes) > 0 {
				term = graph.ReduceSum(term, axes...)
			}
			if sum == nil {
				sum = term
			} else {
				sum = graph.Add(sum, term)
			}
		}
		return sum
	}}
}

func (s *suite) minimize(t *testing.T, p optim.Problem, params scan.Vars, steps int) *optim.Result {
	t.Helper()
	r, err := optim.Minimize(context.Background(), s.backend, s.make(0.01), p, params, nil, steps, 3)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func (s *suite) shapes(t *testing.T) {
	for _, dtype := range []dtypes.DType{dtypes.Float32, dtypes.Float64} {
		start := mixed(dtype)
		r := s.minimize(t, bowl(0), start, 5)
		for path, v := range start {
			if got := r.Params[path].Shape(); !got.Equal(v.Shape()) {
				t.Errorf("%q is %s, was %s", path, got, v.Shape())
			}
			for _, x := range floats(r.Params[path]) {
				if math.IsNaN(x) || math.IsInf(x, 0) {
					t.Errorf("%q in %s is %v", path, dtype, x)
				}
			}
		}
	}
}

func (s *suite) repeats(t *testing.T) {
	value := s.make(0.01)
	start := mixed(dtypes.Float64)
	program, err := optim.Compile(s.backend, value, bowl(0), start, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	run := func(p *optim.Program, from scan.Vars, steps int) *optim.Result {
		r, err := p.Run(context.Background(), from, nil, nil, steps, 3)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	first := run(program, start, 10)
	other := scan.Vars{"x": tensors.FromValue([]float64{3, 4})}
	second, err := optim.Compile(s.backend, value, bowl(0), other, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	run(second, other, 7)
	same(t, "once more", first.Params, run(program, start, 10).Params, 1e-12)
}

func (s *suite) resumes(t *testing.T) {
	start := mixed(dtypes.Float64)
	program, err := optim.Compile(s.backend, s.make(0.01), bowl(0), start, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	run := func(steps int) *optim.Result {
		r, err := program.Run(context.Background(), start, nil, nil, steps, 3)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	rest, err := program.Resume(context.Background(), run(7), nil, nil, 13)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "7 and 13 steps against 20", run(20).Params, rest.Params, 1e-12)
}

// ErrNoRows in the message of a panic says that a method cannot train runs together.
const ErrNoRows = "runs trained together"

func (s *suite) rows(t *testing.T) {
	const runs = 3
	alone := make([]scan.Vars, runs)
	together := scan.Vars{}
	for path, v := range mixed(dtypes.Float64) {
		var stacked []float64
		for k := range alone {
			if alone[k] == nil {
				alone[k] = scan.Vars{}
			}
			moved := floats(v)
			for i := range moved {
				moved[i] *= 1 + 0.5*float64(k)
			}
			alone[k][path] = tensor(dtypes.Float64, moved, v.Shape().Dimensions...)
			stacked = append(stacked, moved...)
		}
		together[path] = tensor(dtypes.Float64, stacked, append([]int{runs}, v.Shape().Dimensions...)...)
	}
	r, err := optim.Minimize(context.Background(), s.backend, s.make(0.01), bowl(1), together, nil, 10, 3)
	if err != nil && strings.Contains(err.Error(), ErrNoRows) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	program, err := optim.Compile(s.backend, s.make(0.01), bowl(0), alone[0], nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	for k := range alone {
		one, err := program.Run(context.Background(), alone[k], nil, nil, 10, 3)
		if err != nil {
			t.Fatal(err)
		}
		for path, want := range one.Params {
			n := want.Size()
			closeTo(t, fmt.Sprintf("run %d: %q", k, path), floats(r.Params[path])[k*n:(k+1)*n], floats(want), 1e-9)
		}
	}
}

func (s *suite) bytes(t *testing.T) {
	start := mixed(dtypes.Float32)
	counted, err := optim.StateBytes(s.backend, s.make(0.01), start)
	if err != nil {
		t.Fatal(err)
	}
	var held int64
	for _, v := range s.minimize(t, bowl(0), start, 2).State {
		held += v.Shape().ByteSize()
	}
	if counted != held {
		t.Errorf("StateBytes is %d, and the state takes %d bytes", counted, held)
	}
}

func (s *suite) zero(t *testing.T) {
	flat := optim.Problem{Loss: func(params, _ []*graph.Node) *graph.Node {
		var sum *graph.Node
		for _, p := range params {
			if term := graph.MulScalar(graph.ReduceAllSum(p), 0); sum == nil {
				sum = term
			} else {
				sum = graph.Add(sum, term)
			}
		}
		return sum
	}}
	start := mixed(dtypes.Float64)
	r := s.minimize(t, flat, start, 5)
	for path, v := range start {
		was, is := floats(v), floats(r.Params[path])
		for i := range was {
			// Decay shrinks towards zero and never beyond.
			if ratio := is[i] / was[i]; !(ratio <= 1+1e-12 && ratio > 0) {
				t.Errorf("%q went from %g to %g without a gradient", path, was[i], is[i])
			}
		}
	}
}

func (s *suite) notFinite(t *testing.T) {
	const good = 3
	start := scan.Vars{"x": tensors.FromValue([]float64{1, 2}), "w": tensors.FromValue([][]float64{{1, 2}, {3, 4}})}
	p := optim.Problem{
		Data: func(step *scan.Step) []*graph.Node { return []*graph.Node{step.Row("factor")} },
		Loss: func(params, data []*graph.Node) *graph.Node {
			return graph.Mul(data[0], graph.Add(graph.ReduceAllSum(graph.Square(params[0])), graph.ReduceAllSum(graph.Square(params[1]))))
		},
	}
	factors := []float64{1, 1, 1, math.NaN(), 1, 1}
	inputs := scan.Vars{"factor": tensors.FromValue(factors)}
	program, err := optim.Compile(s.backend, s.make(0.01), p, start, inputs, nil)
	if err != nil {
		t.Fatal(err)
	}
	r, err := program.Run(context.Background(), start, inputs, nil, len(factors), 0)
	if !errors.Is(err, scan.ErrNonFinite) || r == nil {
		t.Fatalf("NaN in step %d gave %v", good+1, err)
	}
	want, err := program.Run(context.Background(), start, inputs, nil, good, 0)
	if err != nil {
		t.Fatal(err)
	}
	if r.Steps != good {
		t.Errorf("%d steps are kept, must be %d", r.Steps, good)
	}
	same(t, "the last finite parameters", want.Params, r.Params, 1e-12)
}
