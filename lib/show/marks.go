package show

import (
	"cmp"
	"fmt"
	"image/color"
	"math"
	"slices"
	"sort"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// most is how many points of a line are kept: more cannot be seen, and would only make the file large.
const most = 240

// points pairs up two slices, in segments between values that cannot be drawn. Long lines are thinned so that each
// group keeps its lowest and highest point: spikes survive.
func points(x, y []float64, axes Panel, thin bool) ([]plotter.XYs, error) {
	if len(x) == 0 {
		x = make([]float64, len(y))
		for i := range x {
			x[i] = float64(i)
			if axes.LogX {
				x[i]++
			}
		}
	}
	if len(x) != len(y) {
		return nil, fmt.Errorf("as many values of X as of Y are needed (or none): X has %d values and Y has %d", len(x), len(y))
	}
	var out []plotter.XYs
	open := false
	for i := range x {
		if !drawable(x[i], axes.LogX) || !drawable(y[i], axes.LogY) {
			open = false
			continue
		}
		if !open {
			out = append(out, nil)
			open = true
		}
		out[len(out)-1] = append(out[len(out)-1], plotter.XY{X: x[i], Y: y[i]})
	}
	if thin {
		for i := range out {
			out[i] = thinned(out[i], most, axes.LogX)
		}
	}
	return out, nil
}

func drawable(v float64, log bool) bool {
	return !math.IsNaN(v) && !math.IsInf(v, 0) && math.Abs(v) < 1e300 && (!log || v > 0)
}

func thinned(xy plotter.XYs, most int, log bool) plotter.XYs {
	if len(xy) <= most {
		return xy
	}
	out := plotter.XYs{xy[0]}
	groups := most/2 - 1
	last := len(xy) - 1
	// begin is the first point of a group: groups are of equal numbers of points, or on a log axis of equal width.
	begin := func(g int) int { return 1 + g*(last-1)/groups }
	if rising := func(a, b plotter.XY) int { return cmp.Compare(a.X, b.X) }; log && slices.IsSortedFunc(xy, rising) {
		begin = func(g int) int {
			x := xy[0].X * math.Pow(xy[last].X/xy[0].X, float64(g)/float64(groups))
			return min(last, max(1, sort.Search(last, func(i int) bool { return xy[i].X > x*(1-1e-12) })))
		}
	}
	for g := range groups {
		part := xy[begin(g):begin(g+1)]
		if len(part) == 0 {
			continue
		}
		low, high := 0, 0
		for i := range part {
			if part[i].Y < part[low].Y {
				low = i
			}
			if part[i].Y > part[high].Y {
				high = i
			}
		}
		out = append(out, part[min(low, high)])
		if low != high {
			out = append(out, part[max(low, high)])
		}
	}
	return append(out, xy[last])
}

// Line joins points. X may be left out: 0, 1, 2, … (1, 2, 3, … on a log axis).
type Line struct {
	Name   string
	X, Y   []float64
	Dashed bool
	Marked bool // a dot at every point
	Color  color.Color
}

func (l Line) name() string { return l.Name }

func (l Line) draw(p *plot.Plot, axes Panel, c color.Color) (plot.Thumbnailer, error) {
	segments, err := points(l.X, l.Y, axes, true)
	if err != nil {
		return nil, fmt.Errorf("line %q: %w", l.Name, err)
	}
	pen := draw.LineStyle{Color: c, Width: vg.Points(1.6)}
	if l.Dashed {
		pen.Dashes = []vg.Length{5, 3}
	}
	for _, xy := range segments {
		p.Add(&plotter.Line{XYs: xy, LineStyle: pen})
		if l.Marked || len(xy) == 1 {
			p.Add(&plotter.Scatter{XYs: xy, GlyphStyle: draw.GlyphStyle{Color: c, Radius: vg.Points(2.5), Shape: draw.CircleGlyph{}}})
		}
	}
	return &plotter.Line{LineStyle: pen}, nil
}

// Points are drawn one by one.
type Points struct {
	Name  string
	X, Y  []float64
	Size  float64 // radius in points; default 3
	Color color.Color
}

func (s Points) name() string { return s.Name }

func (s Points) draw(p *plot.Plot, axes Panel, c color.Color) (plot.Thumbnailer, error) {
	segments, err := points(s.X, s.Y, axes, false)
	if err != nil {
		return nil, fmt.Errorf("points %q: %w", s.Name, err)
	}
	size := s.Size
	if size <= 0 {
		size = 3
	}
	glyph := draw.GlyphStyle{Color: c, Radius: vg.Points(size), Shape: draw.CircleGlyph{}}
	for _, xy := range segments {
		p.Add(&plotter.Scatter{XYs: xy, GlyphStyle: glyph})
	}
	return &plotter.Scatter{GlyphStyle: glyph}, nil
}

// Band is the mean of several runs over x with a shade from the lowest to the highest.
type Band struct {
	Name string
	X    []float64
	Runs [][]float64 // one curve a run, all of one length
}

func (b Band) name() string { return b.Name }

func (b Band) draw(p *plot.Plot, axes Panel, c color.Color) (plot.Thumbnailer, error) {
	if len(b.Runs) == 0 {
		return nil, fmt.Errorf("band %q: Runs is empty", b.Name)
	}
	n := len(b.Runs[0])
	mean, low, high := make([]float64, n), make([]float64, n), make([]float64, n)
	for i := range n {
		low[i], high[i] = math.Inf(1), math.Inf(-1)
		for _, run := range b.Runs {
			if len(run) != n {
				return nil, fmt.Errorf("band %q: its runs have %d and %d values, must be of one length", b.Name, n, len(run))
			}
			mean[i] += run[i] / float64(len(b.Runs))
			low[i], high[i] = math.Min(low[i], run[i]), math.Max(high[i], run[i])
		}
	}
	if len(b.Runs) > 1 {
		for i := range n { // a gap in one border is one in the other
			if !drawable(low[i], axes.LogY) || !drawable(high[i], axes.LogY) {
				low[i], high[i] = math.NaN(), math.NaN()
			}
		}
		lower, err := points(b.X, low, axes, true)
		if err != nil {
			return nil, fmt.Errorf("band %q: %w", b.Name, err)
		}
		upper, err := points(b.X, high, axes, true)
		if err != nil {
			return nil, fmt.Errorf("band %q: %w", b.Name, err)
		}
		r, g, bl, _ := c.RGBA()
		shade := color.NRGBA{uint8(r >> 8), uint8(g >> 8), uint8(bl >> 8), 0x38}
		for i, outline := range lower {
			outline = slices.Clone(outline)
			for _, xy := range slices.Backward(upper[i]) {
				outline = append(outline, xy)
			}
			p.Add(&plotter.Polygon{XYs: []plotter.XYs{outline}, Color: shade})
		}
	}
	return Line{Name: b.Name, X: b.X, Y: mean}.draw(p, axes, c)
}

// Bars stand at 0, 1, 2, …; give the panel Categories for their names. Several Bars of one panel share each place: Group
// of Groups, counted from 0.
type Bars struct {
	Name          string
	Heights       []float64
	Low, High     []float64 // ends of the error bars; nil: none
	Group, Groups int
	Base          float64 // where the bars begin; default 0
}

func (b Bars) name() string { return b.Name }

func (b Bars) draw(p *plot.Plot, axes Panel, c color.Color) (plot.Thumbnailer, error) {
	if b.Low != nil && (len(b.Low) != len(b.Heights) || len(b.High) != len(b.Heights)) {
		return nil, fmt.Errorf("bars %q: Low and High must have one value a bar, %d", b.Name, len(b.Heights))
	}
	groups := max(1, b.Groups)
	width := 0.8 / float64(groups)
	for i, h := range b.Heights {
		if !drawable(h, axes.LogY) {
			continue
		}
		x := float64(i) - 0.4 + width*(float64(b.Group)+0.5)
		half := width * 0.46
		p.Add(&plotter.Polygon{Color: c, XYs: []plotter.XYs{{{X: x - half, Y: b.Base}, {X: x + half, Y: b.Base}, {X: x + half, Y: h}, {X: x - half, Y: h}}}})
		if b.Low != nil && b.Low[i] < b.High[i] {
			p.Add(&plotter.Line{XYs: plotter.XYs{{X: x, Y: b.Low[i]}, {X: x, Y: b.High[i]}}, LineStyle: draw.LineStyle{Color: ink, Width: vg.Points(1.2)}})
		}
	}
	return swatch{c}, nil
}

// swatch is a filled square in the legend.
type swatch struct{ c color.Color }

// Thumbnail implements plot.Thumbnailer.
func (s swatch) Thumbnail(c *draw.Canvas) {
	mid := c.Center()
	c.FillPolygon(s.c, []vg.Point{{X: mid.X - 5, Y: mid.Y - 5}, {X: mid.X + 5, Y: mid.Y - 5}, {X: mid.X + 5, Y: mid.Y + 5}, {X: mid.X - 5, Y: mid.Y + 5}})
}

// Histogram counts values in bins of equal width.
type Histogram struct {
	Name   string
	Values []float64
	Bins   int // default 30
}

func (h Histogram) name() string { return h.Name }

func (h Histogram) draw(p *plot.Plot, _ Panel, c color.Color) (plot.Thumbnailer, error) {
	var values plotter.Values
	for _, v := range h.Values {
		if drawable(v, false) {
			values = append(values, v)
		}
	}
	if len(values) == 0 {
		return swatch{c}, nil
	}
	bins := h.Bins
	if bins <= 0 {
		bins = 30
	}
	hist, err := plotter.NewHist(values, bins)
	if err != nil {
		return nil, fmt.Errorf("histogram %q: %w", h.Name, err)
	}
	hist.FillColor, hist.LineStyle.Width = c, 0
	p.Add(hist)
	return swatch{c}, nil
}

// Rule is a dashed line across the panel, at Y or, if Vertical, at an x.
type Rule struct {
	Name     string
	At       float64
	Vertical bool
}

func (r Rule) name() string { return r.Name }

func (r Rule) draw(p *plot.Plot, axes Panel, c color.Color) (plot.Thumbnailer, error) {
	pen := draw.LineStyle{Color: c, Width: vg.Points(1.1), Dashes: []vg.Length{2, 2}}
	if r.Name == "" {
		pen.Color = ink
	}
	if !drawable(r.At, r.Vertical && axes.LogX || !r.Vertical && axes.LogY) {
		return nil, fmt.Errorf("rule %q: At is %g, must be finite, and above 0 on a log axis", r.Name, r.At)
	}
	p.Add(ruler{r, pen})
	return &plotter.Line{LineStyle: pen}, nil
}

// ruler draws a Rule once the range of the axes is known, and takes part in it along its own axis.
type ruler struct {
	Rule
	pen draw.LineStyle
}

// Plot implements plot.Plotter.
func (r ruler) Plot(c draw.Canvas, p *plot.Plot) {
	tx, ty := p.Transforms(&c)
	if r.Vertical {
		c.StrokeLine2(r.pen, tx(r.At), c.Min.Y, tx(r.At), c.Max.Y)
		return
	}
	c.StrokeLine2(r.pen, c.Min.X, ty(r.At), c.Max.X, ty(r.At))
}

// DataRange implements plot.DataRanger.
func (r ruler) DataRange() (xmin, xmax, ymin, ymax float64) {
	none := math.Inf(1)
	if r.Vertical {
		return r.At, r.At, none, -none
	}
	return none, -none, r.At, r.At
}
