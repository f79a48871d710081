package show

import (
	"math"
	"strconv"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// ticks places about want round labels on an axis, few enough not to overlap.
type ticks struct {
	log  bool
	want int
}

// Ticks implements plot.Ticker.
func (t ticks) Ticks(low, high float64) []plot.Tick {
	if t.log && high > 5*low { // over a shorter range powers of ten are too far apart
		return logTicks(low, high)
	}
	step := niceStep((high - low) / float64(t.want))
	digits := max(0, -int(math.Floor(math.Log10(step)+1e-9)))
	var out []plot.Tick
	labelled := math.Inf(-1) // log of the last labelled value
	for k := math.Ceil(low/step - 1e-9); k*step <= high+step*1e-9; k++ {
		v := k * step
		if t.log { // equal steps crowd towards the upper end
			if math.Log(v)-labelled < 0.7/float64(t.want)*math.Log(high/low) {
				out = append(out, plot.Tick{Value: v})
				continue
			}
			labelled = math.Log(v)
		}
		label := strconv.FormatFloat(v, 'f', digits, 64)
		if m := math.Max(math.Abs(low), math.Abs(high)); m >= 1e5 || m < 1e-3 {
			label = strconv.FormatFloat(v, 'g', 3, 64)
		}
		if k == 0 {
			label = "0"
		}
		out = append(out, plot.Tick{Value: v, Label: strings.Replace(label, "-", "−", 1)})
	}
	return out
}

// niceStep is 1, 2 or 5 times a power of ten, at least x.
func niceStep(x float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(x)))
	for _, m := range []float64{1, 2, 5} {
		if m*power >= x*(1-1e-9) {
			return m * power
		}
	}
	return 10 * power
}

// logTicks labels powers of ten, every few where there are many, and 1, 2, 5 where there are hardly any.
func logTicks(low, high float64) []plot.Tick {
	first, last := math.Ceil(math.Log10(low)-1e-9), math.Floor(math.Log10(high)+1e-9)
	every := math.Max(1, math.Ceil((last-first+1)/6))
	marks := []float64{1}
	if last-first < 2 {
		marks = []float64{1, 2, 5}
	}
	var out []plot.Tick
	for e := math.Floor(math.Log10(low)); e <= last; e++ {
		for m := 1.0; m < 10; m++ {
			v := m * math.Pow(10, e)
			if v < low*(1-1e-9) || v > high*(1+1e-9) {
				continue
			}
			tick := plot.Tick{Value: v}
			for _, labelled := range marks {
				if m == labelled && math.Mod(e-first, every) == 0 {
					tick.Label = logLabel(v)
				}
			}
			if tick.Label == "" && last-first > 8 && m != 1 {
				continue
			}
			out = append(out, tick)
		}
	}
	return out
}

func logLabel(v float64) string {
	if v >= 1e-3 && v < 1e5 {
		return strconv.FormatFloat(v, 'g', 6, 64)
	}
	mantissa, exponent, _ := strings.Cut(strconv.FormatFloat(v, 'e', 0, 64), "e")
	power, _ := strconv.Atoi(exponent)
	label := "10" + superscript.Replace(strconv.Itoa(power))
	if mantissa != "1" {
		label = mantissa + "·" + label
	}
	return label
}

var superscript = strings.NewReplacer("-", "⁻", "0", "⁰", "1", "¹", "2", "²", "3", "³", "4", "⁴", "5", "⁵", "6", "⁶", "7", "⁷", "8", "⁸", "9", "⁹")

// lattice draws thin lines at the labelled ticks.
type lattice struct{}

// Plot implements plot.Plotter.
func (lattice) Plot(c draw.Canvas, p *plot.Plot) {
	tx, ty := p.Transforms(&c)
	line := draw.LineStyle{Color: grey, Width: vg.Points(0.5)}
	for _, t := range p.X.Tick.Marker.Ticks(p.X.Min, p.X.Max) {
		if x := tx(t.Value); t.Label != "" && c.ContainsX(x) {
			c.StrokeLine2(line, x, c.Min.Y, x, c.Max.Y)
		}
	}
	for _, t := range p.Y.Tick.Marker.Ticks(p.Y.Min, p.Y.Max) {
		if y := ty(t.Value); t.Label != "" && c.ContainsY(y) {
			c.StrokeLine2(line, c.Min.X, y, c.Max.X, y)
		}
	}
}
