package main

import (
	"encoding/json"

	"github.com/spf13/cobra"

	"github.com/hindsight-go/hindsight/kernels/doctor"
)

func newDoctorCmd() *cobra.Command {
	var asJSON bool
	var prefix string
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Say what is installed, what is wrong and how to cure it",
		Long: `Say what is installed, which backend each kernel will use and why, and what is
wrong, with the cure. It changes nothing.

The exit status is 1 where something stops the notebooks.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			root, err := findRoot(prefix)
			if err != nil {
				return err
			}
			report, err := doctor.Examine(cmd.Context(), root)
			if err != nil {
				return err
			}
			if asJSON {
				enc := json.NewEncoder(cmd.OutOrStdout())
				enc.SetEscapeHTML(false)
				enc.SetIndent("", "  ")
				err = enc.Encode(report)
			} else {
				err = report.Write(cmd.OutOrStdout())
			}
			if err == nil && !report.Healthy() {
				return errSilent
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the report as JSON")
	addPrefixFlag(cmd, &prefix)
	return cmd
}
