package backend

import (
	"fmt"
	"sync"

	"github.com/gomlx/compute"
)

// Description of an open backend.
type Description struct {
	Name    string   `json:"name"`             // PureGo, XLACPU, XLACUDA, or GoMLX's name
	Title   string   `json:"title"`            // for people: "XLA CPU"
	Why     string   `json:"why"`              // why this one
	Plugin  *Plugin  `json:"plugin,omitempty"` // nil without one
	Devices []string `json:"devices"`
	Lacks   []Lack   `json:"lacks"` // what does not work, in the order of [Capabilities]
}

// Plugin is a PJRT plugin.
type Plugin struct {
	Name    string `json:"name"` // "cpu", "cuda", …
	Path    string `json:"path"`
	Version string `json:"version"` // of the PJRT interface it speaks, e.g. "0.98"
}

func (d Description) String() string {
	s := d.Title
	if d.Plugin != nil {
		s += fmt.Sprintf(" (%s, PJRT %s)", d.Plugin.Path, d.Plugin.Version)
	}
	return fmt.Sprintf("%s, %d device(s): %s", s, len(d.Devices), d.Why)
}

// opened is what Open knows about a backend that the backend does not say.
type opened struct {
	name   string
	plugin *Plugin
	why    string
}

var known sync.Map // compute.Backend → opened

func remember(b compute.Backend, o opened) compute.Backend {
	if o.name == "" {
		o.name = nameOf(b)
	}
	known.Store(b, o)
	return b
}

// nameOf a backend; GoMLX calls the pure-Go one otherwise than it is asked for.
func nameOf(b compute.Backend) string {
	if b.Name() == "Go Backend" {
		return PureGo
	}
	return b.Name()
}

// Describe says what a backend is. For one that [Open] did not open, it does not know why.
func Describe(b compute.Backend) Description {
	o := opened{name: nameOf(b), why: "opened elsewhere"}
	if v, ok := known.Load(b); ok {
		o = v.(opened)
	}
	d := Description{Name: o.name, Title: title(o.name), Why: o.why, Plugin: o.plugin, Lacks: Lacks(b)}
	for i := range b.NumDevices() {
		d.Devices = append(d.Devices, b.DeviceDescription(compute.DeviceNum(i)))
	}
	return d
}

func title(name string) string {
	switch name {
	case PureGo:
		return "pure Go"
	case XLACPU:
		return "XLA CPU"
	case XLACUDA:
		return "XLA CUDA"
	}
	return name
}

// Candidate is a backend that this machine might have.
type Candidate struct {
	Name    string `json:"name"`              // PureGo, XLACPU or XLACUDA
	Path    string `json:"path,omitempty"`    // of the plugin
	Problem *Error `json:"problem,omitempty"` // nil: looks usable; only opening it proves that
}

// Survey lists what could be opened, best first, without opening anything.
func Survey() []Candidate {
	return append(surveyXLA(), Candidate{Name: PureGo})
}
