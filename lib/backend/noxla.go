//go:build !(((linux && (amd64 || arm64)) || (darwin && arm64)) && cgo && !noxla)

package backend

import "github.com/gomlx/compute"

var errNoXLA = &Error{"this program was built without XLA", "build it with cgo and without the tag noxla"}

func (o options) xla(string, string) (compute.Backend, error) { return nil, errNoXLA }

func surveyXLA() []Candidate {
	return []Candidate{{Name: XLACUDA, Problem: errNoXLA}, {Name: XLACPU, Problem: errNoXLA}}
}
