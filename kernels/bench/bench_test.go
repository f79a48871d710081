package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hindsight-go/hindsight/kernels/internal/repo"
	"github.com/hindsight-go/hindsight/kernels/internal/term"
)

func TestRegistry(t *testing.T) {
	root, err := repo.Find()
	require.NoError(t, err)
	seen := map[string]bool{}
	for _, b := range All() {
		assert.Regexp(t, `^[a-z][A-Za-z0-9-]*$`, b.Name)
		assert.False(t, seen[b.Name], b.Name)
		seen[b.Name] = true
		assert.NotEmpty(t, b.What)
		assert.NotEmpty(t, b.Unit)
		assert.GreaterOrEqual(t, b.Target, 0.0)
		assert.True(t, b.Subject != "" || b.Peer == Nobody && b.Script != "", b.Name)
		assert.Equal(t, b.Peer == Scaling, len(b.Sizes) >= 2 && strings.Contains(b.Subject, "%d"), b.Name)
		switch b.Peer {
		case JAX, Torch, NumPy:
			assert.FileExists(t, environment(root, b.Peer).Lock)
			assert.FileExists(t, root.Join("kernels", "python", "bench", strings.Fields(b.Script)[0]))
		case Nobody:
			if b.Subject == "" {
				assert.FileExists(t, root.Join("kernels", "python", "bench", strings.Fields(b.Script)[0]))
			} else {
				assert.Empty(t, b.Script)
			}
		case Ourselves:
			assert.NotEmpty(t, b.Script)
		case Scaling:
			assert.Empty(t, b.Script)
		}
	}
}

func TestChoose(t *testing.T) {
	all, err := Choose(nil)
	require.NoError(t, err)
	assert.Equal(t, All(), all)
	some, err := Choose([]string{"cell-first", "mlp-step"})
	require.NoError(t, err)
	require.Len(t, some, 2)
	assert.Equal(t, "mlp-step", some[0].Name)
	_, err = Choose([]string{"mlp"})
	assert.ErrorContains(t, err, `"mlp" is unknown; there are scan-quadratic, mlp-step, `)
}

func TestStatistics(t *testing.T) {
	assert.Equal(t, Figure{Best: 1, Median: 2.5, Low: 1.75, High: 3.25}, seconds([]float64{4, 1, 3, 2}))
	assert.Equal(t, Figure{7, 7, 7, 7}, seconds([]float64{7}))
	// A disturbance that meets both sides of a turn does not move the median.
	assert.Equal(t, Figure{Best: 0.5, Median: 0.5, Low: 0.5, High: 0.5}, ratio([]float64{1, 10, 1}, []float64{2, 20, 2}))
	// One that meets a single sample does not move the quickest.
	assert.Equal(t, 0.5, ratio([]float64{1, 1, 9}, []float64{2, 2, 2}).Best)
}

func TestSlope(t *testing.T) {
	sizes := []int{10, 100, 1000}
	assert.InDelta(t, 2, slope(sizes, [][]float64{{1, 3}, {100, 300}, {1e4, 3e4}}).Median, 1e-12)
	// One disturbed sample does not move what is fitted to the quickest.
	f := slope(sizes, [][]float64{{1, 1}, {10, 10}, {100, 900}})
	assert.InDelta(t, 1, f.Best, 1e-12)
	assert.Greater(t, f.High, 1.1)
}

func TestMeasureOrder(t *testing.T) {
	order := Benchmark{Name: "order", Peer: Scaling, Target: 1, Sizes: []int{1, 10, 100}}
	got, _ := measured(t, 2, order, answers("us", "1", "9", "0.001", "0.002"), answers("us", "2", "9", "0.012", "0.01"), answers("us", "3", "9", "0.1", "0.1"))
	assert.Empty(t, got.Problem, "the sizes need not agree")
	assert.Equal(t, Met, got.Verdict)
	assert.InDelta(t, 1, got.Slope.Best, 1e-12)
	for _, last := range []string{"0.04", "0.3"} { // too flat, too steep
		got, _ = measured(t, 1, order, answers("us", "", "9", "0.001"), answers("us", "", "9", "0.01"), answers("us", "", "9", last))
		assert.Equal(t, Missed, got.Verdict)
	}
	own, _ := measured(t, 1, Benchmark{Name: "own", Peer: Ourselves, Target: 1.25}, answers("us", "", "9", "0.012"), answers("us", "", "9", "0.01"))
	assert.Equal(t, Met, own.Verdict)
	assert.InDelta(t, 1.2, own.Ratio.Best, 1e-12)
}

