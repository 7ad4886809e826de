package opdevnet

import (
	"testing"

	"github.com/ethereum-optimism/optimism/op-core/predeploys"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/evmts/channels/adjudicator"
	"github.com/evmts/channels/plugin/anvil"
	"github.com/stretchr/testify/require"
)

// What every op-stack chain has at its first block, and what the project deploys through.
func TestGenesisHasPredeploysAndPreinstalls(t *testing.T) {
	g, err := L2Genesis(901, 1_700_000_000)
	require.NoError(t, err)
	for name, at := range map[string]common.Address{
		"L1Block": predeploys.L1BlockAddr, "GasPriceOracle": predeploys.GasPriceOracleAddr, "L2ToL1MessagePasser": predeploys.L2ToL1MessagePasserAddr,
		"SequencerFeeVault": predeploys.SequencerFeeVaultAddr, "beacon roots": predeploys.EIP4788ContractAddr, "block hashes": predeploys.EIP2935ContractAddr,
		"deterministic deployer": adjudicator.Deployer,
	} {
		require.NotEmpty(t, g.Alloc[at].Code, name)
	}
	for _, k := range anvil.Keys() {
		require.Equal(t, funded, g.Alloc[crypto.PubkeyToAddress(k.PublicKey)].Balance)
	}
	// Isthmus takes the withdrawals root from the message passer's storage: without any, op-node does not get past its start.
	require.NotEqual(t, types.EmptyRootHash, *g.ToBlock().Header().WithdrawalsHash)
	// The same block for the same time, wherever it is made.
	again, err := L2Genesis(901, 1_700_000_000)
	require.NoError(t, err)
	require.Equal(t, g.ToBlock().Hash(), again.ToBlock().Hash())
	later, err := L2Genesis(901, 1_700_000_001)
	require.NoError(t, err)
	require.NotEqual(t, g.ToBlock().Hash(), later.ToBlock().Hash())
}

func TestRollupConfigIsValid(t *testing.T) {
	g, err := L2Genesis(901, 1_700_000_000)
	require.NoError(t, err)
	l1 := &types.Header{Number: common.Big1, Time: 1_700_000_000}
	c := rollupConfig(901, 1, l1, g.ToBlock().Header(), common.Address{1}, common.Address{2}, common.Address{3})
	require.NoError(t, c.Check())
	require.True(t, c.IsJovian(1_700_000_000))
}

func TestMissingBinariesAreNamedWithTheirCommand(t *testing.T) {
	_, err := FindBinaries(t.TempDir())
	require.ErrorIs(t, err, ErrBinaries)
	require.ErrorContains(t, err, "make op-binaries")
}
