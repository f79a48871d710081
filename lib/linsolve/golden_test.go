package linsolve_test

import (
	"encoding/json"
	"math"
	"os"
	"testing"

	"github.com/hindsight-go/hindsight/lib/linsolve"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// testdata/golden.py makes the file.
func TestGolden(t *testing.T) {
	text, err := os.ReadFile("testdata/golden.json")
	if err != nil {
		t.Fatal(err)
	}
	type run struct {
		Iterations int
		Iterates   [][]float64 // after 1 and 5 iterations
	}
	var golden struct {
		N     int
		B, X0 []float64
		Cases []struct {
			Name        string
			Stencil     []float64 // side, center, neighbor
			Omega       float64
			Entries     [][3]float64
			SOR         [][]float64
			CG, SSORPCG run
		}
	}
	if err := json.Unmarshal(text, &golden); err != nil {
		t.Fatal(err)
	}
	for _, c := range golden.Cases {
		var forms []mat.Matrix
		if c.Stencil != nil {
			f := linsolve.FivePoint{Side: int(c.Stencil[0]), Center: c.Stencil[1], Neighbor: c.Stencil[2]}
			forms = []mat.Matrix{f, must[*linsolve.CSR](t)(linsolve.CSROf(f)), mat.DenseCopyOf(f)}
		} else {
			var entries []linsolve.Entry
			for _, e := range c.Entries {
				entries = append(entries, linsolve.Entry{Row: int(e[0]), Col: int(e[1]), Value: e[2]})
			}
			forms = []mat.Matrix{must[*linsolve.CSR](t)(linsolve.NewCSR(golden.N, golden.N, entries))}
		}
		for _, a := range forms {
			for method, solve := range map[string]func(o linsolve.Options) (linsolve.Result, error){
				"SOR": func(o linsolve.Options) (linsolve.Result, error) {
					return linsolve.SOR(a, golden.B, golden.X0, c.Omega, o)
				},
				"CG": func(o linsolve.Options) (linsolve.Result, error) { return linsolve.CG(a, golden.B, golden.X0, o) },
				"SSORPCG": func(o linsolve.Options) (linsolve.Result, error) {
					return linsolve.SSORPCG(a, golden.B, golden.X0, c.Omega, o)
				},
			} {
				want := map[string]run{"SOR": {0, c.SOR}, "CG": c.CG, "SSORPCG": c.SSORPCG}[method]
				for i, k := range []int{1, 5} {
					// A tolerance that no solve meets before.
					r := must[linsolve.Result](t)(solve(linsolve.Options{MaxIterations: k, Tolerance: 1e-15}))
					if !floats.EqualApprox(r.X, want.Iterates[i], 1e-11) {
						t.Errorf("%s, %T, ω = %g: %s is off by %g after %d iterations", c.Name, a, c.Omega, method, floats.Distance(r.X, want.Iterates[i], math.Inf(1)), k)
					}
				}
				if want.Iterations == 0 {
					continue
				}
				if r := must[linsolve.Result](t)(solve(linsolve.Options{})); r.Iterations != want.Iterations || !r.Converged {
					t.Errorf("%s, %T, ω = %g: %s takes %d iterations, must take %d", c.Name, a, c.Omega, method, r.Iterations, want.Iterations)
				}
			}
		}
	}
}