func TestDisagreement(t *testing.T) {
	same := []float64{1, -2, 0, 1e-9}
	assert.Equal(t, -1, disagreement(same, []float64{1.001, -2.001, 1e-6, -1e-9}))
	assert.Equal(t, 1, disagreement(same, []float64{1, 2, 0, 0}))
	assert.Equal(t, 4, disagreement(append(same, 1), same), "a missing number")
	nan := []float64{strToFloat(t, "NaN")}
	assert.Equal(t, 0, disagreement(nan, nan), "what is not a number agrees with nothing")
}

func strToFloat(t *testing.T, s string) float64 {
	f, err := strconv.ParseFloat(s, 64)
	require.NoError(t, err)
	return f
}

// shell is a side written in sh.
func shell(who, script string) launch {
	return func(ctx context.Context) (*side, error) { return start(ctx, who, "", nil, "sh", "-c", script) }
}

// answers is a side that says what it checked, and one time a request.
func answers(who, check string, times ...string) launch {
	script := `echo '{"versions": {"` + who + `": "1.2", "jax": "0.9"}, "check": [` + check + `]}'` + "\n"
	for _, s := range times {
		script += "read x && echo '{\"seconds\": " + s + "}'\n"
	}
	return shell(who, script)
}

// measured is a benchmark of these sides.
func measured(t *testing.T, repeats int, b Benchmark, sides ...launch) (Result, *runner) {
	t.Helper()
	grace := stopGrace
	stopGrace = 200 * time.Millisecond
	t.Cleanup(func() { stopGrace = grace })
	r := &runner{Options: Options{Repeats: repeats}, versions: map[string]string{}}
	task := term.New(&bytes.Buffer{}).Task(b.Name)
	defer task.Drop()
	return r.measure(t.Context(), b, sides, task), r
}

var step = Benchmark{Name: "step", What: "a step", Unit: "step", Peer: JAX, Target: 1.1}

func TestMeasure(t *testing.T) {
	got, r := measured(t, 3, step, answers("us", "1, 2", "9", "0.002", "0.001", "0.003"), answers("them", "1, 2.0001", "9", "0.002", "0.002", "0.002"))
	assert.Empty(t, got.Problem)
	assert.Equal(t, Met, got.Verdict)
	assert.Equal(t, []float64{0.002, 0.001, 0.003}, got.OurSamples, "the first warmed up")
	assert.Equal(t, Figure{Best: 0.5, Median: 1, Low: 0.75, High: 1.25}, *got.Ratio)
	assert.Equal(t, "0.9", got.PeerVersion)
	assert.Equal(t, "1.2", r.versions["us"])

	slow, _ := measured(t, 1, step, answers("us", "", "1", "3"), answers("them", "", "1", "2"))
	assert.Equal(t, Missed, slow.Verdict)
	free := step
	free.Target = 0
	only, _ := measured(t, 1, free, answers("us", "", "1", "3"), answers("them", "", "1", "2"))
	assert.Equal(t, Measured, only.Verdict)

	alone := Benchmark{Name: "cell", Peer: Nobody, Target: 1}
	cell, _ := measured(t, 3, alone, answers("Jupyter", "", "9", "0.5", "3", "0.9"))
	assert.Equal(t, Met, cell.Verdict, "by its median")
	assert.Nil(t, cell.Ratio)
}

