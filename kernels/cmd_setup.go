package main

import (
	"errors"

	"github.com/spf13/cobra"
)

func newSetupCmd() *cobra.Command {
	return &cobra.Command{
		Use:   "setup",
		Short: "Make .venv: JupyterLab, the XLA plugin and the Go kernels",
		Args:  cobra.NoArgs,
		RunE:  func(*cobra.Command, []string) error { return errors.New("setup: not written yet") },
	}
}
