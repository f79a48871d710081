package setup

import (
	"context"
	"debug/buildinfo"
	"path/filepath"
	"strings"

	"github.com/hindsight-go/hindsight/kernels/internal/repo"
)

// State is what of a setup is there. Versions are empty where nothing is.
type State struct {
	Go, Compiler, Python, JupyterLab string
	GoErr, CompilerErr               error             // why there is no version; a [Fault] as a rule
	AsLocked                         bool              // the Python environment agrees with its lock file
	Programs                         map[string]string // gonb, goimports, gopls: version
	Plugin                           PluginState
	Offline                          bool // every module that cells may import is on this machine
}

// PluginState is the XLA plugin of the prefix, if it was verified.
type PluginState struct {
	Path     string `json:"path"`
	Source   string `json:"source"`
	SHA256   string `json:"sha256"`
	Verified bool   `json:"verified"` // unchanged since it ran a graph
}

// Inspect looks at a setup and changes nothing.
func Inspect(ctx context.Context, root repo.Root) State {
	s := &session{Options: Options{Root: root}, pinned: wheel, free: FreeBytes}
	state := State{Programs: map[string]string{}}
	state.Go, state.GoErr = s.goCommand(ctx)
	if state.GoErr == nil {
		state.Compiler, state.CompilerErr = s.compiler(ctx)
		_, err := s.exec(ctx, command{dir: root.Dir(), args: []string{"go", "mod", "download"}, env: []string{"GOWORK=off", "GOPROXY=off"}})
		state.Offline = err == nil
	}
	if version, ok := s.venvVersion(ctx); ok {
		state.Python = version.String()
		var stamp pythonStamp
		want, _, err := s.wantedPython(s.lockPath(), version)
		state.AsLocked = err == nil && s.readStamp("python", &stamp) && stamp == want
		out, err := s.exec(ctx, command{args: []string{root.Python(), "-c", "import importlib.metadata as m; print(m.version('jupyterlab'))"}})
		if err == nil {
			state.JupyterLab = strings.TrimSpace(out)
		}
	}
	for _, name := range []string{"gonb", "goimports", "gopls"} {
		if info, err := buildinfo.ReadFile(filepath.Join(root.Bin(), name)); err == nil {
			state.Programs[name] = info.Main.Version
		}
	}
	target := filepath.Join(root.PluginDir(), repo.Plugin)
	if exists(target) {
		state.Plugin.Path = target
	}
	var stamp pluginStamp
	if s.readStamp("plugin", &stamp) {
		state.Plugin = PluginState{Path: target, Source: stamp.Source, SHA256: stamp.SHA256, Verified: stamp.matches(target)}
	}
	return state
}
