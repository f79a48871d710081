package dynamics

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"
	"gonum.org/v1/gonum/mat"

	"github.com/hindsight-go/hindsight/lib/scan"
)

// netWorker has the lanes of one program call after another.
type netWorker struct {
	*NetTrainer
	lanes       []*netLane // nil where there is no run
	state       scan.Vars  // weights [lanes, …] and "bad"
	fixed       scan.Vars  // inputs that no chunk changes
	train, test netPoints
	f0          []float64 // of the training points, lane by lane
	looked      int       // block of the training set where the last look ended
}

// netLane is a run under way.
type netLane struct {
	index  int // of its phase
	phase  Phase
	draws  *batches
	start  Weights
	f0Test []float64
	steps  int
}

// netPoints are a data set in blocks of equally many rows; the last one may repeat its last row.
type netPoints struct {
	blocks []*tensors.Tensor
	block  int
	y      []float64
}

func (t *NetTrainer) newPoints(d SignedData) netPoints {
	if d.X == nil {
		return netPoints{}
	}
	p := netPoints{block: min(len(d.Y), evaluationBlock), y: d.Y}
	for from := 0; from < len(d.Y); from += p.block {
		x := mat.NewDense(p.block, t.inputs, nil)
		for i := range p.block {
			x.SetRow(i, d.X.RawRowView(min(from+i, len(d.Y)-1)))
		}
		p.blocks = append(p.blocks, t.tensor(x.RawMatrix().Data, p.block, t.inputs))
	}
	return p
}

// size of a block without what it repeats.
func (p netPoints) size(block int) int { return min(p.block, len(p.y)-block*p.block) }

// tensor of the trainer's dtype.
func (t *NetTrainer) tensor(flat []float64, dims ...int) *tensors.Tensor {
	if t.dtype == dtypes.Float64 {
		return tensors.FromFlatDataAndDimensions(flat, dims...)
	}
	narrow := make([]float32, len(flat))
	for i, v := range flat {
		narrow[i] = float32(v)
	}
	return tensors.FromFlatDataAndDimensions(narrow, dims...)
}

// flatValues are a tensor's values.
func flatValues(t *tensors.Tensor) ([]float64, error) {
	if t.DType() == dtypes.Float64 {
		return tensors.CopyFlatData[float64](t)
	}
	narrow, err := tensors.CopyFlatData[float32](t)
	wide := make([]float64, len(narrow))
	for i, v := range narrow {
		wide[i] = float64(v)
	}
	return wide, err
}

func (t *NetTrainer) newWorker() *netWorker {
	points, lanes := len(t.fit.Train.Y), t.fit.Lanes
	w := &netWorker{NetTrainer: t, lanes: make([]*netLane, lanes), state: scan.Vars{}, f0: make([]float64, lanes*points)}
	w.train, w.test = t.newPoints(t.fit.Train), t.newPoints(t.fit.Test)
	for l, dims := range t.fit.Net.shapes(t.inputs) {
		w.state[weightName(l)] = t.tensor(make([]float64, lanes*product(dims)), append([]int{lanes}, dims...)...)
	}
	w.clearBad()
	offset := make([]int32, lanes)
	for r := range offset {
		offset[r] = int32(r * points)
	}
	w.fixed = scan.Vars{
		"x":      t.tensor(mat.DenseCopyOf(t.fit.Train.X).RawMatrix().Data, points, t.inputs),
		"y":      t.tensor(t.fit.Train.Y, points),
		"offset": tensors.FromFlatDataAndDimensions(offset, lanes, 1),
	}
	w.fixLanes()
	return w
}

func (w *netWorker) clearBad() {
	w.state["bad"] = tensors.FromFlatDataAndDimensions(make([]int32, len(w.lanes)), len(w.lanes))
}

// fixLanes sets the inputs that change when a lane's run does.
func (w *netWorker) fixLanes() {
	rate, kappa := make([]float64, len(w.lanes)), make([]float64, len(w.lanes))
	for r, lane := range w.lanes {
		if lane != nil {
			// η/B = T.
			rate[r], kappa[r] = lane.phase.Temperature, float64(MarginOf(lane.phase.Alpha))
		}
	}
	w.fixed["rate"], w.fixed["kappa"] = w.tensor(rate, len(rate), 1), w.tensor(kappa, len(kappa), 1)
	w.fixed["f0"] = w.tensor(w.f0, len(w.f0))
}

// steps that a lane takes in the next chunk.
func (w *netWorker) chunk(lane *netLane) int {
	if lane == nil {
		return 0
	}
	return min(w.every, w.fit.SGD.MaxSteps-lane.steps)
}

