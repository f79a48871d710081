package matching

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Read reads an instance, as CSV or, where the first character is a brace, as JSON.
//
// CSV is the table of success probabilities, a line an arrival and a column an offline vertex; an empty cell is 0, no edge. A
// line that begins with "w" holds the weights and is the first where it is there; lines that begin with # are comments:
//
//	w, 2, 1
//	0.3, 0.6
//	0.9,
//
// JSON has the same table, {"weights": [2, 1], "p": [[0.3, 0.6], [0.9, 0]]}, or the edges, as [Instance] is written:
// {"weights": [2, 1], "arrivals": [[{"u": 0, "p": 0.3}, {"u": 1, "p": 0.6}], [{"u": 0, "p": 0.9}]]}.
func Read(r io.Reader) (*Instance, error) {
	in := bufio.NewReader(r)
	for {
		c, err := in.ReadByte()
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("matching: Read: %w", err)
		}
		if err == nil && strings.IndexByte(" \t\r\n", c) >= 0 {
			continue
		}
		if err == nil {
			_ = in.UnreadByte() // of the byte just read
		}
		if c != '{' {
			return readCSV(in)
		}
		data, err := io.ReadAll(in)
		if err != nil {
			return nil, fmt.Errorf("matching: Read: %w", err)
		}
		out := &Instance{}
		if err := json.Unmarshal(data, out); err != nil {
			return nil, fmt.Errorf("matching: Read: %w", err)
		}
		return out, nil
	}
}

func readCSV(r io.Reader) (*Instance, error) {
	lines := csv.NewReader(r)
	lines.Comment, lines.TrimLeadingSpace, lines.FieldsPerRecord, lines.ReuseRecord = '#', true, -1, true
	var weights []float64
	var p [][]float64
	for first := true; ; first = false {
		cells, err := lines.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("matching: Read: %w", err)
		}
		line, _ := lines.FieldPos(0)
		if head := strings.TrimSpace(cells[0]); head == "w" {
			if !first {
				return nil, fmt.Errorf("matching: Read: line %d: the weights must come first", line)
			}
			if weights, err = numbers(cells[1:]); err != nil {
				return nil, fmt.Errorf("matching: Read: line %d: %w", line, err)
			}
			continue
		}
		row, err := numbers(cells)
		if err != nil {
			return nil, fmt.Errorf("matching: Read: line %d: %w", line, err)
		}
		p = append(p, row)
	}
	return New(p, weights)
}

func numbers(cells []string) ([]float64, error) {
	out := make([]float64, len(cells))
	for i, cell := range cells {
		if cell = strings.TrimSpace(cell); cell == "" {
			continue
		}
		x, err := strconv.ParseFloat(cell, 64)
		if err != nil {
			return nil, fmt.Errorf("cell %d is %q, must be a number or empty", i+1, cell)
		}
		out[i] = x
	}
	return out, nil
}

// UnmarshalJSON reads either form that [Read] describes, and validates. After an error the instance is as it was.
func (in *Instance) UnmarshalJSON(data []byte) error {
	var form struct {
		Weights  []float64   `json:"weights"`
		P        [][]float64 `json:"p"`
		Arrivals [][]Edge    `json:"arrivals"`
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&form); err != nil {
		return fmt.Errorf("matching: Instance: %w", err)
	}
	if form.P != nil {
		if form.Arrivals != nil {
			return errors.New("matching: Instance: there are p and arrivals, must be one of them")
		}
		out, err := New(form.P, form.Weights)
		if err != nil {
			return err
		}
		*in = *out
		return nil
	}
	out := Instance{Weights: form.Weights, Arrivals: form.Arrivals}
	if err := out.Validate(); err != nil {
		return err
	}
	*in = out
	return nil
}

// WriteCSV writes the table that [Read] reads, weights first; numbers are exact. A sparse instance is smaller as JSON.
func (in *Instance) WriteCSV(w io.Writer) error {
	if err := in.validate("WriteCSV"); err != nil {
		return err
	}
	out := csv.NewWriter(w)
	line := []string{"w"}
	for _, x := range in.Weights {
		line = append(line, strconv.FormatFloat(x, 'g', -1, 64))
	}
	err := out.Write(line)
	for _, edges := range in.Arrivals {
		line = make([]string, len(in.Weights))
		line[0] = "0" // a line of one empty cell would be no line
		for _, e := range edges {
			line[e.U] = strconv.FormatFloat(e.P, 'g', -1, 64)
		}
		err = errors.Join(err, out.Write(line))
	}
	out.Flush()
	if err := errors.Join(err, out.Error()); err != nil {
		return fmt.Errorf("matching: WriteCSV: %w", err)
	}
	return nil
}
