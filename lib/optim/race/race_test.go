package race_test

import (
	"context"
	"errors"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/hindsight-go/hindsight/lib/backend"
	"github.com/hindsight-go/hindsight/lib/data"
	"github.com/hindsight-go/hindsight/lib/optim"
	"github.com/hindsight-go/hindsight/lib/optim/race"
	"github.com/hindsight-go/hindsight/lib/scan"
)

// parabola is ½(x−1)² from x = 0, without or with runs along a leading axis.
func parabola(lead int) *race.Problem {
	value := func(params []*graph.Node) *graph.Node {
		return graph.MulScalar(graph.Square(graph.AddScalar(params[0], -1)), 0.5)
	}
	return &race.Problem{
		Name: "parabola", Steps: 20, Lead: lead,
		Start:     func(uint64) scan.Vars { return scan.Vars{"x": tensors.FromScalar(0.0)} },
		Objective: func(params, _ []*graph.Node) *graph.Node { return value(params) },
		Compare:   func(_ *scan.Step, params []*graph.Node) *graph.Node { return value(params) },
	}
}

// SGD on a parabola is known: x_t − 1 = −(1−rate)^t.
func TestClosedForm(t *testing.T) {
	b := backend.ForTest(t)
	for lead := range 2 {
		r, err := race.Run(context.Background(), b, race.Config{Problem: parabola(lead), Methods: []string{"sgd"}, Trials: 6, Seeds: 2, Points: 4})
		if err != nil {
			t.Fatal(err)
		}
		if want := []int{5, 10, 15, 20}; !reflect.DeepEqual(r.Steps, want) {
			t.Errorf("Lead %d: Steps are %v, want %v", lead, r.Steps, want)
		}
		o := r.Outcomes[0]
		if len(o.Trials) != 6 || len(o.Runs) != 2 {
			t.Fatalf("Lead %d: %d trials and %d runs, want 6 and 2", lead, len(o.Trials), len(o.Runs))
		}
		best := math.Inf(1)
		for _, c := range append(o.Trials, o.Runs...) {
			for k, loss := range c.Losses {
				want := 0.5 * math.Pow(1-c.Rate, 2*float64(r.Steps[k]))
				if math.Abs(loss-want) > 1e-9*math.Max(1, want) {
					t.Errorf("Lead %d, rate %g: loss after %d steps is %g, want %g", lead, c.Rate, r.Steps[k], loss, want)
				}
			}
			best = math.Min(best, c.Final())
		}
		if o.Runs[0].Final() > best || o.Final() != o.Runs[0].Final() {
			t.Errorf("Lead %d: the final runs end at %g, the best trial at %g", lead, o.Final(), best)
		}
		if o.StateBytes != 0 || o.StepTime != 0 {
			t.Errorf("Lead %d: SGD keeps %d bytes, want 0; time %g was not asked for", lead, o.StateBytes, o.StepTime)
		}
	}
}

