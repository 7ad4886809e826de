package derivation_test

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/evmts/channels/channel"
	"github.com/evmts/channels/examples/counter"
)

func TestF11_CounterThroughTheShell(t *testing.T) {
	for name, engine := range engines(t) {
		t.Run(name, func(t *testing.T) {
			m, err := engine.Load(counter.Wasm, counter.Options())
			require.NoError(t, err)
			w := newWorld(t, m, nil)
			state, v := w.rules.Genesis(nil)
			require.Equal(t, channel.Accepted, v.Status, v.Reason)
			require.Equal(t, make([]byte, 8), state.App)
			require.EqualValues(t, 100, state.Funds[31])
			require.EqualValues(t, 50, state.Funds[63])
			for i := uint64(1); i <= 10; i++ {
				state, v = w.rules.Apply(state, i, w.event(0, i, []byte("anything")))
				require.Equal(t, channel.Accepted, v.Status, v.Reason)
				require.Equal(t, i, binary.LittleEndian.Uint64(state.App))
				require.False(t, state.Header.Terminal)
			}
			state, v = w.rules.Apply(state, 11, w.event(1, 1, counter.PayloadEnd))
			require.Equal(t, channel.Accepted, v.Status, v.Reason)
			require.True(t, state.Header.Terminal)
			effects, v := w.rules.Effects(state)
			require.Equal(t, channel.Accepted, v.Status, v.Reason)
			require.Empty(t, effects)
		})
	}
}
