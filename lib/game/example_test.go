package game_test

import (
	"encoding/json"
	"fmt"
	"math"

	"github.com/hindsight-go/hindsight/lib/game"
)

// Two players with a strong and a weak coupling: no certificate in the Euclidean metric, one in the weighted metric.
func Example() {
	g := game.MiniToy(10, 0.05)
	euclid, err := g.TrueMargin(nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	c, err := game.CertifyQuadratic(g, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("Euclidean margin %.3f\n", euclid)
	fmt.Printf("weights 1 : %.0f, α = %.4f, β = %.4f, Euler below %.4f, RK4 up to %.4f\n", c.Weights[1], c.Alpha, c.Beta, c.EulerStep, c.RK4Step)
	run, err := game.ProjectedEuler{Step: c.EulerStep / 2, Within: &c}.Run(g, []float64{.15, -.15}, 1000)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("after 1000 steps within 1e-5 of 0: %t\n", math.Hypot(run.X[1000][0], run.X[1000][1]) < 1e-5)
	_, err = game.ProjectedEuler{Step: 0.5, Within: &c}.Run(g, []float64{.15, -.15}, 1000)
	fmt.Println(err)
	// Output:
	// Euclidean margin -4.025
	// weights 1 : 200, α = 0.2929, β = 1.7071, Euler below 0.2010, RK4 up to 1.4645
	// after 1000 steps within 1e-5 of 0: true
	// game: Certificate: the step is 0.5, must be between 0 and 0.201010127 (both left out) to be certified
}

// Any number of players, from bounds alone.
func ExampleBestWeights() {
	cycle := game.GameBounds{Mu: []float64{1, 1, 1}, L: [][]float64{{0, 4, 0}, {0, 0, 0.2}, {0.5, 0, 0}}}
	w, margin, err := game.BestWeights(cycle)
	fmt.Printf("%.3f %.4f %v\n", w, margin, err)
	equal, err := game.Margin(cycle, []float64{1, 1, 1})
	fmt.Printf("equal weights: %.4f %v\n", equal, err)
	// Output:
	// [1.000 29.472 2.172] 0.2632 <nil>
	// equal weights: -1.0302 <nil>
}

func ExampleBand() {
	band, err := game.Band(1, 1, 10, 0.05, 0)
	fmt.Printf("%.2f to %.2f %v\n", band.Low, band.High, err)
	band, err = game.Band(1, 1, 10, 0.2, 0)
	fmt.Println(band.Feasible, err)
	// Output:
	// 34.31 to 1165.69 <nil>
	// false <nil>
}

// A certificate is checked again from its data.
func ExampleCertificate() {
	c, err := game.CertifyQuadratic(game.MiniToy(4, 0.0625), []float64{1, 64})
	if err != nil {
		fmt.Println(err)
		return
	}
	text, err := json.Marshal(c.GameBounds)
	fmt.Println(string(text), err)
	fmt.Printf("%g certifies %.3f: %v\n", c.Weights, c.Alpha, c.Check())
	c.Alpha = 0.6
	fmt.Println(c.Check() != nil)
	infeasible, err := game.CertifyQuadratic(game.MiniToy(4, 1), nil)
	fmt.Println(infeasible.Certified, err)
	fmt.Println(infeasible.Require())
	// Output:
	// {"mu":[1,1],"l":[[0,4],[0.0625,0]]} <nil>
	// [1 64] certifies 0.500: <nil>
	// true
	// false <nil>
	// game: Certificate: not certified: the small-gain condition is infeasible: the spectral radius of diag(1/μ)L is 2, must be below 1
}

// Natural policy gradient with a step certified around uniform play.
func ExampleNPG() {
	g := game.Coordination(1)
	points, err := game.Vertices(make([]float64, 8), 0.1)
	if err != nil {
		fmt.Println(err)
		return
	}
	c, err := game.CertifyRegion(g.Natural(), points, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	d, err := game.NPG(g, []float64{.01, 0, 0, .02, -.01, 0, 0, .01}, game.PolicyGradient{Step: c.EulerStep / 2, Within: &c})
	fmt.Printf("η below %.3f; converged %t %v\n", c.EulerStep, d.Converged, err)
	// Output: η below 0.270; converged true <nil>
}
