package browser

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
)

// ErrNone says that there is no browser here, and why none could be installed.
var ErrNone = errors.New("no Chromium here")

// names of Chromium and its relations, by which they are found on the PATH.
var names = []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"}

// find looks for a browser, and installs Debian's where it may.
func find(ctx context.Context, note func(string)) (string, error) {
	if path, ok := look(); ok {
		return path, nil
	}
	apt, err := exec.LookPath("apt-get")
	switch {
	case err != nil:
		return "", fmt.Errorf("%w: install one", ErrNone)
	case os.Geteuid() != 0:
		return "", fmt.Errorf("%w: sudo apt-get install chromium", ErrNone)
	}
	note("installing chromium")
	run := func(args ...string) (string, error) {
		cmd := exec.CommandContext(ctx, apt, args...)
		cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	install := []string{"install", "-y", "--no-install-recommends", "chromium"}
	out, err := run(install...)
	if err != nil {
		// A fresh machine has no list of packages. Where it cannot be had, the second try says so.
		_, _ = run("update", "-q")
		out, err = run(install...)
	}
	if err != nil {
		lines := strings.Split(strings.TrimSpace(out), "\n")
		return "", fmt.Errorf("%w: apt-get install chromium failed (%w): %s", ErrNone, err, lines[len(lines)-1])
	}
	if path, ok := look(); ok {
		return path, nil
	}
	return "", fmt.Errorf("%w: the package chromium brings none", ErrNone)
}

func look() (string, bool) {
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path, true
		}
	}
	const mac = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"
	if _, err := os.Stat(mac); err == nil && runtime.GOOS == "darwin" {
		return mac, true
	}
	return "", false
}
