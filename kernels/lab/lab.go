// Package lab opens the notebooks in JupyterLab and ends it, with all kernels,
// when it is told to.
//
// The server listens on the loopback address and asks for a token that is new
// each time and stands in no command line. Kernels keep their files in a folder
// of this session, which goes with it.
package lab

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/hindsight-go/hindsight/kernels/internal/repo"
	"github.com/hindsight-go/hindsight/kernels/internal/term"
	"github.com/hindsight-go/hindsight/kernels/kernelspec"
	"github.com/hindsight-go/hindsight/kernels/setup"
)

// DefaultPort is Jupyter's own. Where it is taken and no port was asked for, the
// next free one is used.
const DefaultPort = 8888

// First is what JupyterLab opens with.
const First = "notebooks/00-start.ipynb"

// Options say how to open JupyterLab.
type Options struct {
	Root    repo.Root
	Host    string   // address to listen on; "" is 127.0.0.1
	Port    int      // 0: DefaultPort or the next free one
	Browser bool     // open one, where there is a screen
	Kernel  string   // offer only this kernel, so that every notebook opens with it; "" offers all
	Open    string   // path below the root of what to open with; "" is notebooks/00-start.ipynb
	Env     []string // added to our own for the server and its kernels
	Out     *term.Progress
	// Ready is called, in a goroutine of its own, with the address and token once
	// the server answers. Run returns after it. It may be nil.
	Ready func(ctx context.Context, url string)
}

// startLimit is how long a server may take until it answers; on a slow disk its
// first start takes half a minute.
const startLimit = 2 * time.Minute

// stopLimit is how long the server may take to stop its kernels and itself.
var stopLimit = 15 * time.Second

// Check says whether the server can listen where it is asked to, which is better
// known before a long setup than after it.
func (o Options) Check() error {
	if o.Host == "" {
		o.Host = "127.0.0.1"
	}
	_, err := choosePort(o.Host, o.Port)
	return err
}

// Run serves until ctx ends, which is a success, or until the server fails.
func Run(ctx context.Context, o Options) error {
	if o.Host == "" {
		o.Host = "127.0.0.1"
	}
	if o.Open == "" {
		o.Open = First
	}
	if err := checkKernel(o.Root, o.Kernel); err != nil {
		return err
	}
	port, err := choosePort(o.Host, o.Port)
	if err != nil {
		return err
	}
	if !loopback(o.Host) {
		o.Out.Printf("WARNING: %s is not a loopback address. Whoever reaches this machine there and gets hold of the token can run programs as you, and nothing on the way is encrypted.", o.Host)
	}
	tmp, err := os.MkdirTemp("", "hs")
	if err != nil {
		return fmt.Errorf("lab: a temporary folder cannot be made: %w", err)
	}
	defer func() { _ = os.RemoveAll(tmp) }()
	token := os.Getenv("JUPYTER_TOKEN")
	if token == "" {
		token = rand.Text()
	}
	s := &server{o: o, port: port, token: token, tmp: tmp}
	return s.serve(ctx)
}

// server is one run of JupyterLab.
type server struct {
	o     Options
	port  int
	token string
	tmp   string // TMPDIR of the kernels, and the mark by which they are found
	cmd   *exec.Cmd
	ended chan error
}

