package anvil

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestNodeDiesWithItsParent starts this test binary again as a parent, kills it with SIGKILL, and looks for its child.
func TestNodeDiesWithItsParent(t *testing.T) {
	const role = "ANVIL_TEST_PARENT"
	if os.Getenv(role) != "" {
		n, err := Start(context.Background(), Options{})
		if err != nil {
			t.Fatal(err)
		}
		os.Stdout.WriteString("pid " + strconv.Itoa(n.PID()) + "\n")
		select {}
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestNodeDiesWithItsParent$")
	cmd.Env = append(os.Environ(), role+"=1")
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	line := make([]byte, 64)
	k, err := out.Read(line)
	require.NoError(t, err)
	pid, err := strconv.Atoi(string(bytes.TrimSpace(bytes.TrimPrefix(line[:k], []byte("pid ")))))
	require.NoError(t, err)
	require.True(t, alive(pid))
	require.NoError(t, cmd.Process.Kill())
	_ = cmd.Wait()
	require.Eventually(t, func() bool { return !running(pid) }, 5*time.Second, 5*time.Millisecond, "anvil survived its parent")
}

// running is false for a zombie too: where no init process reaps orphans, a dead one keeps its number.
func running(pid int) bool {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return false
	}
	i := bytes.LastIndexByte(stat, ')')
	return i < 0 || len(stat) < i+3 || stat[i+2] != 'Z'
}
