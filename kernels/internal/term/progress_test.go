package term

import (
	"bytes"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestLinesInALog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		p := New(&out)
		short := p.Task("short")
		time.Sleep(500 * time.Millisecond)
		short.Done("%d files", 3)

		long := p.Task("long")
		long.TotalBytes(200e6)
		long.Add(50e6)
		long.Note("wheel")
		time.Sleep(1050 * time.Millisecond)
		long.Add(50e6)
		p.Printf("said in between")
		time.Sleep(10 * time.Second)
		long.Done("")
		long.Fail() // a task ends once
		p.Task("nothing").Skip("already there")
		synctest.Wait()
		assert.Equal(t, strings.Join([]string{
			"✓ short: 3 files",
			"… long  25% 50/200 MB 1.0 s wheel",
			"said in between",
			"… long  50% 100/200 MB 11 s wheel",
			"✓ long (11 s)",
			"· nothing: already there",
			"",
		}, "\n"), out.String())
		time.Sleep(time.Second) // the ticker stops by itself, else the bubble would not end
	})
}

func TestBarsOnATerminal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		p := &Progress{w: &out, live: true, cols: func() int { return 44 }}
		a, b := p.Task("a"), p.Task("b")
		a.Total(4)
		a.Add(1)
		b.Note("a note that is longer than the screen is wide")
		out.Reset()
		time.Sleep(redrawEvery)
		synctest.Wait()
		assert.Equal(t, "\x1b[2A\x1b[J"+
			"… a ██████░░░░░░░░░░░░░░░░░░  25% 1/4 0.1 s\n"+
			"… b 0.1 s a note that is longer than the s…\n", out.String())
		out.Reset()
		a.Done("")
		assert.Equal(t, "\x1b[2A\x1b[J✓ a\n… b 0.1 s a note that is longer than the s…\n", out.String())
		p.Task("c").Drop()
		assert.Equal(t, 1, p.drawn)
		b.Fail()
		assert.True(t, strings.HasSuffix(out.String(), "\x1b[1A\x1b[J✗ b: failed\n"), out.String())
		time.Sleep(time.Second)
	})
}

func TestClock(t *testing.T) {
	for d, want := range map[time.Duration]string{
		400 * time.Millisecond:   "0.4 s",
		12400 * time.Millisecond: "12 s",
		185 * time.Second:        "3 min 05 s",
	} {
		assert.Equal(t, want, Clock(d))
	}
}
