package load

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/evmts/channels/e2e/devnet"
	"github.com/stretchr/testify/require"
)

// The load of `make load`, shorter and on anvil: everything is asserted but speed.
func TestC1_ManyChannelsLoseNoEventWhileASidecarIsKilled(t *testing.T) {
	root, err := devnet.FindRoot("")
	require.NoError(t, err)
	dir := t.TempDir()
	binary := filepath.Join(dir, "op-channels")
	build := exec.Command("go", "build", "-o", binary, "./cmd/op-channels")
	build.Dir = root
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)
	o := Options{
		Dir: filepath.Join(dir, "load"), Root: root, Binary: binary, Channels: 30, Raids: 4, Duration: 20 * time.Second, Baseline: 5 * time.Second,
		Pace: 300 * time.Millisecond, Heartbeat: 3 * time.Second, Kill: true, Sample: 2,
	}
	sum, err := Run(t.Context(), o)
	var tables bytes.Buffer
	sum.Print(&tables)
	t.Log(tables.String())
	if err != nil {
		for _, name := range []string{"operator", "alice", "bob", "anvil"} {
			log, _ := os.ReadFile(filepath.Join(o.Dir, "logs", name+".log")) // there is none when nothing was started
			t.Logf("the end of the log of %s:\n%s", name, log[max(0, len(log)-4000):])
		}
	}
	require.NoError(t, err)
	require.True(t, sum.OK)
	require.Zero(t, sum.Audit.LostCount)
	require.Equal(t, 3*sum.Audit.Channels, sum.Audit.Replayed)
	require.GreaterOrEqual(t, sum.Audit.Channels, o.Channels)
	require.Positive(t, sum.Events.Acknowledged)
	require.Equal(t, sum.Events.RaidsEnded, sum.Events.RaidsSettled)
	require.NotNil(t, sum.Restart)
	require.Positive(t, sum.Load.Blocks.Built)
	path := SummaryFile(o.Dir)
	require.NoError(t, sum.Write(path))
	require.FileExists(t, path)
}
