package session_test

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/hindsight-go/hindsight/lib/session"
)

func TestSaveAndLoad(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("GONB_TMP_DIR", dir)
	if _, err := session.Load[int]("E1", "quick"); !errors.Is(err, session.ErrMissing) {
		t.Errorf("nothing was left: %v", err)
	}
	if err := session.Save("E1", "quick", []float64{1, 2}); err != nil {
		t.Fatal(err)
	}
	got, err := session.Load[[]float64]("E1", "quick")
	if err != nil || len(got) != 2 || got[1] != 2 {
		t.Errorf("Load = %v, %v", got, err)
	}
	if _, err := session.Load[[]float64]("E1", "paper"); !errors.Is(err, session.ErrMissing) {
		t.Errorf("other parameters: %v", err)
	}
	if _, err := session.Load[map[string]int]("E1", "quick"); !errors.Is(err, session.ErrMissing) {
		t.Errorf("another type: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "session", "E1.json"), []byte(`{"Val`), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := session.Load[[]float64]("E1", "quick"); !errors.Is(err, session.ErrMissing) {
		t.Errorf("a damaged file: %v", err)
	}
}

func TestBadArguments(t *testing.T) {
	t.Setenv("GONB_TMP_DIR", t.TempDir())
	if err := session.Save("../x", 1, 1); err == nil {
		t.Error("a name that leaves the folder was taken")
	}
	if err := session.Save("x", 1, math.NaN()); err == nil {
		t.Error("NaN was taken")
	}
}

func Example() {
	dir, err := os.MkdirTemp("", "session")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(dir) }()
	_ = os.Setenv("GONB_TMP_DIR", dir)
	type parameters struct{ Seeds int }
	if err := session.Save("E1", parameters{3}, 0.25); err != nil {
		fmt.Println(err)
	}
	value, err := session.Load[float64]("E1", parameters{3})
	fmt.Println(value, err)
	// Output: 0.25 <nil>
}
