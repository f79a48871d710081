//go:build !(((linux && (amd64 || arm64)) || (darwin && arm64)) && cgo && !noxla)

package scan

import "github.com/gomlx/compute"

// alias does nothing: only XLA needs to be told.
func alias(compute.Value, int) {}

// separate is not known for other backends.
func separate(compute.Builder) bool { return false }
