package setup

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"

	"github.com/hindsight-go/hindsight/kernels/internal/atomicfile"
)

// A stamp is a small JSON file that says what was verified, and of which input.
// A step that changes something removes its stamp first and writes it last.

func (s *session) stampPath(name string) string { return filepath.Join(s.stateDir(), name+".json") }

// readStamp fills v from the stamp called name, if there is one.
func (s *session) readStamp(name string, v any) bool {
	data, err := os.ReadFile(s.stampPath(name))
	return err == nil && json.Unmarshal(data, v) == nil
}

func (s *session) writeStamp(name string, v any) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	if err := atomicfile.Write(s.stampPath(name), append(data, '\n')); err != nil {
		return diskFault("what was verified cannot be written down", s.stampPath(name), err)
	}
	return nil
}

func (s *session) removeStamp(name string) error {
	if err := os.Remove(s.stampPath(name)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return diskFault("an old stamp cannot be removed", s.stampPath(name), err)
	}
	return nil
}
