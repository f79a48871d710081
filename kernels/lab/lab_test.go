package lab

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hindsight-go/hindsight/kernels/internal/repo"
	"github.com/hindsight-go/hindsight/kernels/internal/term"
	"github.com/hindsight-go/hindsight/kernels/kernelspec"
	"github.com/hindsight-go/hindsight/kernels/setup"
)

// TestMain plays the prefix's interpreter where a test asks for it.
func TestMain(m *testing.M) {
	switch os.Getenv("LAB_TEST_PLAYS") {
	case "stubborn server":
		playServer()
	case "broken server":
		fmt.Fprintln(os.Stderr, "ImportError: no jupyterlab here")
		os.Exit(3)
	case "kernel":
		time.Sleep(time.Minute)
	default:
		os.Exit(m.Run())
	}
}

// playServer answers like JupyterLab, starts a kernel in a session of its own and
// does not stop when it is asked to.
func playServer() {
	signal.Ignore(syscall.SIGTERM)
	kernel := exec.Command(os.Args[0])
	kernel.Env = append(os.Environ(), "LAB_TEST_PLAYS=kernel")
	kernel.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := kernel.Start(); err != nil {
		panic(err)
	}
	if err := os.WriteFile(os.Getenv("LAB_TEST_PID"), []byte(strconv.Itoa(kernel.Process.Pid)), 0o644); err != nil {
		panic(err)
	}
	var address string
	for _, arg := range os.Args {
		if port, ok := strings.CutPrefix(arg, "--ServerApp.port="); ok {
			address = "127.0.0.1:" + port
		}
	}
	panic(http.ListenAndServe(address, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "token "+os.Getenv("JUPYTER_TOKEN") {
			w.WriteHeader(http.StatusForbidden)
		}
	})))
}

// played is a checkout whose interpreter is this test program.
func played(t *testing.T, role string) repo.Root {
	t.Helper()
	t.Setenv(repo.PrefixVar, "")
	t.Setenv("LAB_TEST_PLAYS", role)
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "go.mod"), []byte("module "+repo.Module+"\n"), 0o644))
	root, err := repo.At(dir)
	require.NoError(t, err)
	require.NoError(t, os.MkdirAll(root.Bin(), 0o755))
	self, err := os.Executable()
	require.NoError(t, err)
	require.NoError(t, os.Symlink(self, root.Python()))
	return root
}

// output is a buffer for two goroutines.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port
}

// eventually waits for cond, at most limit.
func eventually(t *testing.T, limit time.Duration, what string, cond func() bool) {
	t.Helper()
	for end := time.Now().Add(limit); !cond(); time.Sleep(20 * time.Millisecond) {
		require.True(t, time.Now().Before(end), what)
	}
}

func alive(pid int) bool {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !regexp.MustCompile(`\) Z `).Match(data)
}

func TestStubbornServer(t *testing.T) {
	if _, err := os.Stat("/proc/self/environ"); err != nil {
		t.Skip("kernels that outlive their server are found by /proc, which is not here")
	}
	root := played(t, "stubborn server")
	pidFile := filepath.Join(t.TempDir(), "pid")
	t.Setenv("LAB_TEST_PID", pidFile)
	t.Setenv("TMPDIR", t.TempDir())
	defer func(d time.Duration) { stopLimit = d }(stopLimit)
	stopLimit = 200 * time.Millisecond

	ctx, cancel := context.WithCancel(t.Context())
	var out output
	ended := make(chan error, 1)
	readyEnded := false
	ready := func(ctx context.Context, _ string) { <-ctx.Done(); readyEnded = true }
	go func() { ended <- Run(ctx, Options{Root: root, Port: freePort(t), Out: term.New(&out), Ready: ready}) }()
	eventually(t, 10*time.Second, "the address is printed", func() bool { return strings.Contains(out.String(), "Ctrl-C") })
	data, err := os.ReadFile(pidFile)
	require.NoError(t, err)
	kernel, err := strconv.Atoi(string(data))
	require.NoError(t, err)
	require.True(t, alive(kernel))

	cancel()
	require.NoError(t, <-ended)
	assert.True(t, readyEnded, "nothing goes on behind a server that has ended")
	eventually(t, 5*time.Second, "the kernel is killed", func() bool { return !alive(kernel) })
	left, err := os.ReadDir(os.Getenv("TMPDIR"))
	require.NoError(t, err)
	assert.Empty(t, left, "the kernels' files go with the session")
}

func TestBrokenServer(t *testing.T) {
	root := played(t, "broken server")
	err := Run(t.Context(), Options{Root: root, Port: freePort(t), Out: term.New(io.Discard)})
	require.ErrorContains(t, err, "JupyterLab ended before it answered (exit status 3)")
	assert.ErrorAs(t, err, new(*setup.Fault))
}

func TestNoServer(t *testing.T) {
	root := played(t, "")
	require.NoError(t, os.Remove(root.Python()))
	err := Run(t.Context(), Options{Root: root, Port: freePort(t), Out: term.New(io.Discard)})
	assert.ErrorContains(t, err, "JupyterLab does not start")
}

