package derivation

import (
	"github.com/evmts/channels/channel"
	"github.com/evmts/channels/derivation/wasm"
)

const (
	// DefaultFuelLimit is the fuel of one call when the manifest does not choose: a forced event may cost 5 million gas
	// so that it can be sent through L1, and loading the program, memory and calldata takes up to 1.5 million of it.
	DefaultFuelLimit = 3_500_000
	// MaxFuelLimit keeps a call, its program and its input within 15 million gas, below the cap of one transaction
	// (EIP-7825: 16,777,216).
	MaxFuelLimit = 13_000_000
	// DefaultPageLimit is 256 KiB, which costs the chain's machine about 220,000 gas if all of it is touched.
	DefaultPageLimit = 4
	// MaxPageLimit is 1 MiB, 2.8 million gas.
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
