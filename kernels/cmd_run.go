package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/hindsight-go/hindsight/kernels/internal/repo"
	"github.com/hindsight-go/hindsight/kernels/runner"
)

func newRunCmd() *cobra.Command {
	var o runner.Options
	var all bool
	cmd := &cobra.Command{
		Use:   "run [NOTEBOOK...]",
		Short: "Execute notebooks without a browser and report which claims hold",
		Long: `Execute notebooks without a browser and report which claims hold.

A notebook is named by its path or by its name alone. Without names, those run
whose inputs have changed since they last passed: their cells, parameters,
kernel and scale, the library's code and the versions it uses.

Parameters are the variables of the cell tagged 'parameters'. A value gets the
type that the notebook declares: -p 'lrs=[0.1, 0.01]' for a slice, -p
'grid={a: 1}' for a map, and all that follows the = for a string. A file given
with -f maps names to values in YAML; -p counts more.

Written to the folder --out are the executed notebooks, report.json, junit.xml
(a case for each notebook and each claim) and index.html, a gallery. With
--record the notebooks' outputs and notebooks/REPRODUCTION.md are written too,
to be committed.

The exit status is 1 where a notebook fails, or where a claim does not hold that
the committed notebook shows as holding.`,
		Example: `  go run ./kernels run                       # what has changed
  go run ./kernels run --all -j 2            # everything, two at a time
  go run ./kernels run 02-diffgrad -p seeds=3 -v
  go run ./kernels run --all --scale paper --out out/paper
  go run ./kernels run --resume              # after Ctrl-C`,
		RunE: func(cmd *cobra.Command, args []string) error {
			root, err := repo.Find()
			if err != nil {
				return err
			}
			if o.Resume {
				for _, name := range []string{"all", "param", "param-file", "scale", "kernel", "out", "record", "require-data"} {
					if cmd.Flags().Changed(name) {
						return fmt.Errorf("--resume goes on with what the last run was asked for, so --%s does not go with it", name)
					}
				}
				if len(args) > 0 {
					return errors.New("--resume goes on with the notebooks of the last run, so name none")
				}
			}
			if all && len(args) > 0 {
				return errors.New("name notebooks or give --all, not both")
			}
			// At paper scale a cell may take hours.
			if o.Scale == "paper" {
				if !cmd.Flags().Changed("timeout") {
					o.CellTimeout = 0
				}
				if !cmd.Flags().Changed("notebook-timeout") {
					o.NotebookTimeout = 0
				}
			}
			o.Root, o.Notebooks, o.Rerun, o.Progress = root, args, all || len(args) > 0, cmd.OutOrStdout()
			if !cmd.Flags().Changed("out") {
				o.Out = root.Join("out", "run")
			}
			report, err := runner.Run(cmd.Context(), o)
			if report != nil {
				fmt.Fprintln(cmd.OutOrStdout(), runner.Summary(report))
			}
			switch {
			case err == nil && cmd.Context().Err() != nil:
				return cmd.Context().Err()
			case err == nil && !report.OK():
				return errSilent
			}
			return err
		},
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.BoolVar(&all, "all", false, "all notebooks, whether their inputs have changed or not")
	f.StringArrayVarP(&o.Params, "param", "p", nil, "set a parameter: name=value (repeatable)")
	f.StringArrayVarP(&o.ParamFiles, "param-file", "f", nil, "set parameters from a YAML file (repeatable)")
	f.StringVar(&o.Scale, "scale", "", "quick or paper: set the parameter 'scale' where a notebook has it")
	f.StringVar(&o.Kernel, "kernel", "", "run in this kernel instead of the one each notebook names (default without XLA: go-pure)")
	f.IntVarP(&o.Jobs, "jobs", "j", 1, "how many notebooks run at a time")
	f.DurationVar(&o.CellTimeout, "timeout", 10*time.Minute, "how long a cell may take, 0 for no limit (the default at paper scale)")
	f.DurationVar(&o.NotebookTimeout, "notebook-timeout", 30*time.Minute, "how long a notebook may take, likewise")
	f.StringVar(&o.Out, "out", "out/run", "folder for what is written")
	f.BoolVar(&o.Resume, "resume", false, "go on with the last run: keep what passed in it, run the rest")
	f.BoolVar(&o.Record, "record", false, "write outputs into the notebooks, and their claims into notebooks/REPRODUCTION.md")
	f.BoolVar(&o.RequireData, "require-data", false, "fail where data cannot be had, instead of skipping")
	f.BoolVarP(&o.Verbose, "verbose", "v", false, "show what the cells print")
	return cmd
}
