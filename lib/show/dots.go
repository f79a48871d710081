package show

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strconv"
)

// dot matches what draws one point: a filled circle of its own, in some 125 bytes.
var dot = regexp.MustCompile(`^<path d="M([-0-9.e]+),([-0-9.e]+)A([-0-9.e]+),[-0-9.e]+ 0 1 1 [-0-9.e]+,[-0-9.e]+A[-0-9.,e]+ 0 1 1 [-0-9.,e]+Z" style="fill:(#[0-9A-F]{6})(;fill-opacity:([0-9.]+))?" />$`)

// crowd is from how many points of one look in a row they are joined.
const crowd = 20

// joinDots draws many points in a row that differ in place only as one path of dots with round ends, in some 15 bytes each:
// they look the same, but where they overlap they are no darker.
func joinDots(svg []byte) []byte {
	var out bytes.Buffer
	var run [][]byte // lines of the points so far
	var path bytes.Buffer
	var look [3]string // radius, color, opacity
	flush := func() {
		if len(run) < crowd {
			for _, line := range run {
				out.Write(line)
			}
		} else {
			r, _ := strconv.ParseFloat(look[0], 64) // it was read below
			opacity := ""
			if look[2] != "" {
				opacity = ";stroke-opacity:" + look[2]
			}
			fmt.Fprintf(&out, `<path d="%s" style="fill:none;stroke:%s%s;stroke-width:%.5g;stroke-linecap:round" />`+"\n", path.Bytes(), look[1], opacity, 2*r)
		}
		run = nil
		path.Reset()
	}
	for line := range bytes.Lines(svg) {
		m := dot.FindSubmatch(bytes.TrimSpace(line))
		if m == nil {
			flush()
			out.Write(line)
			continue
		}
		now := [3]string{string(m[3]), string(m[4]), string(m[6])}
		x, errX := strconv.ParseFloat(string(m[1]), 64)
		y, errY := strconv.ParseFloat(string(m[2]), 64)
		r, errR := strconv.ParseFloat(now[0], 64)
		if err := errors.Join(errX, errY, errR); err != nil { // the pattern lets numbers through that are none
			flush()
			out.Write(line)
			continue
		}
		if now != look {
			flush()
			look = now
		}
		run = append(run, line)
		fmt.Fprintf(&path, "M%.1f,%.1fh0", x-r, y)
	}
	flush()
	return out.Bytes()
}
