package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/hindsight-go/hindsight/kernels/check"
)

func newTestCmd() *cobra.Command {
	var o check.Options
	var prefix string
	var list bool
	cmd := &cobra.Command{
		Use:   "test",
		Short: "Test everything that CI tests",
		Long: `Test everything that CI tests, stage by stage (see --list), and count.

Claims of the papers are test cases: one that held in the committed notebook and
does not hold now fails; one that is known not to hold counts as skipped. The
exit status is 1 where anything fails. The last line is the count.`,
		Example: `  go run ./kernels test
  go run ./kernels test --short              # without the browser, two notebooks
  go run ./kernels test --only unit,unit-go -v
  go run ./kernels test --require-data --junit out/test/junit.xml`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if list {
				for _, s := range check.Stages() {
					fmt.Fprintf(cmd.OutOrStdout(), "%-12s %s\n", s.Name, s.About)
				}
				return nil
			}
			root, err := findRoot(prefix)
			if err != nil {
				return err
			}
			o.Root, o.Progress = root, cmd.OutOrStdout()
			if !cmd.Flags().Changed("out") {
				o.Out = root.Join("out", "test")
			}
			results, err := check.Run(cmd.Context(), o)
			if err != nil {
				return err
			}
			counts := results.Counts()
			fmt.Fprintln(cmd.OutOrStdout(), counts)
			if counts.Failed > 0 {
				return errSilent
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.BoolVar(&o.Short, "short", false, "leave out the browser, slow tests and all notebooks but two")
	f.StringSliceVar(&o.Only, "only", nil, "only these stages (comma-separated)")
	f.BoolVar(&list, "list", false, "list the stages and do nothing")
	f.BoolVarP(&o.Verbose, "verbose", "v", false, "show what the programs print")
	f.BoolVar(&o.RequireData, "require-data", false, "fail where data cannot be had, instead of skipping")
	f.StringVar(&o.JUnit, "junit", "", "write the results to this file as JUnit XML")
	f.StringVar(&o.Out, "out", "out/test", "folder for executed notebooks and pictures")
	addPrefixFlag(cmd, &prefix)
	return cmd
}
