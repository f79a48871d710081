//go:build ((linux && (amd64 || arm64)) || (darwin && arm64)) && cgo && !noxla

package scan

import (
	"reflect"
	"unsafe"

	"github.com/gomlx/compute"
	"github.com/gomlx/go-xla/compute/xla"
	"github.com/gomlx/go-xla/stablehlo"
)

// Two things that XLA needs and go-xla v0.4.1 has, but behind private fields. Where a later version has no such field,
// steps are slower, and no less right.

// alias tells XLA that a donated parameter's memory may hold a result, so that a step updates its state in place instead
// of into fresh pages. GoMLX donates buffers but never says where to, and XLA then only frees them.
func alias(param compute.Value, result int) {
	node, ok := param.(*xla.Node)
	if !ok {
		return
	}
	field := reflect.ValueOf(node).Elem().FieldByName("value")
	if !field.IsValid() || field.Type() != reflect.TypeFor[*stablehlo.Value]() {
		return
	}
	value := (*stablehlo.Value)(field.UnsafePointer())
	if value.Attributes == nil {
		value.Attributes = make(map[string]any)
	}
	value.Attributes["tf.aliasing_output"] = int32(result)
}

// separate lets the next function of a program be built like the first: go-xla keeps the closures of reductions per
// program and then refuses them in any function but the one they were made in. It says whether that worked.
func separate(builder compute.Builder) bool {
	b, ok := builder.(*xla.Builder)
	if !ok {
		return false
	}
	for _, name := range []string{"cacheReductions", "cacheArgMinMax", "cacheSelections"} {
		field := reflect.ValueOf(b).Elem().FieldByName(name)
		if !field.IsValid() || field.Kind() != reflect.Map {
			return false
		}
		reflect.NewAt(field.Type(), unsafe.Pointer(field.UnsafeAddr())).Elem().Clear()
	}
	return true
}
