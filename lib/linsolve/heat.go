package linsolve

import (
	"errors"
	"fmt"
	"math"
)

// HeatProblem is the heat equation u_t = κ(t)Δu + f on the unit square, with u = 0 on the boundary.
type HeatProblem struct {
	NX        int                           // intervals along a side, at least 2; (NX−1)² unknowns
	Step      float64                       // of time, positive
	Diffusion func(t float64) float64       // κ, at least 0
	Forcing   func(t, x, y float64) float64 // f; nil: 0
	Initial   func(x, y float64) float64    // u at t = 0; nil: 0
}

// RotatingSource is the paper's problem: a diffusion max(0.1 sin 2πt, −10 sin 2πt), which is between 0 and 10, a source
// that goes round in a circle eight times in a unit of time, and a bump in the middle to begin with. The paper has
// nx = 25, 50, 100, 200, 400 and a step of 1e-3.
//
// Source: Khodak et al. (2024), scripts/h2d.m.
func RotatingSource(nx int, step float64) HeatProblem {
	return HeatProblem{NX: nx, Step: step,
		Diffusion: func(t float64) float64 {
			s := math.Sin(2 * math.Pi * t)
			return math.Max(0.1*s, -10*s)
		},
		Forcing: func(t, x, y float64) float64 {
			sin, cos := math.Sincos(16 * math.Pi * t)
			return 32 * Bump(x, y, 0.5+cos/4, 0.5+sin/4, 0.125)
		},
		Initial: func(x, y float64) float64 { return Bump(x, y, 0.5, 0.5, 0.25) },
	}
}

// Bump is the smooth bump exp(1 − 1/(1 − d²/r²)) at distance d < r from its centre (cx, cy), 0 elsewhere.
func Bump(x, y, cx, cy, r float64) float64 {
	d := ((x-cx)*(x-cx) + (y-cy)*(y-cy)) / (r * r)
	if d >= 1 {
		return 0
	}
	return math.Exp(1 - 1/(1-d))
}

// Heat2D simulates a [HeatProblem] by the Crank–Nicolson method: each step asks its caller to solve a system.
type Heat2D struct {
	problem HeatProblem
	steps   int
	u, b    []float64
}

// NewHeat2D starts a simulation at t = 0.
func NewHeat2D(p HeatProblem) (*Heat2D, error) {
	var bad []error
	if p.NX < 2 {
		bad = append(bad, fmt.Errorf("linsolve: NewHeat2D: NX is %d, must be at least 2", p.NX))
	}
	if !(p.Step > 0) || math.IsInf(p.Step, 0) {
		bad = append(bad, fmt.Errorf("linsolve: NewHeat2D: Step is %g, must be positive and finite", p.Step))
	}
	if p.Diffusion == nil {
		bad = append(bad, errors.New("linsolve: NewHeat2D: Diffusion is nil, must be a function"))
	}
	if bad != nil {
		return nil, errors.Join(bad...)
	}
	n := (p.NX - 1) * (p.NX - 1)
	h := &Heat2D{problem: p, u: make([]float64, n), b: make([]float64, n)}
	if p.Initial != nil {
		h.each(func(i int, x, y float64) { h.u[i] = p.Initial(x, y) })
	}
	if err := nonFinite("NewHeat2D", "the initial temperature u", h.u); err != nil {
		return nil, err
	}
	return h, nil
}

// each visits the inner points of the grid in row-major order.
func (h *Heat2D) each(f func(i int, x, y float64)) {
	nx := h.problem.NX
	for i := range nx - 1 {
		for j := range nx - 1 {
			f(i*(nx-1)+j, float64(i+1)/float64(nx), float64(j+1)/float64(nx))
		}
	}
}

// Time is t at the start of the next step.
func (h *Heat2D) Time() float64 { return float64(h.steps) * h.problem.Step }

// Diffusion is κ at the start of the next step: what may be known before its system is.
func (h *Heat2D) Diffusion() float64 { return h.problem.Diffusion(h.Time()) }

// U is the temperature at the inner points of the grid, in row-major order; it belongs to the simulation.
func (h *Heat2D) U() []float64 { return h.u }

// System is the system A u = b of the next step, with κ and f at its middle: A = I − ½κ dt Δ and b = (I + ½κ dt Δ)u + dt f,
// Δ the five-point Laplacian. b belongs to the simulation and is good until the next call. A κ that is negative, or numbers
// that are not finite, are errors.
func (h *Heat2D) System() (FivePoint, []float64, error) {
	p := h.problem
	middle := h.Time() + p.Step/2
	kappa := p.Diffusion(middle)
	if !(kappa >= 0) || math.IsInf(kappa, 0) {
		return FivePoint{}, nil, fmt.Errorf("linsolve: Heat2D: Diffusion at t = %g is %g, must be at least 0 and finite", middle, kappa)
	}
	s := kappa * p.Step * float64(p.NX*p.NX) / 2
	side := p.NX - 1
	at := func(i, j int) float64 {
		if i < 0 || i >= side || j < 0 || j >= side {
			return 0
		}
		return h.u[i*side+j]
	}
	for i := range side {
		for j := range side {
			k := i*side + j
			h.b[k] = h.u[k] + s*(at(i-1, j)+at(i+1, j)+at(i, j-1)+at(i, j+1)-4*h.u[k])
		}
	}
	if p.Forcing != nil {
		h.each(func(i int, x, y float64) { h.b[i] += p.Step * p.Forcing(middle, x, y) })
	}
	if err := nonFinite("Heat2D: System", "the right-hand side b", h.b); err != nil {
		return FivePoint{}, nil, err
	}
	return FivePoint{Side: side, Center: 1 + 4*s, Neighbor: -s}, h.b, nil
}

// Advance ends the step with the solution of its system, which is copied.
func (h *Heat2D) Advance(u []float64) error {
	if len(u) != len(h.u) {
		return fmt.Errorf("linsolve: Heat2D: Advance: u has length %d, must be %d", len(u), len(h.u))
	}
	if err := nonFinite("Heat2D: Advance", "u", u); err != nil {
		return err
	}
	copy(h.u, u)
	h.steps++
	return nil
}
