package main

import (
	"context"

	"github.com/gomlx/compute"

	"github.com/hindsight-go/hindsight/lib/oco"
	"github.com/hindsight-go/hindsight/lib/online"
)

func init() {
	subjects["descent"] = descent
	subjects["descent-round"] = descentRound
}

// descentRule is optimistic mirror descent on the unit ball.
var descentRule = oco.OptimisticDescent(oco.Ball{Radius: 1}, oco.AdaptiveStep{Diameter: 2, Gradient: 4, Smoothness: 1})

// descent is 100,000 rounds of optimistic mirror descent in ten dimensions, twenty runs at once, on quadratic losses whose
// center goes from one point of the run to another and back.
func descent(ctx context.Context, b compute.Backend, _ string) (subject, error) {
	const rounds, runs, dim = 100_000, 20, 10
	var rules []oco.Rule
	var against []oco.Quadratic
	flat := numbers(0, 2*runs*dim, -0.5, 0.5)
	for i := range runs {
		path := oco.Path{make([]float64, dim), make([]float64, dim)}
		for j := range dim {
			path[0][j], path[1][j] = float64(flat[i*dim+j]), float64(flat[(runs+i)*dim+j])
		}
		rules, against = append(rules, descentRule), append(against, oco.Quadratic{Centers: path, Radius: 1})
	}
	stream, err := oco.QuadraticStream(against)
	if err != nil {
		return subject{}, err
	}
	game, err := oco.Compile(b, rules, stream, oco.Options{Every: 1000})
	if err != nil {
		return subject{}, err
	}
	short, err := game.Run(ctx, rules, stream, 1000, 0)
	if err != nil {
		return subject{}, err
	}
	var check []float64
	for _, sums := range short.Sums {
		check = append(check, sums[0])
	}
	return subject{check: check, sample: func(ctx context.Context) (int, error) {
		_, err := game.Run(ctx, rules, stream, rounds, 0)
		return 1, err
	}}, nil
}

// descentRound is a round of the same method by itself: ask for the point, give the gradient.
func descentRound(context.Context, compute.Backend, string) (subject, error) {
	const rounds, dim = 1_000_000, 10
	learner, err := descentRule.Start(dim)
	if err != nil {
		return subject{}, err
	}
	gradient := make([]float64, dim)
	return subject{sample: func(context.Context) (int, error) {
		for t := range rounds {
			x, err := learner.Act(online.None{})
			if err != nil {
				return 0, err
			}
			for i, v := range x {
				gradient[i] = v - float64(t%2)/2
			}
			if err := learner.Learn(gradient); err != nil {
				return 0, err
			}
		}
		return rounds, nil
	}}, nil
}
