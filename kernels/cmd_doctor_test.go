package main

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestDoctorExitStatus(t *testing.T) {
	var out, log bytes.Buffer
	root := newRootCmd()
	root.SetOut(&out)
	root.SetErr(&log)
	status := execute(t.Context(), root, []string{"doctor", "--json", "--prefix", t.TempDir()})
	assert.Equal(t, 1, status, "nothing is set up there")
	assert.Empty(t, log.String(), "the report has said it all")
	var report struct{ Problems []struct{ What, Cure string } }
	require.NoError(t, json.Unmarshal(out.Bytes(), &report))
	assert.NotEmpty(t, report.Problems)
}
