package main

import (
	"go/ast"
	"go/parser"
	"go/token"
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
// and no variable's first value takes a call, or could fail.
func declares(source []byte) bool {
	file, err := parser.ParseFile(token.NewFileSet(), "main.go", source, parser.SkipObjectResolution)
	if err != nil {
		return false
	}
	idle := false
	for _, d := range file.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Recv != nil {
				continue
			}
			if d.Name.Name == "init" {
				return false
			}
			if d.Name.Name == "main" {
				idle = parsesFlags(d.Body)
			}
		case *ast.GenDecl:
			if d.Tok == token.VAR && slices.ContainsFunc(d.Specs, works) {
				return false
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
	if !ok {
		return false
	}
	call, ok := statement.X.(*ast.CallExpr)
	if !ok || len(call.Args) > 0 {
		return false
	}
	f, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	in, ok := f.X.(*ast.Ident)
	return ok && in.Name == "flag" && f.Sel.Name == "Parse"
}

// works reports whether a variable's first value may do more than be there.
func works(spec ast.Spec) (found bool) {
	for _, value := range spec.(*ast.ValueSpec).Values {
		ast.Inspect(value, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncLit:
				return false // not called here
			case *ast.CallExpr, *ast.IndexExpr, *ast.SliceExpr, *ast.TypeAssertExpr:
				found = true
			case *ast.UnaryExpr:
				found = found || n.Op == token.ARROW
			case *ast.BinaryExpr:
				found = found || n.Op == token.QUO || n.Op == token.REM
			}
			return !found
		})
	}
	return found
}
