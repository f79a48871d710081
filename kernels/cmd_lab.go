package main

import (
	"context"
	"errors"
	"io/fs"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/hindsight-go/hindsight/kernels/internal/term"
	"github.com/hindsight-go/hindsight/kernels/lab"
	"github.com/hindsight-go/hindsight/kernels/setup"
)

func newLabCmd() *cobra.Command {
	var o lab.Options
	var noBrowser, noXLA bool
	var prefix string
	cmd := &cobra.Command{
		Use:   "lab",
		Short: "Set up what is missing, then open JupyterLab",
		Long: `Set up what is missing (see setup), then open JupyterLab on the notebooks.

The server listens on this machine alone and asks for a token, which is part of
the address that is printed. Ctrl-C stops it and all kernels.`,
		Example: `  go run ./kernels lab
  go run ./kernels lab --kernel go-pure       # every notebook on the pure-Go backend
  go run ./kernels lab --no-browser --port 9000`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			root, err := findRoot(prefix)
			if err != nil {
				return err
			}
			o.Root, o.Out, o.Browser = root, term.New(cmd.OutOrStdout()), !noBrowser
			if err := o.Check(); err != nil {
				return err
			}
			first := setup.Options{Root: root, NoXLA: noXLA || setup.PureOnly(root), Out: o.Out, Quiet: true, Later: true}
			switch err := setup.Run(cmd.Context(), first); {
			case setup.Ready(root) && (errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS)):
				// Somebody else's environment, or an image run under another user.
				o.Out.Printf("! %s cannot be written, so it is used as it is", root.Venv())
			case setup.Ready(root) && errors.Is(err, setup.ErrNetwork):
				what, _, _ := strings.Cut(err.Error(), "\n")
				o.Out.Printf("! %s What is there is used.", what)
			case err != nil:
				return err
			default:
				o.Ready = func(ctx context.Context, _ string) {
					if err := setup.Completion(ctx, first); err != nil && ctx.Err() == nil {
						o.Out.Printf("! gopls: %v", err) // the notebooks run without it
					}
				}
			}
			return lab.Run(cmd.Context(), o)
		},
	}
	cmd.Flags().IntVar(&o.Port, "port", 0, "port to listen on (default: 8888 or the next free one)")
	cmd.Flags().StringVar(&o.Host, "host", "127.0.0.1", "address to listen on")
	cmd.Flags().StringVar(&o.Kernel, "kernel", "", "offer only this kernel: go-xla-cpu, go-pure or go-xla-cuda (default: all)")
	cmd.Flags().BoolVar(&noBrowser, "no-browser", false, "do not open a browser")
	cmd.Flags().BoolVar(&noXLA, "no-xla", false, "set up only the pure-Go kernel")
	addPrefixFlag(cmd, &prefix)
	return cmd
}
