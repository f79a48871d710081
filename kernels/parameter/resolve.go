package parameter

import (
	"encoding/json"
	"errors"
	"fmt"
	"go/types"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// Value is a parameter's new value, ready to be written as Go.
type Value struct {
	Name string `json:"name"`
	Type string `json:"type"`
	// Value is a bool, a string, a json.Number for integers, the decimal text of
	// a float ("NaN", "+Inf" and "-Inf" among them, which JSON numbers lack), or
	// a []any or map[string]any of these.
	Value any `json:"value"`
}

// ErrUnknown is returned for a parameter that a notebook does not declare.
var ErrUnknown = errors.New("unknown parameter")

// Resolve gives every setting the type of its declaration. Of two settings with
// one name the later counts. All errors are reported together.
func Resolve(declared []Declaration, settings []Setting) ([]Value, error) {
	var values []Value
	var problems []error
	for i, s := range settings {
		if slices.ContainsFunc(settings[i+1:], func(later Setting) bool { return later.Name == s.Name }) {
			continue
		}
		at := slices.IndexFunc(declared, func(d Declaration) bool { return d.Name == s.Name })
		if at < 0 {
			problems = append(problems, fmt.Errorf("%s: %w %s; known are: %s", s.From, ErrUnknown, s.Name, list(declared)))
			continue
		}
		d := declared[at]
		if d.problem != "" {
			problems = append(problems, fmt.Errorf("%s: parameter %s %s", s.From, s.Name, d.problem))
			continue
		}
		value, err := s.as(d.typ)
		if err != nil {
			problems = append(problems, fmt.Errorf("%s: parameter %s %w", s.From, s.Name, err))
			continue
		}
		values = append(values, Value{d.Name, d.Type, value})
	}
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	return values, nil
}

// list shows what can be set.
func list(declared []Declaration) string {
	var known []string
	for _, d := range declared {
		if d.problem == "" {
			known = append(known, d.Name+" "+d.Type)
		}
	}
	if len(known) == 0 {
		return "none"
	}
	return strings.Join(known, ", ")
}

func (s Setting) as(t types.Type) (any, error) {
	if s.node != nil {
		return convert(s.node, t, "")
	}
	t = types.Unalias(t)
	basic, ok := t.(*types.Basic)
	switch {
	case ok && basic.Info()&types.IsString != 0:
		return s.text, nil
	case ok:
		return convert(&yaml.Node{Kind: yaml.ScalarNode, Value: s.text}, t, "")
	}
	var document yaml.Node
	if err := yaml.Unmarshal([]byte(s.text), &document); err != nil {
		return nil, fmt.Errorf("is %q, must be %s: %s", s.text, want(t), strings.TrimPrefix(err.Error(), "yaml: "))
	}
	if len(document.Content) == 0 {
		return nil, fmt.Errorf("is empty, must be %s", want(t))
	}
	return convert(document.Content[0], t, "")
}

// convert fits a YAML value to a Go type. Errors read on from 'parameter x ',
// where says which element they are about.
func convert(n *yaml.Node, t types.Type, where string) (any, error) {
	t = types.Unalias(t)
	wrong := func() error {
		is := kindOf(n)
		if n.Kind == yaml.ScalarNode && is != "null" {
			is += fmt.Sprintf(" %q", n.Value)
		}
		return fmt.Errorf("%sis the %s, must be %s", where, is, want(t))
	}
	if n.Kind == yaml.AliasNode {
		return nil, fmt.Errorf("%sis an alias (*%s), must be written out", where, n.Value)
	}
	switch t := t.(type) {
	case *types.Slice, *types.Array:
		elem := elemOf(t)
		if n.Kind != yaml.SequenceNode {
			return nil, wrong()
		}
		if array, ok := t.(*types.Array); ok && int64(len(n.Content)) != array.Len() {
			return nil, fmt.Errorf("%shas %d elements, must be %s", where, len(n.Content), want(t))
		}
		items := make([]any, len(n.Content))
		for i, item := range n.Content {
			var err error
			if items[i], err = convert(item, elem, fmt.Sprintf("%selement %d ", where, i)); err != nil {
				return nil, err
			}
		}
		return items, nil
	case *types.Map:
		if n.Kind != yaml.MappingNode {
			return nil, wrong()
		}
		items := make(map[string]any, len(n.Content)/2)
		for i := 0; i+1 < len(n.Content); i += 2 {
			key := n.Content[i]
			if key.Kind != yaml.ScalarNode {
				return nil, fmt.Errorf("%shas a %s for a key, must be %s", where, kindOf(key), want(t))
			}
			if _, twice := items[key.Value]; twice {
				return nil, fmt.Errorf("%shas the key %q twice", where, key.Value)
			}
			var err error
			if items[key.Value], err = convert(n.Content[i+1], t.Elem(), fmt.Sprintf("%selement %q ", where, key.Value)); err != nil {
				return nil, err
			}
		}
		return items, nil
	}
	if n.Kind != yaml.ScalarNode {
		return nil, wrong()
	}
	basic := t.(*types.Basic)
	switch info := basic.Info(); {
	case info&types.IsString != 0:
		if tag := n.ShortTag(); tag != "!!str" && tag != "!!timestamp" {
			return nil, fmt.Errorf("%w (put it in quotes)", wrong())
		}
		return n.Value, nil
	case info&types.IsBoolean != 0:
		var b bool
		if n.ShortTag() != "!!bool" || n.Decode(&b) != nil {
			return nil, wrong()
		}
		return b, nil
	case info&types.IsInteger != 0:
		i, ok := integer(n)
		if !ok {
			return nil, wrong()
		}
		if low, high := limits(basic.Kind()); i.Cmp(low) < 0 || i.Cmp(high) > 0 {
			return nil, fmt.Errorf("%sis %s, must be %s between %s and %s", where, i, want(t), low, high)
		}
		return json.Number(i.String()), nil
	default:
		bits := 64
		if basic.Kind() == types.Float32 {
			bits = 32
		}
		f, ok := float(n, bits)
		if !ok {
			return nil, wrong()
		}
		return strconv.FormatFloat(f, 'g', -1, bits), nil
	}
}

func integer(n *yaml.Node) (*big.Int, bool) {
	if n.ShortTag() != "!!int" {
		return nil, false
	}
	return new(big.Int).SetString(strings.TrimPrefix(n.Value, "+"), 0)
}

// float reads integers, decimals, and the ways people write what is no number.
// A value too large for the type is refused, one too small becomes zero.
func float(n *yaml.Node, bits int) (float64, bool) {
	if i, ok := integer(n); ok {
		f, _ := new(big.Float).SetInt(i).Float64()
		return f, bits == 64 || math.Abs(f) <= math.MaxFloat32
	}
	text := n.Value
	if n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
		return 0, false
	}
	switch strings.TrimLeft(strings.ToLower(text), "+-.") {
	case "nan":
		return math.NaN(), true
	case "inf", "infinity":
		if strings.HasPrefix(text, "-") {
			return math.Inf(-1), true
		}
		return math.Inf(1), true
	}
	if n.ShortTag() != "!!float" {
		return 0, false
	}
	f, err := strconv.ParseFloat(strings.ReplaceAll(text, "_", ""), bits)
	return f, err == nil
}

