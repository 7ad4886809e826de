package derivation_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/evmts/channels/channel"
	"github.com/evmts/channels/derivation"
	"github.com/evmts/channels/derivation/evm"
	"github.com/evmts/channels/derivation/lower"
)

// TestA11_ATransactionIsBounded: with the default limits it costs at most 5 million gas, with any that can be loaded 15
// million, and what has to be sent so that the machine gets 63/64 of it fits into a transaction (EIP-7825).
func TestA11_ATransactionIsBounded(t *testing.T) {
	require.LessOrEqual(t, evm.GasBound(derivation.DefaultFuelLimit, derivation.DefaultPageLimit, 80<<10)+derivation.ShellGas, uint64(5_000_000))
	require.LessOrEqual(t, derivation.MaxMachineGas+derivation.ShellGas, 15_000_000)
	require.LessOrEqual(t, derivation.MaxMachineGas*64/63+derivation.ShellGas, 16_777_216)
	require.Less(t, evm.GasBound(derivation.MaxFuelLimit, derivation.DefaultPageLimit, 80<<10), uint64(derivation.MaxMachineGas), "the largest fuel limit can be used")
	require.Greater(t, evm.GasBound(derivation.MaxFuelLimit, derivation.MaxPageLimit, 0), uint64(derivation.MaxMachineGas), "Load has something to refuse")
	// The numbers of entries and statuses that a contract is given are the same everywhere.
	require.Equal(t, []int{1, 2, 3}, []int{lower.Init, lower.Reduce, lower.Effects})
	require.Equal(t, []channel.Status{7, 8, 9, 10}, []channel.Status{channel.RejectedByModule, channel.RejectedTrap, channel.RejectedOutOfFuel, channel.RejectedOutput})
}
