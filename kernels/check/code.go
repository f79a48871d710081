package check

import (
	"context"
	"os/exec"

	"github.com/hindsight-go/hindsight/kernels/junit"
	"github.com/hindsight-go/hindsight/kernels/setup"
)

// static is the environment of the build without cgo.
var static = []string{"CGO_ENABLED=0"}

// setUp completes the environment. gopls, which takes a minute to build, is left
// to whoever opens JupyterLab.
func setUp(ctx context.Context, s *session) ([]junit.Case, error) {
	err := setup.Run(ctx, setup.Options{Root: s.Root, NoXLA: setup.PureOnly(s.Root), Out: s.progress, Quiet: true, Later: true})
	if err != nil {
		s.broken = true
		return nil, err
	}
	return []junit.Case{{Name: "setup"}}, nil
}

func build(ctx context.Context, s *session) ([]junit.Case, error) {
	return []junit.Case{
		s.holds(ctx, "with XLA", command{args: []string{"go", "build", "./..."}}),
		s.holds(ctx, "pure Go", command{env: static, args: []string{"go", "build", "-tags", "noxla", "./..."}}),
	}, nil
}

func format(ctx context.Context, s *session) ([]junit.Case, error) {
	out, err := s.run(ctx, command{args: []string{"gofmt", "-l", "kernels", "lib"}})
	if err != nil {
		return nil, err
	}
	c := junit.Case{Name: "gofmt"}
	if out != "" {
		c.Failure = &junit.Outcome{Message: "gofmt would change files; run gofmt -w on them", Text: out}
	}
	return []junit.Case{c}, nil
}

func vet(ctx context.Context, s *session) ([]junit.Case, error) {
	return []junit.Case{
		s.holds(ctx, "with XLA", command{args: []string{"go", "vet", "./..."}}),
		s.holds(ctx, "pure Go", command{env: static, args: []string{"go", "vet", "-tags", "noxla", "./..."}}),
	}, nil
}

func staticcheck(ctx context.Context, s *session) ([]junit.Case, error) {
	// golangci-lint takes two minutes to build, so it is used where it is.
	cases := []junit.Case{s.holds(ctx, "staticcheck", command{args: []string{"go", "tool", "staticcheck", "./..."}})}
	linter, err := exec.LookPath("golangci-lint")
	if err != nil {
		return append(cases, junit.Case{Name: "golangci-lint", Skipped: &junit.Outcome{Message: "it is not installed"}}), nil
	}
	return append(cases, s.holds(ctx, "golangci-lint", command{args: []string{linter, "run", "--config", s.Root.Join(".golangci.yml")}})), nil
}
