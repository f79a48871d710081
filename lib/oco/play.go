package oco

import (
	"context"
	"errors"
	"fmt"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/hindsight-go/hindsight/lib/optim"
	"github.com/hindsight-go/hindsight/lib/scan"
)

// Game is a sequence of convex losses, one a round, played by several independent runs at once. See [LogisticGame] and
// [PeriodicGame].
type Game struct {
	Name   string
	Rounds int // T
	// Start are the learners' first points, shaped [runs, dim], in float64.
	Start *tensors.Tensor
	// Inputs hold what differs from round to round, with a leading axis of rounds: "name" shaped [T, runs, …].
	Inputs scan.Vars
	// Loss of the points, shaped [runs, dim], in a round whose inputs are given in the order of Names: one value a run.
	Names []string
	Loss  func(points *graph.Node, round []*graph.Node) *graph.Node
	// Project maps points back into the domain; nil: no bounds.
	Project func(points *graph.Node) *graph.Node
}

// History is what happened in a game.
type History struct {
	Losses [][]float64 // suffered: one slice a run, of T values
	Points [][]float64 // the first coordinate of the point played: one slice a run, of T values
}

// Play lets a gradient method play a game: in each round every run plays its point, suffers the round's loss there and
// sees its gradient. All rounds run in one compiled program. hyper may give each run hyper-parameters of its own.
func Play(ctx context.Context, b compute.Backend, t optim.Transform, g Game, hyper optim.Hyper) (*History, error) {
	if g.Rounds < 1 {
		return nil, fmt.Errorf("oco: Play: %s: Rounds is %d, must be at least 1", g.Name, g.Rounds)
	}
	if g.Start == nil || g.Start.Rank() != 2 || g.Loss == nil {
		return nil, fmt.Errorf("oco: Play: %s: Start must be shaped [runs, dim] and Loss be a function", g.Name)
	}
	problem := optim.Problem{
		Lead: 1,
		Data: func(s *scan.Step) []*graph.Node {
			rows := make([]*graph.Node, len(g.Names))
			for i, name := range g.Names {
				rows[i] = s.Row(name)
			}
			return rows
		},
		Loss: func(params, round []*graph.Node) *graph.Node { return g.Loss(params[0], round) },
		Observe: func(s *scan.Step, o optim.Observation) {
			s.Trace("point", graph.Squeeze(graph.Slice(o.Params[0].Value, graph.AxisRange(), graph.AxisRange(0, 1)), 1))
		},
		Loop: scan.Loop{Name: g.Name},
	}
	if g.Project != nil {
		problem.Project = func(params []*graph.Node) []*graph.Node { return []*graph.Node{g.Project(params[0])} }
	}
	start := scan.Vars{"point": g.Start}
	program, err := optim.Compile(b, t, problem, start, g.Inputs, hyper)
	if err != nil {
		return nil, err
	}
	r, err := program.Run(ctx, start, g.Inputs, hyper, g.Rounds, 0)
	if err != nil {
		return nil, err
	}
	if r.Status != scan.Done {
		return nil, fmt.Errorf("oco: Play: %s stopped after %d of %d rounds: %w", g.Name, r.Steps, g.Rounds, ctx.Err())
	}
	return &History{Losses: byRun(r.Traces["loss"]), Points: byRun(r.Traces["point"])}, nil
}

// Stream is the game for a [Rule], as [Simulate] takes it, of as many runs. Start and Project, which are for methods without
// a domain, play no part in it.
func (g Game) Stream() (Stream, error) {
	if g.Start == nil || g.Start.Rank() != 2 || g.Loss == nil {
		return Stream{}, fmt.Errorf("oco: Game.Stream: %s: Start must be shaped [runs, dim] and Loss be a function", g.Name)
	}
	return Stream{Name: g.Name, Dim: g.Start.Shape().Dim(1), Inputs: g.Inputs, Reveal: func(s *scan.Step, points *graph.Node) (gradient, loss *graph.Node) {
		rows := make([]*graph.Node, len(g.Names))
		for i, name := range g.Names {
			rows[i] = s.Row(name)
		}
		loss = g.Loss(points, rows)
		return graph.Gradient(graph.ReduceAllSum(loss), points)[0], loss
	}}, nil
}

