package show

import (
	"image/color"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// legend stands below the panels, in as many lines as it needs, so that it never covers data.
type legend struct {
	style   draw.TextStyle
	entries []entry
	used    int // hues that entries have taken
	lines   [][]int
}

type entry struct {
	name  string
	color color.Color
	thumb plot.Thumbnailer
}

const (
	thumbWidth  = 20
	entryGap    = 20
	lineSpacing = 17
	roomy       = 1.08 // another machine's font may run wider than ours
)

// colour is that of the name, the same in every panel; marks without a name take the i-th. A colour of the mark's own
// takes no hue from the others.
func (l *legend) colour(name string, i int, own color.Color) color.Color {
	switch {
	case own != nil && name == "":
		return own
	case name == "":
		return hues[i%len(hues)]
	}
	for _, e := range l.entries {
		if e.name == name && e.color != nil {
			return e.color
		}
	}
	c := own
	if c == nil {
		c = hues[l.used%len(hues)]
		l.used++
	}
	l.entries = append(l.entries, entry{name: name, color: c})
	return c
}

// add gives a name its thumbnail, once.
func (l *legend) add(name string, thumb plot.Thumbnailer) {
	for i := range l.entries {
		if l.entries[i].name == name && l.entries[i].thumb == nil {
			l.entries[i].thumb = thumb
		}
	}
}

// merge takes over entries whose names are new.
func (l *legend) merge(entries []entry) {
	for _, e := range entries {
		if !slices.ContainsFunc(l.entries, func(old entry) bool { return old.name == e.name }) {
			l.entries = append(l.entries, e)
		}
	}
}

func (l *legend) width(i int) vg.Length {
	return thumbWidth + 5 + roomy*l.style.Width(l.entries[i].name) + entryGap
}

// layout breaks the entries into lines.
func (l *legend) layout(width vg.Length) {
	var used vg.Length
	for i := range l.entries {
		if len(l.lines) == 0 || used+l.width(i) > width {
			l.lines = append(l.lines, nil)
			used = 0
		}
		l.lines[len(l.lines)-1] = append(l.lines[len(l.lines)-1], i)
		used += l.width(i)
	}
}

func (l *legend) height() vg.Length {
	if len(l.lines) == 0 {
		return 0
	}
	return vg.Length(len(l.lines))*lineSpacing + 6
}

func (l *legend) draw(c draw.Canvas) {
	text := l.style
	text.XAlign, text.YAlign = draw.XLeft, draw.YCenter
	for row, line := range l.lines {
		var total vg.Length
		for _, i := range line {
			total += l.width(i)
		}
		x := c.Center().X - (total-entryGap)/2
		y := c.Max.Y - 6 - vg.Length(row)*lineSpacing - lineSpacing/2
		for _, i := range line {
			if thumb := l.entries[i].thumb; thumb != nil {
				box := draw.Canvas{Canvas: c.Canvas, Rectangle: vg.Rectangle{Min: vg.Point{X: x, Y: y - 5}, Max: vg.Point{X: x + thumbWidth, Y: y + 5}}}
				thumb.Thumbnail(&box)
			}
			c.FillText(text, vg.Point{X: x + thumbWidth + 5, Y: y}, l.entries[i].name)
			x += l.width(i)
		}
	}
}