func TestMeasureFaults(t *testing.T) {
	good := answers("us", "1", "1", "1")
	for name, c := range map[string]struct {
		peer launch
		want string
	}{
		"other results":   {answers("them", "2", "1", "1"), "the two sides compute different things: number 1 of [1] and [2]"},
		"says an error":   {shell("them", `echo '{"error": "no such model"}'`), "them: no such model"},
		"does not import": {shell("them", `echo "Traceback" >&2; echo "ModuleNotFoundError: No module named 'jax'" >&2; exit 1`), "them: it ended early: ModuleNotFoundError: No module named 'jax'"},
		"dies in between": {answers("them", "1", "1"), "them: it ended early"},
		"no time":         {answers("them", "1", "0"), "them: a sample took 0 seconds"},
		"not there": {func(ctx context.Context) (*side, error) { return start(ctx, "them", "", nil, "/nowhere/python") },
			"them cannot be started: fork/exec /nowhere/python: no such file or directory"},
		"talks before it starts": {shell("them", `echo "warning: no GPU"; echo '{"error": "done"}'`), "them: done"},
	} {
		t.Run(name, func(t *testing.T) {
			got, _ := measured(t, 1, step, good, c.peer)
			assert.Equal(t, Failed, got.Verdict)
			assert.Contains(t, got.Problem, c.want)
		})
	}
}

// TestInterrupt ends a sample that would take for ever, with the processes that the side started.
func TestInterrupt(t *testing.T) {
	grace := stopGrace
	stopGrace = 200 * time.Millisecond
	t.Cleanup(func() { stopGrace = grace })
	pidFile := filepath.Join(t.TempDir(), "pid")
	ctx, cancel := context.WithCancel(t.Context())
	s, err := start(ctx, "them", "", nil, "sh", "-c", `trap "" INT TERM; sleep 1000 & echo $! >`+pidFile+`; echo "{}"; wait`)
	require.NoError(t, err)
	time.AfterFunc(50*time.Millisecond, cancel)
	_, err = s.sample(ctx)
	require.ErrorIs(t, err, context.Canceled)
	text, err := os.ReadFile(pidFile)
	require.NoError(t, err)
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	require.NoError(t, err)
	assert.Eventually(t, func() bool { return !alive(pid) }, 5*time.Second, 10*time.Millisecond, "nothing is left running")
}

// alive reports whether a process runs; one that nobody waited for does not.
func alive(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return false
	}
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err != nil || !strings.Contains(string(stat), ") Z ")
}

// checkout looks like one, with an empty prefix.
func checkout(t *testing.T) repo.Root {
	t.Helper()
	t.Setenv(repo.PrefixVar, "")
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "go.mod"), []byte("module "+repo.Module+"\n"), 0o644))
	root, err := repo.At(dir)
	require.NoError(t, err)
	return root
}

func TestPeerNotAvailable(t *testing.T) {
	root := checkout(t)
	var out bytes.Buffer
	// PyTorch is not installed unasked.
	report, err := Run(t.Context(), Options{Root: root, Only: []string{"mlp-torch"}, Repeats: 1, Out: root.Join("out"), To: &out})
	require.NoError(t, err)
	require.Len(t, report.Results, 1)
	assert.Equal(t, NotAvailable, report.Results[0].Verdict)
	assert.Contains(t, report.Results[0].Problem, "--torch installs it")
	assert.False(t, report.Failed())
	assert.True(t, report.Missed())
	assert.Contains(t, report.Table(), "mlp-torch: PyTorch not available: it is not installed")
	assert.NoDirExists(t, root.Join(".venv-bench"))

	// The list of packages is gone.
	report, err = Run(t.Context(), Options{Root: root, Only: []string{"mlp-step"}, Repeats: 1, Out: root.Join("out"), To: &out})
	require.NoError(t, err)
	assert.Equal(t, NotAvailable, report.Results[0].Verdict)
	assert.Contains(t, report.Results[0].Problem, "The list of Python packages cannot be read")
	assert.Contains(t, report.Results[0].Problem, "Check out the repository again.")
	var written Report
	data, err := os.ReadFile(root.Join("out", "bench.json"))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(data, &written))
	assert.Equal(t, *report, written)
}

