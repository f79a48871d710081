package check

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hindsight-go/hindsight/kernels/internal/repo"
	"github.com/hindsight-go/hindsight/kernels/internal/term"
	"github.com/hindsight-go/hindsight/kernels/junit"
)

func newSession(t *testing.T, out *bytes.Buffer) *session {
	t.Helper()
	root, err := repo.Find()
	require.NoError(t, err)
	s := &session{Options: Options{Root: root, Progress: out}, progress: term.New(out)}
	s.task = s.progress.Task("test")
	t.Cleanup(s.task.Drop)
	return s
}

func TestStageNames(t *testing.T) {
	o := Options{Only: []string{"vet", "browsr"}}
	_, err := o.stages()
	require.EqualError(t, err, `there is no stage "browsr"; choose from setup, build, format, vet, staticcheck, unit, unit-go, program, notebooks, browser`)
	short, err := Options{Short: true}.stages()
	require.NoError(t, err)
	for _, s := range short {
		assert.NotEqual(t, "browser", s.Name)
	}
	only, err := Options{Only: []string{"browser"}, Short: true}.stages()
	require.NoError(t, err)
	require.Len(t, only, 1, "what is asked for by name is not left out")
}

func TestShortNotebooksAreThere(t *testing.T) {
	root, err := repo.Find()
	require.NoError(t, err)
	require.Len(t, few, 2)
	for _, name := range few {
		require.FileExists(t, filepath.Join(root.Notebooks(), name+".ipynb"))
	}
}

// What a stage gives becomes counts, lines and a file.
func TestStageOutcomes(t *testing.T) {
	var out bytes.Buffer
	s := newSession(t, &out)
	stage := func(cases []junit.Case, err error) junit.Suite {
		return s.stage(t.Context(), Stage{Name: "x", run: func(context.Context, *session) ([]junit.Case, error) { return cases, err }})
	}
	require.Equal(t, junit.Counts{Passed: 1, Failed: 1}, stage([]junit.Case{{Name: "a"}, {Class: "p", Name: "b", Failure: &junit.Outcome{Message: "wrong", Text: "line"}}}, nil).Counts())
	require.Contains(t, out.String(), "FAIL x.p b: wrong\n      line\n")
	require.Equal(t, junit.Counts{Failed: 1}, stage(nil, errors.New("no disk\nfree some")).Counts())
	require.Contains(t, out.String(), "FAIL x x: no disk\n      free some\n")
	require.Equal(t, junit.Counts{Skipped: 1}, stage(nil, &skip{"no browser"}).Counts())
	require.Contains(t, out.String(), "skip x x: no browser\n")
}

func TestJUnitFile(t *testing.T) {
	root, err := repo.Find()
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "new", "junit.xml")
	var out bytes.Buffer
	_, err = Run(t.Context(), Options{Root: root, Only: []string{"format"}, JUnit: path, Progress: &out})
	require.NoError(t, err)
	raw, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, xml.Unmarshal(raw, &struct{ XMLName xml.Name }{}))
	require.Contains(t, string(raw), `name="gofmt"`)
}

// module writes a Go module with the files.
func module(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	files["go.mod"] = "module example.com/m\n\ngo 1.26\n"
	for name, text := range files {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644))
	}
	return dir
}

// Every way in which go test can end becomes cases.
func TestGoTest(t *testing.T) {
	dir := module(t, map[string]string{
		"good/good_test.go": `package good
import ("testing"; "fmt")
func TestFine(t *testing.T) { t.Run("sub", func(t *testing.T) {}) }
func TestSkipped(t *testing.T) { t.Skip("no such device") }
func TestNoData(t *testing.T) { t.Skip("data: MNIST: the data set cannot be had here") }
func TestWrong(t *testing.T) { t.Run("sub", func(t *testing.T) { t.Error("want 1: got 2") }) }
func Example() { fmt.Println("x")
// Output: x
}
`,
		"panics/panics_test.go": "package panics\nimport \"testing\"\nfunc TestPanic(t *testing.T) { panic(\"boom\") }\n",
		"exits/exits_test.go":   "package exits\nimport (\"os\"; \"testing\")\nfunc TestMain(m *testing.M) { println(\"bye\"); os.Exit(3) }\nfunc TestNever(t *testing.T) {}\n",
		"broken/broken_test.go": "package broken\nvar x int = \"text\"\n",
	})
	for _, required := range []bool{false, true} {
		var out bytes.Buffer
		s := newSession(t, &out)
		s.RequireData = required
		cmd := exec.Command("go", "test", "-json", "./...")
		cmd.Dir = dir
		raw, _ := cmd.Output()
		e := &events{session: s, output: map[test]*strings.Builder{}}
		require.NoError(t, e.read(bytes.NewReader(raw)))
		got := map[string]junit.Case{}
		for _, c := range e.cases {
			got[strings.TrimPrefix(c.Class, "example.com/m/")+" "+c.Name] = c
		}
		want := junit.Counts{Passed: 2, Failed: 4, Skipped: 2}
		if required {
			want = junit.Counts{Passed: 2, Failed: 5, Skipped: 1}
			require.Contains(t, got["good TestNoData"].Failure.Message, "data are required")
		}
		require.Equal(t, want, junit.Suite{Cases: e.cases}.Counts(), "%+v", e.cases)
		require.Equal(t, "no such device", got["good TestSkipped"].Skipped.Message)
		require.Contains(t, got["good TestWrong"].Failure.Text, "want 1: got 2")
		require.Contains(t, got["panics TestPanic"].Failure.Text, "boom")
		require.Contains(t, got["exits package"].Error.Text, "bye")
		require.Contains(t, got["broken package"].Error.Text, "cannot use \"text\"")
	}
}

func TestUnreadableEvents(t *testing.T) {
	var out bytes.Buffer
	e := &events{session: newSession(t, &out), output: map[test]*strings.Builder{}}
	require.ErrorContains(t, e.read(strings.NewReader("not JSON\n")), `in "not JSON"`)
}

// A program that is stopped takes what it has started with it.
func TestStoppedProgram(t *testing.T) {
	var out bytes.Buffer
	s := newSession(t, &out)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	began := time.Now()
	c := s.holds(ctx, "sleep", command{args: []string{"sh", "-c", "sleep 60 & wait"}})
	require.True(t, c.Failed())
	require.Less(t, time.Since(began), stopAfter)
	require.True(t, s.holds(t.Context(), "nothing", command{args: []string{"no-such-program"}}).Error != nil)
}

func TestPrints(t *testing.T) {
	var out bytes.Buffer
	s := newSession(t, &out)
	echo := command{args: []string{"sh", "-c", "echo notice; echo 2.00"}}
	require.False(t, s.prints(t.Context(), "right", "2.00", echo).Failed())
	require.Contains(t, s.prints(t.Context(), "wrong", "3.00", echo).Failure.Message, `printed "2.00", must be "3.00"`)
}
