//go:build !(((linux && (amd64 || arm64)) || (darwin && arm64)) && cgo && !noxla)

package backend

import (
	"errors"

	"github.com/gomlx/compute"
)

func openXLA() (compute.Backend, error) { return nil, errors.New("this program was built without XLA") }
