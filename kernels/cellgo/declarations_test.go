package main

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestDeclares(t *testing.T) {
	const idle = "func main() { flag.Parse() }\n"
	for _, c := range []struct {
		name, code string
		want       bool
	}{
		{"nothing but main", idle, true},
		{"parameters", "var scale, seeds = \"quick\", 3\nvar rates []float64\nconst c = 2 * 3\n" + idle, true},
		{"functions, types, literals", "type t struct{ x int }\nfunc (t) main() { f() }\nfunc f() {}\nvar ts = []*t{{1}, {x: -2}}\nvar g = func() int { return len(ts) / 1 }\n" + idle, true},
		{"no main", "func f() {}\n", false},
		{"main works", "func main() {\n\tflag.Parse()\n\tf()\n}\n", false},
		{"main is another", "func main() { log.Parse() }\n", false},
		{"main takes arguments", "func main() { flag.Parse(1) }\n", false},
		{"an empty main of one's own", "func main() {}\n", false},
		{"init", "func init() { f() }\n" + idle, false},
		{"a call", "var x = f()\n" + idle, false},
		{"a call inside a literal", "var xs = []int{1, f()}\n" + idle, false},
		{"a function called where it is written", "var x = func() int { return 1 }()\n" + idle, false},
		{"an index", "var x = xs[7]\n" + idle, false},
		{"a part", "var x = xs[1:7]\n" + idle, false},
		{"a type assertion", "var x = y.(int)\n" + idle, false},
		{"a quotient", "var x = 1 / y\n" + idle, false},
		{"a shift", "var x = 1 << y\n" + idle, false},
		{"a field", "var x = p.f\n" + idle, false},
		{"what a pointer points to", "var x = *p\n" + idle, false},
		{"a channel", "var x = <-c\n" + idle, false},
		{"not Go", "func main( {", false},
	} {
		assert.Equal(t, c.want, declares([]byte("package main\n\n"+c.code)), c.name)
	}
}

// A cell that declares is compiled only, its mistakes are told, and the cells around it run.
func TestBuildDeclarations(t *testing.T) {
	if testing.Short() || runtime.GOOS == "windows" {
		t.Skip("compiles programs")
	}
	t.Setenv("CGO_ENABLED", "0")
	dir := t.TempDir()
	write(t, filepath.Join(dir, "go.mod"), "module gonb_1\n\ngo 1.26.0\n")
	program := filepath.Join(dir, "gonb_1")
	cell := func(code string) (commands []string, out string, status int) {
		write(t, filepath.Join(dir, "main.go"), "package main\n\nimport (\n\t\"flag\"\n\t\"fmt\"\n)\n\nfunc f() { fmt.Print(\"f\") }\n\n"+code)
		var said bytes.Buffer
		status = build{real: "go", dir: dir, out: &said, run: func(dir, name string, args ...string) ([]byte, int) {
			commands = append(commands, args[0])
			return runCommand(dir, name, args...)
		}}.do([]string{"build", "-o", program})
		return commands, said.String(), status
	}
	works := func(code, want string, ran ...string) {
		t.Helper()
		commands, out, status := cell(code)
		require.Zero(t, status, out)
		assert.Equal(t, ran, commands)
		printed, err := exec.Command(program).CombinedOutput()
		require.NoError(t, err)
		assert.Equal(t, want, string(printed))
	}
	works("func main() { flag.Parse(); f() }\n", "f", "build")
	works("var x = 1\n\nfunc main() { flag.Parse() }\n", "", "list")
	works("var x = 2\n\nfunc main() { flag.Parse() }\n", "", "list")
	works("var x = 2\n\nfunc main() { flag.Parse(); f(); f() }\n", "ff", "build")
	commands, out, status := cell("var x int = \"1\"\n\nfunc main() { flag.Parse() }\n")
	assert.Equal(t, []string{"list", "build"}, commands)
	assert.NotZero(t, status)
	assert.True(t, strings.Contains(out, "main.go:10:13: "), "GoNB maps the line of main.go to the cell's: %s", out)
}
