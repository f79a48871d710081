package doctor

import (
	"fmt"
	"io"
	"strings"

	"github.com/hindsight-go/hindsight/kernels/setup"
)

// Write writes the report for people.
func (r Report) Write(w io.Writer) error {
	var b strings.Builder
	row := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "%-16s %s\n", name, fmt.Sprintf(format, args...))
	}
	m := r.Machine
	row("Machine", "%s/%s, %d CPUs%s", m.OS, m.Arch, m.CPUs, memoryText(m))
	for _, d := range m.Disks {
		row("Disk", "%s free for %s (%s)", size(d.Free), d.Of, d.Path)
	}
	if len(m.GPUs) == 0 {
		row("GPU", "none answers")
	}
	for _, gpu := range m.GPUs {
		row("GPU", "%s", gpu)
	}
	row("Environment", "%s", r.Prefix)
	for _, v := range []struct{ title, key string }{
		{"Go", "go"}, {"C compiler", "gcc"}, {"Python", "python"}, {"JupyterLab", "jupyterlab"},
		{"GoNB", "gonb"}, {"goimports", "goimports"}, {"gopls", "gopls"},
		{"GoMLX", "github.com/gomlx/gomlx"}, {"go-xla", "github.com/gomlx/go-xla"},
	} {
		version := r.Versions[v.key]
		if version == "" {
			version = "not found"
		}
		row(v.title, "%s", version)
	}
	if r.Plugin.SHA256 != "" {
		row("XLA plugin", "%s, SHA-256 %.12s…", r.Plugin.Source, r.Plugin.SHA256)
	}
	for _, k := range r.Kernels {
		backendRows(row, "Kernel", k.Display+": ", k.Backend)
	}
	if r.Plain != nil {
		backendRows(row, "Plain programs", "", r.Plain.Backend)
	}
	b.WriteByte('\n')
	for _, p := range r.Problems {
		mark := "!"
		if p.Stops {
			mark = "✗"
		}
		fmt.Fprintf(&b, "%s %s\n  %s\n", mark, p.What, strings.ReplaceAll(p.Cure, "\n", "\n  "))
	}
	switch {
	case len(r.Problems) == 0:
		b.WriteString("No problems found.\n")
	case r.Healthy():
		b.WriteString("The notebooks run; ! marks what could be better.\n")
	default:
		b.WriteString("The notebooks do not run before what ✗ marks is cured.\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func memoryText(m Machine) string {
	switch {
	case m.Memory == 0:
		return ""
	case m.Available == 0:
		return ", " + size(m.Memory) + " of memory"
	}
	return fmt.Sprintf(", %s of memory (%s available)", size(m.Memory), size(m.Available))
}

// backendRows says which backend is used, why, and what it lacks.
func backendRows(row func(name, format string, args ...any), name, prefix string, b *setup.BackendReport) {
	if b == nil {
		row(name, "%sno backend answered, see below", prefix)
		return
	}
	text := prefix + b.Title
	if b.Plugin != nil {
		text += fmt.Sprintf(" (%s, PJRT %s)", b.Plugin.Path, b.Plugin.Version)
	}
	row(name, "%s, %d device(s): %s", text, len(b.Devices), b.Why)
	for _, l := range b.Lacks {
		row("", "  lacks %s; instead: %s", l.Capability, l.Instead)
	}
}
