package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/semver"
)

// initModule writes go.mod and go.sum of a new cell module in dir: everything
// that the repository at root requires, and the repository itself.
func initModule(dir, root, name string) error {
	cell := new(modfile.File)
	if err := cell.AddModuleStmt(name); err != nil {
		return fmt.Errorf("cellgo: %q is no module name: %w", name, err)
	}
	return merge(dir, root, cell, nil)
}

// update brings the requirements up to date where the repository's changed after
// the cell module was last written, say by git pull under a running kernel.
func update(dir, root string) error {
	path := filepath.Join(dir, "go.mod")
	written, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil // nothing to keep up to date; go build says what is wrong
	}
	if err != nil {
		return err
	}
	changed := false
	for _, file := range []string{"go.mod", "go.sum"} {
		info, err := os.Stat(filepath.Join(root, file))
		if err != nil {
			return fmt.Errorf("cellgo: the repository is not at %s any more (%w); run its setup again where it is now", root, err)
		}
		changed = changed || info.ModTime().After(written.ModTime())
	}
	if !changed {
		return nil
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	cell, err := modfile.Parse(path, data, nil)
	if err != nil {
		return fmt.Errorf("cellgo: %w", err)
	}
	sums, err := os.ReadFile(filepath.Join(dir, "go.sum"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return merge(dir, root, cell, sums)
}

// merge raises the requirements of cell to those of the repository, adds the
// repository's checksums to sums, and writes both files.
func merge(dir, root string, cell *modfile.File, sums []byte) error {
	path := filepath.Join(root, "go.mod")
	data, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("cellgo: the repository is not at %s any more (%w); run its setup again where it is now", root, err)
	}
	ours, err := modfile.Parse(path, data, nil)
	if err != nil {
		return fmt.Errorf("cellgo: %w", err)
	}
	if err := cell.AddGoStmt(ours.Go.Version); err != nil {
		return err
	}
	has := map[string]string{}
	for _, r := range cell.Require {
		has[r.Mod.Path] = r.Mod.Version
	}
	for _, r := range ours.Require {
		if semver.Compare(has[r.Mod.Path], r.Mod.Version) < 0 {
			if err := cell.AddRequire(r.Mod.Path, r.Mod.Version); err != nil {
				return err
			}
		}
	}
	if err := cell.AddRequire(ours.Module.Mod.Path, "v0.0.0"); err != nil {
		return err
	}
	for _, r := range ours.Replace {
		to := r.New.Path
		if r.New.Version == "" && !filepath.IsAbs(to) {
			to = filepath.Join(root, to)
		}
		if err := cell.AddReplace(r.Old.Path, r.Old.Version, to, r.New.Version); err != nil {
			return err
		}
	}
	if err := cell.AddReplace(ours.Module.Mod.Path, "", root, ""); err != nil {
		return err
	}
	hideReplace(cell, ours.Module.Mod.Path)
	text, err := cell.Format()
	if err != nil {
		return err
	}
	added, err := os.ReadFile(filepath.Join(root, "go.sum"))
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "go.sum"), union(sums, added), 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "go.mod"), text, 0o644)
}

// hideReplace puts the replacement of module into a block of its own. GoNB reads
// one-line replacements and then watches every folder below their targets, which
// takes longer than compiling where the target holds a Python environment. The
// comment keeps the go command from turning a block of one into a line.
func hideReplace(cell *modfile.File, module string) {
	for i, stmt := range cell.Syntax.Stmt {
		line, ok := stmt.(*modfile.Line)
		if !ok || len(line.Token) < 2 || line.Token[0] != "replace" || line.Token[1] != module {
			continue
		}
		line.Token = line.Token[1:]
		line.InBlock = true
		block := &modfile.LineBlock{Token: []string{"replace"}, Line: []*modfile.Line{line}}
		block.RParen.Before = []modfile.Comment{{Token: "// the checkout that the notebooks belong to"}}
		cell.Syntax.Stmt[i] = block
	}
}

// union is a's lines followed by those of b that a lacks.
func union(a, b []byte) []byte {
	seen := map[string]bool{}
	var out bytes.Buffer
	for _, text := range [][]byte{a, b} {
		for line := range bytes.Lines(text) {
			line = bytes.TrimRight(line, "\r\n")
			if len(line) == 0 || seen[string(line)] {
				continue
			}
			seen[string(line)] = true
			out.Write(line)
			out.WriteByte('\n')
		}
	}
	return out.Bytes()
}
