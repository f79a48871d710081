package experts

import (
	"fmt"
	"testing"
	"github.com/hindsight-go/hindsight/lib/data"
	"github.com/hindsight-go/hindsight/lib/online"
)

func TestScratch(t *testing.T) {
	for _, rule := range Rules() {
		for g := range 6 {
			var b, e, m, h float64
			for seed := range uint64(3) {
				c, err := CompareRegression(t.Context(), synthetic(t, 5000, rule, seed), RidgeOptions{}, 1)
				if err != nil {
					t.Fatal(err)
				}
				b, e, m, h = b+c.Final(g, 0)/3, e+c.Final(g, 1)/3, m+c.Final(g, 2)/3, h+c.Curves[g].Hindsight[0]/3
			}
			fmt.Printf("%s %d: %.2f %.2f %.2f | %.2f\n", rule, g, b, e, m, h)
		}
	}
	tab, err := MedicalCosts(t.Context(), data.Options{})
	if err != nil {
		t.Fatal(err)
	}
	fmt.Println(tab.Dim(), tab.Groups, tab.Sizes())
	for name, tab := range map[string]*Table{"med": tab, "dia": diab(t)} {
		var cs []RegressionComparison
		for seed := range uint64(10) {
			c, err := CompareRegression(t.Context(), tab.Shuffled(online.Seeded(seed, "order")), RidgeOptions{}, 100)
			if err != nil {
				t.Fatal(err)
			}
			cs = append(cs, c)
		}
		for g, n := range tab.Groups {
			var b, e, r float64
			for _, c := range cs {
				b, e = b+c.Final(g, 0)/10, e+c.Final(g, 1)/10
				r = max(r, c.Loss(g, 1)/c.Loss(g, 0))
			}
			fmt.Printf("%s %s: %.3f %.3f %.3f\n", name, n, b, e, r)
		}
	}
	g, _ := Grid(4)
	for seed := range uint64(3) {
		c, err := ComparePaths(t.Context(), g, PathsOptions{}, 5000, seed)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 3 {
			for j := range c.Groups {
				fmt.Printf(" %.1f", c.Final(i, j))
			}
			fmt.Println()
		}
	}
}
func diab(t *testing.T) *Table {
	d, err := Diabetes()
	if err != nil {
		t.Fatal(err)
	}
	return d
}
