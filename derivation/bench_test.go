package derivation_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/evmts/channels/channel"
	"github.com/evmts/channels/derivation"
	"github.com/evmts/channels/examples/counter"
)

func BenchmarkCounterReduce(b *testing.B) {
	for name, engine := range engines(b) {
		b.Run(name, func(b *testing.B) {
			m, err := engine.Load(counter.Wasm, counter.Options())
			require.NoError(b, err)
			w := newWorld(b, m, nil)
			s, v := w.rules.Genesis(nil)
			require.Equal(b, channel.Accepted, v.Status)
			state, event := s.Bytes(), eventInput(0, []byte("payload of an event"))
			b.ResetTimer()
			for b.Loop() {
				if r := m.Reduce(state, event); r.Status != channel.Accepted {
					b.Fatal(r)
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "calls/s")
		})
	}
}

func BenchmarkLoadCounter(b *testing.B) {
	for b.Loop() {
		e, err := derivation.NewEngine(derivation.Config{})
		require.NoError(b, err)
		_, err = e.Load(counter.Wasm, counter.Options())
		require.NoError(b, err)
		require.NoError(b, e.Close())
	}
}