// Runs that go together do what each does alone.
func TestTogetherIsAlone(t *testing.T) {
	b := backend.ForTest(t)
	run := func(lead int) *race.Result {
		r, err := race.Run(context.Background(), b, race.Config{Problem: parabola(lead), Methods: []string{"adam", "lion", "nesterov"}, Trials: 3})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	alone, together := run(0), run(1)
	for i, o := range alone.Outcomes {
		for k, c := range o.Trials {
			for j, loss := range c.Losses {
				if other := together.Outcomes[i].Trials[k].Losses[j]; math.Abs(loss-other) > 1e-9*math.Max(1, loss) {
					t.Errorf("%s at %g: %g together, %g alone", o.Method, c.Rate, other, loss)
				}
			}
		}
	}
}

// A run that diverges is a result with the losses so far, and the next rate is not harmed.
func TestDivergence(t *testing.T) {
	b := backend.ForTest(t)
	for lead := range 2 {
		p := parabola(lead)
		runner, err := race.NewRunner(b, p, optim.SGD(1), 2000, 100, 2)
		if err != nil {
			t.Fatal(err)
		}
		curves, err := runner.Run(context.Background(), []float64{3, 0.5}, []uint64{0, 0})
		if err != nil {
			t.Fatal(err)
		}
		bad, good := curves[0], curves[1]
		// (1−3)^2t passes the largest float64, 2^1024, before step 512.
		if !bad.Diverged || !math.IsInf(bad.Final(), 1) || len(bad.Losses) < 20 || len(bad.Losses) > 26 {
			t.Errorf("Lead %d: rate 3 diverged %t with %d losses", lead, bad.Diverged, len(bad.Losses))
		}
		for _, loss := range bad.Losses {
			if math.IsNaN(loss) || math.IsInf(loss, 0) {
				t.Errorf("Lead %d: a loss of %g is kept", lead, loss)
			}
		}
		if good.Diverged || len(good.Losses) != 100 || good.Final() > 1e-12 {
			t.Errorf("Lead %d: rate 0.5 diverged %t and ends at %g", lead, good.Diverged, good.Final())
		}
	}
}

// Where every rate diverges, and where a problem cannot host a method, the outcome says so.
func TestReasons(t *testing.T) {
	b := backend.ForTest(t)
	steep := parabola(1)
	steep.Objective = func(params, _ []*graph.Node) *graph.Node { return graph.MulScalar(graph.Square(params[0]), 1e6) }
	steep.Compare = func(_ *scan.Step, params []*graph.Node) *graph.Node {
		return graph.MulScalar(graph.Square(params[0]), 1e6)
	}
	steep.Start = func(uint64) scan.Vars { return scan.Vars{"x": tensors.FromScalar(1.0)} }
	r, err := race.Run(context.Background(), b, race.Config{Problem: steep, Methods: []string{"sgd", "signsgd"}, Steps: 200, Seeds: 1})
	if err != nil {
		t.Fatal(err)
	}
	ranking := r.Ranking()
	if last := ranking[1]; ranking[0].Method != "signsgd" || last.Reason == "" || len(last.Runs) != 0 || len(last.Trials) != 8 || !math.IsInf(last.Final(), 1) {
		t.Errorf("ranking is %+v", ranking)
	}

	picky := parabola(0)
	picky.Objective = func(_, _ []*graph.Node) *graph.Node { panic(errors.New("this problem hosts nobody")) }
	if r, err = race.Run(context.Background(), b, race.Config{Problem: picky, Methods: []string{"sgd"}}); err != nil {
		t.Fatal(err)
	}
	if o := r.Outcomes[0]; !strings.Contains(o.Reason, "hosts nobody") || len(o.Trials) != 0 {
		t.Errorf("the outcome is %+v", o)
	}
}

// All registered methods run on both problems that need no download, and learn.
func TestEveryMethod(t *testing.T) {
	b := backend.ForTest(t)
	for _, name := range []string{"quadratic", "logistic"} {
		p, err := race.ByName(context.Background(), name)
		if err != nil {
			t.Fatal(err)
		}
		methods := optim.Names()
		if name == "logistic" {
			methods = []string{"adam", "muon"}
		}
		c := race.Config{Problem: p, Methods: methods, Trials: 4, Seeds: 2, Steps: 20, Points: 2}
		r, err := race.Run(context.Background(), b, c)
		if err != nil {
			t.Fatal(err)
		}
		first := 1.0 // f of the quadratic at the start, in the mean
		if name == "logistic" {
			first = math.Log(10) // of equal logits
		}
		for _, o := range r.Outcomes {
			if o.Reason != "" || len(o.Runs) != 2 {
				t.Errorf("%s on %s: %d runs, %s", o.Method, name, len(o.Runs), o.Reason)
			} else if !(o.Final() < first) && o.Method != "adadelta" {
				t.Errorf("%s on %s: the loss is %g after 20 steps, was about %g", o.Method, name, o.Final(), first)
			}
		}
	}
}

// The networks learn, and SGD's step is the unit of time.
func TestNetworks(t *testing.T) {
	b := backend.ForTest(t)
	if !scan.CanFuse(b) {
		t.Skip("the pure-Go backend is fifty times slower on convolutions")
	}
	for _, name := range []string{"cnn", "transformer"} {
		t.Run(name, func(t *testing.T) {
			p, err := race.ByName(context.Background(), name)
			if errors.Is(err, data.ErrUnavailable) {
				t.Skip(err)
			} else if err != nil {
				t.Fatal(err)
			}
			r, err := race.Run(context.Background(), b, race.Config{Problem: p, Methods: []string{"sgd", "adam"}, Trials: 3, Seeds: 1, Steps: 20, Points: 2, Timings: 1})
			if err != nil {
				t.Fatal(err)
			}
			for _, o := range r.Outcomes {
				// 2.30 and about 4.6 nats are those of equal chances.
				if limit := map[string]float64{"cnn": 2, "transformer": 4.3}[name]; !(o.Final() < limit) {
					t.Errorf("%s ends at %g, must be below %g", o.Method, o.Final(), limit)
				}
				if o.Method == "sgd" && o.StepTime != 1 || o.StepTime <= 0 {
					t.Errorf("%s takes %g of SGD's time", o.Method, o.StepTime)
				}
				if bytes := o.StateBytes; o.Method == "adam" && name == "cnn" && bytes != 2*4*9098 {
					t.Errorf("Adam keeps %d bytes, must be 8 a parameter", bytes)
				}
			}
		})
	}
}

// The same configuration gives the same race; the quadratic starts at 1 in the mean.
func TestRepeats(t *testing.T) {
	b := backend.ForTest(t)
	p, err := race.Quadratic(3, 2, 10)
	if err != nil {
		t.Fatal(err)
	}
	c := race.Config{Problem: p, Methods: []string{"sgd", "adam"}, Trials: 2, Steps: 40}
	first, err := race.Run(context.Background(), b, c)
	if err != nil {
		t.Fatal(err)
	}
	second, err := race.Run(context.Background(), b, c)
	if err != nil {
		t.Fatal(err)
	}
	for i, o := range first.Outcomes {
		for k, c := range o.Runs {
			for j, loss := range c.Losses {
				if other := second.Outcomes[i].Runs[k].Losses[j]; math.Abs(loss-other) > 1e-9 {
					t.Errorf("%s, seed %d: %g and %g", o.Method, c.Seed, loss, other)
				}
			}
		}
	}
	runner, err := race.NewRunner(b, p, optim.SGD(1), 1, 1, 400)
	if err != nil {
		t.Fatal(err)
	}
	var seeds []uint64
	for s := range uint64(400) {
		seeds = append(seeds, s)
	}
	curves, err := runner.Run(context.Background(), slices.Repeat([]float64{1e-9}, 400), seeds)
	if err != nil {
		t.Fatal(err)
	}
	// One target for all: the mean over starts is (tr H + w*ᵀHw*)/(2 tr H), between ½ and, as w* falls out, a few.
	mean := 0.0
	for _, c := range curves {
		mean += c.Final() / 400
	}
	if !(mean > 0.5 && mean < 4) {
		t.Errorf("f(start) is %g in the mean", mean)
	}
}

func TestRates(t *testing.T) {
	for _, e := range race.Entrants() {
		if math.Abs(e.High/e.Low-1000) > 1e-9 {
			t.Errorf("%s: the range is %g to %g, must be three decades", e.Name, e.Low, e.High)
		}
		rates := e.Rates(5, 7)
		for i, rate := range rates {
			low, high := e.Low*math.Pow(1000, float64(i)/5), e.Low*math.Pow(1000, float64(i+1)/5)
			if rate < low*(1-1e-9) || rate > high*(1+1e-9) {
				t.Errorf("%s: rate %d is %g, must be between %g and %g", e.Name, i, rate, low, high)
			}
			if same := race.Entrants()[0]; math.Abs(rate/e.Low-same.Rates(5, 7)[i]/same.Low) > 1e-9*rate/e.Low {
				t.Errorf("%s: rate %d lies elsewhere in its range than %s's", e.Name, i, same.Name)
			}
		}
		if err := e.New(e.Low).Validate(); err != nil {
			t.Error(err)
		}
	}
	if e, err := race.ByMethod("SGD"); err != nil || e.Family != "gradient" {
		t.Errorf("SGD is %+v, %v", e, err)
	}
	if err := (race.Entrant{Name: "none"}).New(1).Validate(); err == nil {
		t.Error("an entrant that is none is valid")
	}
}

func TestProgressAndCancel(t *testing.T) {
	b := backend.ForTest(t)
	var last, total int
	c := race.Config{Problem: parabola(1), Methods: []string{"sgd", "adam", "lion"}, Progress: func(done, of int) { last, total = done, of }}
	if _, err := race.Run(context.Background(), b, c); err != nil {
		t.Fatal(err)
	}
	if last != 33 || total != 33 {
		t.Errorf("progress ends at %d of %d, want 33 of 33", last, total)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if r, err := race.Run(ctx, b, c); !errors.Is(err, context.Canceled) || r == nil {
		t.Errorf("a race whose context has ended gives %v and %v", r, err)
	}
}

func TestBadInput(t *testing.T) {
	b := backend.ForTest(t)
	for want, c := range map[string]race.Config{
		"Problem is nil":         {},
		"Trials is -1":           {Problem: parabola(0), Trials: -1},
		"Seeds is -2":            {Problem: parabola(0), Seeds: -2},
		"multiple of Points, 20": {Problem: parabola(0), Steps: 30},
		`name is "fastest"`:      {Problem: parabola(0), Methods: []string{"fastest"}},
		`has "sgd" twice`:        {Problem: parabola(0), Methods: []string{"sgd", "sgd"}},
		"Timings is -1":          {Problem: parabola(0), Timings: -1},
		"Lead is 2":              {Problem: parabola(2)},
		"one is nil":             {Problem: &race.Problem{Steps: 20}},
	} {
		if _, err := race.Run(context.Background(), b, c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error is %v, want one with %q", err, want)
		}
	}
	if _, err := race.ByName(context.Background(), "rosenbrock"); err == nil || !strings.Contains(err.Error(), "quadratic, logistic") {
		t.Errorf("an unknown problem gives %v", err)
	}
	if _, err := race.Quadratic(2, 2, math.NaN()); err == nil {
		t.Error("a condition of NaN is taken")
	}
	if _, err := race.Transformer(2000); err == nil || !strings.Contains(err.Error(), "at least") {
		t.Errorf("a text too short gives %v", err)
	}
	runner, err := race.NewRunner(b, parabola(1), optim.SGD(1), 20, 2, 2)
	if err != nil {
		t.Fatal(err)
	}
	for _, rates := range [][]float64{nil, {1, 1, 1}, {math.NaN(), 1}, {0, 1}} {
		if _, err := runner.Run(context.Background(), rates, make([]uint64, len(rates))); err == nil {
			t.Errorf("rates %v are taken", rates)
		}
	}
	if _, err := race.NewRunner(b, parabola(1), optim.SGD(1), 20, 3, 2); err == nil {
		t.Error("20 steps are measured 3 times")
	}
}
