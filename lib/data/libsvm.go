package data

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"gonum.org/v1/gonum/mat"
)

// libsvmEntries is the most entries of a dense matrix that ReadLIBSVM makes: 2 GiB of float64.
const libsvmEntries = 1 << 28

// ReadLIBSVM reads a data set in the text format of LIBSVM, a line a row: a target and then index:value of the entries that
// are not 0, indices rising from 1. What follows a # is a comment. It returns the rows as a dense matrix, and the targets; an
// error names the line.
//
// Source: Chang, Lin (2011), LIBSVM: a library for support vector machines.
func ReadLIBSVM(r io.Reader) (rows *mat.Dense, targets []float64, err error) {
	type entry struct {
		row, column int
		value       float64
	}
	var entries []entry
	columns, line := 0, 0
	in := bufio.NewScanner(r)
	in.Buffer(nil, 1<<26)
	for in.Scan() {
		line++
		text, _, _ := strings.Cut(in.Text(), "#")
		fields := strings.Fields(text)
		if len(fields) == 0 {
			continue
		}
		target, err := number(fields[0])
		if err != nil {
			return nil, nil, fmt.Errorf("data: ReadLIBSVM: line %d: target %w", line, err)
		}
		last := 0
		for _, f := range fields[1:] {
			name, text, _ := strings.Cut(f, ":")
			index, err := strconv.Atoi(name)
			if err != nil || index <= last {
				return nil, nil, fmt.Errorf("data: ReadLIBSVM: line %d: index of %q must be a number above %d", line, f, last)
			}
			value, err := number(text)
			if err != nil {
				return nil, nil, fmt.Errorf("data: ReadLIBSVM: line %d: value of %q %w", line, f, err)
			}
			entries, last = append(entries, entry{len(targets), index - 1, value}), index
		}
		targets, columns = append(targets, target), max(columns, last)
	}
	if err := in.Err(); err != nil {
		return nil, nil, fmt.Errorf("data: ReadLIBSVM: after line %d: %w", line, err)
	}
	if len(entries) == 0 {
		return nil, nil, errors.New("data: ReadLIBSVM: there is no entry")
	}
	if columns > libsvmEntries/len(targets) {
		return nil, nil, fmt.Errorf("data: ReadLIBSVM: %d×%d is too large for a dense matrix, must be at most %d entries", len(targets), columns, libsvmEntries)
	}
	rows = mat.NewDense(len(targets), columns, nil)
	for _, e := range entries {
		rows.Set(e.row, e.column, e.value)
	}
	return rows, targets, nil
}

// number is a finite one.
func number(text string) (float64, error) {
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
		return 0, fmt.Errorf("is %q, must be a finite number", text)
	}
	return v, nil
}
