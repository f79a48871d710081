package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/hindsight-go/hindsight/kernels/bench"
	"github.com/hindsight-go/hindsight/kernels/internal/repo"
)

func newBenchCmd() *cobra.Command {
	var o bench.Options
	var list, strict bool
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure us against JAX and PyTorch, and how long a cell takes",
		Long: `Measure us against JAX with optax, PyTorch and NumPy, on the processor: the same
work on both sides in one run, as a ratio with its spread over the repeats, and
whether its target is met. How long a notebook's cell takes is measured too, what
some methods cost beside a plain one, and how their cost grows with its sizes.

The peers live in environments of their own in .venv-bench, from lock files with
hashes. JAX is installed on first use; PyTorch only with --torch, because on Linux
it comes with gigabytes of NVIDIA's libraries.

The two sides take turns, and only where both compute the same results is anything
measured. Run it on a quiet machine. The table is printed, and bench.json written
to the folder --out.

The exit status is 0 also where a target is missed, or a peer is not available,
unless --strict; it is 1 where a benchmark fails.`,
		Example: `  go run ./kernels bench --torch                         # everything
  go run ./kernels bench --only mlp-step --repeats 21    # one figure, closely
  go run ./kernels bench --list`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if list {
				for _, b := range bench.All() {
					fmt.Fprintf(cmd.OutOrStdout(), "%-16s%s\n", b.Name, b.What)
				}
				return nil
			}
			root, err := repo.Find()
			if err != nil {
				return err
			}
			o.Root, o.To = root, cmd.OutOrStdout()
			if !cmd.Flags().Changed("out") {
				o.Out = root.Join("out", "bench")
			}
			report, err := bench.Run(cmd.Context(), o)
			if report != nil && len(report.Results) > 0 {
				fmt.Fprint(cmd.OutOrStdout(), "\n", report.Table())
			}
			if err == nil && (report.Failed() || strict && report.Missed()) {
				return errSilent
			}
			return err
		},
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.StringSliceVar(&o.Only, "only", nil, "measure these (comma-separated)")
	f.BoolVar(&list, "list", false, "say what there is to measure")
	f.IntVar(&o.Repeats, "repeats", 9, "samples of each side")
	f.BoolVar(&o.Torch, "torch", false, "install PyTorch where it is missing")
	f.StringVar(&o.Out, "out", "out/bench", "folder for bench.json")
	f.BoolVar(&strict, "strict", false, "exit with status 1 where a target is missed or a peer is not available")
	return cmd
}
