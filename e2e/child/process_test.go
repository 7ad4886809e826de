package child

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFreePortsAreDistinct(t *testing.T) {
	ports, err := FreePorts(20)
	require.NoError(t, err)
	seen := make(map[int]bool)
	for _, p := range ports {
		require.False(t, seen[p])
		seen[p] = true
	}
}

// A setting of the user's own services must not reach those that are started here.
func TestSettingsOfTheUserDoNotReachAChild(t *testing.T) {
	for _, prefix := range settings {
		t.Setenv(prefix+"RPC_URL", "http://user.example")
	}
	path := filepath.Join(t.TempDir(), "out")
	out, err := os.Create(path)
	require.NoError(t, err)
	defer out.Close()
	p, err := Start(out, []string{"OP_NODE_MINE=1"}, "env")
	require.NoError(t, err)
	<-p.Exited()
	require.NoError(t, p.Err())
	require.False(t, p.Running())
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NotContains(t, string(text), "user.example")
	require.True(t, strings.Contains(string(text), "OP_NODE_MINE=1\n"))
	require.NoError(t, p.Terminate(t.Context()), "a process that has ended is ended")
}
