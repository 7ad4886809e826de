package derivation_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/evmts/channels/channel"
	"github.com/evmts/channels/derivation"
	"github.com/evmts/channels/derivation/evm"
	"github.com/evmts/channels/derivation/internal/asm"
	"github.com/evmts/channels/derivation/lower"
)

// TestA11_ATransactionIsBounded: with the default limits it costs at most 5 million gas, with any that can be loaded 15
// million, and what has to be sent so that the machine gets 63/64 of it fits into a transaction (EIP-7825).
func TestA11_ATransactionIsBounded(t *testing.T) {
	require.LessOrEqual(t, evm.GasBound(derivation.DefaultFuelLimit, derivation.DefaultPageLimit, 80<<10)+derivation.ShellGas, uint64(derivation.DefaultTransactionGas))
	require.LessOrEqual(t, derivation.MaxMachineGas+derivation.ShellGas, 15_000_000)
	require.LessOrEqual(t, derivation.MaxMachineGas*64/63+derivation.ShellGas, 16_777_216)
	require.Less(t, evm.GasBound(derivation.MaxFuelLimit, derivation.DefaultPageLimit, 80<<10), uint64(derivation.MaxMachineGas), "the largest fuel limit can be used")
	require.Greater(t, evm.GasBound(derivation.MaxFuelLimit, derivation.MaxPageLimit, 0), uint64(derivation.MaxMachineGas), "Load has something to refuse")
	// The numbers of entries and statuses that a contract is given are the same everywhere.
	require.Equal(t, []int{1, 2, 3}, []int{lower.Init, lower.Reduce, lower.Effects})
	require.Equal(t, []channel.Status{7, 8, 9, 10}, []channel.Status{channel.RejectedByModule, channel.RejectedTrap, channel.RejectedOutOfFuel, channel.RejectedOutput})
}

// TestA11_ALargeModuleChoosesItsFuel: a program for which the default does not keep what it promises is refused, and says what to do.
func TestA11_ALargeModuleChoosesItsFuel(t *testing.T) {
	e, err := derivation.NewEngine(derivation.Config{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.Close()) })
	filler := asm.Func{Body: bytes.Repeat(asm.Cat(asm.Const64(1<<40), asm.Op(0x1a)), 3_000)}
	binary := asm.Reducer(nil, asm.Result(0, 1), filler, filler, filler, filler).Bytes()
	_, err = e.Load(binary, derivation.Options{})
	require.ErrorIs(t, err, derivation.ErrOptions)
	require.ErrorContains(t, err, "choose a fuel limit in the manifest")
	_, err = e.Load(binary, derivation.Options{FuelLimit: derivation.DefaultFuelLimit})
	require.NoError(t, err)
	lowered, err := derivation.Lower(binary)
	require.NoError(t, err)
	require.Greater(t, len(lowered.Program.Encode()), 80<<10)
	_, err = e.Load(asm.Reducer(nil, asm.Result(0, 1)).Bytes(), derivation.Options{})
	require.NoError(t, err)
}
