package bandit

import (
	"errors"
	"fmt"
	"math"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// LinUCB is linear regression with a confidence bonus, each arm with weights of its own. It plays the arm of least
// θ_a·x_a − ν·√(x_aᵀA_a⁻¹x_a), where A_a = λI + Σ xxᵀ over the rounds of arm a and θ_a = A_a⁻¹ Σ x·loss.
//
// Source: Li, Chu, Langford, Schapire (2010), A Contextual-Bandit Approach to Personalized News Article Recommendation,
// algorithm 1 (disjoint), with losses for rewards.
type LinUCB struct {
	Arms     int     // K, at least 2
	Features int     // d, of a context row, at least 1
	Shared   bool    // contexts are one row that all arms share, not a row an arm
	Ridge    float64 // λ, positive; 0: 1
	Nu       float64 // ν, the bonus's weight, positive; 0: 1
}

// LinUCBLearner is a LinUCB at work.
type LinUCBLearner struct {
	LinUCB
	inverse []*mat.SymDense // A_a⁻¹
	sums    []*mat.VecDense // Σ x·loss
	scores  []float64
	p       []float64
	ax      *mat.VecDense
	x       *mat.VecDense // of the arm chosen
	arm     int           // −1: none
}

var _ ContextualLearner = (*LinUCBLearner)(nil)

// New makes a learner. It draws nothing, so needs no seed.
func (l LinUCB) New() (*LinUCBLearner, error) {
	if l.Ridge == 0 {
		l.Ridge = 1
	}
	if l.Nu == 0 {
		l.Nu = 1
	}
	var errs []error
	if l.Arms < 2 {
		errs = append(errs, fmt.Errorf("bandit: LinUCB.New: Arms is %d, must be at least 2", l.Arms))
	}
	if l.Features < 1 {
		errs = append(errs, fmt.Errorf("bandit: LinUCB.New: Features is %d, must be at least 1", l.Features))
	}
	for name, v := range map[string]float64{"Ridge": l.Ridge, "Nu": l.Nu} {
		if !(v > 0) || math.IsInf(v, 0) {
			errs = append(errs, fmt.Errorf("bandit: LinUCB.New: %s is %g, must be positive and finite", name, v))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	out := &LinUCBLearner{LinUCB: l, scores: make([]float64, l.Arms), p: make([]float64, l.Arms), ax: mat.NewVecDense(l.Features, nil), x: mat.NewVecDense(l.Features, nil), arm: -1}
	for range l.Arms {
		a := mat.NewSymDense(l.Features, nil)
		for i := range l.Features {
			a.SetSym(i, i, 1/l.Ridge)
		}
		out.inverse, out.sums = append(out.inverse, a), append(out.sums, mat.NewVecDense(l.Features, nil))
	}
	return out, nil
}

func (l *LinUCBLearner) shape() shape {
	if l.Shared {
		return shape{1, l.Features}
	}
	return shape{l.Arms, l.Features}
}

// Act plays the arm of least lower confidence bound on its loss.
func (l *LinUCBLearner) Act(contexts [][]float64) (Choice, error) {
	if err := l.shape().check("LinUCB.Act", contexts); err != nil {
		return Choice{}, err
	}
	for a := range l.scores {
		x := mat.NewVecDense(l.Features, contexts[min(a, len(contexts)-1)])
		l.ax.MulVec(l.inverse[a], x)
		l.scores[a] = mat.Dot(l.ax, l.sums[a]) - l.Nu*math.Sqrt(max(0, mat.Dot(l.ax, x)))
	}
	l.arm = floats.MinIdx(l.scores)
	l.x.CopyVec(mat.NewVecDense(l.Features, contexts[min(l.arm, len(contexts)-1)]))
	one(l.p, l.arm)
	return Choice{l.arm, l.p}, nil
}

// Learn takes the loss of the arm that Act chose.
func (l *LinUCBLearner) Learn(loss float64) error {
	if err := checkLoss("LinUCB.Learn", loss); err != nil {
		return err
	}
	if l.arm < 0 {
		return errors.New("bandit: LinUCB.Learn: no arm was chosen, must follow Act")
	}
	inverse := l.inverse[l.arm]
	l.ax.MulVec(inverse, l.x)
	inverse.SymRankOne(inverse, -1/(1+mat.Dot(l.ax, l.x)), l.ax) // Sherman and Morrison
	l.sums[l.arm].AddScaledVec(l.sums[l.arm], loss, l.x)
	l.arm = -1
	return nil
}
