// Package session passes results from one cell of a notebook to a later one. A cell is a process of its own, so what the
// last section judges must be left somewhere: in the kernel's temporary folder, which lives as long as the kernel.
//
// Results carry the parameters they were computed at. A cell that asks for them at others gets an error that says which
// cell to run again, never a stale value. Outside a notebook the folder is $HINDSIGHT_OUT/session, by default out/session.
package session

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
)

// stored is a file's content.
type stored struct {
	Parameters json.RawMessage
	Value      json.RawMessage
}

var names = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

func file(name string) (string, error) {
	if !names.MatchString(name) {
		return "", fmt.Errorf("session: name is %q, must be letters, digits, '-' and '_'", name)
	}
	dir := os.Getenv("GONB_TMP_DIR")
	if dir == "" {
		dir = os.Getenv("HINDSIGHT_OUT")
		if dir == "" {
			dir = "out"
		}
	}
	return filepath.Join(dir, "session", name+".json"), nil
}

// Save leaves a value under a name for later cells, with the parameters it was computed at. Both must be representable
// as JSON: NaN and infinity are not.
func Save(name string, parameters, value any) error {
	path, err := file(name)
	if err != nil {
		return err
	}
	var s stored
	if s.Parameters, err = json.Marshal(parameters); err != nil {
		return fmt.Errorf("session: parameters of %q: %w", name, err)
	}
	if s.Value, err = json.Marshal(value); err != nil {
		return fmt.Errorf("session: value of %q: %w", name, err)
	}
	content, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("session: %q: %w", name, err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("session: %w", err)
	}
	temp, err := os.CreateTemp(filepath.Dir(path), "."+name)
	if err != nil {
		return fmt.Errorf("session: %w", err)
	}
	defer func() { _ = os.Remove(temp.Name()) }()
	_, err = temp.Write(content)
	if err := errors.Join(err, temp.Close()); err != nil {
		return fmt.Errorf("session: writing %q: %w", name, err)
	}
	return os.Rename(temp.Name(), path)
}

// ErrMissing says that nothing was left under a name, or that it was computed at other parameters.
var ErrMissing = errors.New("run the cell that computes it, with these parameters, first")

// Load returns what was left under a name at these parameters, else [ErrMissing].
func Load[T any](name string, parameters any) (T, error) {
	var value T
	path, err := file(name)
	if err != nil {
		return value, err
	}
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return value, fmt.Errorf("session: there is no %q: %w", name, ErrMissing)
	}
	if err != nil {
		return value, fmt.Errorf("session: %w", err)
	}
	var s stored
	if err := json.Unmarshal(content, &s); err != nil {
		return value, fmt.Errorf("session: %q is damaged (%w): %w", name, err, ErrMissing)
	}
	want, err := json.Marshal(parameters)
	if err != nil {
		return value, fmt.Errorf("session: parameters of %q: %w", name, err)
	}
	if string(want) != string(s.Parameters) {
		return value, fmt.Errorf("session: %q was computed at %s, asked for at %s: %w", name, s.Parameters, want, ErrMissing)
	}
	if err := json.Unmarshal(s.Value, &value); err != nil {
		return value, fmt.Errorf("session: %q holds another type (%w): %w", name, err, ErrMissing)
	}
	return value, nil
}
