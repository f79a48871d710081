// Package backend chooses and opens the compute backend that everything else in lib runs on.
//
// [Open] takes, in this order: what the GOMLX_BACKEND variable asks for; XLA on an NVIDIA GPU where the plugin and a
// device answer; XLA on the CPU where its plugin is installed; else GoMLX's pure-Go backend, said once in one line
// on standard error. It never downloads anything: `go run ./kernels setup` installs plugins.
//
// Built with CGO_ENABLED=0 -tags noxla the package holds the pure-Go backend only, and the program is static.
package backend

import (
	"fmt"
	"os"
	"sync"

	"github.com/gomlx/compute"
	_ "github.com/gomlx/compute/gobackend" // the pure-Go backend is always there
)

var fallback sync.Once

// Open returns the backend of this process's choice.
func Open() (compute.Backend, error) {
	if config, ok := os.LookupEnv(compute.ConfigEnvVar); ok && config != "" {
		return compute.NewWithConfig(config)
	}
	if b, err := openXLA(); err == nil {
		return b, nil
	} else {
		fallback.Do(func() { fmt.Fprintf(os.Stderr, "hindsight: running on the pure-Go backend: %v\n", err) })
	}
	return compute.NewWithConfig("go")
}
