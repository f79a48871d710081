// Command subject is our side of a benchmark: `subject NAME [ARGUMENT]` prepares
// it, says on standard output that it is ready, and does one sample of work for
// each line on standard input, until that ends.
//
// Both sides of a benchmark speak this protocol, one JSON object a line:
//
//	{"versions": {...}, "check": [...]}    once: results that both sides must agree on
//	{"seconds": 0.0012}                    a sample: the time of one unit of work
//	{"error": "..."}                       and the end
//
// A subject is one file here with an init function that registers it.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/gomlx/compute"

	"github.com/hindsight-go/hindsight/lib/backend"
)

// subject is something to measure, ready to run.
type subject struct {
	check  []float64                              // results of a short run, for the peer to agree with
	sample func(ctx context.Context) (int, error) // does some work and says how many units it was
}

// subjects by name. The argument is what follows the name on the command line.
var subjects = map[string]func(ctx context.Context, b compute.Backend, argument string) (subject, error){}

func main() {
	if err := serve(os.Args[1:]); err != nil {
		say(map[string]any{"error": err.Error()})
		os.Exit(1)
	}
}

func serve(args []string) error {
	name, argument := "", ""
	if len(args) > 0 {
		name, argument = args[0], strings.Join(args[1:], " ")
	}
	prepare, ok := subjects[name]
	if !ok {
		return fmt.Errorf("subject: %q is unknown, known: %s", name, strings.Join(slices.Sorted(maps.Keys(subjects)), ", "))
	}
	b, err := backend.Open()
	if err != nil {
		return err
	}
	defer b.Finalize()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	s, err := prepare(ctx, b, argument)
	if err != nil {
		return err
	}
	say(map[string]any{"versions": versions(b), "check": s.check})
	requests := make(chan struct{}, 1)
	go func() {
		defer close(requests)
		for in := bufio.NewScanner(os.Stdin); in.Scan(); {
			requests <- struct{}{}
		}
		cancel() // the end of standard input stops a sample under way
	}()
	for range requests {
		runtime.GC() // the last sample's garbage is not this one's
		began := time.Now()
		units, err := s.sample(ctx)
		if err != nil {
			return err
		}
		say(map[string]any{"seconds": time.Since(began).Seconds() / float64(units)})
	}
	return nil
}

func say(v any) {
	if err := json.NewEncoder(os.Stdout).Encode(v); err != nil {
		os.Exit(1) // nobody listens
	}
}

// versions of what computing rests on.
func versions(b compute.Backend) map[string]string {
	about := backend.Describe(b)
	out := map[string]string{"go": strings.TrimPrefix(runtime.Version(), "go"), "backend": about.Name}
	info, _ := debug.ReadBuildInfo()
	if info == nil {
		return out
	}
	for _, dep := range info.Deps {
		switch dep.Path {
		case "github.com/gomlx/gomlx", "github.com/gomlx/go-xla":
			out[dep.Path[strings.LastIndex(dep.Path, "/")+1:]] = strings.TrimPrefix(dep.Version, "v")
		}
	}
	return out
}
