package backend

import (
	"testing"

	"github.com/gomlx/compute"
)

// Capability is something that some backends cannot do.
type Capability string

// What the pure-Go backend lacks today (GoMLX v0.28.2); XLA has them all.
const (
	GradientInWhile Capability = "gradient inside a While" // so scan runs its steps one by one
	DynamicSlices   Capability = "DynamicSlice and DynamicUpdateSlice"
	MaxPoolGradient Capability = "gradient of MaxPool"
	FourierAndCplx  Capability = "complex numbers and Fourier transforms"
	SeveralDevices  Capability = "one program on several devices"
)

// Capabilities lists all of them.
func Capabilities() []Capability {
	return []Capability{GradientInWhile, DynamicSlices, MaxPoolGradient, FourierAndCplx, SeveralDevices}
}

// Lack is a missing capability and what to do instead.
type Lack struct {
	Capability Capability `json:"capability"`
	Instead    string     `json:"instead"`
}

// Lacks says what a backend cannot do, in the order of [Capabilities].
func Lacks(b compute.Backend) []Lack {
	ops := b.Capabilities().Operations
	has := map[Capability]bool{
		// The pure-Go While takes a body with a gradient and then fails when it runs: nothing in its list says so.
		GradientInWhile: nameOf(b) != PureGo,
		DynamicSlices:   ops[compute.OpTypeDynamicSlice] && ops[compute.OpTypeDynamicUpdateSlice],
		MaxPoolGradient: ops[compute.OpTypeSelectAndScatterMax],
		FourierAndCplx:  ops[compute.OpTypeFFT] && ops[compute.OpTypeComplex],
		SeveralDevices:  ops[compute.OpTypeAllReduce],
	}
	instead := map[Capability]string{
		GradientInWhile: "lib/scan runs the steps one by one",
		DynamicSlices:   "Gather, or a mask",
		MaxPoolGradient: "pooling by Max of pairs where windows do not overlap",
		FourierAndCplx:  "the host",
		SeveralDevices:  "XLA with backend.CPUDevices",
	}
	lacks := []Lack{}
	for _, c := range Capabilities() {
		if !has[c] {
			lacks = append(lacks, Lack{c, instead[c]})
		}
	}
	return lacks
}

// Needs skips the test where the backend lacks one of the capabilities, and names it.
func Needs(t testing.TB, b compute.Backend, needed ...Capability) {
	t.Helper()
	for _, lack := range Lacks(b) {
		for _, c := range needed {
			if c == lack.Capability {
				t.Skipf("backend %q lacks: %s", nameOf(b), c)
			}
		}
	}
}
