package lab

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/hindsight-go/hindsight/kernels/internal/repo"
)

// trust tells Jupyter that the outputs of this checkout's notebooks are ours. JupyterLab hides figures (SVG) and
// styles of notebooks that it has not seen run; and whoever starts it from here runs this checkout's programs anyway.
// A notebook that came from elsewhere, or was changed since, stays as Jupyter sees it. It returns what went wrong, or
// nothing.
func trust(ctx context.Context, root repo.Root, env []string) string {
	ours := committed(ctx, root)
	if len(ours) == 0 {
		return ""
	}
	cmd := exec.CommandContext(ctx, root.Python(), append([]string{"-m", "nbformat.sign"}, ours...)...)
	cmd.Dir, cmd.Env = root.Dir(), append(os.Environ(), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "Figures in the notebooks show once their cells are run; jupyter trust failed: " + err.Error() + " " + strings.TrimSpace(string(out))
	}
	return ""
}

// committed are the notebooks that are as the checkout has them: those that git knows and finds unchanged, or, where
// there is no git, as in the image, the numbered ones.
func committed(ctx context.Context, root repo.Root) []string {
	all, _ := filepath.Glob(filepath.Join(root.Notebooks(), "[0-9][0-9]-*.ipynb"))
	if _, err := os.Stat(root.Join(".git")); os.IsNotExist(err) {
		return all
	}
	names := func(args ...string) (map[string]bool, error) {
		cmd := exec.CommandContext(ctx, "git", append([]string{"-C", root.Notebooks()}, args...)...)
		out, err := cmd.Output()
		found := map[string]bool{}
		for name := range strings.SplitSeq(string(out), "\x00") {
			found[name] = true
		}
		return found, err
	}
	known, err := names("ls-files", "-z", "--", ".")
	if err != nil {
		return nil
	}
	changed, err := names("diff", "--name-only", "--relative", "-z", "HEAD", "--", ".")
	if err != nil {
		return nil
	}
	var ours []string
	for _, path := range all {
		if name := filepath.Base(path); known[name] && !changed[name] {
			ours = append(ours, path)
		}
	}
	return ours
}
