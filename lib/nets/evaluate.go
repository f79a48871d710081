package nets

import (
	"errors"
	"fmt"
	"slices"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/hindsight-go/hindsight/lib/data"
	"github.com/hindsight-go/hindsight/lib/scan"
)

// Evaluator measures a classifier on a whole data set, as it is used after training.
type Evaluator struct {
	model  Model
	exec   *graph.Exec
	rows   int
	pieces []piece
}

// piece is as much of the data set as is evaluated at once: the activations of a large network on all of it would not
// fit in memory.
type piece struct{ x, y *tensors.Tensor }

// pieceRows fit a cache, and go into the usual sizes of test sets: another shape is another compilation.
const pieceRows = 125

// NewEvaluator prepares a model and labelled examples.
func NewEvaluator(b compute.Backend, model Model, set *data.Dataset) (*Evaluator, error) {
	if model.Apply == nil {
		return nil, errors.New("nets: NewEvaluator: the model is empty")
	}
	if set == nil || set.Rows() == 0 || set.Labels == nil {
		return nil, errors.New("nets: NewEvaluator: the data set must hold labelled examples")
	}
	e := &Evaluator{model: model, rows: set.Rows()}
	var shared []*tensors.Tensor
	for from := 0; from < e.rows; from += pieceRows {
		var rows []int
		for r := from; r < min(from+pieceRows, e.rows); r++ {
			rows = append(rows, r)
		}
		part, err := set.Take(rows)
		if err != nil {
			return nil, err
		}
		p := piece{part.Features(), part.LabelTensor()}
		e.pieces, shared = append(e.pieces, p), append(shared, p.x, p.y)
	}
	if err := onDevice(b, shared); err != nil {
		return nil, err
	}
	var err error
	e.exec, err = graph.NewExec(b, func(nodes []*graph.Node) []*graph.Node {
		n, end := len(model.Params), len(nodes)-2
		logits := model.evaluate(nodes[:n], nodes[n:end], nodes[end])
		return []*graph.Node{CrossEntropy(logits, nodes[end+1]), Correct(logits, nodes[end+1])}
	})
	return e, err
}

// Measure returns the mean loss, in nats, and the accuracy, in [0, 1]. The statistics are those of batch normalization
// (see [BatchNorm]), by path; nil for a network without.
func (e *Evaluator) Measure(params, statistics scan.Vars) (loss, accuracy float64, err error) {
	var args []any
	for _, p := range e.model.Params {
		if params[p.Path] == nil {
			return 0, 0, fmt.Errorf("nets: Measure: parameter %q is missing", p.Path)
		}
		args = append(args, params[p.Path])
	}
	given, err := e.model.Norm.in(statistics)
	if err != nil {
		return 0, 0, err
	}
	for _, v := range given {
		args = append(args, v)
	}
	correct := 0
	for _, part := range e.pieces {
		out, err := e.exec.Call(append(slices.Clone(args), part.x, part.y)...)
		if err != nil {
			return 0, 0, fmt.Errorf("nets: Measure: %w", err)
		}
		loss += float64(out[0].Value().(float32)) * float64(part.y.Shape().Dim(0)) / float64(e.rows)
		correct += int(out[1].Value().(int32))
	}
	return loss, float64(correct) / float64(e.rows), nil
}
