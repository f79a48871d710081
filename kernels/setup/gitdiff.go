package setup

import (
	"context"
	"os/exec"
	"strings"

	"github.com/hindsight-go/hindsight/kernels/internal/term"
)

// textconv is what git runs, from the checkout's root, on a notebook to show.
const textconv = "go run ./kernels textconv"

// gitDiff makes git show notebooks as text in this checkout. Setup goes on
// without it, and leaves a setting that somebody chose.
func (s *session) gitDiff(ctx context.Context, _ *term.Task) (outcome, error) {
	if _, err := exec.LookPath("git"); err != nil || !exists(s.Root.Join(".git")) {
		return outcome{}, nil
	}
	git := func(args ...string) (string, error) {
		out, err := s.exec(ctx, command{dir: s.Root.Dir(), args: append([]string{"git", "config", "--local"}, args...)})
		return strings.TrimSpace(out), err
	}
	if now, err := git("--get", "diff.ipynb.textconv"); err == nil && now != "" {
		return there("%s", now)
	}
	for _, setting := range [][2]string{{"diff.ipynb.textconv", textconv}, {"diff.ipynb.cachetextconv", "true"}} {
		if out, err := git(setting[0], setting[1]); err != nil {
			if ctx.Err() != nil {
				return outcome{}, ctx.Err()
			}
			return warning("git diff shows JSON: %s", out)
		}
	}
	return done("git diff shows their text")
}
