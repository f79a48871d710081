package show

import (
	"errors"
	"fmt"
	"html"
	"math"
	"strings"
	"time"

	"github.com/janpfeifer/gonb/gonbui"
	"github.com/janpfeifer/gonb/gonbui/comms"
	"github.com/janpfeifer/gonb/gonbui/dom"
	"github.com/janpfeifer/gonb/gonbui/widgets"
)

// Control is one thing to move: a slider, with Options a choice, or with Press a button.
type Control struct {
	Name  string // by which draw asks for its value
	Label string // beside it; default Name
	// Min, Max and the default Value of a slider. Log moves by equal factors.
	Min, Max, Value float64
	Log             bool
	Steps           int // positions of a slider besides the first; default 100
	// Options make it a choice, whose value is the place in the list, from 0.
	Options []string
	// Press is the text on a button, whose value counts how often it was pressed: 0 at first.
	Press string
}

// Values are the controls' values by name.
type Values map[string]float64

// IdleTime is how long an interactive cell stays live without a move. Run the cell again to go on.
var IdleTime = 30 * time.Second

// Interactive shows controls and the figure that draw makes of their values, and draws it again whenever one is moved,
// until nothing was moved for [IdleTime]. Headless, or outside a notebook, it draws the default state and returns at
// once. An error of draw at a moved control is shown in the place of the figure; at the default state it is returned.
func Interactive(controls []Control, draw func(v Values) (Figure, error)) error {
	values := Values{}
	var errs []error
	for i := range controls {
		c := &controls[i]
		errs = append(errs, c.complete())
		values[c.Name] = c.Value
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	figure, err := draw(values)
	if err != nil {
		return err
	}
	if headless() || !gonbui.IsNotebook {
		return Draw(figure)
	}
	return live(controls, values, figure, draw)
}

func (c *Control) complete() error {
	if c.Label == "" {
		c.Label = c.Name
	}
	if c.Steps == 0 {
		c.Steps = 100
	}
	switch {
	case c.Name == "":
		return errors.New("show: Control: Name is empty")
	case c.Press != "":
		if len(c.Options) > 0 || c.Value != 0 {
			return fmt.Errorf("show: Control %q: a button (Press) begins at the Value 0, not %g, and has no Options", c.Name, c.Value)
		}
	case len(c.Options) > 0:
		if c.Value != math.Trunc(c.Value) || c.Value < 0 || int(c.Value) >= len(c.Options) {
			return fmt.Errorf("show: Control %q: Value is %g, must be the place of one of %d options, from 0", c.Name, c.Value, len(c.Options))
		}
	case !(c.Min < c.Max) || c.Value < c.Min || c.Value > c.Max:
		return fmt.Errorf("show: Control %q: Min, Value, Max are %g, %g, %g, must rise", c.Name, c.Min, c.Value, c.Max)
	case c.Log && c.Min <= 0:
		return fmt.Errorf("show: Control %q: Min is %g, must be above 0 on a log scale", c.Name, c.Min)
	case c.Steps < 1:
		return fmt.Errorf("show: Control %q: Steps is %d, must be at least 1", c.Name, c.Steps)
	}
	return nil
}

// at is the value at a position of the slider.
func (c *Control) at(position int) float64 {
	part := float64(position) / float64(c.Steps)
	if c.Log {
		return c.Min * math.Pow(c.Max/c.Min, part)
	}
	return c.Min + (c.Max-c.Min)*part
}

// position is the slider's position next to the default.
func (c *Control) position() int {
	part := (c.Value - c.Min) / (c.Max - c.Min)
	if c.Log {
		part = math.Log(c.Value/c.Min) / math.Log(c.Max/c.Min)
	}
	return int(math.Round(part * float64(c.Steps)))
}

// text is a value as the reader sees it.
func (c *Control) text(v float64) string {
	switch {
	case len(c.Options) > 0:
		return c.Options[int(v)]
	case c.Press != "":
		return ""
	}
	return fmt.Sprintf("%.3g", v)
}

// page holds the controls, the figure's place and a line that says whether they are live.
func page(id string, controls []Control, values Values) string {
	var b strings.Builder
	fmt.Fprintf(&b, `<div id="%s" class="hindsight-interactive"><style>.hindsight-figure svg{max-width:100%%;height:auto}</style><table>`, id)
	for i, c := range controls {
		fmt.Fprintf(&b, `<tr><td style="text-align:left">%s</td><td id="%s_c%d"></td><td id="%s_v%d" class="hindsight-value" style="min-width:5em;text-align:left">%s</td></tr>`,
			html.EscapeString(c.Label), id, i, id, i, html.EscapeString(c.text(values[c.Name])))
	}
	fmt.Fprintf(&b, `</table><div id="%s_f" class="hindsight-figure"></div><div id="%s_s" style="opacity:0.7;font-size:85%%"></div></div>`, id, id)
	return b.String()
}

// widget puts the control into the page and returns its positions. GoNB's widgets take texts for HTML.
func (c *Control) widget(parent string) *comms.AddressChan[int] {
	switch {
	case len(c.Options) > 0:
		return widgets.Select(escaped(c.Options)).SetDefault(int(c.Value)).AppendTo(parent).Done().Listen()
	case c.Press != "":
		return widgets.Button(html.EscapeString(c.Press)).AppendTo(parent).Done().Listen()
	}
	return widgets.Slider(0, c.Steps, c.position()).AppendTo(parent).Done().Listen()
}

func escaped(texts []string) []string {
	out := make([]string, len(texts))
	for i, t := range texts {
		out[i] = html.EscapeString(t)
	}
	return out
}

// move is a control's new position.
type move struct{ control, position int }

func live(controls []Control, values Values, figure Figure, draw func(v Values) (Figure, error)) error {
	id := "hindsight_" + gonbui.UniqueId()
	gonbui.DisplayHTML(page(id, controls, values))

	moves := make(chan move, 64)
	for i, c := range controls {
		positions := c.widget(fmt.Sprintf("%s_c%d", id, i))
		go func() {
			for p := range positions.C {
				moves <- move{i, p}
			}
		}()
	}
	paint := func(f Figure) {
		svg, err := f.SVG()
		if err != nil {
			dom.SetInnerText(id+"_f", err.Error())
			return
		}
		dom.SetInnerHtml(id+"_f", string(svg))
	}
	state := func(text string) { dom.SetInnerText(id+"_s", text) }
	paint(figure)
	state("live: move a control")
	idle := time.NewTimer(IdleTime)
	for {
		select {
		case <-idle.C:
			state("no longer live: run the cell again to move the controls")
			dom.Persist(id)
			gonbui.Sync()
			return nil
		case m := <-moves:
			changed := apply(controls, values, m)
			for drained := false; !drained; { // only the newest position of each control counts
				select {
				case m := <-moves:
					changed = apply(controls, values, m) || changed
				default:
					drained = true
				}
			}
			idle.Reset(IdleTime)
			if !changed {
				continue
			}
			for i, c := range controls {
				dom.SetInnerText(fmt.Sprintf("%s_v%d", id, i), c.text(values[c.Name]))
			}
			state("computing …")
			next, err := draw(values)
			if err != nil {
				dom.SetInnerText(id+"_f", err.Error())
			} else {
				paint(next)
			}
			state("live: move a control")
			idle.Reset(IdleTime) // drawing may have taken longer than that
		}
	}
}

// apply takes over a move and says whether it changed anything.
func apply(controls []Control, values Values, m move) bool {
	c := &controls[m.control]
	next := float64(m.position)
	if len(c.Options) == 0 && c.Press == "" {
		next = c.at(m.position)
	}
	if values[c.Name] == next {
		return false
	}
	values[c.Name] = next
	return true
}
