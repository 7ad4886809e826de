package signer_test

import (
	"math/big"
	"net/http"
	"testing"

	opsigner "github.com/ethereum-optimism/optimism/op-service/signer"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/evmts/channels/channel"
	"github.com/evmts/channels/plugin/anvil"
	"github.com/evmts/channels/sidecar/signer"
	"github.com/evmts/channels/sidecar/signer/signertest"
	"github.com/stretchr/testify/require"
)

func payment(chain int64) *types.Transaction {
	to := common.Address{7}
	return types.NewTx(&types.DynamicFeeTx{
		ChainID: big.NewInt(chain), Nonce: 3, GasTipCap: big.NewInt(1), GasFeeCap: big.NewInt(2_000_000_000), Gas: 30_000, To: &to, Value: big.NewInt(5), Data: []byte{1, 2, 3},
	})
}

// TestU1_TransactionsOfAnOwnerElsewhere: by the methods of op-signer, Clef and nodes.
func TestU1_TransactionsOfAnOwnerElsewhere(t *testing.T) {
	for _, method := range []string{"eth_signTransaction", "account_signTransaction"} {
		s := serve(t, method)
		tx, err := dial(t, configOf(s)).Transactions(big.NewInt(901))(t.Context(), s.Address(), payment(901))
		require.NoError(t, err)
		from, err := types.Sender(types.LatestSignerForChainID(big.NewInt(901)), tx)
		require.NoError(t, err)
		require.Equal(t, s.Address(), from)
		require.EqualValues(t, 5, tx.Value().Int64())
	}
	chain, err := anvil.Start(t.Context(), anvil.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { _ = chain.Close() })
	owner := crypto.PubkeyToAddress(anvil.Keys()[3].PublicKey)
	c := dial(t, signer.Config{CLIConfig: opsigner.CLIConfig{Endpoint: chain.URL(), Address: owner.Hex()}})
	_, err = c.Transactions(big.NewInt(31337))(t.Context(), owner, payment(31337))
	require.NoError(t, err)
	_, err = c.Transactions(big.NewInt(31337))(t.Context(), common.Address{1}, payment(31337))
	require.Error(t, err, "for another account nobody is asked")
}

// TestAttack14_OnlyTheTransactionThatWasShown: a signer that changes a payment, or signs with another key, is refused.
func TestAttack14_OnlyTheTransactionThatWasShown(t *testing.T) {
	sign := func(key string, change func(*types.DynamicFeeTx)) signertest.Fault {
		return func(w http.ResponseWriter, _ *http.Request, c *signertest.Call) bool {
			tx := payment(901)
			data := &types.DynamicFeeTx{ChainID: tx.ChainId(), Nonce: tx.Nonce(), GasTipCap: tx.GasTipCap(), GasFeeCap: tx.GasFeeCap(), Gas: tx.Gas(), To: tx.To(), Value: tx.Value(), Data: tx.Data()}
			change(data)
			signed, err := types.SignNewTx(keyOf(t, key), types.LatestSignerForChainID(data.ChainID), data)
			require.NoError(t, err)
			raw, err := signed.MarshalBinary()
			require.NoError(t, err)
			signertest.Answer(w, nil, hexutil.Bytes(raw), nil)
			return true
		}
	}
	answer := func(v any) signertest.Fault {
		return func(w http.ResponseWriter, _ *http.Request, _ *signertest.Call) bool {
			signertest.Answer(w, nil, v, nil)
			return true
		}
	}
	for name, c := range map[string]struct {
		fault signertest.Fault
		code  channel.Code
	}{
		"another key":      {sign("another", func(*types.DynamicFeeTx) {}), channel.CodeSignature},
		"another receiver": {sign("attestor", func(d *types.DynamicFeeTx) { d.To = &common.Address{8} }), channel.CodeSignature},
		"more money":       {sign("attestor", func(d *types.DynamicFeeTx) { d.Value = big.NewInt(6) }), channel.CodeSignature},
		"another chain":    {sign("attestor", func(d *types.DynamicFeeTx) { d.ChainID = big.NewInt(1) }), channel.CodeSignature},
		"a number":         {answer(7), channel.CodeSignature},
		"nothing":          {answer(map[string]any{}), channel.CodeSignature},
		"a refusal": {func(w http.ResponseWriter, _ *http.Request, _ *signertest.Call) bool {
			signertest.Answer(w, nil, nil, &signertest.Error{Code: -32000, Message: "too much"})
			return true
		}, channel.CodeSigner},
		"a broken line": {hangUp, channel.CodeSigner},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, "eth_signTransaction")
			s.Misbehave(c.fault)
			client := dial(t, configOf(s))
			_, err := client.Transactions(big.NewInt(901))(t.Context(), s.Address(), payment(901))
			require.ErrorIs(t, err, &channel.Refusal{Code: c.code})
			require.NotEmpty(t, client.Reason())
		})
	}
}
