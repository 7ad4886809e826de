package opgeth

import (
	"testing"

	"github.com/ethereum/go-ethereum/core/types"
	"github.com/evmts/channels/plugin/anvil"
)

// BenchmarkBlock builds and imports blocks of 200 transactions, each with a log: on a node alone, with a whole sidecar inside whose
// contracts do not log, and with a feed that wants every log and compares it with the receipts root.
func BenchmarkBlock(b *testing.B) {
	const transactions = 200
	for _, c := range []struct {
		name string
		with func(h *host) (stop func())
	}{
		{"alone", func(*host) func() { return func() {} }},
		{"sidecar", nil},
		{"every-log", func(h *host) func() {
			f := h.follow()
			go func() {
				for range f.out {
				}
			}()
			return f.stop
		}},
	} {
		b.Run(c.name, func(b *testing.B) {
			dir, contracts := deployed(b)
			h := newHost(b, dir)
			var p *Plugin
			if c.with == nil {
				p = h.register(parse(b, h.options(contracts)...))
			}
			h.begin()
			if c.with != nil {
				defer c.with(h)()
			} else {
				h.up(p)
			}
			data := make([]byte, 64)
			for b.Loop() {
				b.StopTimer()
				txs := make([]*types.Transaction, transactions)
				for i := range txs {
					txs[i] = h.sign(anvil.Keys()[1], uint64(i), 100_000, emitter, nil, data)
				}
				b.StartTimer()
				h.commit(txs...)
			}
		})
	}
}
