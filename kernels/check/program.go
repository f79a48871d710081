package check

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/modfile"

	"github.com/hindsight-go/hindsight/kernels/internal/repo"
	"github.com/hindsight-go/hindsight/kernels/junit"
	"github.com/hindsight-go/hindsight/kernels/setup"
)

// plain is a program of a user: least squares on data of its own, by an optimizer
// of the library.
const plain = `package main

import (
	"context"
	"fmt"
	"log"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/hindsight-go/hindsight/lib/backend"
	"github.com/hindsight-go/hindsight/lib/optim"
	"github.com/hindsight-go/hindsight/lib/scan"
)

func main() {
	b, err := backend.Open()
	if err != nil {
		log.Fatal(err)
	}
	// y = 2x − 1, fitted by least squares.
	problem := optim.Problem{Loss: func(params, data []*graph.Node) *graph.Node {
		bias, slope := params[0], params[1]
		return graph.ReduceAllMean(graph.Square(graph.Sub(graph.Add(graph.Mul(slope, data[0]), bias), data[1])))
	}, Data: func(s *scan.Step) []*graph.Node { return []*graph.Node{s.Input("x"), s.Input("y")} }}
	start := scan.Vars{"bias": tensors.FromScalar(0.0), "slope": tensors.FromScalar(0.0)}
	inputs := scan.Vars{"x": tensors.FromValue([]float64{-1, 0, 1, 2}), "y": tensors.FromValue([]float64{-3, -1, 1, 3})}
	r, err := optim.Minimize(context.Background(), b, optim.DiffGrad(0.05), problem, start, inputs, 2000, 0)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s: %.2f x %+.2f\n", backend.Describe(b).Name, r.Params["slope"].Value(), r.Params["bias"].Value())
}
`

// program builds and runs a program in a module of its own that finds this one by a replace directive.
func program(ctx context.Context, s *session) ([]junit.Case, error) {
	dir, err := os.MkdirTemp("", "plain")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if err := s.plainModule(dir); err != nil {
		return nil, err
	}
	modules := "GOFLAGS=-mod=mod"
	pure := s.prints(ctx, "static, pure Go", "go: 2.00 x -1.00", command{dir: dir, env: append([]string{modules, "GOMLX_BACKEND=go"}, static...), args: []string{"go", "run", "-tags", "noxla", "."}})
	if setup.PureOnly(s.Root) {
		return []junit.Case{pure}, nil
	}
	xla := s.prints(ctx, "on XLA", "xla:cpu: 2.00 x -1.00", command{dir: dir, env: []string{modules, "GOMLX_BACKEND=xla:cpu", "PJRT_PLUGIN_LIBRARY_PATH=" + s.Root.PluginDir()}, args: []string{"go", "run", "."}})
	return []junit.Case{xla, pure}, nil
}

// prints is the case of a program whose last line must be known.
func (s *session) prints(ctx context.Context, name, want string, c command) junit.Case {
	s.task.Note("%s", name)
	out, err := s.run(ctx, c)
	result := junit.Case{Name: name}
	lines := strings.Split(strings.TrimSpace(out), "\n")
	switch got := lines[len(lines)-1]; {
	case err != nil:
		result.Failure = &junit.Outcome{Message: "the program failed (" + err.Error() + ")", Text: out}
	case got != want:
		result.Failure = &junit.Outcome{Message: fmt.Sprintf("the program printed %q, must be %q", got, want), Text: out}
	}
	return result
}

// plainModule writes the program, with our requirements so that no network is needed.
func (s *session) plainModule(dir string) error {
	data, err := os.ReadFile(s.Root.Join("go.mod"))
	if err != nil {
		return err
	}
	mod, err := modfile.Parse("go.mod", data, nil)
	if err != nil {
		return err
	}
	for _, tool := range append([]*modfile.Tool(nil), mod.Tool...) {
		if err := mod.DropTool(tool.Path); err != nil {
			return err
		}
	}
	for _, change := range []error{
		mod.AddModuleStmt("example.com/plain"),
		mod.AddRequire(repo.Module, "v0.0.0"),
		mod.AddReplace(repo.Module, "", s.Root.Dir(), ""),
	} {
		if change != nil {
			return change
		}
	}
	if data, err = mod.Format(); err != nil {
		return err
	}
	sums, err := os.ReadFile(s.Root.Join("go.sum"))
	if err != nil {
		return err
	}
	for name, content := range map[string][]byte{"go.mod": data, "go.sum": sums, "main.go": []byte(plain)} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
			return err
		}
	}
	return nil
}
