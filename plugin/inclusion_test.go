package plugin

import (
	"math/big"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/core/types"
	"github.com/stretchr/testify/require"
)

// What is censorship, and what only looks like it.
func TestA26_ChainThatStandsStillIsNoCensorship(t *testing.T) {
	const after = time.Minute
	for name, c := range map[string]struct {
		sent     time.Duration // ago; 0: nothing was sent
		blocks   uint64        // built since
		baseFee  int64         // 10 was offered
		censored bool
	}{
		"blocks without it":      {2 * after, builtWithout, 10, true},
		"too early":              {after / 2, 100, 10, false},
		"stands still":           {2 * after, 0, 10, false},
		"hardly any block":       {2 * after, builtWithout - 1, 10, false},
		"offers too little":      {2 * after, 100, 11, false},
		"nothing was sent":       {0, 100, 10, false},
		"a chain without a base": {2 * after, builtWithout, -1, true},
	} {
		i := new(inclusion)
		head := func(n uint64) *types.Header {
			h := &types.Header{Number: new(big.Int).SetUint64(n)}
			if c.baseFee >= 0 {
				h.BaseFee = big.NewInt(c.baseFee)
			}
			return h
		}
		if c.sent > 0 {
			i.leaves(types.NewTx(&types.DynamicFeeTx{GasFeeCap: big.NewInt(10)}))
			i.since = i.since.Add(-c.sent)
		}
		require.False(t, i.refused(head(50), after), "%s: at the first look", name)
		if c.baseFee <= 10 { // the price restarts the clock
			require.Equal(t, c.censored, i.refused(head(50+c.blocks), after), name)
		} else {
			require.False(t, i.refused(head(50+c.blocks), after), name)
			require.Less(t, time.Since(i.since), after, name)
		}
		i.reset()
		require.False(t, i.refused(head(1000), after), name)
	}
	// A new transaction does not restart the clock: only one that is mined does.
	i := new(inclusion)
	tx := types.NewTx(&types.DynamicFeeTx{GasFeeCap: big.NewInt(10)})
	i.leaves(tx)
	i.since = i.since.Add(-2 * after)
	i.leaves(tx)
	require.False(t, i.refused(&types.Header{Number: big.NewInt(1)}, after))
	require.True(t, i.refused(&types.Header{Number: big.NewInt(9)}, after))
}
