package oco

import (
	"fmt"
	"slices"

	"gonum.org/v1/gonum/floats"

	"github.com/hindsight-go/hindsight/lib/online"
)

// Path is a sequence of points c_1, c_2, …; after the last it begins again, so that one point is a constant path and two
// alternate.
type Path [][]float64

// at is c_t.
func (p Path) at(round int) []float64 { return p[(round-1)%len(p)] }

// AlternatingPath goes from center − swing to center + swing and back: c_t = center + (−1)^t·swing.
func AlternatingPath(center, swing []float64) (Path, error) {
	if len(center) == 0 || len(center) != len(swing) {
		return nil, fmt.Errorf("oco: AlternatingPath: center has %d entries and swing %d, must have equally many, at least one", len(center), len(swing))
	}
	low, high := make([]float64, len(center)), make([]float64, len(center))
	floats.SubTo(low, center, swing)
	floats.AddTo(high, center, swing)
	return Path{low, high}, nil
}

// DriftingPath goes straight from one point to another in a number of rounds.
func DriftingPath(from, to []float64, rounds int) (Path, error) {
	if len(from) == 0 || len(from) != len(to) || rounds < 2 {
		return nil, fmt.Errorf("oco: DriftingPath: from has %d entries, to has %d and there are %d rounds, must be equally many, at least one, and at least 2 rounds", len(from), len(to), rounds)
	}
	p := make(Path, rounds)
	for t := range p {
		share := float64(t) / float64(rounds-1)
		p[t] = make([]float64, len(from))
		floats.AddScaledTo(p[t], p[t], 1-share, from)
		floats.AddScaled(p[t], share, to)
	}
	return p, nil
}

// BlockPath stays at each point for an equal share of the rounds; where they do not divide, the last stays longer.
func BlockPath(points [][]float64, rounds int) (Path, error) {
	if len(points) == 0 || rounds < len(points) {
		return nil, fmt.Errorf("oco: BlockPath: %d points in %d rounds, must be at least one and a round each", len(points), rounds)
	}
	p := make(Path, rounds)
	for t := range p {
		p[t] = points[min(t/(rounds/len(points)), len(points)-1)]
	}
	return p, nil
}

// CorruptedPath is constant but for count of the rounds, drawn without replacement, in which an adversary puts another point.
func CorruptedPath(point, adversary []float64, rounds, count int, seed uint64) (Path, error) {
	if rounds < 1 || count < 0 || count > rounds {
		return nil, fmt.Errorf("oco: CorruptedPath: %d of %d rounds, must be between 0 and the number of rounds, at least one", count, rounds)
	}
	p := slices.Repeat(Path{point}, rounds)
	for _, t := range online.Seeded(seed, "corrupted rounds").Perm(rounds)[:count] {
		p[t] = adversary
	}
	return p, nil
}

// ShuffledPath is a list of points in random order, without replacement: the random-order model.
func ShuffledPath(points [][]float64, seed uint64) Path {
	p := slices.Clone(points)
	online.Seeded(seed, "order").Shuffle(len(p), func(i, j int) { p[i], p[j] = p[j], p[i] })
	return p
}
