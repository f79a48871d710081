package recovering_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/hindsight-go/hindsight/lib/bandit/recovering"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestParse(t *testing.T) {
	want := recovering.RecoveryModel{R: [][]float64{{.2, .5}, {0, 1}}}
	for _, text := range []string{"0.2,0.5\n0,1\n", "# two arms\n0.2, 0.5\r\n0, 1", `{"R": [[0.2, 0.5], [0, 1]]}`, ` [[0.2, 0.5], [0, 1]] `} {
		m, err := recovering.Parse([]byte(text))
		require.NoError(t, err, text)
		assert.Equal(t, want, m)
	}
	for text, says := range map[string]string{
		"": "empty", "1,x": `line 1, column 3: "x" is not a number`, "0.2,0.5\n0.1": "wrong number of fields", "0.5,0.2": "falls",
		"NaN": "NaN", "2": "must be in [0, 1]", "[]": "empty", "{}": "empty", "[[]]": "empty", "[[0.1], [0.1, 0.2]]": "has 2 idle times",
		"[[null]]": "null", "[[0.1]] [[0.2]]": "text after", `{"R": [[0.1]], "Q": 1}`: "unknown field", "[0.1]": "cannot unmarshal", "[[0.1": "unexpected EOF",
	} {
		_, err := recovering.Parse([]byte(text))
		assert.ErrorContains(t, err, says, text)
	}
	assert.Error(t, recovering.RecoveryModel{}.WriteCSV(&bytes.Buffer{}))
}

// Whatever is read is valid, and is read again as it is written, from CSV and from JSON.
func FuzzParse(f *testing.F) {
	for _, text := range []string{"0.2,0.5\n0,1\n", "# c\n 1", "[[0.1,0.3]]", `{"R":[[0.5]]}`, "[[null]]", "\"0.1\"", "1e-400", "-0", "[[1e999]]", "0x1p-2", "1_0"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := recovering.Parse(text)
		if err != nil {
			return
		}
		require.NoError(t, m.Validate())
		var file bytes.Buffer
		require.NoError(t, m.WriteCSV(&file))
		again, err := recovering.Parse(file.Bytes())
		require.NoError(t, err)
		assert.Equal(t, m, again)
		object, err := json.Marshal(m)
		require.NoError(t, err)
		again, err = recovering.Parse(object)
		require.NoError(t, err)
		assert.Equal(t, m, again)
	})
}
