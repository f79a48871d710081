package recovering

import (
	"errors"
	"fmt"
	"math"
	"math/bits"
	"slices"
)

// PeriodSet is the periods up to most that [PlanPeriodic] may use: (2j−1)·2^ℓ with j = 1, …, a and ℓ ≥ 0, rising. With
// a = 1 these are the powers of two; with a = 2^b they are all integers up to 2a, and from a on one is at most 1 + 1/a
// times the one before.
func PeriodSet(a, most int) ([]int, error) {
	var all []error
	if a < 1 {
		all = append(all, fmt.Errorf("recovering: PeriodSet: a is %d, must be at least 1", a))
	}
	if most < 1 {
		all = append(all, fmt.Errorf("recovering: PeriodSet: the largest period is %d, must be at least 1", most))
	}
	if len(all) > 0 {
		return nil, errors.Join(all...)
	}
	return periodSet(a, most), nil
}

func periodSet(a, most int) []int {
	var out []int
	for j := 1; j <= a && 2*j-1 <= most; j++ {
		for d := 2*j - 1; d > 0 && d <= most; d *= 2 { // below 0 where it overflows
			out = append(out, d)
		}
	}
	slices.Sort(out)
	return out
}

// roundUp is the smallest period of the set that is at least x, which the set must have. A period a little below x counts,
// for 1/x of a frequency may be 2.9999999 or 3.0000001.
func roundUp(set []int, x float64) int {
	i, _ := slices.BinarySearchFunc(set, x-1e-9, func(d int, x float64) int {
		if float64(d) < x {
			return -1
		}
		return 1
	})
	return set[i]
}

// odd is the class of a period.
func odd(d int) int { return d >> bits.TrailingZeros(uint(d)) }

// Channels is the number of pulls a period that periods need, 0 standing for an arm that is never pulled: one channel can
// hold arms of one odd part m whose frequencies add up to 1, so it is Σ_m ⌈Σ 1/d_i⌉. That is sufficient, not always
// necessary: the periods 4, 6, 6, 6 fit one pull a period where this asks for two.
func Channels(periods []int) (int, error) {
	if err := checkPeriods("Channels", periods); err != nil {
		return 0, err
	}
	load, total := map[int]float64{}, 0
	for _, d := range periods {
		if d > 0 {
			load[odd(d)] += weight(d)
		}
	}
	for m, sum := range load {
		total += whole(m, sum)
	}
	return total, nil
}

func checkPeriods(method string, periods []int) error {
	for i, d := range periods {
		if d < 0 || d > maxPeriod {
			return fmt.Errorf("recovering: %s: the period of arm %d is %d, must be between 1 and %d, or 0 for never", method, i, d, maxPeriod)
		}
	}
	return nil
}

// maxPeriod keeps sums of frequencies exact: they are multiples of 2^−31.
const maxPeriod = math.MaxInt32

// weight is m/d for a period d of the class m: a power of two, so that sums of them are exact.
func weight(d int) float64 { return float64(odd(d)) / float64(d) }

// whole is the number of channels that arms of the class m need whose weights add up to sum: ⌈sum/m⌉.
func whole(m int, sum float64) int {
	n := int(sum) / m
	if float64(n*m) < sum {
		n++
	}
	return n
}
