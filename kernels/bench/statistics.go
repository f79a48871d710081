package bench

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"
)

// Figure is what came of the samples of a benchmark, or of one side of it.
type Figure struct {
	Best   float64 `json:"best"`   // of ratios: our quickest sample by the peer's
	Median float64 `json:"median"` // of ratios: of those of each turn
	Low    float64 `json:"low"`    // lower quartile, likewise
	High   float64 `json:"high"`   // upper quartile
}

// seconds is the figure of one side's samples.
func seconds(samples []float64) Figure {
	return Figure{slices.Min(samples), quantile(samples, 0.5), quantile(samples, 0.25), quantile(samples, 0.75)}
}

// ratio compares the sides turn by turn. Best compares their quickest samples: what
// else the machine does only ever adds time.
func ratio(ours, peers []float64) Figure {
	turns := make([]float64, len(ours))
	for i := range turns {
		turns[i] = ours[i] / peers[i]
	}
	f := seconds(turns)
	f.Best = slices.Min(ours) / slices.Min(peers)
	return f
}

// slope of time over size on logarithmic axes, fitted by least squares to the samples of
// each turn; samples has a row a size. Best is fitted to the quickest samples.
func slope(sizes []int, samples [][]float64) Figure {
	fit := func(time func(of []float64) float64) float64 {
		var x, y []float64
		for i, size := range sizes {
			x, y = append(x, math.Log(float64(size))), append(y, math.Log(time(samples[i])))
		}
		_, b := stat.LinearRegression(x, y, nil, false)
		return b
	}
	turns := make([]float64, len(samples[0]))
	for turn := range turns {
		turns[turn] = fit(func(of []float64) float64 { return of[turn] })
	}
	f := seconds(turns)
	f.Best = fit(slices.Min[[]float64])
	return f
}

// quantile q of samples, interpolated between the two nearest.
func quantile(samples []float64, q float64) float64 {
	sorted := slices.Sorted(slices.Values(samples))
	at := q * float64(len(sorted)-1)
	low := int(at)
	high := min(low+1, len(sorted)-1)
	return sorted[low] + (at-float64(low))*(sorted[high]-sorted[low])
}

// tolerance of what both sides compute: both round in float32, in orders of their own.
const tolerance = 2e-3

// disagreement returns the first place where the sides' checks differ, -1 where they agree.
func disagreement(ours, peers []float64) int {
	for i := range max(len(ours), len(peers)) {
		if i >= len(ours) || i >= len(peers) {
			return i
		}
		if d := math.Abs(ours[i] - peers[i]); !(d <= tolerance*max(math.Abs(ours[i]), math.Abs(peers[i]), 1e-2)) {
			return i
		}
	}
	return -1
}
