package show

import (
	"encoding/xml"
	"errors"
	"fmt"
	"image/color"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/plot/plotter"

	"github.com/hindsight-go/hindsight/lib/claim"
)

func wellFormed(t *testing.T, svg []byte) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(string(svg)))
	for {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatalf("the SVG is not well-formed: %v", err)
		}
	}
}

// sample holds every kind of mark, with values that cannot be drawn among them.
func sample() Figure {
	x := make([]float64, 5000)
	y := make([]float64, 5000)
	for i := range x {
		x[i], y[i] = float64(i+1), 1+math.Abs(math.Sin(float64(i)/50))
	}
	y[17], y[18] = math.NaN(), math.Inf(1)
	return Figure{Title: `a <script>alert("x")</script> & b`, Panels: []Panel{
		{X: "step", Y: "loss", LogX: true, LogY: true, Marks: []Mark{Line{Name: "Adam", X: x, Y: y}, Rule{Name: "bound", At: 1.5}}},
		{X: "step", Y: "loss", Marks: []Mark{Band{Name: "Adam", Runs: [][]float64{{1, 2, 3}, {2, 3, 5}}}, Points{Name: "p", X: []float64{1}, Y: []float64{2}}}},
		{Y: "accuracy", Categories: []string{"a", "b"}, Marks: []Mark{Bars{Name: "x", Heights: []float64{1, math.NaN()}, Low: []float64{0.5, 0}, High: []float64{1.5, 0}}}},
		{X: "value", Y: "count", Marks: []Mark{Histogram{Name: "h", Values: []float64{1, 2, 2, 3, math.NaN()}}}},
		{X: "rate", Y: "start", LogX: true, Marks: []Mark{Heat{X: []float64{0.01, 0.1, 1}, Y: []float64{0, 1}, Z: [][]float64{{0, 1, 2}, {3, math.NaN(), 5}}}}},
		{X: "empty", Y: "empty", Marks: []Mark{Line{Name: "none", Y: []float64{math.NaN()}}}},
	}}
}

func TestSVG(t *testing.T) {
	svg, err := sample().SVG()
	if err != nil {
		t.Fatal(err)
	}
	wellFormed(t, svg)
	if strings.Contains(string(svg), "<script") {
		t.Error("a title became a script")
	}
	if len(svg) > 120_000 {
		t.Errorf("the figure takes %d bytes: long lines were not thinned", len(svg))
	}
	again, err := sample().SVG()
	if err != nil || string(again) != string(svg) {
		t.Errorf("the same figure gave two pictures (%v)", err)
	}
}

