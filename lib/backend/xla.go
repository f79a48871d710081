//go:build ((linux && (amd64 || arm64)) || (darwin && arm64)) && cgo && !noxla

package backend

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/gomlx/compute"
	"github.com/gomlx/go-xla/compute/xla"
	"github.com/gomlx/go-xla/pjrt"
)

// Nothing is downloaded at run time, whatever the environment says.
func init() { xla.EnableAutoInstall(false) }

// xla opens a plugin by name or path, or the best one where it is "". config holds GoMLX's options.
func (o options) xla(plugin, config string) (compute.Backend, error) {
	if plugin != "" {
		return o.openNamed(plugin, config, o.source+" asks for it")
	}
	why := "the best that answers"
	switch {
	case o.config != "":
		why = o.source + " asks for XLA, and this is the best that answers"
	case o.cpus > 0:
		why = fmt.Sprintf("the program asks for %d CPU devices", o.cpus)
	case o.gpus != nil:
		why = "the program asks for GPUs"
	}
	if o.cpus == 0 {
		b, err := o.openNamed("cuda", config, why)
		switch {
		case err == nil:
			return b, nil
		case o.gpus != nil:
			return nil, err
		}
		if path, _ := findPlugin("cuda"); path != "" && hasGPU() {
			why = "there is a GPU, but " + strings.TrimPrefix(err.Error(), "backend: ")
		}
	}
	return o.openNamed("cpu", config, why)
}

// openNamed finds, checks and opens one plugin.
func (o options) openNamed(plugin, config, why string) (compute.Backend, error) {
	path := plugin
	if !filepath.IsAbs(path) {
		if plugin == "cuda" && !hasGPU() {
			return nil, errNoGPU
		}
		var err error
		if path, err = findPlugin(plugin); err != nil {
			return nil, err
		}
	} else if problem := checkPlugin(path, "name another file"); problem != nil {
		return nil, problem
	}
	if strings.Contains(path, ",") {
		return nil, &Error{fmt.Sprintf("the path of plugin %s holds a comma, which GoMLX cannot open", path), "move it"}
	}
	name := pluginName(path)
	isCPU, isCUDA := strings.HasPrefix(name, "cpu"), pjrt.IsCUDAName(name)
	// go-xla judges a plugin by the whole path it is opened by.
	if !isCPU && strings.Contains(strings.ToUpper(path), "CPU") || !isCUDA && pjrt.IsCUDAName(path) {
		return nil, &Error{fmt.Sprintf("GoMLX takes plugin %s for another, by the names of its directories", path), "move it"}
	}
	clientOptions := make(pjrt.NamedValuesMap)
	switch {
	case isCPU:
		// One device unless more are asked for: the plugin's own default is four, which means at least four threads, and
		// on fewer cores they cost a fifth of the speed of a dense net and two fifths of a convolutional one.
		clientOptions["cpu_device_count"] = int64(max(1, o.cpus))
		if o.cpus <= 1 {
			// go-xla waits for every call, so that handing it to another thread only costs the way there and back.
			clientOptions["asynchronous"] = false
		}
	case o.cpus > 0:
		return nil, &Error{"several CPU devices were asked for of plugin " + path, "ask for " + XLACPU}
	}
	if o.gpus != nil {
		if !isCUDA {
			return nil, &Error{"GPUs were asked for of plugin " + path, "ask for " + XLACUDA}
		}
		ids := make([]int64, len(o.gpus))
		for i, id := range o.gpus {
			ids[i] = int64(id)
		}
		clientOptions["visible_devices"] = ids
	}
	tune()
	b, err := newXLA(strings.TrimSuffix(path+","+config, ","), clientOptions)
	if err != nil {
		return nil, &Error{fmt.Sprintf("plugin %s does not open: %v", path, firstLine(err)), "see `go run ./kernels doctor`"}
	}
	about := opened{name: "xla:" + name, why: why, plugin: &Plugin{Name: name, Path: path}}
	if p, err := pjrt.GetPlugin(path); err == nil {
		major, minor := p.Version()
		about.plugin.Version = fmt.Sprintf("%d.%d", major, minor)
	}
	return remember(b, about), nil
}

// tune sets the flag that lets XLA's CPU compiler make one kernel of a loop over up to 64 KB instead of 1 KB: steps over
// a hundred numbers take 7 ns instead of 45. XLA reads its flags once, when the first program is compiled; whoever sets
// extra options keeps them as they are.
func tune() {
	const name, option = "XLA_FLAGS", "--xla_backend_extra_options"
	if flags := os.Getenv(name); !strings.Contains(flags, option) {
		_ = os.Setenv(name, strings.TrimSpace(flags+" "+option+"=xla_cpu_small_while_loop_byte_threshold=65536"))
	}
}

// newXLA opens the plugin; what panics inside is an error too.
func newXLA(config string, clientOptions pjrt.NamedValuesMap) (b compute.Backend, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%v", r)
		}
	}()
	return xla.NewWithOptions(config, maps.Clone(clientOptions))
}

func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}

var errNoGPU = &Error{"no NVIDIA device answers on this machine", "check nvidia-smi, or use " + XLACPU}

// hasGPU says whether there is an NVIDIA driver to ask.
func hasGPU() bool {
	if devices, _ := filepath.Glob("/dev/nvidia[0-9]*"); len(devices) > 0 {
		return true
	}
	_, err := exec.LookPath("nvidia-smi")
	return err == nil
}

func surveyXLA() []Candidate {
	var found []Candidate
	for _, name := range []string{"cuda", "cpu"} {
		c := Candidate{Name: "xla:" + name}
		path, err := findPlugin(name)
		c.Path = path
		if name == "cuda" && !hasGPU() {
			c.Problem = errNoGPU
		} else if err != nil && !errors.As(err, &c.Problem) {
			c.Problem = &Error{err.Error(), setup}
		}
		found = append(found, c)
	}
	return found
}
