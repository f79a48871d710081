package race

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"gonum.org/v1/gonum/mat"

	"github.com/hindsight-go/hindsight/lib/data"
	"github.com/hindsight-go/hindsight/lib/nets"
	"github.com/hindsight-go/hindsight/lib/scan"
)

// Problem is what methods race on.
type Problem struct {
	Name  string
	Title string // a few words, for a figure
	Loss  string // what Compare measures, for an axis
	Steps int    // of a run, by default
	// Lead 1 says that the runs of a method go together along a leading axis of all parameters.
	Lead   int
	Inputs scan.Vars // data sets, by name; nil: none
	// Start returns one run's first parameters, float32 or float64, the same for the same seed.
	Start func(seed uint64) scan.Vars
	// Data returns the step's minibatch; with Lead 1 one for each run, see [scan.Step.BatchEach]. nil: none is needed.
	Data func(s *scan.Step) []*graph.Node
	// Objective is what is minimized, on a minibatch, with parameters in the order of their paths: a scalar, or with
	// Lead 1 one value a run.
	Objective func(params, data []*graph.Node) *graph.Node
	// Compare is the loss that methods are compared by, of the same shape.
	Compare func(s *scan.Step, params []*graph.Node) *graph.Node
}

func (p *Problem) validate() error {
	var errs []error
	if p.Lead < 0 || p.Lead > 1 {
		errs = append(errs, fmt.Errorf("race: Problem: Lead is %d, must be 0 or 1", p.Lead))
	}
	if p.Start == nil || p.Objective == nil || p.Compare == nil {
		errs = append(errs, errors.New("race: Problem: Start, Objective and Compare must be functions, one is nil"))
	}
	return errors.Join(errs...)
}

// onDevice moves the inputs there before several runs share them: a tensor on its way looks freed to whoever else asks
// for it.
func (p *Problem) onDevice(b compute.Backend) error {
	for name, t := range p.Inputs {
		if err := t.MaterializeOnDevice(b, true, 0); err != nil {
			return fmt.Errorf("race: %s: moving %q to the device: %w", p.Name, name, err)
		}
	}
	return nil
}

// Names lists the problems that [ByName] knows.
func Names() []string { return []string{"quadratic", "logistic", "cnn", "transformer"} }

// ByName returns one of the four problems. Data that cannot be had is an error that wraps [data.ErrUnavailable].
func ByName(ctx context.Context, name string) (*Problem, error) {
	switch name {
	case "quadratic":
		return Quadratic(8, 8, 1000)
	case "logistic":
		return Logistic()
	case "cnn":
		return CNN(ctx, 4000, 400)
	case "transformer":
		return Transformer(400_000)
	}
	return nil, fmt.Errorf("race: ByName: name is %q, must be one of %s", name, strings.Join(Names(), ", "))
}

