package transport

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestBridgeAsJSON(t *testing.T) {
	b, x, y := example(t)
	for _, b := range []*Bridge{b, turned(t, b, rotation(0.7))} {
		text, err := json.Marshal(b)
		require.NoError(t, err)
		var again Bridge
		require.NoError(t, json.Unmarshal(text, &again))
		want, err := b.Loss(x, y)
		require.NoError(t, err)
		got, err := again.Loss(x, y)
		require.NoError(t, err)
		assert.InDelta(t, want, got, 1e-12)
		assert.Equal(t, b.diagonal(), again.diagonal())
	}
	var into Bridge
	for text, want := range map[string]string{
		`{"epsilon":1,"components":[{"r":[1,2],"s":[1,2,3]}]}`: "s of component 0 has 3 numbers, must have 2 or 4",
		`{"epsilon":-1,"components":[{"r":[1,2],"s":[1,2]}]}`:  "eps is -1",
		`{"epsilon":1,"components":[{"r":[1,2],"s":[1,-2]}]}`:  "has the eigenvalue -2",
		`{"epsilon":1}`: "there is no component",
		`7`:             "cannot unmarshal",
	} {
		assert.ErrorContains(t, json.Unmarshal([]byte(text), &into), want)
	}
}
