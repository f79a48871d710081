//go:build ((linux && (amd64 || arm64)) || (darwin && arm64)) && cgo && !noxla

package scan

import (
	"reflect"

	"github.com/gomlx/compute"
	"github.com/gomlx/go-xla/stablehlo"
)

// alias tells XLA that a donated parameter's memory may hold a result, so that a step updates its state in place instead
// of into fresh pages. GoMLX donates buffers but never says where to, and XLA then only frees them. The attribute is
// public in go-xla's stablehlo; the way to it is a private field, so without that field the steps are only slower.
func alias(param compute.Value, result int) {
	v := reflect.ValueOf(param)
	if v.Kind() != reflect.Pointer || v.Elem().Kind() != reflect.Struct {
		return
	}
	field := v.Elem().FieldByName("value")
	if !field.IsValid() || field.Type() != reflect.TypeFor[*stablehlo.Value]() {
		return
	}
	value := (*stablehlo.Value)(field.UnsafePointer())
	if value.Attributes == nil {
		value.Attributes = make(map[string]any)
	}
	value.Attributes["tf.aliasing_output"] = int32(result)
}
