package runner

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hindsight-go/hindsight/kernels/notebook"
)

func record(o *Options) { o.Record, o.Rerun = true, true }

func (c *checkout) read(parts ...string) string {
	c.Helper()
	raw, err := os.ReadFile(c.root.Join(parts...))
	require.NoError(c, err)
	return string(raw)
}

func TestRecord(t *testing.T) {
	c := newCheckout(t)
	c.notebook("02-x", `ran 1; ran 2 "$(text stderr noise),$(text stdout "in `+c.root.Dir()+`/lib/optim\n"),$(claims 02-x "$(claim C1 true),$(claim C2 false)")"; end ok`)
	before := c.read("notebooks", "02-x.ipynb")
	c.mustRun(record)
	after := c.read("notebooks", "02-x.ipynb")
	head, _, _ := strings.Cut(before, `"execution_count": 7`)
	require.True(t, strings.HasPrefix(after, head), "what is not output stays byte for byte")
	nb, err := notebook.Parse([]byte(after))
	require.NoError(t, err)
	require.Len(t, nb.Cells[2].Outputs, 2)
	require.Equal(t, "in lib/optim\n", nb.Cells[2].Outputs[0].Text)
	require.NotContains(t, after, `"execution_count": 7`)
	require.Contains(t, c.log.String(), "recorded notebooks/02-x.ipynb\nrecorded notebooks/REPRODUCTION.md\n")
	page := c.read("notebooks", "REPRODUCTION.md")
	require.Contains(t, page, "| [Title of 02-x](02-x.ipynb) | quick | 2 | 1 | 1 | 0 |")

	// Once more: the same bytes, and the inputs are the same as before.
	c.mustRun(record)
	require.Equal(t, after, c.read("notebooks", "02-x.ipynb"))
	require.Equal(t, page, c.read("notebooks", "REPRODUCTION.md"))
	require.Equal(t, 1, c.mustRun(nil).Summary.Reused)

	// Unchanged notebooks are recorded from their executed copies.
	require.NoError(t, os.WriteFile(c.root.Join("notebooks", "02-x.ipynb"), []byte(before), 0o644))
	require.Equal(t, 1, c.mustRun(func(o *Options) { o.Record = true }).Summary.Reused)
	require.Equal(t, after, c.read("notebooks", "02-x.ipynb"))
}

// At another scale than its own, a notebook keeps its outputs and the page of
// claims gets a second section.
func TestRecordAnotherScale(t *testing.T) {
	c := newCheckout(t)
	script := `ran 1; ran 2 "$(claims 02-x "$(claim C1 true)" `
	c.notebook("02-x", script+`)"; end ok`)
	c.mustRun(record)
	committed := c.read("notebooks", "02-x.ipynb")
	c.file(c.root.Join("notebooks", "02-x.ipynb.sh"), script+`| sed s/quick/paper/)"; end ok`)
	c.mustRun(func(o *Options) { record(o); o.Scale = "paper" })
	require.Equal(t, committed, c.read("notebooks", "02-x.ipynb"))
	require.Contains(t, c.log.String(), "notebooks/02-x.ipynb keeps its outputs, which are not those of paper scale; its claims are recorded\n")
	page := c.read("notebooks", "REPRODUCTION.md")
	require.Contains(t, page, "## Title of 02-x, quick scale")
	require.Contains(t, page, "## Title of 02-x, paper scale")
}

func TestWhatIsNotRecorded(t *testing.T) {
	for name, tc := range map[string]struct{ script, want string }{
		"failing":       {"ran 1; end cell 2", ""},
		"too large":     {`ran 2 "$(text stdout "$(head -c 600000 /dev/zero | tr '\0' x)")"; end ok`, "notebooks/x.ipynb was not recorded: notebooks/x.ipynb would be 600 kB"},
		"clock time":    {`ran 2 "$(text stdout 'at 2026-01-01 10:00')"; end ok`, `cell 3 prints the clock time "2026-01-01 10:00"`},
		"absolute path": {`ran 2 "$(text stdout 'in /usr/lib')"; end ok`, `cell 3 prints the absolute path "/usr/lib"`},
		"edited meanwhile": {`sed -i s/run/walk/ "$notebook"; ` + passing,
			"it was changed while it ran; run it again"},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCheckout(t)
			c.notebook("x", tc.script)
			before := c.read("notebooks", "x.ipynb")
			_, err := c.run(record)
			if tc.want != "" {
				require.ErrorContains(t, err, tc.want)
			} else {
				require.NoError(t, err)
			}
			if name == "edited meanwhile" {
				before = strings.ReplaceAll(before, "run(", "walk(")
			}
			require.Equal(t, before, c.read("notebooks", "x.ipynb"))
			require.NoFileExists(t, filepath.Join(c.root.Notebooks(), "REPRODUCTION.md"))
		})
	}
}