// byRun turns [rounds, runs] into one slice a run.
func byRun(t *tensors.Tensor) [][]float64 {
	flat := tensors.MustCopyFlatData[float64](t)
	runs := t.Shape().Dim(1)
	out := make([][]float64, runs)
	for i, v := range flat {
		out[i%runs] = append(out[i%runs], v)
	}
	return out
}

// LogisticGame plays streams of logistic losses, one a run, all of one shape, from the origin.
func LogisticGame(streams []*Logistic) (Game, error) {
	if len(streams) == 0 {
		return Game{}, errors.New("oco: LogisticGame: streams is empty, must hold at least one")
	}
	rounds, dim, runs := streams[0].Rounds(), streams[0].Dim(), len(streams)
	a, y := make([]float64, 0, rounds*runs*dim), make([]float64, 0, rounds*runs)
	for i, l := range streams {
		if l.Rounds() != rounds || l.Dim() != dim {
			return Game{}, fmt.Errorf("oco: LogisticGame: stream %d is %d×%d, must be %d×%d like the first", i, l.Rounds(), l.Dim(), rounds, dim)
		}
	}
	for t := range rounds {
		for _, l := range streams {
			a, y = append(a, l.A.RawRowView(t)...), append(y, l.Y[t])
		}
	}
	return Game{
		Name: "online logistic regression", Rounds: rounds, Names: []string{"a", "y"},
		Start: tensors.FromFlatDataAndDimensions(make([]float64, runs*dim), runs, dim),
		Inputs: scan.Vars{
			"a": tensors.FromFlatDataAndDimensions(a, rounds, runs, dim),
			"y": tensors.FromFlatDataAndDimensions(y, rounds, runs),
		},
		Loss: func(points *graph.Node, round []*graph.Node) *graph.Node {
			z := graph.Neg(graph.Mul(round[1], graph.ReduceSum(graph.Mul(round[0], points), 1)))
			return graph.Add(graph.MaxScalar(z, 0), graph.Log1p(graph.Exp(graph.Neg(graph.Abs(z)))))
		},
	}, nil
}

// PeriodicGame has the linear losses c·x in rounds 1, 4, 7, … and −x in all others, on [−1, 1], one run for each c > 2: the
// best point is −1, but a method that divides by too short an average of squared gradients drifts to 1.
//
// Source: Reddi, Kale, Kumar (2018), On the Convergence of Adam and Beyond, Section 3.
func PeriodicGame(c []float64, rounds int) (Game, error) {
	if len(c) == 0 || rounds < 1 {
		return Game{}, fmt.Errorf("oco: PeriodicGame: %d values of c and %d rounds, must be at least one each", len(c), rounds)
	}
	slopes := make([]float64, 0, rounds*len(c))
	for t := range rounds {
		for _, c := range c {
			if !(c > 2) {
				return Game{}, fmt.Errorf("oco: PeriodicGame: c is %g, must be above 2", c)
			}
			if t%3 == 0 {
				slopes = append(slopes, c)
			} else {
				slopes = append(slopes, -1)
			}
		}
	}
	return Game{
		Name: "periodic linear losses", Rounds: rounds, Names: []string{"slope"},
		Start:  tensors.FromFlatDataAndDimensions(make([]float64, len(c)), len(c), 1),
		Inputs: scan.Vars{"slope": tensors.FromFlatDataAndDimensions(slopes, rounds, len(c))},
		Loss: func(points *graph.Node, round []*graph.Node) *graph.Node {
			return graph.Mul(round[0], graph.Squeeze(points, 1))
		},
		Project: func(points *graph.Node) *graph.Node { return graph.ClipScalar(points, -1, 1) },
	}, nil
}

// PeriodicLosses are the losses of [PeriodicGame] at the fixed point x.
func PeriodicLosses(c float64, rounds int, x float64) []float64 {
	out := make([]float64, rounds)
	for t := range out {
		out[t] = -x
		if t%3 == 0 {
			out[t] = c * x
		}
	}
	return out
}
