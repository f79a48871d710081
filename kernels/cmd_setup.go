package main

import (
	"github.com/spf13/cobra"

	"github.com/hindsight-go/hindsight/kernels/internal/repo"
	"github.com/hindsight-go/hindsight/kernels/internal/term"
	"github.com/hindsight-go/hindsight/kernels/setup"
)

func newSetupCmd() *cobra.Command {
	var o setup.Options
	var prefix string
	cmd := &cobra.Command{
		Use:   "setup",
		Short: "Make .venv: JupyterLab, the XLA plugin and the Go kernels",
		Long: `Make an environment for the notebooks in .venv: Python with JupyterLab from a
lock file with hashes, the XLA plugin, the Go kernel with its tools, and the
kernelspecs.

Each step is skipped where its result is there and proved, so setup may be run
again at any time: it repairs what is broken and goes on where it stopped.
Removing .venv removes all of it (and leaves a dead link in ~/.local/lib/go-xla).`,
		Example: `  go run ./kernels setup            # with XLA; needs gcc
  go run ./kernels setup --no-xla   # pure Go: no gcc, no plugin, slower`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			root, err := findRoot(prefix)
			if err != nil {
				return err
			}
			o.Root, o.Out = root, term.New(cmd.OutOrStdout())
			if err := setup.Run(cmd.Context(), o); err != nil {
				return err
			}
			o.Out.Printf("Ready. Open the notebooks: go run ./kernels lab")
			return nil
		},
	}
	cmd.Flags().BoolVar(&o.NoXLA, "no-xla", false, "only the pure-Go kernel: needs neither a C compiler nor a plugin")
	cmd.Flags().StringVar(&o.Python, "python", "", "make the environment with this interpreter (default: the newest found, 3.10 or newer)")
	addPrefixFlag(cmd, &prefix)
	return cmd
}

// addPrefixFlag adds --prefix, which the verbs share that care where things are.
func addPrefixFlag(cmd *cobra.Command, prefix *string) {
	cmd.Flags().StringVar(prefix, "prefix", "", "folder of the environment (default: $"+repo.PrefixVar+", else .venv)")
}

// findRoot is the checkout around us with the prefix of --prefix, if given.
func findRoot(prefix string) (repo.Root, error) {
	root, err := repo.Find()
	if err == nil && prefix != "" {
		root = root.WithPrefix(prefix)
	}
	return root, err
}
