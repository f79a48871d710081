// Package browser uses a notebook as a person does: in JupyterLab, in a real
// (headless) Chromium, with mouse and keyboard.
package browser

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/hindsight-go/hindsight/kernels/internal/repo"
	"github.com/hindsight-go/hindsight/kernels/internal/term"
	"github.com/hindsight-go/hindsight/kernels/lab"
	"github.com/hindsight-go/hindsight/kernels/notebook"
)

// Options say what to try.
type Options struct {
	Root     repo.Root
	Notebook string // below the root; a copy of it is run
	Out      string // folder for pictures of the page, and for the copy where that lies below the root
	Note     func(text string)
	Log      func(text string) // what JupyterLab's server says; nil drops it
}

// How long a person would wait.
const (
	openLimit = 2 * time.Minute
	runLimit  = 5 * time.Minute
	moveLimit = time.Minute
)

// Try opens the notebook in JupyterLab, runs all its cells, moves its first
// slider and waits until the figure below changes. It fails where a cell fails,
// nothing moves, or the page reports an error of its scripts. Where there is no
// browser the error wraps [ErrNone].
func Try(ctx context.Context, o Options) error {
	path, err := find(ctx, o.Note)
	if err != nil {
		return err
	}
	copied, err := o.copyNotebook()
	if err != nil {
		return err
	}
	settings, err := os.MkdirTemp("", "hs-browser")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(settings) }()
	port, err := freePort()
	if err != nil {
		return err
	}

	// The user's own settings and workspaces of JupyterLab stay as they are.
	env := []string{"JUPYTER_CONFIG_DIR=" + settings, "JUPYTERLAB_SETTINGS_DIR=" + settings, "JUPYTERLAB_WORKSPACES_DIR=" + settings}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var result error
	server := lab.Run(ctx, lab.Options{
		Root: o.Root, Open: copied, Port: port, Env: env, Out: term.New(&words{say: o.Log}),
		Ready: func(ctx context.Context, url string) {
			defer stop()
			result = o.use(ctx, path, url)
		},
	})
	return errors.Join(server, result)
}

// copyNotebook writes the notebook without outputs to where JupyterLab, which shows what is below the root alone, may
// save it, and returns its path below the root.
func (o Options) copyNotebook() (string, error) {
	nb, err := notebook.Read(o.Root.Join(o.Notebook))
	if err != nil {
		return "", err
	}
	raw, err := nb.Executed(notebook.Run{})
	if err != nil {
		return "", err
	}
	out, err := filepath.Abs(o.Out)
	if err != nil {
		return "", err
	}
	below, err := filepath.Rel(o.Root.Dir(), out)
	if err != nil || !filepath.IsLocal(below) {
		below = filepath.Join("out", "browser")
	}
	below = filepath.Join(below, filepath.Base(o.Notebook))
	for _, dir := range []string{out, filepath.Dir(o.Root.Join(below))} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return "", err
		}
	}
	return below, os.WriteFile(o.Root.Join(below), raw, 0o644)
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	return l.Addr().(*net.TCPAddr).Port, l.Close()
}

// page is the notebook on the screen.
type page struct {
	Options
	mu     sync.Mutex
	errors []string // of the page's scripts
}

// step is something that a user does, and how long it may take.
type step struct {
	doing string
	limit time.Duration
	do    chromedp.Action[chromedp.Void]
}

// use is what the user does.
func (o Options) use(ctx context.Context, chromium, url string) error {
	flags := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(chromium), chromedp.WindowSize(1400, 1000),
		chromedp.Flag("no-proxy-server", true), chromedp.Flag("disable-component-update", true))
	if os.Geteuid() == 0 {
		flags = append(flags, chromedp.NoSandbox)
	}
	ctx, done := chromedp.NewExecAllocator(ctx, flags...)
	defer done()
	ctx, done = chromedp.NewContext(ctx)
	defer done()

	p := &page{Options: o}
	if err := chromedp.Listen(ctx, p.listen); err != nil {
		return fmt.Errorf("browser: Chromium does not start: %w", err)
	}
	for _, step := range []step{
		{"opening JupyterLab", openLimit, p.open(url)},
		{"running all cells", openLimit, p.runAll()},
		{"waiting for the slider", runLimit, p.slider()},
		{"moving the slider", moveLimit, p.move()},
		{"looking for errors", openLimit, p.noErrors()},
	} {
		o.Note(step.doing)
		if err := step.within(ctx); err != nil {
			_ = chromedp.Do(ctx, p.picture("failed.png"))
			return fmt.Errorf("browser: %s: %w", step.doing, errors.Join(err, p.scriptErrors()))
		}
	}
	return nil
}

func (s step) within(ctx context.Context) error {
	ctx, stop := context.WithTimeout(ctx, s.limit)
	defer stop()
	err := chromedp.Do(ctx, s.do)
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("nothing for %s: %w", term.Clock(s.limit), err)
	}
	return err
}

func (p *page) open(url string) chromedp.Action[chromedp.Void] {
	return chromedp.Steps(
		chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
			_, err := cdp.Call(ctx, t, log.Enable, cdp.Empty{})
			return err
		}),
		chromedp.Navigate(url),
		chromedp.WaitVisible(chromedp.CSS(".jp-NotebookPanel .jp-Notebook")),
		waitFor(`document.querySelector('.jp-Toolbar-kernelName')?.innerText.includes('Go')`),
	)
}

