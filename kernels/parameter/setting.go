package parameter

import (
	"errors"
	"fmt"
	"go/token"
	"io"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// Setting is a value that a user asks for, not yet fitted to a type.
type Setting struct {
	Name string
	From string // where it was given, for messages

	text string     // of a flag: a string parameter takes it as it is
	node *yaml.Node // of a file
}

// FromFlag reads name=value. What the value means depends on the parameter's
// type: a string takes every character as it stands, other types read YAML,
// so a slice is [1, 2] and a map {a: 1, b: 2}.
func FromFlag(arg string) (Setting, error) {
	name, text, ok := strings.Cut(arg, "=")
	switch {
	case !ok:
		return Setting{}, fmt.Errorf("-p %s: must be name=value", arg)
	case !token.IsIdentifier(name):
		return Setting{}, fmt.Errorf("-p %s: %q cannot name a Go variable", arg, name)
	case !utf8.ValidString(text):
		return Setting{}, fmt.Errorf("-p %s: the value is not valid UTF-8: %q", name, text)
	}
	return Setting{Name: name, From: "-p", text: text}, nil
}

// FromFile reads a YAML (or JSON) file that maps names to values. The name of
// the file serves messages.
func FromFile(r io.Reader, file string) ([]Setting, error) {
	var document yaml.Node
	yamls := yaml.NewDecoder(r)
	switch err := yamls.Decode(&document); {
	case errors.Is(err, io.EOF): // an empty file sets nothing
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("%s: %s", file, strings.TrimPrefix(err.Error(), "yaml: "))
	}
	if err := yamls.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: holds more than one YAML document", file)
	}
	top := document.Content[0]
	if top.Kind == yaml.ScalarNode && top.ShortTag() == "!!null" {
		return nil, nil
	}
	if top.Kind != yaml.MappingNode {
		return nil, fmt.Errorf("%s: is a %s, must map names of parameters to values", file, kindOf(top))
	}
	var settings []Setting
	seen := map[string]bool{}
	for i := 0; i+1 < len(top.Content); i += 2 {
		key := top.Content[i]
		switch {
		case key.Kind != yaml.ScalarNode || !token.IsIdentifier(key.Value):
			return nil, fmt.Errorf("%s: line %d: %q cannot name a Go variable", file, key.Line, key.Value)
		case seen[key.Value]:
			return nil, fmt.Errorf("%s: line %d: %s is set twice", file, key.Line, key.Value)
		}
		seen[key.Value] = true
		settings = append(settings, Setting{Name: key.Value, From: fmt.Sprintf("%s: line %d", file, key.Line), node: top.Content[i+1]})
	}
	return settings, nil
}

// kindOf names a YAML value for messages.
func kindOf(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "map"
	case yaml.SequenceNode:
		return "list"
	case yaml.AliasNode:
		return "alias"
	}
	switch n.ShortTag() {
	case "!!int":
		return "int"
	case "!!float":
		return "float"
	case "!!bool":
		return "bool"
	case "!!null":
		return "null"
	}
	return "string"
}