// Quadratic is ½·xᵀHx, with x the distance of a matrix from a fixed one, row by row: the eigenvalues of H fall from 1 to
// 1/condition by equal factors, and its eigenvectors are a random rotation, so that no method gains from the axes. First
// values are standard normal. It is in float64 and divided by the mean of its first values, so that 1 is no progress.
//
// The matrix's path is "block/weights": methods that treat the matrices of a network's blocks treat it so.
func Quadratic(rows, columns int, condition float64) (*Problem, error) {
	if rows < 1 || columns < 1 || !(condition >= 1) || math.IsInf(condition, 0) {
		return nil, fmt.Errorf("race: Quadratic: the matrix is %d×%d and condition is %g, must be at least 1×1, and finite and at least 1", rows, columns, condition)
	}
	n := rows * columns
	rng := rand.New(rand.NewPCG(1, uint64(n)))
	gauss := mat.NewDense(n, n, normals(rng, n*n))
	var qr mat.QR
	qr.Factorize(gauss)
	var rotation, curvature mat.Dense
	qr.QTo(&rotation)
	eigenvalues, trace := make([]float64, n), 0.0
	for i := range eigenvalues {
		eigenvalues[i] = math.Pow(condition, -float64(i)/math.Max(1, float64(n-1)))
		trace += eigenvalues[i]
	}
	curvature.Product(&rotation, mat.NewDiagDense(n, eigenvalues), rotation.T())
	value := func(params []*graph.Node, h, target *graph.Node) *graph.Node {
		gap := graph.Reshape(graph.Sub(params[0], graph.BroadcastToDims(graph.InsertAxes(target, 0), params[0].Shape().Dimensions...)), -1, n)
		return graph.MulScalar(graph.Einsum("ki,ki->k", gap, graph.Einsum("ki,ij->kj", gap, h)), 0.5)
	}
	return &Problem{
		Name: "quadratic", Title: fmt.Sprintf("quadratic, condition %g", condition), Loss: "f/f(start)", Steps: 200, Lead: 1,
		Inputs: scan.Vars{
			"curvature": tensors.FromFlatDataAndDimensions(curvature.RawMatrix().Data, n, n),
			"target":    tensors.FromFlatDataAndDimensions(normals(rng, n), rows, columns),
		},
		Start: func(seed uint64) scan.Vars {
			return scan.Vars{"block/weights": tensors.FromFlatDataAndDimensions(normals(rand.New(rand.NewPCG(seed, 2)), n), rows, columns)}
		},
		Data:      func(s *scan.Step) []*graph.Node { return []*graph.Node{s.Input("curvature"), s.Input("target")} },
		Objective: func(params, data []*graph.Node) *graph.Node { return value(params, data[0], data[1]) },
		// The distance of two standard normals has variance 2 a coordinate: f(start) is trace(H) in the mean.
		Compare: func(s *scan.Step, params []*graph.Node) *graph.Node {
			return graph.DivScalar(value(params, s.Input("curvature"), s.Input("target")), trace)
		},
	}, nil
}

func normals(rng *rand.Rand, n int) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = rng.NormFloat64()
	}
	return out
}

// l2 makes the logistic regression's optimum finite.
const l2 = 1e-3

// Logistic is the regression of ten digits on 64 standardized grey values, all 1 797 examples, with ½·0.001 of the
// weights' squares added: smooth and strongly convex, in minibatches of 64. First values are normal of deviation 0.01.
func Logistic() (*Problem, error) {
	digits, err := data.Digits()
	if err != nil {
		return nil, err
	}
	scaling, err := data.FitScaling(digits)
	if err != nil {
		return nil, err
	}
	if digits, err = scaling.Apply(digits); err != nil {
		return nil, err
	}
	features, classes := digits.Shape[0], len(digits.Classes)
	if len(digits.Shape) > 1 {
		features = len(digits.X) / digits.Rows()
	}
	oneHot, err := data.OneHot(digits.Labels, classes)
	if err != nil {
		return nil, err
	}
	// value takes x shaped [runs, batch, features] and y [runs, batch, classes].
	value := func(params []*graph.Node, x, y *graph.Node) *graph.Node {
		biases, weights := params[0], params[1]
		logits := graph.Einsum("kbf,kfc->kbc", x, weights)
		logits = graph.Add(logits, graph.BroadcastToDims(graph.InsertAxes(biases, 1), logits.Shape().Dimensions...))
		entropy := graph.Neg(graph.ReduceSum(graph.Mul(y, graph.LogSoftmax(logits, -1)), -1))
		return graph.Add(graph.ReduceMean(entropy, 1), graph.MulScalar(graph.ReduceSum(graph.Square(weights), 1, 2), l2/2))
	}
	return &Problem{
		Name: "logistic", Title: "logistic regression, digits", Loss: "training loss", Steps: 200, Lead: 1,
		Inputs: scan.Vars{
			"x": tensors.FromFlatDataAndDimensions(digits.X, digits.Rows(), features),
			"y": tensors.FromFlatDataAndDimensions(oneHot, digits.Rows(), classes),
		},
		Start: func(seed uint64) scan.Vars {
			rng := rand.New(rand.NewPCG(seed, 3))
			weights := make([]float32, features*classes)
			for i := range weights {
				weights[i] = float32(0.01 * rng.NormFloat64())
			}
			return scan.Vars{
				"biases":  tensors.FromFlatDataAndDimensions(make([]float32, classes), classes),
				"weights": tensors.FromFlatDataAndDimensions(weights, features, classes),
			}
		},
		Data:      func(s *scan.Step) []*graph.Node { return s.BatchEach(64, "x", "y") },
		Objective: func(params, data []*graph.Node) *graph.Node { return value(params, data[0], data[1]) },
		Compare: func(s *scan.Step, params []*graph.Node) *graph.Node {
			all := func(name string) *graph.Node {
				v := s.Input(name)
				return graph.BroadcastToDims(graph.InsertAxes(v, 0), append([]int{params[0].Shape().Dim(0)}, v.Shape().Dimensions...)...)
			}
			return value(params, all("x"), all("y"))
		},
	}, nil
}