func TestPeerWithoutNetwork(t *testing.T) {
	if testing.Short() {
		t.Skip("makes a Python environment")
	}
	root := checkout(t)
	lock := root.Join("kernels", "python", "requirements-bench.txt")
	require.NoError(t, os.MkdirAll(filepath.Dir(lock), 0o755))
	require.NoError(t, os.WriteFile(lock, []byte("jax==0.10.2 --hash=sha256:"+strings.Repeat("0", 64)+"\n"), 0o644))
	t.Setenv("PIP_INDEX_URL", "http://127.0.0.1:1/simple")
	t.Setenv("PIP_NO_INDEX", "")
	t.Setenv("PIP_FIND_LINKS", "")
	report, err := Run(t.Context(), Options{Root: root, Only: []string{"mlp-step"}, Repeats: 1, Out: root.Join("out"), To: &bytes.Buffer{}})
	require.NoError(t, err)
	assert.Equal(t, NotAvailable, report.Results[0].Verdict)
	assert.Contains(t, report.Results[0].Problem, "The packages of JAX cannot be installed: the network, or the server that should have it, does not answer")
}

func TestRunFaults(t *testing.T) {
	root := checkout(t)
	_, err := Run(t.Context(), Options{Root: root, Only: []string{"nope"}, Repeats: 1})
	assert.ErrorContains(t, err, `"nope" is unknown`)
	_, err = Run(t.Context(), Options{Root: root, Repeats: 0})
	assert.ErrorContains(t, err, "repeats is 0, must be at least 1")
	r := &runner{Options: Options{Root: root}}
	err = r.build(t.Context(), term.New(&bytes.Buffer{}), []Benchmark{{Subject: "mlp step"}})
	assert.ErrorContains(t, err, "XLA is not installed here")
	assert.ErrorContains(t, err, "run go run ./kernels setup")
}

func TestTable(t *testing.T) {
	r := Report{System: "linux/amd64", Processors: 2, Repeats: 2, Complete: true, Versions: map[string]string{"jax": "0.9", "go": "1.26"}}
	add := func(b Benchmark, samples ...[]float64) {
		x := Result{Name: b.Name, Peer: b.Peer.String(), Target: b.Target, Sizes: b.Sizes}
		if b.Peer == JAX {
			x.PeerVersion = "0.9"
		}
		x.finish(samples)
		r.Results = append(r.Results, x)
	}
	add(step, []float64{0.001, 0.002}, []float64{0.002, 0.002})
	add(Benchmark{Name: "cell-first", Target: 1.5}, []float64{1.5, 1.75})
	add(Benchmark{Name: "tiny", Peer: JAX}, []float64{5e-6}, []float64{4e-6})
	add(Benchmark{Name: "round", Target: 5e-6}, []float64{5e-7})
	add(Benchmark{Name: "order", Peer: Scaling, Target: 1, Sizes: []int{10, 100}}, []float64{0.001}, []float64{0.01})
	add(Benchmark{Name: "own", Peer: Ourselves, Target: 1.25}, []float64{0.003}, []float64{0.002})
	r.Results = append(r.Results, Result{Name: "gone", Peer: "PyTorch", Target: 1}.without(NotAvailable, errors.New("it is not installed")))
	assert.Equal(t, `            ours      peer             ratio  median  quartiles      target
step        1.00 ms   2.00 ms JAX 0.9  0.50   0.75    0.62–0.88      ≤ 1.1     met
cell-first  1.50 s                            1.62 s  1.56 s–1.69 s  ≤ 1.5 s   missed
tiny        5 µs      4 µs JAX 0.9     1.25   1.25    1.25–1.25                measured
round       0.5 µs                            0.5 µs  0.5 µs–0.5 µs  ≤ 5 µs    met
order       10.00 ms  1.00 ms our own  1.00   1.00    1.00–1.00      1 ± 0.15  met
own         3.00 ms   2.00 ms our own  1.50   1.50    1.50–1.50      ≤ 1.25    missed
gone                                                                 ≤ 1       not available
Times are the quickest of 2 samples a side, the sides in turns; a ratio is of those, its median and quartiles are of the turns.
Where the target is an order, the ratio is the slope of time over size on logarithmic axes, ours the largest size, and the peer the smallest.
linux/amd64, 2 processors; go 1.26, jax 0.9
gone: PyTorch not available: it is not installed
`, r.Table())
	assert.True(t, r.Missed())
	assert.False(t, r.Failed())
}
