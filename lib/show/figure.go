package show

import (
	"bytes"
	"errors"
	"fmt"
	"image/color"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// Figure is one picture of one or more panels. The zero values of all fields but Panels are sensible.
type Figure struct {
	Name    string // of the file outside a notebook; default "figure"
	Title   string
	Panels  []Panel
	Columns int // of panels; default up to 3
	// Width and Height of a panel in points; default 330×250, and 480×300 for a single panel.
	Width, Height float64
}

// Panel is one pair of axes. Values that are not finite, or not positive on a log axis, leave a gap.
type Panel struct {
	Title, X, Y string // labels; X and Y name what the axes show
	LogX, LogY  bool
	YMin, YMax  float64  // limits of the y axis where they differ
	Marks       []Mark   // what is drawn, first to last
	Categories  []string // names along the x axis at 0, 1, 2, …, for bars
}

// Mark is something drawn on a panel: [Line], [Points], [Band], [Bars], [Histogram], [Heat], [Rule].
type Mark interface {
	// draw adds the mark to the plot in a colour and returns its thumbnail for the legend; nil: none.
	draw(p *plot.Plot, axes Panel, c color.Color) (plot.Thumbnailer, error)
	name() string // in the legend; empty: none
}

// hues is Okabe and Ito's, made to be told apart also by colour-blind readers; black comes last but one.
var hues = []color.Color{
	color.NRGBA{0x00, 0x72, 0xB2, 0xFF}, color.NRGBA{0xD5, 0x5E, 0x00, 0xFF}, color.NRGBA{0x00, 0x9E, 0x73, 0xFF},
	color.NRGBA{0xCC, 0x79, 0xA7, 0xFF}, color.NRGBA{0xE6, 0x9F, 0x00, 0xFF}, color.NRGBA{0x56, 0xB4, 0xE9, 0xFF},
	color.NRGBA{0x33, 0x33, 0x33, 0xFF}, color.NRGBA{0x8B, 0x6B, 0x43, 0xFF},
}

var (
	paper = color.NRGBA{0xFD, 0xFD, 0xFC, 0xFF} // opaque, so that the figure reads on a dark page as well
	ink   = color.NRGBA{0x22, 0x22, 0x22, 0xFF}
	grey  = color.NRGBA{0xDD, 0xDD, 0xDD, 0xFF}
)

const margin = 10 // points around the figure

func style(size float64) draw.TextStyle {
	s := draw.TextStyle{Color: ink, Font: font.From(font.Font{Typeface: "Liberation", Variant: "Sans"}, vg.Length(size)), Handler: plot.DefaultTextHandler}
	return s
}

// SVG draws the figure. Names of marks that appear in several panels have one colour and one place in the legend, which
// stands below the panels.
func (f Figure) SVG() ([]byte, error) {
	if len(f.Panels) == 0 {
		return nil, errors.New("show: Figure: Panels is empty, must hold at least one")
	}
	columns := f.Columns
	if columns <= 0 {
		columns = min(3, len(f.Panels))
	}
	rows := (len(f.Panels) + columns - 1) / columns
	w, h := f.Width, f.Height
	if w <= 0 {
		w = 330
		if len(f.Panels) == 1 {
			w = 480
		}
	}
	if h <= 0 {
		h = 250
		if len(f.Panels) == 1 {
			h = 300
		}
	}
	legend := &legend{style: style(11)}
	plots := make([][]*plot.Plot, rows)
	for i := range plots {
		plots[i] = make([]*plot.Plot, columns)
	}
	for i, panel := range f.Panels {
		p, err := panel.plot(legend)
		if err != nil {
			return nil, fmt.Errorf("show: Figure: panel %d: %w", i+1, err)
		}
		plots[i/columns][i%columns] = p
	}
	width := vg.Length(w*float64(columns)) + 2*margin
	legend.layout(width - 2*margin)
	var head vg.Length
	if f.Title != "" {
		head = 26
	}
	height := vg.Length(h*float64(rows)) + head + legend.height() + 2*margin
	canvas := vgsvg.New(width, height)
	dc := draw.New(canvas)
	dc.SetColor(paper)
	dc.Fill(dc.Rectangle.Path())
	dc = draw.Crop(dc, margin, -margin, margin, -margin)
	if f.Title != "" {
		title := style(14)
		title.XAlign, title.YAlign = draw.XCenter, draw.YTop
		dc.FillText(title, vg.Point{X: dc.Center().X, Y: dc.Max.Y}, f.Title)
	}
	legend.draw(draw.Crop(dc, 0, 0, 0, -(dc.Size().Y - legend.height())))
	body := draw.Crop(dc, 0, 0, legend.height(), -head)
	tiles := draw.Tiles{Rows: rows, Cols: columns, PadX: 14, PadY: 10}
	for i, line := range plot.Align(plots, tiles, body) {
		drawRow(plots[i], line)
	}
	var out bytes.Buffer
	if _, err := canvas.WriteTo(&out); err != nil {
		return nil, fmt.Errorf("show: Figure: %w", err)
	}
	// The font is measured as Liberation Sans; Arial and Helvetica are as wide, and nearly everywhere.
	return bytes.ReplaceAll(joinDots(out.Bytes()), []byte("font-family:Liberation Sans;"), []byte("font-family:Liberation Sans,Arial,Helvetica,sans-serif;")), nil
}

// plot makes the panel's plot and adds its names to the legend.
// drawRow draws plots side by side. Their canvases begin at heights of their own, as their topmost tick labels want; the titles
// stand on one line.
func drawRow(plots []*plot.Plot, canvases []draw.Canvas) {
	top := canvases[0].Max.Y
	for _, c := range canvases {
		top = max(top, c.Max.Y)
	}
	for j, p := range plots {
		if p == nil {
			continue
		}
		c := canvases[j]
		if title := p.Title; title.Text != "" {
			c.FillText(title.TextStyle, vg.Point{X: c.Center().X, Y: top + title.TextStyle.FontExtents().Descent}, title.Text)
			c.Max.Y -= title.TextStyle.Rectangle(title.Text).Size().Y + title.Padding
			p.Title.Text = ""
		}
		p.Draw(c)
	}
}

func (p Panel) plot(legend *legend) (*plot.Plot, error) {
	out := plot.New()
	out.BackgroundColor = paper
	out.Title.Text, out.Title.TextStyle, out.Title.Padding = p.Title, style(12), 4
	out.Title.TextStyle.XAlign, out.Title.TextStyle.YAlign = draw.XCenter, draw.YTop
	for _, axis := range []*plot.Axis{&out.X, &out.Y} {
		axis.Label.TextStyle = style(11)
		axis.Label.TextStyle.XAlign = draw.XCenter
		axis.Tick.Label = style(10)
		axis.Color, axis.Tick.Color = ink, ink
	}
	out.X.Tick.Label.XAlign, out.X.Tick.Label.YAlign = draw.XCenter, draw.YTop
	out.Y.Tick.Label.XAlign, out.Y.Tick.Label.YAlign = draw.XRight, draw.YCenter
	out.Y.Label.TextStyle.YAlign = draw.YBottom
	out.X.Label.Text, out.Y.Label.Text = p.X, p.Y
	out.Add(lattice{})
	for i, mark := range p.Marks {
		var own color.Color
		switch m := mark.(type) {
		case Line:
			own = m.Color
		case Points:
			own = m.Color
		}
		c := legend.colour(mark.name(), i, own)
		thumb, err := mark.draw(out, p, c)
		if err != nil {
			return nil, err
		}
		legend.add(mark.name(), thumb)
		if heat, ok := mark.(Heat); ok {
			legend.merge(heat.keys())
		}
	}
	if p.YMin != p.YMax {
		out.Y.Min, out.Y.Max = p.YMin, p.YMax
	}
	if err := tame(&out.X, p.LogX); err != nil {
		return nil, fmt.Errorf("x axis: %w", err)
	}
	if err := tame(&out.Y, p.LogY); err != nil {
		return nil, fmt.Errorf("y axis: %w", err)
	}
	out.X.Tick.Marker, out.Y.Tick.Marker = ticks{p.LogX, 6}, ticks{p.LogY, 5}
	if len(p.Categories) > 0 {
		out.NominalX(p.Categories...)
		out.X.Min, out.X.Max = -0.6, float64(len(p.Categories))-0.4
		longest := 0
		for _, c := range p.Categories {
			longest = max(longest, len(c))
		}
		if longest*len(p.Categories) > 48 { // side by side they would overlap
			out.X.Tick.Label.Rotation = math.Pi / 5
			out.X.Tick.Label.XAlign, out.X.Tick.Label.YAlign = draw.XRight, draw.YTop
		}
	}
	return out, nil
}

// tame gives an axis a finite range, and room where there is a single value, and its scale.
func tame(a *plot.Axis, log bool) error {
	if math.IsInf(a.Min, 0) || math.IsInf(a.Max, 0) || math.IsNaN(a.Min) || math.IsNaN(a.Max) {
		a.Min, a.Max = 1, 2 // nothing to draw: an empty panel says so
	}
	if a.Min == a.Max {
		pad := math.Max(0.5, math.Abs(a.Min)*0.1)
		if log {
			pad = a.Min / 2
		}
		a.Min, a.Max = a.Min-pad, a.Max+pad
	}
	if log {
		if a.Min <= 0 {
			return fmt.Errorf("a log axis begins at %g, must be above 0", a.Min)
		}
		a.Max *= 1 + 1e-9 // see logScale: no datum is at the middle of this range
		a.Scale = logScale{}
	}
	return nil
}

// logScale is gonum's, but for the middle of the range: there gonum places an axis's label when it measures how far that
// reaches, though it draws it at half the height. On a log axis the middle is near the top, which would cost room above.
type logScale struct{}

// Normalize implements plot.Normalizer.
func (logScale) Normalize(low, high, x float64) float64 {
	if x == 0.5*(high+low) {
		return 0.5
	}
	return plot.LogScale{}.Normalize(low, high, x)
}
