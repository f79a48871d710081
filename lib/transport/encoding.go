package transport

import (
	"encoding/json"
	"fmt"

	"gonum.org/v1/gonum/mat"
)

// encoded is a bridge as JSON. S has D numbers where it is diagonal, else D rows one after another.
type encoded struct {
	Epsilon    float64            `json:"epsilon"`
	Components []encodedComponent `json:"components"`
}

type encodedComponent struct {
	LogAlpha float64   `json:"log_alpha"`
	R        []float64 `json:"r"`
	S        []float64 `json:"s"`
}

// MarshalJSON writes all that a bridge is.
func (b *Bridge) MarshalJSON() ([]byte, error) {
	out := encoded{Epsilon: b.eps}
	for _, p := range b.parts {
		c := encodedComponent{p.LogAlpha, p.R, p.s}
		if p.u != nil {
			c.S = mat.DenseCopyOf(p.S).RawMatrix().Data
		}
		out.Components = append(out.Components, c)
	}
	return json.Marshal(out)
}

// UnmarshalJSON reads what MarshalJSON wrote, with the checks of [NewBridge]. After an error the bridge is as it was.
func (b *Bridge) UnmarshalJSON(text []byte) error {
	var in encoded
	if err := json.Unmarshal(text, &in); err != nil {
		return fmt.Errorf("transport: Bridge: %w", err)
	}
	components := make([]Component, len(in.Components))
	for k, c := range in.Components {
		dim := len(c.R)
		components[k] = Component{LogAlpha: c.LogAlpha, R: c.R}
		switch {
		case dim > 0 && len(c.S) == dim:
			components[k].S = mat.NewDiagDense(dim, c.S)
		case dim > 0 && len(c.S) == dim*dim:
			components[k].S = symmetric(mat.NewDense(dim, dim, c.S))
		default:
			return fmt.Errorf("transport: Bridge: s of component %d has %d numbers, must have %d or %d", k, len(c.S), dim, dim*dim)
		}
	}
	read, err := NewBridge(in.Epsilon, components)
	if err != nil {
		return err
	}
	*b = *read
	return nil
}