// CNN is [nets.SmallCNN] with ReLU on the first train pictures of Fashion-MNIST, in minibatches of 32, compared by the loss
// of the first held of its test part.
func CNN(ctx context.Context, train, held int) (*Problem, error) {
	part := func(which data.Part, n int) (*data.Dataset, error) {
		d, err := data.FashionMNIST(ctx, which, data.Options{})
		if err == nil {
			d, err = d.First(n)
		}
		if err == nil {
			d, err = d.Normalize(0.2860, 0.3530)
		}
		return d, err
	}
	training, err := part(data.Train, train)
	if err != nil {
		return nil, err
	}
	test, err := part(data.Test, held)
	if err != nil {
		return nil, err
	}
	model, err := nets.SmallCNN("relu", 28, 28, 1, 10)
	if err != nil {
		return nil, err
	}
	return &Problem{
		Name: "cnn", Title: "CNN, Fashion-MNIST", Loss: "held-out loss", Steps: 80,
		Inputs: scan.Vars{"x": training.Features(), "y": training.LabelTensor(), "held x": test.Features(), "held y": test.LabelTensor()},
		Start:  model.Init,
		Data:   func(s *scan.Step) []*graph.Node { return s.Batch(32, "x", "y") },
		Objective: func(params, data []*graph.Node) *graph.Node {
			return nets.CrossEntropy(model.Apply(params, data[0]), data[1])
		},
		Compare: func(s *scan.Step, params []*graph.Node) *graph.Node {
			return nets.CrossEntropy(model.Apply(params, s.Input("held x")), s.Input("held y"))
		},
	}, nil
}

// Transformer is the network "gpt-tiny" of [nets.GPTSize] on the first so many bytes of the Go library's source, a byte a
// token: 8 windows of 32 bytes a step, compared by the loss in nats a byte on 32 windows spread over the last tenth,
// which it does not train on.
func Transformer(bytes int) (*Problem, error) {
	const batch, held = 8, 32
	source, err := data.GoSource("", bytes)
	if err != nil {
		return nil, err
	}
	text, err := data.NewText(source)
	if err != nil {
		return nil, err
	}
	train, validation, err := text.Split(0.1)
	if err != nil {
		return nil, err
	}
	size, err := nets.GPTSize("gpt-tiny")
	if err != nil {
		return nil, err
	}
	size.Vocab = len(text.Alphabet)
	model, err := nets.GPT(size)
	if err != nil {
		return nil, err
	}
	length := size.Context + 1
	if len(validation.Tokens) < held*length {
		return nil, fmt.Errorf("race: Transformer: bytes is %d, must be at least %d", bytes, held*length*10)
	}
	var windows []int32
	for k := range held {
		from := k * (len(validation.Tokens) - length) / held
		windows = append(windows, validation.Tokens[from:from+length]...)
	}
	return &Problem{
		Name: "transformer", Title: "transformer, Go source", Loss: "held-out loss, nats a byte", Steps: 80,
		Inputs: scan.Vars{
			"text": tensors.FromFlatDataAndDimensions(train.Tokens, len(train.Tokens)),
			"held": tensors.FromFlatDataAndDimensions(windows, held, length),
		},
		Start:     model.Init,
		Data:      func(s *scan.Step) []*graph.Node { return []*graph.Node{nets.Windows(s, "text", batch, length)} },
		Objective: func(params, data []*graph.Node) *graph.Node { return nets.NextToken(model, params, data[0]) },
		Compare: func(s *scan.Step, params []*graph.Node) *graph.Node {
			return nets.NextToken(model, params, s.Input("held"))
		},
	}, nil
}