func TestFigureErrors(t *testing.T) {
	for want, f := range map[string]Figure{
		"Panels is empty":   {},
		"X has 1 values":    {Panels: []Panel{{Marks: []Mark{Line{X: []float64{1}, Y: []float64{1, 2}}}}}},
		"Runs is empty":     {Panels: []Panel{{Marks: []Mark{Band{}}}}},
		"of one length":     {Panels: []Panel{{Marks: []Mark{Band{Runs: [][]float64{{1}, {1, 2}}}}}}},
		"one value a bar":   {Panels: []Panel{{Marks: []Mark{Bars{Heights: []float64{1}, Low: []float64{}}}}}},
		"at least two each": {Panels: []Panel{{Marks: []Mark{Heat{X: []float64{1}, Y: []float64{1}, Z: [][]float64{{1}}}}}}},
		"above 0 on a log":  {Panels: []Panel{{LogY: true, Marks: []Mark{Rule{At: -1}}}}},
	} {
		if _, err := f.SVG(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}

func TestThinnedKeepsSpikes(t *testing.T) {
	xy := make(plotter.XYs, 10_000)
	for i := range xy {
		xy[i].X = float64(i)
	}
	xy[1234].Y, xy[8765].Y = 9, -9
	out := thinned(xy, most, false)
	if len(out) > most {
		t.Errorf("%d points left, at most %d wanted", len(out), most)
	}
	low, high := 0.0, 0.0
	for i, p := range out {
		low, high = math.Min(low, p.Y), math.Max(high, p.Y)
		if i > 0 && p.X < out[i-1].X {
			t.Fatal("the order was lost")
		}
	}
	if low != -9 || high != 9 {
		t.Errorf("range [%g, %g], want the spikes ±9", low, high)
	}
}

// Labels are few and differ, whatever the range.
func TestTicks(t *testing.T) {
	for _, r := range [][2]float64{{0, 1}, {-1, 1}, {0.1, 0.13}, {0, 20000}, {1e-7, 3e-7}, {-5e6, 1e7}, {0.999, 1.0001}} {
		labels := map[string]bool{}
		n := 0
		for _, tick := range (ticks{want: 6}).Ticks(r[0], r[1]) {
			if tick.Label != "" {
				n++
				labels[tick.Label] = true
			}
		}
		if n < 2 || n > 9 || len(labels) != n {
			t.Errorf("range %v: %d labels, %d different", r, n, len(labels))
		}
	}
	for _, r := range [][2]float64{{1e-3, 1}, {2, 9}, {1e-12, 1e12}, {0.02, 0.3}, {1, 1.5}, {2e4, 8e4}} {
		n, last := 0, 0.0
		for _, tick := range (ticks{log: true, want: 5}).Ticks(r[0], r[1]) {
			if tick.Label == "" {
				continue
			}
			if gap := math.Log(tick.Value/last) / math.Log(r[1]/r[0]); n > 0 && gap < 0.07 {
				t.Errorf("log range %v: labels at %g and %g are %g of the axis apart", r, last, tick.Value, gap)
			}
			n++
			last = tick.Value
		}
		if n < 1 || n > 9 {
			t.Errorf("log range %v: %d labels", r, n)
		}
	}
}

func TestInteractiveOutsideNotebook(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("HINDSIGHT_OUT", dir)
	var seen Values
	err := Interactive([]Control{
		{Name: "rate", Min: 0.01, Max: 1, Value: 0.1, Log: true},
		{Name: "method", Options: []string{"Adam", "SGD"}, Value: 1},
	}, func(v Values) (Figure, error) {
		seen = v
		return Figure{Name: "live", Panels: []Panel{{Marks: []Mark{Line{Y: []float64{1, 2}}}}}}, nil
	})
	if err != nil || seen["rate"] != 0.1 || seen["method"] != 1 {
		t.Errorf("default state %v, %v", seen, err)
	}
	if svg, err := os.ReadFile(filepath.Join(dir, "live.svg")); err != nil {
		t.Error(err)
	} else {
		wellFormed(t, svg)
	}
	failing := errors.New("no")
	if err := Interactive(nil, func(Values) (Figure, error) { return Figure{}, failing }); !errors.Is(err, failing) {
		t.Errorf("error of the default state: %v", err)
	}
}

func TestControlErrors(t *testing.T) {
	draw := func(Values) (Figure, error) { return Figure{}, nil }
	for want, c := range map[string]Control{
		"Name is empty":   {},
		"must rise":       {Name: "a", Min: 1, Max: 0},
		"above 0":         {Name: "a", Min: 0, Max: 1, Value: 0.5, Log: true},
		"one of 1 option": {Name: "a", Options: []string{"x"}, Value: 1},
		"begins at the":   {Name: "a", Press: "go", Value: 1},
	} {
		if err := Interactive([]Control{c}, draw); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}

func TestControlPositions(t *testing.T) {
	c := Control{Name: "a", Min: 0.01, Max: 1, Value: 0.1, Log: true}
	if err := c.complete(); err != nil {
		t.Fatal(err)
	}
	if p := c.position(); p != 50 || math.Abs(c.at(p)-0.1) > 1e-12 {
		t.Errorf("0.1 stands at %d, which is %g", p, c.at(p))
	}
	if math.Abs(c.at(100)-1) > 1e-12 || math.Abs(c.at(0)-0.01) > 1e-12 {
		t.Error("the ends are not Min and Max")
	}
}

// A move sets the value, once: a slider's from its position, a choice's and a button's as it is.
func TestApply(t *testing.T) {
	controls := []Control{{Name: "rate", Min: 0.01, Max: 1, Value: 0.1, Log: true}, {Name: "method", Options: []string{"Adam", "SGD"}}, {Name: "all", Press: "the full grid"}}
	values := Values{"rate": 0.1, "method": 0, "all": 0}
	for i := range controls {
		if err := controls[i].complete(); err != nil {
			t.Fatal(err)
		}
	}
	for _, m := range []move{{0, 100}, {1, 1}, {2, 3}} {
		if !apply(controls, values, m) || apply(controls, values, m) {
			t.Errorf("%v must change the values once", m)
		}
	}
	if math.Abs(values["rate"]-1) > 1e-12 || values["method"] != 1 || values["all"] != 3 {
		t.Errorf("values %v", values)
	}
	if got := []string{controls[0].text(0.02), controls[1].text(1), controls[2].text(3)}; !slices.Equal(got, []string{"0.02", "SGD", ""}) {
		t.Errorf("texts %q", got)
	}
}

// Nothing that a caller names becomes HTML.
func TestPageEscapes(t *testing.T) {
	const evil = `<img src=x onerror="alert(1)">`
	c := Control{Name: "a", Label: evil, Options: []string{evil, "b"}}
	for what, text := range map[string]string{
		"page": page("id", []Control{c}, Values{"a": 0}), "option": escaped(c.Options)[0], "progress": progressBar(evil, 1, 2),
	} {
		if strings.Contains(text, "<img") || !strings.Contains(text, "&lt;img") {
			t.Errorf("%s: HTML went through: %s", what, text)
		}
	}
	svg, err := Figure{Title: evil, Panels: []Panel{{Title: evil, X: evil, Y: evil, Categories: []string{evil}, Marks: []Mark{Bars{Name: evil, Heights: []float64{1}}}}}}.SVG()
	if err != nil {
		t.Fatal(err)
	}
	wellFormed(t, svg)
	if strings.Contains(string(svg), "<img") || strings.Count(string(svg), "&lt;img") != 6 {
		t.Errorf("the figure's six texts are not all escaped: %d are", strings.Count(string(svg), "&lt;img"))
	}
}

func TestProgress(t *testing.T) {
	if bar := progressBar("runs", 1, 4); !strings.Contains(bar, `value="1" max="4"`) || !strings.Contains(bar, "25 %") {
		t.Errorf("bar %s", bar)
	}
	if progressBar("runs", 4, 4) != "" || progressBar("runs", 0, 0) != "" {
		t.Error("a bar is left when all is done")
	}
	stderr := os.Stderr
	defer func() { os.Stderr = stderr }()
	written := func() string {
		t.Helper()
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		os.Stderr = w
		report := Progress("runs")
		report(1, 2)
		report(2, 2)
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	if text := written(); !strings.Contains(text, "runs") {
		t.Errorf("a plain program's standard error has %q", text)
	}
	t.Setenv("HINDSIGHT_HEADLESS", "1")
	if text := written(); text != "" {
		t.Errorf("headless it says %q", text)
	}
}

// Each kind of mark puts its colour and its name on the figure.
func TestMarks(t *testing.T) {
	x := []float64{1, 2, 3}
	for name, m := range map[string]Mark{
		"line": Line{Name: "line", X: x, Y: x}, "scatter": Points{Name: "scatter", X: x, Y: x}, "bars": Bars{Name: "bars", Heights: x},
		"histogram": Histogram{Name: "histogram", Values: x}, "rule": Rule{Name: "rule", At: 1}, "band": Band{Name: "band", Runs: [][]float64{{1, 2, 3}, {2, 3, 4}}},
		"kind": Heat{X: x, Y: x, Z: [][]float64{{0, 0, 0}, {0, 0, 0}, {0, 0, 0}}, Names: []string{"kind"}},
	} {
		svg, err := Figure{Panels: []Panel{{X: "x", Y: "y", Marks: []Mark{m}}}}.SVG()
		if err != nil {
			t.Fatal(err)
		}
		if text := string(svg); strings.Count(text, "#0072B2") < 2 || !strings.Contains(text, ">"+name+"<") {
			t.Errorf("%s: %d things in its colour, wanted it on the panel and in the legend", name, strings.Count(text, "#0072B2"))
		}
	}
}

// The shade of a band is drawn wherever both of its borders can be, also beside a gap.
func TestBandGaps(t *testing.T) {
	band := Band{Name: "b", Runs: [][]float64{{-1, 1, 2, math.NaN(), 2, 3}, {1, 2, 3, 1, 3, 4}}}
	svg, err := Figure{Panels: []Panel{{LogY: true, Marks: []Mark{band}}}}.SVG()
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(svg), "fill-opacity"); n != 2 {
		t.Errorf("%d shades, want one on each side of the gap", n)
	}
}

// On a log axis the early points, which take most of its width, are kept.
func TestThinnedOnLogAxis(t *testing.T) {
	xy := make(plotter.XYs, 20_000)
	for i := range xy {
		xy[i] = plotter.XY{X: float64(i + 1), Y: float64(i)}
	}
	out := thinned(xy, most, true)
	if len(out) > most || out[len(out)-1] != xy[len(xy)-1] {
		t.Errorf("%d points up to %g", len(out), out[len(out)-1].X)
	}
	for i := 1; i < len(out); i++ {
		if ratio := out[i].X / out[i-1].X; ratio > 2.01 || ratio <= 1 {
			t.Errorf("a gap from %g to %g", out[i-1].X, out[i].X)
		}
	}
}

// A colour of one's own leaves the hues to the others.
func TestOwnColour(t *testing.T) {
	l := &legend{style: style(11)}
	own := color.Gray{0x99}
	if l.colour("f", 0, own) != own || l.colour("Adam", 1, nil) != hues[0] || l.colour("SGD", 2, nil) != hues[1] || l.colour("Adam", 0, nil) != hues[0] {
		t.Error("colours are not handed out one by one")
	}
}

func TestLogLabels(t *testing.T) {
	for v, want := range map[float64]string{1: "1", 0.001: "0.001", 1e6: "10⁶", 1e-12: "10⁻¹²", 2e5: "2·10⁵"} {
		if got := logLabel(v); got != want {
			t.Errorf("%g is labelled %q, want %q", v, got, want)
		}
	}
}

func TestTableEscapes(t *testing.T) {
	text := htmlTable([]string{"<b>"}, [][]string{{`<img src=x onerror="alert(1)">`}}, nil)
	if strings.Contains(text, "<b>") || strings.Contains(text, "<img") {
		t.Errorf("HTML went through: %s", text)
	}
}

func TestWriteFaults(t *testing.T) {
	t.Setenv("HINDSIGHT_OUT", filepath.Join(t.TempDir(), "file"))
	if err := os.WriteFile(os.Getenv("HINDSIGHT_OUT"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := Draw(Figure{Panels: []Panel{{}}}); err == nil || !strings.Contains(err.Error(), "HINDSIGHT_OUT") {
		t.Errorf("a folder that cannot be made: %v", err)
	}
}

func ExampleTable() {
	Table([]string{"method", "loss"}, [][]string{{"Adam", "0.21"}, {"diffGrad", "0.20"}})
	// Output:
	// method    loss
	// Adam      0.21
	// diffGrad  0.20
}

func ExampleVerdict() {
	r := claim.Record{Paper: "02-diffgrad", Scale: "quick"}
	if err := r.Add(claim.Claim{ID: "K1", Claim: "reaches −0.3"}, claim.Equal([]float64{-0.3001}, -0.3, 0.005)); err != nil {
		Text("%v", err)
	}
	if err := Verdict(r); err != nil {
		Text("%v", err)
	}
	// Output:
	// 02-diffgrad at quick scale: 1 of 1 claims hold
	// id  claim         criterion  measured  spread  paper  verdict
	// K1  reaches −0.3             -0.3001                  holds
}

func ExampleFigure_SVG() {
	losses := [][]float64{{2.3, 1.1, 0.6}, {2.4, 1.3, 0.7}} // of two seeds
	f := Figure{Title: "Training", Panels: []Panel{{X: "step", Y: "loss", Marks: []Mark{Band{Name: "Adam", Runs: losses}, Rule{Name: "goal", At: 0.5}}}}}
	svg, err := f.SVG()
	fmt.Println(strings.Contains(string(svg), "<svg"), err)
	// Output: true <nil>
}

// Outside a notebook the figure of the controls' first values goes to a file.
func ExampleInteractive() {
	err := Interactive([]Control{{Name: "rate", Min: 1e-3, Max: 1, Value: 2, Log: true}}, func(v Values) (Figure, error) {
		return Figure{Panels: []Panel{{Marks: []Mark{Line{Y: []float64{1, v["rate"]}}}}}}, nil
	})
	fmt.Println(err)
	// Output: show: Control "rate": Min, Value, Max are 0.001, 2, 1, must rise
}
