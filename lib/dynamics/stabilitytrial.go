package dynamics

import (
	"context"
	"fmt"
	"runtime"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
	"gonum.org/v1/gonum/mat"

	"github.com/hindsight-go/hindsight/lib/online"
)

// StabilityTrial is one run on its way to where it ends, with points that the net is tested on.
type StabilityTrial struct {
	SGD   SquareLossSGD
	Net   ScalarNet // changed by the run
	X     *mat.Dense
	Y     []float64
	TestX *mat.Dense // nil: no test
	TestY []float64
}

// StabilityOutcome is where a trial ended. Of a run that diverged nothing is measured.
type StabilityOutcome struct {
	Run       SquareLossRun
	Sharpness SharpnessReport
	TestLoss  float64 // half the mean square error at the test's points
}

// RunStabilityTrials runs trials, as many at once as there are processors, and returns their outcomes in order. No two may
// share a net. progress, if not nil, is told how many of them are done; it may be called by several goroutines at once. The
// first error ends all.
func RunStabilityTrials(ctx context.Context, trials []StabilityTrial, progress func(done, total int)) ([]StabilityOutcome, error) {
	out := make([]StabilityOutcome, len(trials))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	var done atomic.Int64
	for i, trial := range trials {
		group.Go(func() (err error) {
			if out[i], err = trial.run(ctx); err != nil {
				return fmt.Errorf("trial %d: %w", i, err)
			}
			if progress != nil {
				progress(int(done.Add(1)), len(trials))
			}
			return nil
		})
	}
	return out, group.Wait()
}

func (t StabilityTrial) run(ctx context.Context) (out StabilityOutcome, err error) {
	if t.TestX != nil {
		if err := validExamples("StabilityTrial: TestX", t.Net, t.TestX, t.TestY); err != nil {
			return out, err
		}
	}
	if out.Run, err = t.SGD.Run(ctx, t.Net, t.X, t.Y); err != nil || out.Run.How == Diverged {
		return out, err
	}
	if out.Sharpness, err = SharpnessOf(t.Net, t.X, t.Y); err != nil {
		return out, err
	}
	out.Sharpness.Step = out.Run.Step
	if t.TestX != nil {
		out.TestLoss, err = SquareLoss(t.Net, t.TestX, t.TestY)
	}
	return out, err
}

// SparseLinearProblem is the paper's for [DiagonalLinearNet]: to learn the sum of the first few of d inputs from n points of
// [SparseLinear].
type SparseLinearProblem struct {
	N, D     int
	Nonzeros int // default 3
	Test     int // points; default 2000
	// Balance of the first weights, which then are those of [UnbalancedDiagonalLinearNet] with variance 0.1; 0: those of
	// [NormalDiagonalLinearNet].
	Balance float64
}

// Trial draws points and first weights from a seed. Trials of one seed have both in common.
func (p SparseLinearProblem) Trial(seed uint64, sgd SquareLossSGD) (t StabilityTrial, err error) {
	if p.Nonzeros == 0 {
		p.Nonzeros = min(3, p.D)
	}
	t.SGD = sgd
	if t.X, t.Y, err = SparseLinear(p.N, p.D, p.Nonzeros, online.Seeded(seed, "points of a sparse function")); err != nil {
		return t, err
	}
	if t.TestX, t.TestY, err = SparseLinear(defaultTest(p.Test), p.D, p.Nonzeros, online.Seeded(seed, "test of a sparse function")); err != nil {
		return t, err
	}
	rng := online.Seeded(seed, "weights of a diagonal net")
	if p.Balance == 0 {
		t.Net, err = NormalDiagonalLinearNet(p.D, rng)
	} else {
		t.Net, err = UnbalancedDiagonalLinearNet(p.D, 0.1, p.Balance, rng)
	}
	return t, err
}

// ReLUTeacherProblem is the paper's for [TwoLayerReLU]: to learn a [ReLUTeacher] of K neurons from n points on the sphere,
// with M neurons.
type ReLUTeacherProblem struct {
	N, D, M, K int
	Test       int // points; default 2000
}

// Trial draws teacher, points and first weights from a seed. Trials of one seed have them in common.
func (p ReLUTeacherProblem) Trial(seed uint64, sgd SquareLossSGD) (t StabilityTrial, err error) {
	teacher, err := ReLUTeacher(p.D, p.K, online.Seeded(seed, "teacher"))
	if err != nil {
		return t, err
	}
	t.SGD = sgd
	if t.X, t.Y, err = taught(teacher, p.N, p.D, seed, "points on the sphere"); err != nil {
		return t, err
	}
	if t.TestX, t.TestY, err = taught(teacher, defaultTest(p.Test), p.D, seed, "test on the sphere"); err != nil {
		return t, err
	}
	t.Net, err = NormalTwoLayerReLU(p.D, p.M, online.Seeded(seed, "weights of a ReLU net"))
	return t, err
}

func taught(teacher TwoLayerReLU, n, d int, seed uint64, purpose string) (*mat.Dense, []float64, error) {
	x, err := SphereInputs(n, d, online.Seeded(seed, purpose))
	if err != nil {
		return nil, nil, err
	}
	scratch, y := make([]float64, parameters(teacher)), make([]float64, n)
	for i := range y {
		y[i] = teacher.Gradient(scratch, x.RawRowView(i))
	}
	return x, y, nil
}

func defaultTest(points int) int {
	if points == 0 {
		return 2000
	}
	return points
}
