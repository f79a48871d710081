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
	flat  any // where values of a device with a memory of its own are read to
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
	flat, err := t.read(b, rows)
	if err != nil {
		return err
	}
	t.bytes = append(t.bytes, dtypes.UnsafeByteSliceFromAny(flat)[:n*size]...)
	return nil
}

// read returns a device buffer's values: where they are, if the host can see that, for a copy by PJRT goes through another
// thread and costs 0.1 ms a call.
func (t *record) read(b compute.Buffer, rows int) (any, error) {
	if b.Backend().HasSharedBuffers() {
		return b.Data()
	}
	if t.flat == nil {
		t.flat = dtypes.MakeAnySlice(t.shape.DType, rows*t.shape.Size())
	}
	return t.flat, b.ToFlatData(t.flat)
}

// tensor of all rows. They may be fewer than the run's steps, where an earlier run's traces were not kept.
func (t *record) tensor() (*tensors.Tensor, error) {
	rows := len(t.bytes) / max(1, int(t.shape.ByteSize()))
	return tensors.FromRaw(nil, device, leading(rows, t.shape), t.bytes)
}
