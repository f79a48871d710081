package oco

import (
	"context"
	"fmt"
	"log"
	"math"
	"strings"
	"testing"

	"gonum.org/v1/gonum/floats"

	"github.com/hindsight-go/hindsight/lib/backend"
	"github.com/hindsight-go/hindsight/lib/online"
	"github.com/hindsight-go/hindsight/lib/optim"
)

// rate ½/√t, the regret bound's.
func rate(direction optim.Transform) optim.Transform {
	return optim.Chain{direction, optim.ScaleByLearningRate{Rate: 0.5, Schedule: optim.InverseSqrt{}}}
}

// Online gradient descent on a stream, in the graph and by hand.
func TestPlayIsOnlineGradientDescent(t *testing.T) {
	const rounds = 200
	var streams []*Logistic
	for seed := range uint64(3) {
		l, err := NewLogistic(rounds, 4, seed)
		if err != nil {
			t.Fatal(err)
		}
		streams = append(streams, l)
	}
	game, err := LogisticGame(streams)
	if err != nil {
		t.Fatal(err)
	}
	h, err := Play(context.Background(), backend.ForTest(t), rate(optim.Keep{}), game, nil)
	if err != nil {
		t.Fatal(err)
	}
	for run, l := range streams {
		w := make([]float64, 4)
		for t0 := range rounds {
			a := l.A.RawRowView(t0)
			z := -l.Y[t0] * floats.Dot(a, w)
			if got := h.Losses[run][t0]; math.Abs(got-softplus(z)) > 1e-12 {
				t.Fatalf("run %d, round %d: loss %g, by hand %g", run, t0+1, got, softplus(z))
			}
			if got := h.Points[run][t0]; math.Abs(got-w[0]) > 1e-12 {
				t.Fatalf("run %d, round %d: first coordinate %g, by hand %g", run, t0+1, got, w[0])
			}
			floats.AddScaled(w, 0.5/math.Sqrt(float64(t0+1))*l.Y[t0]*sigmoid(z), a)
		}
	}
}

// A rule on a game's stream is the transform on the game.
func TestGameStream(t *testing.T) {
	const rounds = 200
	game, err := LogisticGame([]*Logistic{must(NewLogistic(rounds, 4, 1)), must(NewLogistic(rounds, 4, 2))})
	if err != nil {
		t.Fatal(err)
	}
	b := backend.ForTest(t)
	want, err := Play(context.Background(), b, rate(optim.Keep{}), game, nil)
	if err != nil {
		t.Fatal(err)
	}
	rule := GradientDescent(Free{}, RootStep{Scale: 0.5})
	got, err := Simulate(context.Background(), b, []Rule{rule, rule}, must(game.Stream()), rounds, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for run := range 2 {
		near(t, "losses", got.Losses[run], want.Losses[run], 1e-12)
	}
	if _, err := (Game{Name: "none"}).Stream(); err == nil {
		t.Error("a game without a start has a stream")
	}
}

// Adam-like methods drift to the worst point.
func TestPeriodicGame(t *testing.T) {
	const rounds = 3000
	game, err := PeriodicGame([]float64{3, 10}, rounds)
	if err != nil {
		t.Fatal(err)
	}
	h, err := Play(context.Background(), backend.ForTest(t), rate(optim.ScaleByAdam{Beta1: optim.Zero}), game, optim.Hyper{"beta2": {1. / 10, 1. / 101}})
	if err != nil {
		t.Fatal(err)
	}
	for run := range 2 {
		if x := h.Points[run][rounds-1]; x < 0.9 {
			t.Errorf("run %d ends at %g, above 0.9 expected", run, x)
		}
	}
	// The best fixed point is −1.
	for _, x := range []float64{-0.9, 0, 1} {
		if floats.Sum(PeriodicLosses(3, rounds, -1)) >= floats.Sum(PeriodicLosses(3, rounds, x)) {
			t.Errorf("%g is as good as −1", x)
		}
	}
	// Plain gradient descent finds it.
	h, err = Play(context.Background(), backend.ForTest(t), rate(optim.Keep{}), game, nil)
	if err != nil {
		t.Fatal(err)
	}
	if x := h.Points[0][rounds-1]; x > -0.9 {
		t.Errorf("gradient descent ends at %g, below −0.9 expected", x)
	}
}

func TestPlayBadArguments(t *testing.T) {
	b := backend.ForTest(t)
	if _, err := Play(context.Background(), b, optim.SGD(1), Game{Name: "none"}, nil); err == nil || !strings.Contains(err.Error(), "Rounds is 0") {
		t.Errorf("no rounds: %v", err)
	}
	if _, err := LogisticGame(nil); err == nil {
		t.Error("no streams gave no error")
	}
	short, _ := NewLogistic(2, 2, 1)
	long, _ := NewLogistic(3, 2, 1)
	if _, err := LogisticGame([]*Logistic{short, long}); err == nil || !strings.Contains(err.Error(), "stream 1") {
		t.Errorf("streams of two lengths: %v", err)
	}
	if _, err := PeriodicGame([]float64{1}, 3); err == nil || !strings.Contains(err.Error(), "above 2") {
		t.Errorf("c = 1: %v", err)
	}
}

func ExamplePlay() {
	b, err := backend.Open()
	if err != nil {
		log.Fatal(err)
	}
	stream, err := NewLogistic(2000, 5, 1)
	if err != nil {
		log.Fatal(err)
	}
	game, err := LogisticGame([]*Logistic{stream})
	if err != nil {
		log.Fatal(err)
	}
	h, err := Play(context.Background(), b, rate(optim.Keep{}), game, nil)
	if err != nil {
		log.Fatal(err)
	}
	best, err := stream.Minimizer()
	if err != nil {
		log.Fatal(err)
	}
	fixed, err := stream.Losses(best)
	if err != nil {
		log.Fatal(err)
	}
	regret, err := online.Regret(h.Losses[0], online.Comparator{Losses: fixed})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("regret per round falls:", regret[1999]/2000 < regret[199]/200)
	// Output: regret per round falls: true
}
