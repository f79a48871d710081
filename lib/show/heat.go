package show

import (
	"fmt"
	"image/color"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/palette"
	"gonum.org/v1/plot/palette/moreland"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Heat is a map of values over a grid: Z[row][column] at (X[column], Y[row]). Cells that are not finite stay empty. Names
// gives a few values a name and a colour of their own, for maps of kinds: value k has Names[k].
type Heat struct {
	X, Y  []float64 // rising; on a log axis, by equal factors
	Z     [][]float64
	Names []string
	// Low and High limit the colours where they differ; else the values do.
	Low, High float64
}

func (h Heat) name() string { return "" }

func (h Heat) draw(p *plot.Plot, axes Panel, _ color.Color) (plot.Thumbnailer, error) {
	if len(h.X) < 2 || len(h.Y) < 2 || len(h.Z) != len(h.Y) {
		return nil, fmt.Errorf("heat map: %d × %d cells need as many rows in Z, and at least two each way; Z has %d", len(h.Y), len(h.X), len(h.Z))
	}
	low, high := h.limits()
	colours, err := scaleOf(low, high)
	if err != nil {
		return nil, fmt.Errorf("heat map: %w", err)
	}
	xs, ys := edges(h.X, axes.LogX), edges(h.Y, axes.LogY)
	for i, row := range h.Z {
		if len(row) != len(h.X) {
			return nil, fmt.Errorf("heat map: row %d of Z has %d values, must have %d", i, len(row), len(h.X))
		}
		for j, z := range row {
			if !drawable(z, false) {
				continue
			}
			c := h.kind(z)
			if c == nil {
				if c, err = colours.At(math.Max(low, math.Min(high, z))); err != nil {
					return nil, fmt.Errorf("heat map: %w", err)
				}
			}
			if h.kind(z) != nil && j+1 < len(row) && row[j+1] == z {
				continue // joined with the cell to the right
			}
			from := j
			for h.kind(z) != nil && from > 0 && row[from-1] == z {
				from--
			}
			cell := plotter.XYs{{X: xs[from], Y: ys[i]}, {X: xs[j+1], Y: ys[i]}, {X: xs[j+1], Y: ys[i+1]}, {X: xs[from], Y: ys[i+1]}}
			// The outline closes the hairline that rounding leaves between cells.
			p.Add(&plotter.Polygon{XYs: []plotter.XYs{cell}, Color: c, LineStyle: draw.LineStyle{Color: c, Width: vg.Points(0.7)}})
		}
	}
	return nil, nil
}

// scaleOf runs from dark blue through green to yellow, in even steps of lightness, so that it also reads in grey.
func scaleOf(low, high float64) (palette.ColorMap, error) {
	colours, err := moreland.NewLuminance([]color.Color{
		color.NRGBA{0x44, 0x01, 0x54, 0xFF}, color.NRGBA{0x3B, 0x52, 0x8B, 0xFF}, color.NRGBA{0x21, 0x91, 0x8C, 0xFF},
		color.NRGBA{0x5E, 0xC9, 0x62, 0xFF}, color.NRGBA{0xFD, 0xE7, 0x25, 0xFF},
	})
	if err != nil {
		return nil, err
	}
	colours.SetMin(low)
	colours.SetMax(high)
	return colours, nil
}

// limits of the colours.
func (h Heat) limits() (low, high float64) {
	if h.Low != h.High {
		return h.Low, h.High
	}
	low, high = math.Inf(1), math.Inf(-1)
	for _, row := range h.Z {
		for _, z := range row {
			if drawable(z, false) {
				low, high = math.Min(low, z), math.Max(high, z)
			}
		}
	}
	if !(low < high) {
		return low - 0.5, low + 0.5
	}
	return low, high
}

// keys explain the colours in the legend: one entry a named value, or the whole range.
func (h Heat) keys() []entry {
	var out []entry
	for k, name := range h.Names {
		out = append(out, entry{name, hues[k%len(hues)], swatch{hues[k%len(hues)]}})
	}
	if len(h.Names) == 0 {
		low, high := h.limits()
		out = append(out, entry{fmt.Sprintf("%.3g … %.3g", low, high), nil, ramp{}})
	}
	return out
}

// ramp shows the colours of a heat map from low to high.
type ramp struct{}

// Thumbnail implements plot.Thumbnailer.
func (ramp) Thumbnail(c *draw.Canvas) {
	colours, err := scaleOf(0, 1)
	if err != nil {
		return
	}
	const parts = 10
	width := c.Size().X / parts
	for i := range parts {
		shade, err := colours.At((float64(i) + 0.5) / parts)
		if err != nil {
			return
		}
		x := c.Min.X + vg.Length(i)*width
		c.FillPolygon(shade, []vg.Point{{X: x, Y: c.Min.Y}, {X: x + width, Y: c.Min.Y}, {X: x + width, Y: c.Max.Y}, {X: x, Y: c.Max.Y}})
	}
}

// kind is the colour of a named value.
func (h Heat) kind(z float64) color.Color {
	if k := int(z); len(h.Names) > 0 && k >= 0 && k < len(h.Names) {
		return hues[k%len(hues)]
	}
	return nil
}

// edges are the borders of cells around rising centres.
func edges(x []float64, log bool) []float64 {
	to, from := func(v float64) float64 { return v }, func(v float64) float64 { return v }
	if log {
		to, from = math.Log, math.Exp
	}
	out := make([]float64, len(x)+1)
	for i := 1; i < len(x); i++ {
		out[i] = from((to(x[i-1]) + to(x[i])) / 2)
	}
	out[0] = from(2*to(x[0]) - to(out[1]))
	out[len(x)] = from(2*to(x[len(x)-1]) - to(out[len(x)-1]))
	return out
}
