// Command kernels sets the machine up for Hindsight's notebooks, opens them in
// JupyterLab, runs them without a browser, tests and measures the project.
//
//	go run ./kernels lab     # sets up what is missing, then opens JupyterLab
//	go run ./kernels test    # everything that CI runs
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

func main() {
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // nohup keeps working
		signals = append(signals, syscall.SIGHUP)
	}
	ctx, stop := signal.NotifyContext(context.Background(), signals...)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the program at once
	os.Exit(execute(ctx, newRootCmd(), os.Args[1:]))
}

// errSilent ends the program with status 1 where the command has already said why.
var errSilent = errors.New("failed")

func execute(ctx context.Context, root *cobra.Command, args []string) int {
	root.SetArgs(args)
	switch err := root.ExecuteContext(ctx); {
	case err == nil:
		return 0
	case errors.Is(err, errSilent):
		return 1
	case ctx.Err() != nil:
		fmt.Fprintln(root.ErrOrStderr(), "interrupted")
		return 130
	default:
		fmt.Fprintln(root.ErrOrStderr(), "Error:", err)
		return 1
	}
}

func newRootCmd() *cobra.Command {
	root := &cobra.Command{
		Use:   "kernels",
		Short: "Set up, open, run, test and measure Hindsight's notebooks",
		Long: `Set up, open, run, test and measure Hindsight's notebooks.

Start with 'go run ./kernels lab': it sets up what is missing and opens JupyterLab.`,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.AddCommand(
		newSetupCmd(),
		newLabCmd(),
		newRunCmd(),
		newTestCmd(),
		newBenchCmd(),
		newDoctorCmd(),
		newTextconvCmd(),
	)
	return root
}
