package nets_test

import (
	"context"
	"fmt"
	"log"

	"github.com/hindsight-go/hindsight/lib/backend"
	"github.com/hindsight-go/hindsight/lib/data"
	"github.com/hindsight-go/hindsight/lib/nets"
	"github.com/hindsight-go/hindsight/lib/optim"
)

// A small network on the embedded digits, with two learning rates from one compiled program.
func ExampleFitter() {
	b, err := backend.Open()
	if err != nil {
		log.Fatal(err)
	}
	digits, err := data.Digits()
	if err != nil {
		log.Fatal(err)
	}
	if digits, err = digits.Normalize(8, 4); err != nil { // grey values from 0 to 16
		log.Fatal(err)
	}
	train, test, err := digits.Split(0.25, 0)
	if err != nil {
		log.Fatal(err)
	}
	model, err := nets.MLP("relu", 64, 32, 10)
	if err != nil {
		log.Fatal(err)
	}
	fitter, err := nets.NewFitter(b, nets.FitConfig{
		Model: model, Optimizer: optim.Adam(1), Train: train, Test: test, Epochs: 10, Hyper: optim.Hyper{"learning_rate": {0}},
	})
	if err != nil {
		log.Fatal(err)
	}
	results, err := fitter.FitAll(context.Background(), []nets.Run{
		{Hyper: optim.Hyper{"learning_rate": {0.01}}}, {Hyper: optim.Hyper{"learning_rate": {0.00001}}},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(model.Size(), "parameters,", len(results[0].Losses), "steps")
	fmt.Println(results[0].Accuracy > 0.9, results[1].Accuracy > 0.9)
	// Output:
	// 2410 parameters, 210 steps
	// true false
}

// Published networks by name; nothing is allocated before the parameters are drawn.
func ExampleByName() {
	for _, name := range []string{"resnet18", "resnet50", "gpt2", "llama-1b"} {
		model, err := nets.ByName(name)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(name, model.Size())
	}
	// Output:
	// resnet18 11173962
	// resnet50 23520842
	// gpt2 124439808
	// llama-1b 1339082752
}
