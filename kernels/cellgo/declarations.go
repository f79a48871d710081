package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"path/filepath"
	"runtime"
	"slices"
)

// nothing is the program of a cell that only declares.
const nothing = "#!/bin/sh\n"

// check compiles a cell that only declares, without linking it, and puts a program that does nothing in its place. It
// reports whether that was so and went well.
func (b build) check(args []string) bool {
	if args[0] != "build" || runtime.GOOS == "windows" || os.Getenv("GOARCH") != "" || os.Getenv("GOOS") != "" {
		return false
	}
	sources, err := filepath.Glob(filepath.Join(b.dir, "*.go"))
	if err != nil || len(sources) != 1 {
		return false
	}
	text, err := os.ReadFile(sources[0])
	if err != nil || !declares(text) {
		return false
	}
	if _, status := b.run(b.dir, b.real, slices.Concat([]string{"list", "-export"}, args[3:])...); status != 0 {
		return false
	}
	program := args[2]
	// The last cell's program may still run: its file is left to it.
	if err := os.Remove(program); err != nil && !os.IsNotExist(err) {
		return false
	}
	return os.WriteFile(program, []byte(nothing), 0o755) == nil
}

// removeIdle removes a program that does nothing: the go command overwrites none but its own.
func removeIdle(program string) {
	if text, err := os.ReadFile(program); err == nil && string(text) == nothing {
		_ = os.Remove(program)
	}
}

// declares reports whether a program only declares: main is what GoNB writes for a cell without one, nothing is named init,
// and all variables' first values are plain.
func declares(source []byte) bool {
	file, err := parser.ParseFile(token.NewFileSet(), "main.go", source, parser.SkipObjectResolution)
	if err != nil {
		return false
	}
	idle := false
	for _, d := range file.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			switch {
			case d.Recv != nil:
			case d.Name.Name == "init":
				return false
			case d.Name.Name == "main":
				idle = parsesFlags(d.Body)
			}
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				if v, ok := spec.(*ast.ValueSpec); ok && d.Tok == token.VAR && !plainAll(v.Values) {
					return false
				}
			}
		}
	}
	return idle
}

// parsesFlags reports whether a body is flag.Parse() alone.
func parsesFlags(body *ast.BlockStmt) bool {
	if body == nil || len(body.List) != 1 {
		return false
	}
	statement, ok := body.List[0].(*ast.ExprStmt)
	return ok && types.ExprString(statement.X) == "flag.Parse()"
}

// plain reports whether taking a value does nothing and cannot fail, as calls, indices, quotients and fields may.
func plain(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.BasicLit, *ast.Ident, *ast.FuncLit: // a function is not called here
		return true
	case *ast.ParenExpr:
		return plain(e.X)
	case *ast.UnaryExpr:
		return e.Op != token.ARROW && plain(e.X)
	case *ast.BinaryExpr:
		return slices.Contains([]token.Token{token.ADD, token.SUB, token.MUL}, e.Op) && plain(e.X) && plain(e.Y)
	case *ast.KeyValueExpr:
		return plain(e.Key) && plain(e.Value)
	case *ast.CompositeLit:
		return plainAll(e.Elts)
	}
	return false
}

func plainAll(values []ast.Expr) bool {
	return !slices.ContainsFunc(values, func(e ast.Expr) bool { return !plain(e) })
}
