package e2e

import (
	"testing"
	"time"

	"github.com/evmts/channels/e2e/story"
	"github.com/stretchr/testify/require"
)

// The whole story of the demo, with its own checks: nothing of it may fail.
func TestU1_RaidFromTheOpeningToTheRecordsInTheWorld(t *testing.T) {
	d := network(t)
	ctx := within(t, time.Minute)
	var lines []string
	sum, err := story.Tell(ctx, d, story.Options{Line: func(_ uint64, text string) { lines = append(lines, text) }})
	for i := range d.Sidecars { // the story stops them
		require.NoError(t, d.Restart(ctx, i))
	}
	require.NoError(t, err)
	require.True(t, sum.OK)
	require.GreaterOrEqual(t, sum.Events, uint64(60))
	require.Contains(t, lines, "The dungeon is cleared! The party shares the prize.")
	require.NotEmpty(t, sum.Records)
	require.Len(t, sum.Journals, 3)
	for _, j := range sum.Journals {
		require.Equal(t, sum.JournalRoot, j.JournalRoot, j.Name)
	}
	require.Len(t, sum.Transactions, 5)
	for _, tx := range sum.Transactions {
		require.Positive(t, tx.GasUsed, tx.Kind)
	}
	t.Logf("%d events, p50 %.1f ms, p99 %.1f ms, %v", sum.Events, sum.Latency.P50, sum.Latency.P99, sum.Seconds)
}