func (s *server) serve(ctx context.Context) error {
	task := s.o.Out.Task("JupyterLab")
	task.Note("starting")
	if trouble := trust(ctx, s.o.Root, s.o.Env); trouble != "" {
		s.o.Out.Printf("%s", trouble)
	}
	s.cmd = exec.Command(s.o.Root.Python(), s.args()...)
	s.cmd.Dir = s.o.Root.Dir()
	s.cmd.Env = append(os.Environ(), append(s.o.Env, "JUPYTER_TOKEN="+s.token, "TMPDIR="+s.tmp)...)
	s.cmd.Stdout, s.cmd.Stderr = os.Stdout, os.Stderr
	// Its own process group: a Ctrl-C at the terminal reaches us alone, and we
	// give the server time to stop its kernels.
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := s.cmd.Start(); err != nil {
		task.Fail()
		return &setup.Fault{What: fmt.Sprintf("JupyterLab does not start: %v.", err), Cure: "Run 'go run ./kernels setup', which repairs the environment.", Err: err}
	}
	s.ended = make(chan error, 1)
	go func() { s.ended <- s.cmd.Wait() }()
	if err := s.answers(ctx); err != nil {
		task.Fail()
		s.stop()
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	task.Done("%s", s.url())
	s.o.Out.Printf("Stop it, and the kernels, with Ctrl-C.")
	if s.o.Ready != nil {
		ctx, cancel := context.WithCancel(ctx)
		over := make(chan struct{})
		go func() {
			defer close(over)
			s.o.Ready(ctx, s.url())
		}()
		defer func() { cancel(); <-over }()
	}
	select {
	case <-ctx.Done():
		task := s.o.Out.Task("Stopping the kernels and JupyterLab")
		s.stop()
		task.Done("")
		return nil
	case err := <-s.ended:
		s.sweep()
		if err != nil {
			return &setup.Fault{What: fmt.Sprintf("JupyterLab ended by itself: %v.", err), Cure: "Its last words are above; 'go run ./kernels doctor' looks for the cause.", Err: err}
		}
		return nil // shut down from its own menu
	}
}

func (s *server) args() []string {
	args := []string{"-m", "jupyterlab",
		"--ServerApp.ip=" + s.o.Host,
		"--ServerApp.port=" + strconv.Itoa(s.port),
		"--ServerApp.port_retries=0",
		"--ServerApp.root_dir=" + s.o.Root.Dir(),
		"--LabApp.default_url=/" + s.start(),
		"--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
		"--MultiKernelManager.default_kernel_name=" + s.kernel(),
		"--log-level=WARN",
	}
	if s.o.Kernel != "" {
		args = append(args, "--KernelSpecManager.allowed_kernelspecs="+s.o.Kernel, "--KernelSpecManager.ensure_native_kernel=False")
	}
	if !loopback(s.o.Host) {
		args = append(args, "--ServerApp.allow_remote_access=True")
	}
	if !s.o.Browser || !hasScreen() {
		args = append(args, "--no-browser")
	}
	if os.Geteuid() == 0 {
		args = append(args, "--allow-root")
	}
	return args
}

// kernel is the one that new notebooks get.
func (s *server) kernel() string {
	if s.o.Kernel != "" {
		return s.o.Kernel
	}
	if setup.PureOnly(s.o.Root) {
		return repo.KernelPure
	}
	return repo.KernelCPU
}

// answers waits until the server does.
func (s *server) answers(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.base()+"api/status", nil)
		if err != nil {
			return err
		}
		req.Header.Set("Authorization", "token "+s.token)
		if resp, err := http.DefaultClient.Do(req); err == nil {
			_, _ = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case err := <-s.ended:
			s.ended <- err // stop looks for it too
			return &setup.Fault{What: fmt.Sprintf("JupyterLab ended before it answered (%v).", err),
				Cure: "Its last words are above; 'go run ./kernels doctor' looks for the cause.", Err: err}
		case <-ctx.Done():
			return &setup.Fault{What: fmt.Sprintf("JupyterLab did not answer within %s.", term.Clock(startLimit)), Cure: "Run 'go run ./kernels doctor'.", Err: ctx.Err()}
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// stop ends the server, which ends its kernels first; what is left after a while
// is killed.
func (s *server) stop() {
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-s.ended: //nolint:errcheck // it was told to end, however it does
	case <-time.After(stopLimit):
		_ = syscall.Kill(-s.cmd.Process.Pid, syscall.SIGKILL)
		<-s.ended //nolint:errcheck // likewise
	}
	s.sweep()
}

// sweep kills the kernels that a server has left behind. Each kernel is a session
// of its own, so they are known by their temporary folder. Without /proc there is
// no telling, and the server's own word is taken.
func (s *server) sweep() {
	mark := "TMPDIR=" + s.tmp + "\x00"
	found, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, path := range found {
		env, err := os.ReadFile(path)
		if err != nil || !strings.Contains("\x00"+string(env)+"\x00", "\x00"+mark) {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path))); err == nil && pid != os.Getpid() {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}

// base is the server's address as seen from this machine.
func (s *server) base() string {
	host := s.o.Host
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, strconv.Itoa(s.port)) + "/"
}

// start is the page that opens first.
func (s *server) start() string {
	if _, err := os.Stat(s.o.Root.Join(s.o.Open)); err != nil {
		return "lab"
	}
	return "lab/tree/" + filepath.ToSlash(s.o.Open)
}

func (s *server) url() string { return s.base() + s.start() + "?token=" + url.QueryEscape(s.token) }

// choosePort returns port where it is free; 0 stands for [DefaultPort] or the
// next free one.
func choosePort(host string, port int) (int, error) {
	first, tries := port, 1
	switch {
	case port == 0:
		first, tries = DefaultPort, 100
	case port < 0 || port > 65535:
		return 0, &setup.Fault{What: fmt.Sprintf("Port %d does not exist.", port), Cure: "Choose one between 1 and 65535 with --port, or leave it out."}
	}
	var err error
	for p := first; p < first+tries; p++ {
		var l net.Listener
		if l, err = net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(p))); err == nil {
			return p, l.Close()
		}
		if !errors.Is(err, syscall.EADDRINUSE) && !errors.Is(err, syscall.EACCES) {
			return 0, &setup.Fault{What: fmt.Sprintf("This machine cannot listen on %s (%v).", host, err), Cure: "Leave --host out, or name an address of this machine.", Err: err}
		}
	}
	switch {
	case errors.Is(err, syscall.EACCES):
		return 0, &setup.Fault{What: fmt.Sprintf("Port %d is not for ordinary users.", port), Cure: "Choose one above 1023 with --port, or leave it out.", Err: err}
	case port == 0:
		return 0, &setup.Fault{What: fmt.Sprintf("All ports from %d to %d are taken.", first, first+tries-1), Cure: "Name a free one with --port.", Err: err}
	}
	return 0, &setup.Fault{What: fmt.Sprintf("Port %d is taken by another program.", port), Cure: "Choose another one with --port, or leave it out for the next free one.", Err: err}
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// hasScreen reports whether a browser has somewhere to show itself. Without this
// check Jupyter would start a text browser in the terminal.
func hasScreen() bool {
	return runtime.GOOS == "darwin" || os.Getenv("DISPLAY") != "" || os.Getenv("WAYLAND_DISPLAY") != ""
}

func checkKernel(root repo.Root, name string) error {
	if name == "" {
		return nil
	}
	if _, err := kernelspec.Read(root, name); err == nil {
		return nil
	}
	var there []string
	for _, k := range []string{repo.KernelCPU, repo.KernelPure, repo.KernelCUDA} {
		if _, err := kernelspec.Read(root, k); err == nil {
			there = append(there, k)
		}
	}
	return &setup.Fault{What: fmt.Sprintf("There is no kernel %q here.", name), Cure: "Choose one of " + strings.Join(there, ", ") + " with --kernel."}
}
