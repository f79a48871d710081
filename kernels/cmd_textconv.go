package main

import (
	"os"

	"github.com/spf13/cobra"

	"github.com/hindsight-go/hindsight/kernels/notebook"
)

// newTextconvCmd is for git, not for people, so help does not list it.
func newTextconvCmd() *cobra.Command {
	return &cobra.Command{
		Use:    "textconv FILE",
		Short:  "Print a notebook as text, for git diff",
		Hidden: true,
		Args:   cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			raw, err := os.ReadFile(args[0])
			if err != nil {
				return err
			}
			// A file in the middle of a merge is no notebook, and git wants a text all the same.
			text := string(raw)
			if nb, err := notebook.Parse(raw); err == nil {
				text = nb.Text()
			}
			_, err = cmd.OutOrStdout().Write([]byte(text))
			return err
		},
	}
}
