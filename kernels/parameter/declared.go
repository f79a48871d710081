// Package parameter sets the parameters of a Go notebook from outside.
//
// A notebook declares them as variables in one cell; [Declared] reads their
// names and Go types. [FromFlag] and [FromFile] read what a user asks for, and
// [Resolve] fits the two together: every value gets the type of its
// declaration, or an error that names the parameter, the value and the type.
package parameter

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/scanner"
	"go/token"
	"go/types"
	"strings"
)

// Declaration is a variable of the parameters cell.
type Declaration struct {
	Name string
	Type string // as Go writes it, such as map[string][]float64
	// Default is the source of the initial value, "" for the zero value.
	Default string

	typ     types.Type
	problem string // why it cannot be set, "" where it can
}

// Declared returns the variables that the source of a parameters cell declares,
// in order. Lines that GoNB takes for commands (% and !) are left out, and so is
// all after %%, which is the body of a function.
func Declared(source string) ([]Declaration, error) {
	// On one line with the package clause, so that lines count as in the cell.
	text := "package cell; " + goLines(source)
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, "", text, parser.SkipObjectResolution)
	if err != nil {
		if list := (scanner.ErrorList)(nil); errors.As(err, &list) {
			return nil, fmt.Errorf("the parameters cell is not Go at line %d: %s", list[0].Pos.Line, list[0].Msg)
		}
		return nil, fmt.Errorf("the parameters cell is not Go: %w", err)
	}
	info := types.Info{Defs: map[*ast.Ident]types.Object{}}
	// Imports stay unresolved and errors aside: what a declaration's own words
	// do not tell is reported where somebody wants to set it.
	checker := types.Config{Error: func(error) {}, Importer: noImports{}}
	_, _ = checker.Check("cell", files, []*ast.File{file}, &info)

	var found []Declaration
	for _, decl := range file.Decls {
		group, ok := decl.(*ast.GenDecl)
		if !ok || group.Tok != token.VAR && group.Tok != token.CONST {
			continue
		}
		for _, spec := range group.Specs {
			values := spec.(*ast.ValueSpec)
			for i, name := range values.Names {
				if name.Name == "_" {
					continue
				}
				d := Declaration{Name: name.Name, typ: info.Defs[name].Type()}
				d.Type = types.TypeString(d.typ, types.RelativeTo(info.Defs[name].Pkg()))
				if len(values.Values) == len(values.Names) {
					value := values.Values[i]
					d.Default = text[files.Position(value.Pos()).Offset:files.Position(value.End()).Offset]
				}
				switch {
				case group.Tok == token.CONST:
					d.problem = "is a constant, must be declared with var"
				case len(values.Names) > 1:
					d.problem = "is declared together with others, must have a declaration of its own"
				default:
					d.problem = unsupported(d.typ)
				}
				found = append(found, d)
			}
		}
	}
	return found, nil
}

// goLines blanks what GoNB does not compile as declarations.
func goLines(source string) string {
	lines := strings.Split(source, "\n")
	for i, line := range lines {
		if line = strings.TrimSpace(line); line == "%%" || strings.HasPrefix(line, "%% ") || strings.HasPrefix(line, "%main") {
			return strings.Join(lines[:i], "\n")
		}
		if strings.HasPrefix(line, "%") || strings.HasPrefix(line, "!") {
			lines[i] = ""
		}
	}
	return strings.Join(lines, "\n")
}

// unsupported says why values of a type cannot be given from outside, or "".
func unsupported(t types.Type) string {
	switch t := t.(type) {
	case *types.Basic:
		switch {
		case t.Kind() == types.Invalid:
			return "has a type that its declaration does not tell, must be written as var name type = value"
		case t.Info()&(types.IsBoolean|types.IsString|types.IsInteger) != 0 && t.Kind() != types.Uintptr,
			t.Info()&types.IsFloat != 0:
			return ""
		}
	case *types.Alias:
		return unsupported(types.Unalias(t))
	case *types.Slice:
		return unsupported(t.Elem())
	case *types.Array:
		return unsupported(t.Elem())
	case *types.Map:
		if key, ok := t.Key().(*types.Basic); ok && key.Kind() == types.String {
			return unsupported(t.Elem())
		}
	}
	return fmt.Sprintf("has type %s, must be made of bool, string, int, float, slices, arrays and maps from string to be set from outside",
		types.TypeString(t, func(*types.Package) string { return "" }))
}

// noImports leaves all imports unresolved: a parameters cell needs none, and
// compiling packages here would take longer than the answer is worth.
type noImports struct{}

func (noImports) Import(path string) (*types.Package, error) {
	return nil, fmt.Errorf("%s is not read", path)
}
