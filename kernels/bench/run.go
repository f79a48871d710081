package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/hindsight-go/hindsight/kernels/internal/atomicfile"
	"github.com/hindsight-go/hindsight/kernels/internal/repo"
	"github.com/hindsight-go/hindsight/kernels/internal/term"
)

// Options say what to measure.
type Options struct {
	Root    repo.Root
	Only    []string  // names; none: all
	Repeats int       // samples of each side, at least 1
	Torch   bool      // install PyTorch where it is missing
	Out     string    // folder for bench.json
	To      io.Writer // where progress goes
}

// Run measures and writes bench.json. What cannot be measured is a result too, with
// the reason. Where ctx ends, the report holds what was done by then, and the error is
// that of ctx.
func Run(ctx context.Context, o Options) (*Report, error) {
	benchmarks, err := Choose(o.Only)
	if err != nil {
		return nil, err
	}
	if o.Repeats < 1 {
		return nil, fmt.Errorf("bench: repeats is %d, must be at least 1", o.Repeats)
	}
	out := term.New(o.To)
	missing, err := ready(ctx, o.Root, benchmarks, o.Torch, out)
	if err != nil {
		return nil, err
	}
	r := &runner{Options: o, missing: missing, versions: map[string]string{}}
	if err := r.build(ctx, out, benchmarks); err != nil {
		return nil, err
	}
	report := &Report{
		System: runtime.GOOS + "/" + runtime.GOARCH, Processors: runtime.NumCPU(), Repeats: o.Repeats, Versions: r.versions,
	}
	for _, b := range benchmarks {
		task := out.Task(b.Name)
		result := r.measure(ctx, b, r.sides(b), task)
		if err = ctx.Err(); err != nil {
			task.Drop()
			break
		}
		task.Done("%s", result.headline())
		report.Results = append(report.Results, result)
	}
	report.Complete = err == nil
	data, jsonErr := json.MarshalIndent(report, "", "  ")
	if jsonErr == nil {
		jsonErr = atomicfile.Write(filepath.Join(o.Out, "bench.json"), append(data, '\n'))
	}
	return report, errors.Join(err, jsonErr)
}

// runner measures one benchmark after the other.
type runner struct {
	Options
	missing  map[Peer]error
	versions map[string]string // of everything that took part
}

func (r *runner) subject() string { return filepath.Join(r.Root.Lib(), "bench-subject") }

// build compiles our sides.
func (r *runner) build(ctx context.Context, out *term.Progress, benchmarks []Benchmark) error {
	needed := false
	for _, b := range benchmarks {
		needed = needed || b.Subject != "" && r.missing[b.Peer] == nil
	}
	if !needed {
		return nil
	}
	if _, err := os.Stat(filepath.Join(r.Root.PluginDir(), repo.Plugin)); err != nil {
		return fmt.Errorf("bench: XLA is not installed here (%w); run go run ./kernels setup", err)
	}
	task := out.Task("Our side")
	cmd := exec.CommandContext(ctx, "go", "build", "-o", r.subject(), "./kernels/bench/subject")
	cmd.Dir = r.Root.Dir()
	cmd.Env = append(os.Environ(), "CGO_ENABLED=1", "GOWORK=off")
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	if said, err := cmd.CombinedOutput(); err != nil {
		task.Fail()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return fmt.Errorf("bench: kernels/bench/subject cannot be built: %w\n%s", err, strings.TrimSpace(string(said)))
	}
	task.Drop()
	return nil
}

// launch starts a side.
type launch func(context.Context) (*side, error)

// measure is one benchmark, from starting its sides to stopping them.
func (r *runner) measure(ctx context.Context, b Benchmark, launches []launch, task *term.Task) Result {
	result := Result{Name: b.Name, What: b.What, Unit: b.Unit, Peer: b.Peer.String(), Target: b.Target, Sizes: b.Sizes}
	if err := r.missing[b.Peer]; err != nil {
		return result.without(NotAvailable, err)
	}
	task.Total(int64(r.Repeats))
	task.Note("starting")
	var sides []*side
	defer func() {
		for _, s := range sides {
			s.stop()
		}
	}()
	for _, start := range launches {
		s, err := start(ctx)
		if err != nil {
			return result.without(Failed, err)
		}
		sides = append(sides, s)
		maps.Copy(r.versions, s.hello.Versions)
	}
	if distribution := map[Peer]string{JAX: "jax", Torch: "torch", NumPy: "numpy"}[b.Peer]; distribution != "" {
		result.PeerVersion = sides[1].hello.Versions[distribution]
		ours, peers := sides[0].hello.Check, sides[1].hello.Check
		if i := disagreement(ours, peers); i >= 0 {
			return result.without(Failed, fmt.Errorf("the two sides compute different things: number %d of %v and %v", i+1, ours, peers))
		}
	}
	samples := make([][]float64, len(sides))
	for turn := range 1 + r.Repeats { // the first warms up
		for i := range sides {
			if turn%2 == 1 { // neither is always the second
				i = len(sides) - 1 - i
			}
			seconds, err := sides[i].sample(ctx)
			if err != nil {
				return result.without(Failed, err)
			}
			if turn > 0 {
				samples[i] = append(samples[i], seconds)
			}
		}
		task.Note("")
		task.Set(int64(turn))
	}
	result.finish(samples)
	return result
}

// sides are what starts the sides of a benchmark, ours first.
func (r *runner) sides(b Benchmark) []launch {
	scripts := r.Root.Join("kernels", "python", "bench")
	python := func(path, who string) launch {
		args := strings.Fields(b.Script)
		return func(ctx context.Context) (*side, error) {
			return start(ctx, who, scripts, []string{"PYTHONDONTWRITEBYTECODE=1", "JAX_PLATFORMS=cpu"},
				append([]string{path, filepath.Join(scripts, args[0])}, args[1:]...)...)
		}
	}
	if b.Peer == Nobody && b.Subject == "" {
		return []launch{python(r.Root.Python(), "Jupyter")}
	}
	ours := func(args string) launch {
		return func(ctx context.Context) (*side, error) {
			return start(ctx, "our side", r.Root.Dir(), []string{
				"GOMLX_BACKEND=xla:cpu", "PJRT_PLUGIN_LIBRARY_PATH=" + r.Root.PluginDir(), "GOMLX_NO_AUTO_INSTALL=1",
			}, append([]string{r.subject()}, strings.Fields(args)...)...)
		}
	}
	switch b.Peer {
	case Nobody:
		return []launch{ours(b.Subject)}
	case Ourselves:
		return []launch{ours(b.Subject), ours(b.Script)}
	case Scaling:
		var all []launch
		for _, size := range b.Sizes {
			all = append(all, ours(fmt.Sprintf(b.Subject, size)))
		}
		return all
	}
	return []launch{ours(b.Subject), python(environment(r.Root, b.Peer).Root.Python(), b.Peer.String())}
}
