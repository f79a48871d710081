package oco

import (
	"errors"
	"math"
	"strings"
	"testing"

	"gonum.org/v1/gonum/diff/fd"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

func TestLogisticDerivatives(t *testing.T) {
	l, err := NewLogistic(50, 4, 3)
	if err != nil {
		t.Fatal(err)
	}
	w := []float64{0.3, -1, 0.5, 2}
	grad, hess := mat.NewVecDense(4, nil), mat.NewSymDense(4, nil)
	if got, want := l.derivatives(w, grad, hess), l.value(w); math.Abs(got-want) > 1e-12 {
		t.Errorf("value %g, want %g", got, want)
	}
	central := &fd.Settings{Formula: fd.Central}
	want := fd.Gradient(nil, l.value, w, central)
	if !floats.EqualApprox(grad.RawVector().Data, want, 1e-6) {
		t.Errorf("gradient %v, finite differences give %v", grad.RawVector().Data, want)
	}
	wantHess := mat.NewSymDense(4, nil)
	fd.Hessian(wantHess, l.value, w, nil)
	if !mat.EqualApprox(hess, wantHess, 1e-3) {
		t.Errorf("Hessian %v, finite differences give %v", mat.Formatted(hess), mat.Formatted(wantHess))
	}
}

func TestLogisticMinimizer(t *testing.T) {
	l, err := NewLogistic(2000, 10, 1)
	if err != nil {
		t.Fatal(err)
	}
	w, err := l.Minimizer()
	if err != nil {
		t.Fatal(err)
	}
	grad, hess := mat.NewVecDense(10, nil), mat.NewSymDense(10, nil)
	best := l.derivatives(w, grad, hess)
	if n := mat.Norm(grad, 2); n > 1e-6 {
		t.Errorf("gradient norm at the minimizer is %g", n)
	}
	losses, err := l.Losses(w)
	if err != nil || math.Abs(floats.Sum(losses)-best) > 1e-8 {
		t.Errorf("losses sum to %g (%v), want %g", floats.Sum(losses), err, best)
	}
	// Convex: every other point is worse.
	for i := range w {
		moved := append([]float64(nil), w...)
		moved[i] += 0.1
		if l.value(moved) <= best {
			t.Errorf("moving coordinate %d lowers the loss", i)
		}
	}
}

func TestLogisticSeparable(t *testing.T) {
	l := &Logistic{A: mat.NewDense(2, 1, []float64{1, -1}), Y: []float64{1, -1}}
	if w, err := l.Minimizer(); !errors.Is(err, ErrNoMinimizer) {
		t.Errorf("separable labels: minimizer %v, error %v; want ErrNoMinimizer", w, err)
	}
}

func TestLogisticSameSeedSameStream(t *testing.T) {
	a, _ := NewLogistic(20, 3, 7)
	b, _ := NewLogistic(20, 3, 7)
	c, _ := NewLogistic(20, 3, 8)
	if !mat.Equal(a.A, b.A) || !floats.Equal(a.Y, b.Y) {
		t.Error("the same seed gave two streams")
	}
	if mat.Equal(a.A, c.A) {
		t.Error("another seed gave the same stream")
	}
}

func TestLogisticBadArguments(t *testing.T) {
	_, err := NewLogistic(0, -1, 1)
	if err == nil || !strings.Contains(err.Error(), "rounds is 0") || !strings.Contains(err.Error(), "dim is -1") {
		t.Errorf("error %v must name both arguments", err)
	}
	l, _ := NewLogistic(3, 2, 1)
	if _, err := l.Losses([]float64{1}); err == nil || !strings.Contains(err.Error(), "w has 1") {
		t.Errorf("error %v must name w", err)
	}
}