// chunkInputs are the inputs of the next chunk, its batches among them.
func (w *netWorker) chunkInputs() scan.Vars {
	in := maps.Clone(w.fixed)
	lanes, batch := len(w.lanes), w.fit.SGD.Batch
	left, at := make([]int32, lanes), make([]int32, w.every*lanes*batch)
	for r, lane := range w.lanes {
		left[r] = int32(w.chunk(lane))
		for k := range w.chunk(lane) {
			copy(at[(k*lanes+r)*batch:], lane.draws.next(batch))
		}
	}
	in["left"] = tensors.FromFlatDataAndDimensions(left, lanes, 1)
	in["batch"] = tensors.FromFlatDataAndDimensions(at, w.every, lanes, batch)
	return in
}

// run works off phases, most at a time, until there is none left to take.
func (w *netWorker) run(ctx context.Context, phases []Phase, most int, take func() int, finish func(int, NetRun)) error {
	for {
		busy, err := w.fill(phases, most, take)
		if err != nil || !busy {
			return err
		}
		result, err := w.program.Run(ctx, w.state, w.chunkInputs(), w.every, 0)
		if err != nil {
			return fmt.Errorf("dynamics: NetTrainer: %w", err)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		w.state = result.State
		bad, err := tensors.CopyFlatData[int32](w.state["bad"])
		if err != nil {
			return fmt.Errorf("dynamics: NetTrainer: %w", err)
		}
		ends := make([]*End, len(w.lanes))
		for r, lane := range w.lanes {
			if lane == nil {
				continue
			}
			taken := w.chunk(lane)
			if bad[r] > 0 {
				// A lane that stands still after its last step sees what that one left.
				ends[r] = &End{Diverged, lane.steps + min(int(bad[r]), taken)}
			}
			lane.steps += taken
		}
		if err := w.look(ends); err != nil {
			return err
		}
		if err := w.end(ends, finish); err != nil {
			return err
		}
	}
}

// fill gives idle lanes runs, and says whether any lane has one.
func (w *netWorker) fill(phases []Phase, most int, take func() int) (busy bool, err error) {
	var fresh []int
	for r := range min(most, len(w.lanes)) {
		if w.lanes[r] == nil {
			i := take()
			if i >= len(phases) {
				continue
			}
			start, err := w.fit.Net.Start(w.inputs, phases[i].Seed)
			if err != nil {
				return false, err
			}
			w.lanes[r] = &netLane{index: i, phase: phases[i], start: start, draws: newBatches(len(w.train.y), phases[i].Seed)}
			fresh = append(fresh, r)
		}
		busy = true
	}
	return busy, w.begin(fresh)
}

// begin puts the first weights of new runs into their lanes.
func (w *netWorker) begin(fresh []int) error {
	if len(fresh) == 0 {
		return nil
	}
	for l := range w.fit.Net.HiddenLayers + 1 {
		t := w.state[weightName(l)]
		flat, err := flatValues(t)
		if err != nil {
			return fmt.Errorf("dynamics: NetTrainer: %w", err)
		}
		n := len(flat) / len(w.lanes)
		for _, r := range fresh {
			copy(flat[r*n:], w.lanes[r].start[l])
		}
		w.state[weightName(l)] = w.tensor(flat, t.Shape().Dimensions...)
	}
	w.clearBad()
	f0, err := w.outputsOf(w.train)
	if err != nil {
		return err
	}
	f0Test, err := w.outputsOf(w.test)
	if err != nil {
		return err
	}
	for _, r := range fresh {
		copy(w.f0[r*len(w.train.y):], f0[r])
		w.lanes[r].f0Test = f0Test[r]
	}
	w.fixLanes()
	return nil
}

// outputsAt are f of each lane at a block of points.
func (w *netWorker) outputsAt(p netPoints, block int) ([][]float64, error) {
	var args []any
	for l := range w.fit.Net.HiddenLayers + 1 {
		args = append(args, w.state[weightName(l)])
	}
	out, err := w.outputs.Call1(append(args, p.blocks[block])...)
	if err != nil {
		return nil, fmt.Errorf("dynamics: NetTrainer: %w", err)
	}
	flat, err := flatValues(out)
	if err != nil {
		return nil, fmt.Errorf("dynamics: NetTrainer: %w", err)
	}
	rows := make([][]float64, len(w.lanes))
	for r := range rows {
		rows[r] = flat[r*p.block:][:p.size(block)]
	}
	return rows, nil
}

// outputsOf are f of each lane at all points.
func (w *netWorker) outputsOf(p netPoints) ([][]float64, error) {
	rows := make([][]float64, len(w.lanes))
	for block := range p.blocks {
		part, err := w.outputsAt(p, block)
		if err != nil {
			return nil, err
		}
		for r := range rows {
			rows[r] = append(rows[r], part[r]...)
		}
	}
	return rows, nil
}

// look finds the runs that end here: at the first block where it can, as long as there is a run that may have fitted all.
func (w *netWorker) look(ends []*End) error {
	open := 0
	fits := make([]bool, len(w.lanes))
	for r, lane := range w.lanes {
		if fits[r] = lane != nil && ends[r] == nil && lane.steps%w.every == 0; fits[r] {
			open++
		}
	}
	for k := 0; k < len(w.train.blocks) && open > 0; k++ {
		block := (w.looked + k) % len(w.train.blocks)
		f, err := w.outputsAt(w.train, block)
		if err != nil {
			return err
		}
		for r, lane := range w.lanes {
			if fits[r] && !w.fitsBlock(r, block, f[r]) {
				fits[r] = false
				if open--; open == 0 {
					w.looked = block
				}
				if i := slices.IndexFunc(f[r], func(v float64) bool { return math.IsNaN(v - v) }); i >= 0 {
					ends[r] = &End{Diverged, lane.steps}
				}
			}
		}
	}
	for r, lane := range w.lanes {
		switch {
		case lane == nil || ends[r] != nil:
		case fits[r]:
			ends[r] = &End{Fitted, lane.steps}
		case lane.steps == w.fit.SGD.MaxSteps:
			ends[r] = &End{StepLimit, lane.steps}
		}
	}
	return nil
}

// fitsBlock says whether all points of a block have their margin: NaN has none.
func (w *netWorker) fitsBlock(r, block int, f []float64) bool {
	kappa := float64(MarginOf(w.lanes[r].phase.Alpha))
	for i, v := range f {
		at := block*w.train.block + i
		if m := w.train.y[at] * (v - w.f0[r*len(w.train.y)+at]); !(m >= kappa) || math.IsInf(m, 0) {
			return false
		}
	}
	return true
}

// end measures the runs that ended and frees their lanes.
func (w *netWorker) end(ends []*End, finish func(int, NetRun)) error {
	if !slices.ContainsFunc(ends, func(e *End) bool { return e != nil }) {
		return nil
	}
	var train [][]float64
	if w.fit.Keep {
		var err error
		if train, err = w.outputsOf(w.train); err != nil {
			return err
		}
	}
	test, err := w.outputsOf(w.test)
	if err != nil {
		return err
	}
	layers := make([][]float64, w.fit.Net.HiddenLayers+1)
	for l := range layers {
		if layers[l], err = flatValues(w.state[weightName(l)]); err != nil {
			return fmt.Errorf("dynamics: NetTrainer: %w", err)
		}
	}
	for r, lane := range w.lanes {
		if ends[r] == nil {
			continue
		}
		run := NetRun{Phase: lane.phase, Stop: Stop{End: *ends[r]}, TestError: math.NaN()}
		var last Weights
		for _, flat := range layers {
			n := len(flat) / len(w.lanes)
			last = append(last, flat[r*n:(r+1)*n])
		}
		if run.Change, err = last.RelativeWeightChange(lane.start); err != nil {
			return err
		}
		if math.IsNaN(run.Change - run.Change) {
			run.How = Diverged
		}
		run.Time = lane.phase.Temperature * float64(w.fit.SGD.Batch) * float64(run.Step)
		test := margins(w.test.y, test[r], lane.f0Test)
		if run.How != Diverged {
			run.TestError = wrong(test)
		}
		if w.fit.Keep {
			run.Weights, run.TestMargins = slices.Clone(last), test
			run.TrainMargins = margins(w.train.y, train[r], w.f0[r*len(w.train.y):])
			for l := range last {
				run.Weights[l] = slices.Clone(last[l])
			}
		}
		finish(lane.index, run)
		w.lanes[r] = nil
	}
	w.fixLanes()
	return nil
}

// margins are y·(f − f0).
func margins(y, f, f0 []float64) []float64 {
	out := make([]float64, len(y))
	for i := range y {
		out[i] = y[i] * (f[i] - f0[i])
	}
	return out
}

// wrong is the part of margins that are not positive; NaN of none.
func wrong(margins []float64) float64 {
	n := 0
	for _, m := range margins {
		if !(m > 0) {
			n++
		}
	}
	return float64(n) / float64(len(margins))
}