func TestPorts(t *testing.T) {
	busy := httptest.NewServer(nil)
	defer busy.Close()
	_, text, err := net.SplitHostPort(busy.Listener.Addr().String())
	require.NoError(t, err)
	taken, err := strconv.Atoi(text)
	require.NoError(t, err)

	_, err = choosePort("127.0.0.1", taken)
	assert.EqualError(t, err, fmt.Sprintf("Port %d is taken by another program.\nChoose another one with --port, or leave it out for the next free one.", taken))
	for _, port := range []int{-1, 65536} {
		_, err = choosePort("127.0.0.1", port)
		assert.ErrorContains(t, err, "does not exist")
	}
	_, err = choosePort("192.0.2.1", 0) // an address reserved for examples
	assert.ErrorContains(t, err, "cannot listen on 192.0.2.1")

	// Whether or not something holds the default port, there is a next one.
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", DefaultPort))
	if err == nil {
		defer func() { _ = l.Close() }()
	}
	got, err := choosePort("127.0.0.1", 0)
	require.NoError(t, err)
	assert.Greater(t, got, DefaultPort)
}

func TestHosts(t *testing.T) {
	for host, want := range map[string]bool{"127.0.0.1": true, "::1": true, "localhost": true, "0.0.0.0": false, "example.org": false, "10.0.0.1": false} {
		assert.Equal(t, want, loopback(host), host)
	}
	root := played(t, "broken server")
	var out output
	assert.Error(t, Run(t.Context(), Options{Root: root, Host: "0.0.0.0", Port: freePort(t), Out: term.New(&out)}))
	assert.Contains(t, out.String(), "WARNING: 0.0.0.0 is not a loopback address.")
}

func TestArguments(t *testing.T) {
	root := played(t, "")
	t.Setenv("DISPLAY", "")
	t.Setenv("WAYLAND_DISPLAY", "")
	s := &server{o: Options{Root: root, Host: "127.0.0.1", Browser: true, Kernel: repo.KernelPure, Open: First}, port: 1, token: "secret"}
	args := strings.Join(s.args(), " ")
	assert.NotContains(t, args, "secret", "other users can read command lines")
	assert.Contains(t, args, "--no-browser", "without a screen Jupyter would start a text browser")
	assert.Contains(t, args, "allowed_kernelspecs=go-pure")
	assert.Contains(t, args, "default_url=/lab ")
	require.NoError(t, os.MkdirAll(root.Notebooks(), 0o755))
	require.NoError(t, os.WriteFile(root.Join(First), []byte("{}"), 0o644))
	assert.Contains(t, strings.Join(s.args(), " "), "default_url=/lab/tree/notebooks/00-start.ipynb")
	assert.Equal(t, "http://127.0.0.1:1/lab/tree/notebooks/00-start.ipynb?token=secret", s.url())
}

func TestUnknownKernel(t *testing.T) {
	root := played(t, "")
	require.NoError(t, kernelspec.Pure(root, "").Install(root))
	err := Run(t.Context(), Options{Root: root, Kernel: "go-fast", Out: term.New(io.Discard)})
	assert.EqualError(t, err, "There is no kernel \"go-fast\" here.\nChoose one of go-pure with --kernel.")
	assert.Equal(t, repo.KernelPure, (&server{o: Options{Root: root}}).kernel(), "new notebooks get a kernel that is there")
}

// TestRealServer starts a kernel that computes for a minute, and ends the lab.
func TestRealServer(t *testing.T) {
	root, err := repo.Find()
	require.NoError(t, err)
	if !setup.Ready(root) {
		t.Skip("no environment here; run go run ./kernels setup")
	}
	if testing.Short() {
		t.Skip("takes ten seconds")
	}
	t.Setenv("JUPYTER_TOKEN", "for the test")
	t.Setenv("JUPYTER_CONFIG_DIR", t.TempDir())
	t.Setenv("JUPYTER_RUNTIME_DIR", t.TempDir())
	port := freePort(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var out output
	ended := make(chan error, 1)
	go func() {
		ended <- Run(ctx, Options{Root: root, Port: port, Kernel: repo.KernelPure, Out: term.New(&out)})
	}()
	eventually(t, time.Minute, "the address is printed", func() bool { return strings.Contains(out.String(), "Ctrl-C") })

	call := func(method, path, body string, into any) int {
		req, err := http.NewRequest(method, fmt.Sprintf("http://127.0.0.1:%d/%s", port, path), strings.NewReader(body))
		require.NoError(t, err)
		if into != nil {
			req.Header.Set("Authorization", "token for the test")
		}
		resp, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		defer func() { _ = resp.Body.Close() }()
		if into != nil {
			require.NoError(t, json.NewDecoder(resp.Body).Decode(into))
		}
		return resp.StatusCode
	}
	assert.Equal(t, http.StatusForbidden, call("GET", "api/kernels", "", nil), "no token, no kernels")
	var specs struct {
		Kernelspecs map[string]any
	}
	call("GET", "api/kernelspecs", "", &specs)
	assert.Len(t, specs.Kernelspecs, 1)
	assert.Contains(t, specs.Kernelspecs, repo.KernelPure)
	var kernel struct{ ID string }
	require.Equal(t, http.StatusCreated, call("POST", "api/kernels", `{"name":"go-pure"}`, &kernel))
	var gonb int
	eventually(t, 20*time.Second, "the kernel runs", func() bool {
		gonb = kernelProcess(root, kernel.ID)
		return gonb != 0
	})
	cancel()
	require.NoError(t, <-ended)
	assert.False(t, alive(gonb), "the kernel ended with the server")
}

// kernelProcess is the process of a kernel, which has its id in its command line.
func kernelProcess(root repo.Root, id string) int {
	found, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, path := range found {
		data, err := os.ReadFile(path)
		if err == nil && strings.HasPrefix(string(data), root.Gonb()+"\x00") && strings.Contains(string(data), id) {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
			return pid
		}
	}
	return 0
}