// runAll chooses Run ▸ Run All Cells.
func (p *page) runAll() chromedp.Action[chromedp.Void] {
	return chromedp.Steps(
		click(`//*[contains(@class,"lm-MenuBar-itemLabel") and text()="Run"]`),
		click(`//*[contains(@class,"lm-Menu-itemLabel") and text()="Run All Cells"]`),
	)
}

// click clicks on the middle of an element.
func click(selector chromedp.Search) chromedp.Action[chromedp.Void] { return clickAt(selector, 0.5) }

// clickAt clicks on an element at a part of its width. It moves the mouse there first, without which menus do not
// notice it.
func clickAt[S chromedp.Selectable](selector S, part float64) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		box, err := chromedp.Dimensions(selector, chromedp.NodeVisible)(ctx, t)
		if err != nil {
			return err
		}
		x, y := box.Content[0]+part*(box.Content[4]-box.Content[0]), (box.Content[1]+box.Content[5])/2
		_, err = chromedp.Steps(chromedp.MouseEvent(input.DispatchMouseEventTypeMouseMoved, x, y), chromedp.MouseClickXY(x, y))(ctx, t)
		return err
	})
}

// slider waits for the first one, and no longer where a cell fails.
func (p *page) slider() chromedp.Action[chromedp.Void] {
	return chromedp.Steps(
		waitFor(`document.querySelector('.hindsight-interactive input[type=range]') && document.querySelector('.hindsight-figure svg') || `+troubles+`.length > 0`),
		p.noErrors(),
	)
}

// troubles are what cells show of errors.
const troubles = `[...document.querySelectorAll('.jp-OutputArea-output[data-mime-type="application/vnd.jupyter.error"], .jp-OutputArea-output[data-mime-type="application/vnd.jupyter.stderr"]')].map(e => e.innerText)`

// move clicks to the right on the first slider, and waits until the figure is another one.
func (p *page) move() chromedp.Action[chromedp.Void] {
	const slider = chromedp.CSS(".hindsight-interactive input[type=range]")
	const figure = "document.querySelector('.hindsight-figure').innerHTML"
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		ready := chromedp.Steps(waitFor(`document.querySelector('.hindsight-interactive').innerText.includes('live')`),
			chromedp.ScrollIntoView(slider), p.picture("before.png"))
		if _, err := ready(ctx, t); err != nil {
			return err
		}
		before, err := chromedp.Evaluate[string](figure)(ctx, t)
		if err != nil {
			return err
		}
		if _, err := clickAt(slider, 0.8)(ctx, t); err != nil {
			return err
		}
		changed := chromedp.Steps(waitFor(figure+" !== "+script(before)), p.picture("after.png"))
		if _, err := changed(ctx, t); err != nil {
			return fmt.Errorf("the figure stays as it was: %w", err)
		}
		return nil
	})
}

// script is a text as JavaScript writes it.
func script(text string) string {
	quoted, _ := json.Marshal(text) //nolint:errchkjson // a string always can be written
	return string(quoted)
}

// noErrors fails where a cell has one, or the page's scripts have.
func (p *page) noErrors() chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		cells, err := chromedp.Evaluate[[]string](troubles)(ctx, t)
		if err != nil {
			return err
		}
		if len(cells) > 0 {
			return fmt.Errorf("cells show errors: %s", strings.Join(cells, "\n"))
		}
		return p.scriptErrors()
	})
}

// waitFor waits until a condition of the page holds.
func waitFor(condition string) chromedp.Action[chromedp.Void] {
	return chromedp.Poll[chromedp.Void]("!!("+condition+")", chromedp.WithPollingInterval(200*time.Millisecond), chromedp.WithPollingTimeout(0))
}

func (p *page) picture(name string) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		png, err := chromedp.CaptureScreenshot()(ctx, t)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(p.Out, name), png, 0o644)
	})
}

// listen notes what the page's scripts complain of.
func (p *page) listen(event any) {
	text := ""
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		text = e.ExceptionDetails.Text
		if x := e.ExceptionDetails.Exception; x != nil {
			text += " " + x.Description
		}
	case *runtime.EventConsoleAPICalled:
		if e.Type != runtime.ConsoleAPICalledTypeError {
			return
		}
		for _, a := range e.Args {
			text += string(a.Value) + a.Description + " "
		}
	case *log.EventEntryAdded:
		if e.Entry.Level != log.EntryLevelError {
			return
		}
		text = e.Entry.Text + " " + e.Entry.URL
	default:
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.errors = append(p.errors, strings.TrimSpace(text))
}

func (p *page) scriptErrors() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.errors) == 0 {
		return nil
	}
	return fmt.Errorf("the page reports errors: %s", strings.Join(p.errors, "\n"))
}

// words passes what is written on as text.
type words struct{ say func(string) }

func (w *words) Write(text []byte) (int, error) {
	if w.say != nil {
		w.say(strings.TrimSuffix(string(text), "\n"))
	}
	return len(text), nil
}
