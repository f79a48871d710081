package setup

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestEnvironment(t *testing.T) {
	s, out := newSession(t)
	needPython(t, s)
	ix := newIndex(t, "peer", map[string]string{"peer.py": "value = 7\n"})
	lock := filepath.Join(s.Root.Dir(), "peer.txt")
	write(t, lock, ix.lock("peer"))
	t.Setenv("PIP_INDEX_URL", ix.URL+"/simple")
	ix.right()
	e := Environment{Name: "Peer", Root: s.Root.WithPrefix("beside"), Lock: lock, Proof: "import peer; print('peer', peer.value)"}
	assert.False(t, e.Made())

	e.Bytes = 1 << 62
	aFault(t, e.Ensure(t.Context(), s.Out), "Peer needs", "Free some space and try again")
	e.Bytes = 0
	broken := e
	broken.Proof = "import nothing_of_that_name"
	aFault(t, broken.Ensure(t.Context(), s.Out), "The packages of Peer were installed, but do not load: ModuleNotFoundError", "setup.log")
	assert.False(t, e.Made(), "what does not load is not there")

	require.NoError(t, e.Ensure(t.Context(), s.Out))
	assert.True(t, e.Made())
	assert.Contains(t, out.String(), "✓ Peer: peer 7, Python 3.")

	ix.Close()
	out.Reset()
	require.NoError(t, e.Ensure(t.Context(), s.Out), "no network needed the second time")
	assert.Empty(t, out.String(), "nothing to say")
	assert.False(t, exists(filepath.Join(s.Root.Venv(), "lib", "hindsight")), "the notebooks' environment is left alone")
}
