package data

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// mostBytes bounds what a file may unpack to: a small file must not fill the memory.
const mostBytes = 1 << 30

func gunzip(content []byte) ([]byte, error) {
	r, err := gzip.NewReader(bytes.NewReader(content))
	if err != nil {
		return nil, err
	}
	out, err := io.ReadAll(io.LimitReader(r, mostBytes+1))
	if err != nil {
		return nil, err
	}
	if len(out) > mostBytes {
		return nil, fmt.Errorf("it unpacks to more than %d bytes", mostBytes)
	}
	return out, nil
}

// parseIDX reads an array of bytes in LeCun's IDX format: two zero bytes, the type 8, the number of axes, their lengths
// as big-endian 32-bit numbers, and the bytes, the last axis fastest.
func parseIDX(content []byte) (dims []int, values []byte, err error) {
	if len(content) < 4 || content[0] != 0 || content[1] != 0 {
		return nil, nil, errors.New("data: IDX: the file does not begin with two zero bytes")
	}
	if content[2] != 8 {
		return nil, nil, fmt.Errorf("data: IDX: the type is %#x, must be 0x08, unsigned bytes", content[2])
	}
	axes := int(content[3])
	if axes < 1 || axes > 4 || len(content) < 4+4*axes {
		return nil, nil, fmt.Errorf("data: IDX: %d axes in %d bytes, must be 1 to 4 and hold their lengths", axes, len(content))
	}
	values = content[4+4*axes:]
	size := uint64(1)
	for i := range axes {
		n := binary.BigEndian.Uint32(content[4+4*i:])
		size *= uint64(n)
		if n == 0 || size > uint64(len(values)) {
			return nil, nil, fmt.Errorf("data: IDX: axis %d has length %d, but only %d values follow", i, n, len(values))
		}
		dims = append(dims, int(n))
	}
	if size != uint64(len(values)) {
		return nil, nil, fmt.Errorf("data: IDX: %d values follow, must be %d", len(values), size)
	}
	return dims, values, nil
}
