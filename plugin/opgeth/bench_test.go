package opgeth

import (
	"math/big"
	"testing"

	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/params"
	"github.com/evmts/channels/plugin/anvil"
	"github.com/stretchr/testify/require"
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
			signer, key := types.LatestSignerForChainID(big.NewInt(chainID)), anvil.Keys()[1]
			nonce := uint64(0)
			b.ReportAllocs()
			for b.Loop() {
				b.StopTimer()
				txs := make([]*types.Transaction, transactions)
				for i := range txs {
					txs[i] = types.MustSignNewTx(key, signer, &types.DynamicFeeTx{
						ChainID: big.NewInt(chainID), Nonce: nonce, Gas: 100_000, GasTipCap: big.NewInt(1e6), GasFeeCap: big.NewInt(100 * params.GWei), To: &emitter, Data: make([]byte, 64),
					})
					nonce++
				}
				for _, err := range h.service.TxPool().Add(txs, true) {
					require.NoError(b, err)
				}
				b.StartTimer()
				block := h.commit()
				b.StopTimer()
				require.Len(b, h.service.BlockChain().GetBlockByHash(block.Hash()).Transactions(), transactions)
				b.StartTimer()
			}
		})
	}
}
