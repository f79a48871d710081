package show

import (
	"image/color"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestManyPointsAreOnePath(t *testing.T) {
	draw := func(n int) string {
		x := make([]float64, n)
		for i := range x {
			x[i] = float64(i)
		}
		svg, err := Figure{Panels: []Panel{{Marks: []Mark{
			Points{Name: "some", X: x, Y: x, Size: 1.5, Color: color.NRGBA{255, 0, 0, 255}}, Points{Name: "others", X: x, Y: x, Size: 2, Color: color.NRGBA{0, 0, 255, 102}}}}}}.SVG()
		require.NoError(t, err)
		return string(svg)
	}
	few, many := draw(crowd-1), draw(3*crowd)
	assert.Zero(t, strings.Count(few, "h0"))
	assert.Equal(t, 6*crowd, strings.Count(many, "h0"))
	assert.Equal(t, 1, strings.Count(many, `h0" style="fill:none;stroke:#FF0000;stroke-width:3;stroke-linecap:round" />`))
	assert.Equal(t, 1, strings.Count(many, `h0" style="fill:none;stroke:#0000FF;stroke-opacity:0.4;stroke-width:4;stroke-linecap:round" />`))
	assert.Equal(t, 2, strings.Count(many, " 0 1 1 ")/2, "the legend's points are as they were")
}

func TestDotsKeepTheirPlace(t *testing.T) {
	line := `<path d="M12.5,3A2,2 0 1 1 8.5,3A2,2 0 1 1 12.5,3Z" style="fill:#010203" />` + "\n"
	got := string(joinDots([]byte("<g>\n" + strings.Repeat(line, crowd) + "</g>\n")))
	assert.Equal(t, "<g>\n"+`<path d="`+strings.Repeat("M10.5,3.0h0", crowd)+`" style="fill:none;stroke:#010203;stroke-width:4;stroke-linecap:round" />`+"\n</g>\n", got)
	assert.Equal(t, line, string(joinDots([]byte(line))))
	odd := strings.Replace(line, "M12.5", "M1-2", 1)
	assert.Equal(t, odd, string(joinDots([]byte(odd))))
}
