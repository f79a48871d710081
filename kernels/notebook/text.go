package notebook

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Text returns the cells as plain text for git diff: sources as they are,
// printed outputs, JSON records laid out, and pictures by size and digest.
func (nb *Notebook) Text() string {
	var b strings.Builder
	if nb.Kernel != "" {
		fmt.Fprintf(&b, "kernel %s\n", nb.Kernel)
	}
	for _, c := range nb.Cells {
		fmt.Fprintf(&b, "\n%%%% %s", c.Kind)
		if len(c.Tags) > 0 {
			fmt.Fprintf(&b, " [%s]", strings.Join(c.Tags, " "))
		}
		fmt.Fprintf(&b, "\n%s\n", strings.TrimRight(c.Source, "\n"))
		for _, o := range c.Outputs {
			o.writeText(&b)
		}
	}
	return b.String()
}

func (o Output) writeText(b *strings.Builder) {
	switch o.Kind {
	case Stream:
		fmt.Fprintf(b, "-- %s\n%s\n", o.Name, strings.TrimRight(o.Text, "\n"))
	case Failure:
		fmt.Fprintf(b, "-- error\n%s: %s\n", o.ErrorName, o.ErrorValue)
	default:
		for _, mime := range slices.Sorted(maps.Keys(o.Data)) {
			switch value := o.Data[mime].(type) {
			case string:
				if mime == "text/plain" || mime == "text/markdown" {
					fmt.Fprintf(b, "-- %s\n%s\n", mime, strings.TrimRight(value, "\n"))
				} else {
					fmt.Fprintf(b, "-- %s, %d bytes, %.4x\n", mime, len(value), sha256.Sum256([]byte(value)))
				}
			default:
				raw, err := encode(value)
				if err != nil {
					continue // decoded from JSON, so it can be encoded
				}
				fmt.Fprintf(b, "-- %s\n%s", mime, indent(raw, "", " "))
			}
		}
	}
}
