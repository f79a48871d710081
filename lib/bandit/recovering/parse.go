package recovering

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
)

// Parse reads a model from a file's text: JSON, as {"R": [[…], …]} or the bare [[…], …], or else CSV, one line an arm
// with R(1), …, R(D), where lines that begin with # are comments. What it returns is valid.
func Parse(text []byte) (RecoveryModel, error) {
	var m RecoveryModel
	var err error
	switch start := bytes.TrimLeft(text, " \t\r\n"); {
	case bytes.HasPrefix(start, []byte("{")):
		var file struct{ R [][]*float64 }
		if err = decode(start, &file); err == nil {
			m.R, err = numbers(file.R)
		}
	case bytes.HasPrefix(start, []byte("[")):
		var file [][]*float64
		if err = decode(start, &file); err == nil {
			m.R, err = numbers(file)
		}
	default:
		m.R, err = rows(text)
	}
	if err != nil {
		return RecoveryModel{}, fmt.Errorf("recovering: Parse: %w", err)
	}
	if err := m.Validate(); err != nil {
		return RecoveryModel{}, err
	}
	return m, nil
}

// decode reads one JSON value and nothing after it.
func decode(text []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("there is text after the model")
	}
	return nil
}

// numbers refuses null, which a plain float64 would take for 0.
func numbers(file [][]*float64) ([][]float64, error) {
	out := make([][]float64, len(file))
	for i, row := range file {
		for d, r := range row {
			if r == nil {
				return nil, fmt.Errorf("the reward of arm %d at idle time %d is null, must be a number", i, d+1)
			}
			out[i] = append(out[i], *r)
		}
	}
	return out, nil
}

func rows(text []byte) ([][]float64, error) {
	r := csv.NewReader(bytes.NewReader(text))
	r.Comment, r.TrimLeadingSpace, r.ReuseRecord = '#', true, true
	var out [][]float64
	for {
		record, err := r.Read()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		row := make([]float64, len(record))
		for j, field := range record {
			if row[j], err = strconv.ParseFloat(field, 64); err != nil {
				line, column := r.FieldPos(j)
				return nil, fmt.Errorf("line %d, column %d: %q is not a number", line, column, field)
			}
		}
		out = append(out, row)
	}
}

// WriteCSV writes the model as [Parse] reads it, to the last bit.
func (m RecoveryModel) WriteCSV(w io.Writer) error {
	if err := m.Validate(); err != nil {
		return err
	}
	c := csv.NewWriter(w)
	record := make([]string, m.Recovery())
	for _, row := range m.R {
		for j, r := range row {
			record[j] = strconv.FormatFloat(r, 'g', -1, 64)
		}
		if err := c.Write(record); err != nil {
			return err
		}
	}
	c.Flush()
	return c.Error()
}
