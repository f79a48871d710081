package scan

import (
	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"
)

// record collects a trace on the host, row after row.
type record struct {
	spec  // of a row
	bytes []byte
	flat  any // what is read from the device in one go
}

// newRecord begins with the rows of an earlier run, if any.
func newRecord(s spec, old *tensors.Tensor) (*record, error) {
	t := &record{spec: s}
	if old == nil {
		return t, nil
	}
	return t, old.ConstBytes(func(b []byte) { t.bytes = append(t.bytes, b...) })
}

// take appends the first n rows of a device buffer that has the given number of rows.
func (t *record) take(b compute.Buffer, rows, n int) error {
	size := int(t.shape.ByteSize())
	if n == 0 || size == 0 {
		return nil
	}
	if t.flat == nil {
		t.flat = dtypes.MakeAnySlice(t.shape.DType, rows*t.shape.Size())
	}
	if err := b.ToFlatData(t.flat); err != nil {
		return err
	}
	t.bytes = append(t.bytes, dtypes.UnsafeByteSliceFromAny(t.flat)[:n*size]...)
	return nil
}

// tensor of all rows. They may be fewer than the run's steps, where an earlier run's traces were not kept.
func (t *record) tensor() (*tensors.Tensor, error) {
	rows := len(t.bytes) / max(1, int(t.shape.ByteSize()))
	return tensors.FromRaw(nil, device, leading(rows, t.shape), t.bytes)
}
