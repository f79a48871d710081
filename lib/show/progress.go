package show

import (
	"fmt"
	"html"
	"os"
	"sync"
	"time"

	"github.com/janpfeifer/gonb/gonbui"
	"github.com/schollz/progressbar/v3"
)

// Progress returns a function to be told how much is done of how much, as scan.Loop.Progress is: a bar in the notebook,
// which goes when all is done, or on standard error. It may be called from several goroutines. Headless it is silent.
func Progress(label string) func(done, total int) {
	switch {
	case headless():
		return func(int, int) {}
	case gonbui.IsNotebook:
		return notebookProgress(label)
	}
	var mu sync.Mutex
	var bar *progressbar.ProgressBar
	return func(done, total int) {
		mu.Lock()
		defer mu.Unlock()
		if bar == nil {
			bar = progressbar.NewOptions(total, progressbar.OptionSetDescription(label), progressbar.OptionSetWriter(os.Stderr),
				progressbar.OptionThrottle(200*time.Millisecond), progressbar.OptionClearOnFinish())
		}
		bar.ChangeMax(total)
		// A terminal that is gone is no reason to stop computing.
		_ = bar.Set(done)
	}
}

func notebookProgress(label string) func(done, total int) {
	var mu sync.Mutex
	id := gonbui.UniqueId()
	var last time.Time
	return func(done, total int) {
		mu.Lock()
		defer mu.Unlock()
		if done < total && time.Since(last) < 200*time.Millisecond {
			return
		}
		last = time.Now()
		gonbui.UpdateHTML(id, progressBar(label, done, total))
	}
}

// progressBar is the bar in the notebook; nothing once all is done.
func progressBar(label string, done, total int) string {
	if done >= total {
		return ""
	}
	return fmt.Sprintf(`%s <progress value="%d" max="%d"></progress> %d %%`, html.EscapeString(label), done, total, 100*done/max(1, total))
}