func limits(kind types.BasicKind) (low, high *big.Int) {
	bits := map[types.BasicKind]int{
		types.Int8: 8, types.Int16: 16, types.Int32: 32, types.Int: 64, types.Int64: 64,
		types.Uint8: -8, types.Uint16: -16, types.Uint32: -32, types.Uint: -64, types.Uint64: -64,
	}[kind]
	power := func(n int) *big.Int { return new(big.Int).Lsh(big.NewInt(1), uint(n)) }
	if bits < 0 {
		return new(big.Int), new(big.Int).Sub(power(-bits), big.NewInt(1))
	}
	return new(big.Int).Neg(power(bits - 1)), new(big.Int).Sub(power(bits-1), big.NewInt(1))
}

func elemOf(t types.Type) types.Type {
	if array, ok := t.(*types.Array); ok {
		return array.Elem()
	}
	return t.(*types.Slice).Elem()
}

// want names a type, with an example where its values are not obvious.
func want(t types.Type) string {
	name := types.TypeString(t, nil)
	switch t := t.(type) {
	case *types.Slice, *types.Array:
		elem := example(elemOf(t))
		return fmt.Sprintf("%s, such as [%s, %s]", name, elem, elem)
	case *types.Map:
		return fmt.Sprintf("%s, such as {name: %s}", name, example(t.Elem()))
	}
	return name
}

func example(t types.Type) string {
	switch t := types.Unalias(t).(type) {
	case *types.Slice, *types.Array:
		return "[" + example(elemOf(t)) + "]"
	case *types.Map:
		return "{name: " + example(t.Elem()) + "}"
	case *types.Basic:
		switch {
		case t.Info()&types.IsString != 0:
			return "word"
		case t.Info()&types.IsBoolean != 0:
			return "true"
		case t.Info()&types.IsFloat != 0:
			return "0.5"
		}
	}
	return "1"
}
