package setup

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"time"
)

const (
	lockEvery = 200 * time.Millisecond
	stopAfter = 5 * time.Second // between asking a program to stop and killing it
)

// command is a program to run.
type command struct {
	dir  string
	env  []string // added to our own
	line func(string)
	args []string
}

// exec runs a program and returns all that it printed. The output goes to the
// log too, and line by line to c.line where that is set.
func (s *session) exec(ctx context.Context, c command) (string, error) {
	cmd := exec.CommandContext(ctx, c.args[0], c.args[1:]...)
	cmd.Dir = c.dir
	cmd.Env = append(os.Environ(), c.env...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = stopAfter
	var all bytes.Buffer
	to := []io.Writer{&all}
	if s.log != nil {
		fmt.Fprintf(s.log, "$ %s\n", strings.Join(c.args, " "))
		to = append(to, s.log)
	}
	if c.line != nil {
		to = append(to, &lines{each: c.line})
	}
	out := io.MultiWriter(to...)
	cmd.Stdout, cmd.Stderr = out, out
	err := cmd.Run()
	if ctx.Err() != nil {
		return all.String(), ctx.Err()
	}
	return all.String(), err
}

// lines calls each for every whole line written to it. Carriage returns end lines too.
type lines struct {
	rest []byte
	each func(string)
}

func (l *lines) Write(p []byte) (int, error) {
	l.rest = append(l.rest, p...)
	for {
		end := bytes.IndexAny(l.rest, "\r\n")
		if end < 0 {
			return len(p), nil
		}
		if line := strings.TrimSpace(string(l.rest[:end])); line != "" {
			l.each(line)
		}
		l.rest = l.rest[end+1:]
	}
}

var (
	fullDisk  = regexp.MustCompile(`(?i)no space left on device|disk quota exceeded`)
	wrongHash = regexp.MustCompile(`DO NOT MATCH THE HASHES|SECURITY ERROR|checksum mismatch`)
	noNetwork = regexp.MustCompile(`(?i)name resolution|no such host|network is unreachable|connection refused|failed to establish|dial tcp|i/o timeout|timed out|proxyerror|connection broken|incompleteread|connection aborted|connection reset|unexpected EOF|module lookup disabled by GOPROXY=off|tls handshake|40[34] forbidden|50[234] `)
)

// ErrNetwork is behind a [Fault] that a network, or a server, which does not
// answer has caused.
var ErrNetwork = errors.New("the network does not answer")

// explain turns the failure of a program into a fault: what failed, and by its
// output why and what to do.
func (s *session) explain(ctx context.Context, what, output string, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	f := &Fault{What: what + ".", Err: err}
	switch {
	case fullDisk.MatchString(output):
		f.What = what + ": the disk is full."
		f.Cure = "Free some space (the environment, the Go caches and the temporary folder need about 3 GB) and try again; what is done is kept."
		f.Err = errors.Join(err, syscall.ENOSPC)
	case wrongHash.MatchString(output):
		f.What = what + ": what came is not what is pinned, so nothing of it was installed."
		f.Cure = "Try again; where that does not help, a proxy or mirror on the way changes files: use another one."
	case noNetwork.MatchString(output):
		f.What = what + ": the network, or the server that should have it, does not answer (" + lastLine(output) + ")."
		f.Cure = "Connect, or name your proxy or mirror in HTTPS_PROXY, PIP_INDEX_URL and GOPROXY, and try again; what is done is kept."
		f.Err = errors.Join(err, ErrNetwork)
	default:
		f.What = what + ": " + lastLine(output) + "."
		if output == "" {
			f.What = fmt.Sprintf("%s: %v.", what, err)
		}
		f.Cure = "All that was printed is in " + s.logPath() + "."
	}
	return f
}

// lastLine is the last line of output that says something, without its end.
func lastLine(output string) string {
	last := "it printed nothing"
	in := bufio.NewScanner(strings.NewReader(output))
	in.Buffer(nil, 1<<20)
	for in.Scan() {
		line := strings.TrimSpace(in.Text())
		if line != "" && !strings.HasPrefix(line, "[notice]") {
			last = line
		}
	}
	return strings.TrimRight(strings.TrimPrefix(last, "ERROR: "), ".: ")
}

// diskFault is the fault of not being able to write path.
func diskFault(what, path string, err error) error {
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return &Fault{What: fmt.Sprintf("Writing %s: the disk is full, and nothing half-written was left there.", path),
			Cure: "Free some space and run setup again; what is done is kept.", Err: err}
	case errors.Is(err, os.ErrPermission), errors.Is(err, syscall.EROFS):
		return &Fault{What: fmt.Sprintf("%s: %s cannot be written.", strings.ToUpper(what[:1])+what[1:], path),
			Cure: "Choose another folder with --prefix, or change its permissions.", Err: err}
	}
	return fmt.Errorf("setup: %s (%s): %w", what, path, err)
}

// FreeBytes is how much an ordinary user may still write to the disk of dir.
func FreeBytes(dir string) (uint64, error) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return 0, err
	}
	return uint64(st.Bavail) * uint64(st.Bsize), nil //nolint:unconvert // their types differ between systems
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
