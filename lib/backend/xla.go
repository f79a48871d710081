//go:build ((linux && (amd64 || arm64)) || (darwin && arm64)) && cgo && !noxla

package backend

import (
	"github.com/gomlx/compute"
	"github.com/gomlx/go-xla/compute/xla"
)

// Nothing is downloaded at run time, whatever the environment says.
func init() { xla.EnableAutoInstall(false) }

func openXLA() (compute.Backend, error) { return compute.NewWithConfig("xla") }
