package main

import (
	"context"
	"fmt"

	"github.com/gomlx/compute"

	"github.com/hindsight-go/hindsight/lib/bandit"
)

func init() { subjects["neucb"] = neucb }

// neucb is NeuSquareCB's regression on a bandit of the digits' size, eight signs, the arms given: "round" predicts and
// updates in a call each, a round at a time; "fused" plays whole games of five seeds in one executable.
func neucb(ctx context.Context, b compute.Backend, mode string) (subject, error) {
	const arms, features, width, signs, rounds, short, seeds = 10, 65, 64, 8, 1000, 50, 5
	n := bandit.NeuSquareCB(arms, features)
	n.Start = &bandit.Weights{
		W: wide(numbers(0, features*arms*width, -1.7, 1.7)), V: wide(numbers(1, width, -1.7, 1.7)),
		SignsW: signsOf(numbers(2, signs*features*arms*width, -1, 1)), SignsV: signsOf(numbers(3, signs*width, -1, 1)),
	}
	var table bandit.Table
	played := make([]int, rounds)
	flat := wide(numbers(4, rounds*features, 0, 0.2))
	for t := range rounds {
		losses := make([]float64, arms)
		for a := range losses {
			losses[a] = float64((t*7 + a*3) % 10 / 5)
		}
		played[t] = t * t % arms
		table.Contexts, table.Losses = append(table.Contexts, [][]float64{flat[t*features : (t+1)*features]}), append(table.Losses, losses)
	}
	switch mode {
	case "round":
		return neucbRound(b, n.Regression, table, played, short)
	case "fused":
		return neucbFused(ctx, b, n, table, played, short, seeds)
	}
	return subject{}, fmt.Errorf("subject: neucb: mode is %q, must be round or fused", mode)
}

func neucbRound(b compute.Backend, n bandit.Regression, table bandit.Table, played []int, short int) (subject, error) {
	program, err := n.Compile(b)
	if err != nil {
		return subject{}, err
	}
	play := func(rounds int) (predicted []float64, err error) {
		r := program.New(0)
		for t := range rounds {
			if predicted, err = r.Predict(table.Contexts[t]); err != nil {
				return nil, err
			}
			if err := r.Update(played[t], table.Losses[t][played[t]]); err != nil {
				return nil, err
			}
		}
		return predicted, nil
	}
	check, err := play(short)
	return subject{check: check, sample: func(context.Context) (int, error) {
		_, err := play(len(played))
		return len(played), err
	}}, err
}

func neucbFused(ctx context.Context, b compute.Backend, n bandit.Neural, table bandit.Table, played []int, short, seeds int) (subject, error) {
	sim := bandit.NewSimulator(b)
	play := func(ctx context.Context, rounds int) ([]bandit.Trace, error) {
		part, err := table.First(rounds)
		if err != nil {
			return nil, err
		}
		var games []bandit.Game
		for seed := range seeds {
			games = append(games, bandit.Game{Learner: n, Table: part, Seed: uint64(seed), Arms: played[:rounds]})
		}
		return sim.Run(ctx, games)
	}
	traces, err := play(ctx, short)
	if err != nil {
		return subject{}, err
	}
	return subject{check: traces[seeds-1].Predicted[short-1], sample: func(ctx context.Context) (int, error) {
		_, err := play(ctx, len(played))
		return len(played), err
	}}, nil
}

func wide(x []float32) []float64 {
	out := make([]float64, len(x))
	for i, v := range x {
		out[i] = float64(v)
	}
	return out
}

func signsOf(x []float32) []float64 {
	out := wide(x)
	for i := range out {
		if out[i] = 1; x[i] < 0 {
			out[i] = -1
		}
	}
	return out
}
