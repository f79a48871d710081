package dynamics_test

import (
	"context"
	"fmt"
	"log"
	"math"

	"github.com/hindsight-go/hindsight/lib/backend"
	"github.com/hindsight-go/hindsight/lib/dynamics"
)

// The signal at the end and the time to fit are proportional to the temperature.
func ExamplePerceptronSweep() {
	sweep := dynamics.PerceptronSweep{
		Data: func(seed uint64) (dynamics.SignedData, error) { return dynamics.BoundaryData(256, 32, 1, seed) },
		SGD:  dynamics.TrainToFit{Batch: 2, MaxSteps: 1e6, CheckEvery: 32},
	}
	temperatures := []float64{1, 4, 16}
	diagram, err := sweep.PhaseDiagram(context.Background(), []float64{1000}, temperatures, []uint64{0, 1, 2, 3, 4})
	if err != nil {
		log.Fatal(err)
	}
	signal, time := make([]float64, 3), make([]float64, 3) // geometric means
	for j := range temperatures {
		for _, run := range diagram.Cell(0, j) {
			s, _ := run.SignalNoise()
			signal[j], time[j] = signal[j]+math.Log(s)/5, time[j]+math.Log(run.Time)/5
		}
		signal[j], time[j] = math.Exp(signal[j]), math.Exp(time[j])
	}
	for _, y := range [][]float64{signal, time} {
		law, err := dynamics.PowerLawFit(temperatures, y)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("T^%.0f\n", law.Exponents[0])
	}
	// Output:
	// T^1
	// T^1
}

// A lazy network and one that learns features, on the same data, fitted side by side.
func ExampleNetFit() {
	b, err := backend.Open()
	if err != nil {
		log.Fatal(err)
	}
	train, err := dynamics.BoundaryData(64, 8, 1, 0)
	if err != nil {
		log.Fatal(err)
	}
	trainer, err := dynamics.NetFit{
		Net: dynamics.CenteredNet{HiddenLayers: 2, Width: 32}, Train: train,
		SGD: dynamics.TrainToFit{Batch: 8, MaxSteps: 20000},
	}.Compile(b)
	if err != nil {
		log.Fatal(err)
	}
	runs, err := trainer.Run(context.Background(), []dynamics.Phase{{Alpha: 1000, Temperature: 0.01}, {Alpha: 0.1, Temperature: 0.01}})
	if err != nil {
		log.Fatal(err)
	}
	for _, r := range runs {
		fmt.Printf("α = %g: every point fitted %t, weights moved by more than a tenth %t\n", r.Alpha, r.How == dynamics.Fitted, r.Change > 0.1)
	}
	// Output:
	// α = 1000: every point fitted true, weights moved by more than a tenth false
	// α = 0.1: every point fitted true, weights moved by more than a tenth true
}

func ExamplePowerLawFit() {
	law, err := dynamics.PowerLawFit([]float64{1, 2, 4, 8}, []float64{3, 6.2, 11.8, 24.1})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%.2f·x^(%.3f ± %.3f)\n", law.Scale, law.Exponents[0], law.Errors[0])
	// Output: 3.03·x^(0.995 ± 0.016)
}
