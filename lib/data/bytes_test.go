package data

import (
	"math"
	"strings"
	"testing"
)

func TestText(t *testing.T) {
	x, err := NewText([]byte("banana"))
	if err != nil {
		t.Fatal(err)
	}
	if string(x.Alphabet) != "abn" || x.String() != "banana" {
		t.Errorf("alphabet %q and text %q, want abn and banana", x.Alphabet, x)
	}
	// 3 a, 1 b, 2 n
	want := math.Log(6) - (3*math.Log(3)+2*math.Log(2))/6
	if got := x.Entropy(); math.Abs(got-want) > 1e-12 {
		t.Errorf("entropy %g, want %g", got, want)
	}
	a, b, err := x.Split(0.5)
	if err != nil || a.String() != "ban" || b.String() != "ana" {
		t.Errorf("halves %q and %q (%v), want ban and ana", a, b, err)
	}
	if got, err := x.Encode([]byte("nab")); err != nil || got[0] != 2 || got[1] != 0 || got[2] != 1 {
		t.Errorf("nab is %v (%v), want 2 0 1", got, err)
	}
	if _, err := x.Encode([]byte("nabe")); err == nil || !strings.Contains(err.Error(), `byte 3 is 'e'`) {
		t.Errorf("a foreign byte gave %v", err)
	}
	for _, held := range []float64{0, 1, math.NaN(), 0.1} {
		if _, _, err := x.Split(held); err == nil {
			t.Errorf("Split(%g) gave no error", held)
		}
	}
	if _, err := NewText([]byte("a")); err == nil {
		t.Error("one byte gave no error")
	}
}
