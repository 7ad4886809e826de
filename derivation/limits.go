package derivation

import (
	"github.com/evmts/channels/channel"
	"github.com/evmts/channels/derivation/wasm"
)

const (
	// DefaultTransactionGas is what a forced event, or a proof about one, may cost in all when the manifest does not choose
	// its fuel, so that it can be sent through L1. Load refuses what is above.
	DefaultTransactionGas = 5_000_000
	// DefaultFuelLimit is the fuel of one call when the manifest does not choose. With it and DefaultPageLimit a program of
	// up to 80 KiB stays below DefaultTransactionGas: evm.GasBound gives 4.09 million, and ShellGas is left for everything
	// around the machine.
	DefaultFuelLimit = 3_500_000
	// MaxFuelLimit is the most that a manifest may choose; MaxMachineGas can allow less.
	MaxFuelLimit = 13_000_000
	// MaxMachineGas bounds evm.GasBound of a module: its fuel, its pages and its program together. With ShellGas it is
	// below 15 million, and so below the cap of one transaction (EIP-7825: 16,777,216) even when 64/63 have to be sent.
	MaxMachineGas = 13_800_000
	// ShellGas is what a transaction takes around the machine: 21,000, 36 KiB of calldata at 16 gas, and the protocol.
	ShellGas = 911_000
	// DefaultPageLimit is 256 KiB, which costs the chain's machine 323,000 gas with a program of 64 KiB.
	DefaultPageLimit = 4
	// MaxPageLimit is 1 MiB, 2.7 million gas.
	MaxPageLimit = wasm.MaxPages
	// StartFuel is what a module's start function may use. It runs when a module is loaded, never on chain, where the
	// snapshot that it left is used instead.
	StartFuel = 100_000_000

	// MaxInputBytes bounds one argument: the largest State has 23,136 bytes, the largest init input about 24 KiB.
	MaxInputBytes = 64 << 10
	// MaxResultBytes bounds what init and reduce return: terminal, funds of 8 assets and 24 parties, app.
	MaxResultBytes = 1 + 8*24*32 + channel.MaxApp
	// MaxReasonBytes bounds what a rejection says; the rest is cut off.
	MaxReasonBytes = 256
	// MaxNotices and MaxNoticeBytes bound what one call may log, and likewise emit; the rest is dropped or cut off.
	MaxNotices     = 64
	MaxNoticeBytes = 1 << 10

	// MaxPrograms bounds the compiled modules of one engine.
	MaxPrograms = 1024
)
