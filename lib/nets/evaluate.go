package nets

import (
	"errors"
	"fmt"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/hindsight-go/hindsight/lib/data"
	"github.com/hindsight-go/hindsight/lib/scan"
)

// Evaluator measures a classifier on a whole data set.
type Evaluator struct {
	model Model
	exec  *graph.Exec
	x, y  *tensors.Tensor
}

// NewEvaluator prepares a model and labelled examples.
func NewEvaluator(b compute.Backend, model Model, set *data.Dataset) (*Evaluator, error) {
	if model.Apply == nil {
		return nil, errors.New("nets: NewEvaluator: the model is empty")
	}
	if set == nil || set.Rows() == 0 || set.Labels == nil {
		return nil, errors.New("nets: NewEvaluator: the data set must hold labelled examples")
	}
	e, err := graph.NewExec(b, func(nodes []*graph.Node) []*graph.Node {
		n := len(model.Params)
		logits := model.Apply(nodes[:n], nodes[n])
		return []*graph.Node{CrossEntropy(logits, nodes[n+1]), Correct(logits, nodes[n+1])}
	})
	return &Evaluator{model, e, set.Features(), set.LabelTensor()}, err
}

// Measure returns the mean loss, in nats, and the accuracy, in [0, 1].
func (e *Evaluator) Measure(params scan.Vars) (loss, accuracy float64, err error) {
	args := make([]any, 0, len(e.model.Params)+2)
	for _, p := range e.model.Params {
		if params[p.Path] == nil {
			return 0, 0, fmt.Errorf("nets: Measure: parameter %q is missing", p.Path)
		}
		args = append(args, params[p.Path])
	}
	out, err := e.exec.Call(append(args, e.x, e.y)...)
	if err != nil {
		return 0, 0, fmt.Errorf("nets: Measure: %w", err)
	}
	return float64(out[0].Value().(float32)), float64(out[1].Value().(int32)) / float64(e.y.Shape().Dim(0)), nil
}
