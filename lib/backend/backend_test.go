package backend_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/hindsight-go/hindsight/lib/backend"
	"github.com/stretchr/testify/require"
)

func TestPureGoByName(t *testing.T) {
	t.Setenv("GOMLX_BACKEND", "go")
	b, err := backend.Open()
	require.NoError(t, err)
	d := backend.Describe(b)
	require.Equal(t, backend.PureGo, d.Name)
	require.Equal(t, "GOMLX_BACKEND asks for it", d.Why)
	require.Nil(t, d.Plugin)
	require.Len(t, d.Devices, 1)
	require.NotEmpty(t, d.Lacks)
	require.Equal(t, "pure Go, 1 device(s): GOMLX_BACKEND asks for it", d.String())
}

func TestWithBeatsEnvironment(t *testing.T) {
	t.Setenv("GOMLX_BACKEND", "nonsense")
	b, err := backend.Open(backend.With("go"))
	require.NoError(t, err)
	require.Equal(t, "the program asks for it", backend.Describe(b).Why)
}

// Without a plugin the pure-Go backend steps in, and says so once in one line.
func TestFallback(t *testing.T) {
	t.Setenv("GOMLX_BACKEND", "")
	t.Setenv("PJRT_PLUGIN_LIBRARY_PATH", t.TempDir())
	var notice bytes.Buffer
	b, err := backend.Open(backend.Notice(&notice))
	require.NoError(t, err)
	require.Equal(t, backend.PureGo, backend.Describe(b).Name)
	require.Equal(t, 1, strings.Count(notice.String(), "\n"))
	require.Contains(t, notice.String(), "hindsight: using the pure-Go backend, slow: ")
	_, err = backend.Open(backend.Notice(&notice))
	require.NoError(t, err)
	require.Equal(t, 1, strings.Count(notice.String(), "\n"), "said twice: %s", notice.String())
}

func TestBadWishes(t *testing.T) {
	t.Setenv("PJRT_PLUGIN_LIBRARY_PATH", t.TempDir())
	for name, c := range map[string]struct {
		env  string
		opts []backend.Option
		want []string
	}{
		"unknown":         {env: "tpux:0", want: []string{`GOMLX_BACKEND asks for "tpux:0"`, "go, xla:cpu, xla:cuda"}},
		"unknown by code": {opts: []backend.Option{backend.With("tpux")}, want: []string{`the program asks for "tpux"`}},
		"no devices":      {opts: []backend.Option{backend.CPUDevices(0)}, want: []string{"CPUDevices is 0, must be at least 1"}},
		"devices of go": {env: "go", opts: []backend.Option{backend.CPUDevices(2)},
			want: []string{"the pure-Go backend has one device", "ask for xla:cpu"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("GOMLX_BACKEND", c.env)
			_, err := backend.Open(c.opts...)
			for _, want := range c.want {
				require.ErrorContains(t, err, want)
			}
		})
	}
}

func TestDescribeUnknown(t *testing.T) {
	b, err := compute.NewWithConfig("go")
	require.NoError(t, err)
	require.Equal(t, "opened elsewhere", backend.Describe(b).Why)
}

func TestSurvey(t *testing.T) {
	all := backend.Survey()
	require.Len(t, all, 3)
	require.Equal(t, backend.PureGo, all[2].Name)
	require.Nil(t, all[2].Problem)
	text, err := json.Marshal(all)
	require.NoError(t, err)
	require.Contains(t, string(text), `{"name":"go"}`)
}

// run executes a graph and returns its error or panic.
func run(b compute.Backend, fn func(g *Graph) *Node) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err, _ = r.(error)
			if err == nil {
				err = errors.New("panic")
			}
		}
	}()
	_, err = ExecOnce(b, fn)
	return err
}

// What the table of capabilities says is so: each does work, or does not.
func TestCapabilities(t *testing.T) {
	b := backend.ForTest(t)
	programs := map[backend.Capability]func(g *Graph) *Node{
		backend.GradientInWhile: func(g *Graph) *Node {
			x := Const(g, []float32{1, 2})
			i := Const(g, int32(0))
			cond := NewClosure(g, func(g *Graph) []*Node {
				i, _ := Parameter(g, "ci", shapes.Make(dtypes.Int32)), Parameter(g, "cx", x.Shape())
				return []*Node{LessThan(i, Const(g, int32(3)))}
			})
			body := NewClosure(g, func(g *Graph) []*Node {
				i, x := Parameter(g, "bi", shapes.Make(dtypes.Int32)), Parameter(g, "bx", x.Shape())
				loss := ReduceAllSum(Mul(Square(x), Const(g, []float32{0.5, 0.25})))
				return []*Node{Add(i, Const(g, int32(1))), Sub(x, Gradient(loss, x)[0])}
			})
			return While(cond, body, i, x)[1]
		},
		backend.DynamicSlices: func(g *Graph) *Node {
			return DynamicSlice(IotaFull(g, shapes.Make(dtypes.Float32, 4)), []*Node{Const(g, int32(1))}, []int{2})
		},
		backend.MaxPoolGradient: func(g *Graph) *Node {
			x := IotaFull(g, shapes.Make(dtypes.Float32, 1, 4, 4, 1))
			return Gradient(ReduceAllSum(MaxPool(x).Window(2).Done()), x)[0]
		},
		backend.FourierAndCplx: func(g *Graph) *Node {
			x := IotaFull(g, shapes.Make(dtypes.Float32, 4))
			return Real(FFT(Complex(x, x)))
		},
	}
	for c, program := range programs {
		t.Run(string(c), func(t *testing.T) {
			lacks := false
			for _, l := range backend.Lacks(b) {
				lacks = lacks || l.Capability == c
			}
			err := run(b, program)
			if lacks {
				require.Error(t, err)
			} else {
				require.NoError(t, err)
			}
		})
	}
}

func TestNeeds(t *testing.T) {
	b, err := backend.Open(backend.With("go"))
	require.NoError(t, err)
	skipped := t.Run("skips", func(t *testing.T) {
		backend.Needs(t, b, backend.MaxPoolGradient)
		t.Error("not skipped")
	})
	require.True(t, skipped)
	backend.Needs(t, b) // needs nothing
}

func TestForTestShares(t *testing.T) {
	require.Same(t, backend.ForTest(t), backend.ForTest(t))
}

// tensors made for one backend work on another.
func TestTwoBackends(t *testing.T) {
	b := backend.ForTest(t)
	out, err := ExecOnce(b, func(x *Node) *Node { return MulScalar(x, 2) }, tensors.FromValue([]float32{1, 2}))
	require.NoError(t, err)
	require.Equal(t, []float32{2, 4}, out.Value())
}
