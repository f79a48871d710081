package data

import (
	"math"
	"slices"
	"testing"
)

func TestSplitMix64(t *testing.T) {
	rng := NewSplitMix64(1)
	for i, want := range []float64{0.5665615751722809, 0.7457817572627011, 0.9710027535867962} {
		if got := rng.Float64(); got != want {
			t.Errorf("draw %d of seed 1 is %v, want %v", i, got, want)
		}
	}
}

func TestZM512(t *testing.T) {
	s := ZM512()
	if got, want := s.successors[:8], []int32{7, 0, 260, 29, 11, 2, 13, 4}; !slices.Equal(got, want) {
		t.Errorf("successors of tokens 0 and 1 are %v, want %v", got, want)
	}
	train, err := s.Training(0, 0, 1)
	if want := []int32{2, 0, 260, 0, 7, 9, 328, 5, 5, 55, 0, 0}; err != nil || !slices.Equal(train[:12], want) {
		t.Errorf("first training sequence %v (%v), want %v …", train, err, want)
	}
	if got, want := s.Validation()[:8], []int32{0, 0, 7, 79, 406, 30, 22, 375}; !slices.Equal(got, want) {
		t.Errorf("first validation sequence starts %v, want %v", got, want)
	}
}

func TestPAIR16(t *testing.T) {
	s := PAIR16()
	if got, want := s.successors[:16], []int32{1, 0, 11, 3, 2, 0, 2, 1, 0, 1, 0, 13, 12, 10, 9, 3}; !slices.Equal(got, want) {
		t.Errorf("succ[0] is %v, want %v", got, want)
	}
	if got := s.successors[3*16+5]; got != 0 {
		t.Errorf("succ[3][5] is %d, want 0", got)
	}
	for k, want := range []float64{0.295794, 0.443691, 0.542289, 0.616238} {
		if math.Abs(s.cumulative[k]-want) > 5e-7 {
			t.Errorf("c_%d is %.6f, want %.6f", k, s.cumulative[k], want)
		}
	}
	if got, want := s.Validation()[:12], []int32{0, 0, 1, 0, 10, 0, 0, 1, 0, 10, 0, 1}; !slices.Equal(got, want) {
		t.Errorf("first validation sequence starts %v, want %v", got, want)
	}
}

// The stated Bayes losses are those of the true conditional probabilities on the validation sequences.
func TestBayesLoss(t *testing.T) {
	for _, s := range []*TokenSource{ZM512(), PAIR16()} {
		tokens := s.Validation()
		var sum float64
		n := 0
		for i := 0; i < len(tokens); i += SequenceLength {
			for j := 1; j < SequenceLength; j++ {
				sum -= math.Log(s.probability(tokens[i:i+j], tokens[i+j]))
				n++
			}
		}
		if got := sum / float64(n); math.Abs(got-s.Bayes) > 1e-4 {
			t.Errorf("%s: Bayes loss %.4f, want %.4f", s.Name, got, s.Bayes)
		}
	}
}

// probability of a token after its past, by the definition of each source.
func (s *TokenSource) probability(past []int32, token int32) float64 {
	q := s.cumulative[token]
	if token > 0 {
		q -= s.cumulative[token-1]
	}
	t := len(past)
	if s.Name == "PAIR16" {
		if t < 2 {
			return q
		}
		p := 0.1 * q
		if s.successors[int(past[t-2])*16+int(past[t-1])] == token {
			p += 0.9
		}
		return p
	}
	if t == 0 {
		return q
	}
	var p float64
	for r, w := range []float64{0.5, 0.25, 0.15, 0.10} {
		if s.successors[int(past[t-1])*4+r] == token {
			p += 0.6 * w
		}
	}
	if t < 4 {
		return p + 0.4*q
	}
	p += 0.2 * q
	if past[t-4] == token {
		p += 0.2
	}
	return p
}

func TestTrainingStream(t *testing.T) {
	s := PAIR16()
	all, _ := s.Training(3, 0, 5)
	later, _ := s.Training(3, 3, 2)
	if !slices.Equal(all[3*SequenceLength:], later) {
		t.Error("sequences 3 and 4 differ when they are asked for alone")
	}
	if _, err := s.Training(0, -1, 1); err == nil {
		t.Error("first -1 gave no error")
	}
}
