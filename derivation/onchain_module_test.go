package derivation_test

import (
	"encoding/binary"

	"github.com/evmts/channels/channel"
	"github.com/evmts/channels/derivation"
	"github.com/evmts/channels/derivation/internal/asm"
)

// Commands of the puppet, the first byte of what it is given.
const (
	puppetReturn  = 0 // what follows
	puppetReject  = 1
	puppetTrap    = 2
	puppetLoop    = 3 // for ever
	puppetLarge   = 4 // returns a whole page
	puppetOutside = 5 // returns bytes behind the memory
	puppetEmpty   = 6
	puppetDigest  = 7 // returns funds as they are and the hashes of both arguments as the app
	puppetApp     = 8 // returns funds as they are and an app of as many bytes as the next 4 say, little-endian; events only
)

// puppetFails is what comes of each command that gives no result.
var puppetFails = [...]channel.Status{puppetReject: channel.RejectedByModule, puppetTrap: channel.RejectedTrap, puppetLoop: channel.RejectedOutOfFuel,
	puppetLarge: channel.RejectedOutput, puppetOutside: channel.RejectedTrap, puppetEmpty: channel.RejectedOutput}

// puppet is a module that does what it is told, so that every status and every output can be had from a real module:
//
//	init     obeys the genesis input behind its first 160 bytes
//	reduce   obeys the payload, and digests when it is empty. On a top-up or a timeout it obeys the state's last byte if
//	         that is reject … empty, and digests otherwise; a timeout ends the channel
//	effects  obeys what stands before the last 4 bytes of the state, which are the length of it, little-endian
//
// The digest makes the state depend on every byte that the shell gives.
func puppet() asm.Module {
	const (
		unreachable, ret                = 0x00, 0x0f
		eqz, eq, ltU, gtU               = 0x45, 0x46, 0x49, 0x4b
		add, sub, mul, shl32, or32      = 0x6a, 0x6b, 0x6c, 0x74, 0x72
		extend, shl, or                 = 0xad, 0x86, 0x84
		load8, load32, store8           = 0x2d, 0x28, 0x3a
		keccak, reject, command, digest = 0, 1, 6, 7
	)
	// pack leaves ptr << 32 | len.
	pack := func(ptr, size []byte) []byte {
		return asm.Cat(ptr, asm.Op(extend), asm.Const64(32), asm.Op(shl), size, asm.Op(extend), asm.Op(or))
	}
	plus := func(a []byte, n int32) []byte { return asm.Cat(a, asm.Const32(n), asm.Op(add)) }
	minus := func(a []byte, n int32) []byte { return asm.Cat(a, asm.Const32(n), asm.Op(sub)) }
	when := func(n int32, then ...[]byte) []byte {
		return asm.Cat(asm.Get(2), asm.Const32(n), asm.Op(eq), asm.If(asm.Void, then...))
	}
	obey := asm.Func{Params: []byte{asm.I32, asm.I32}, Results: []byte{asm.I64}, Locals: []byte{asm.I32}, Body: asm.Cat(
		asm.Get(1), asm.Op(eqz), asm.If(asm.Void, asm.Result(0, 0), asm.Op(ret)),
		asm.Get(0), asm.Load(load8, 0), asm.Set(2),
		when(puppetReject, plus(asm.Get(0), 1), minus(asm.Get(1), 1), asm.Call(reject)),
		when(puppetTrap, asm.Op(unreachable)),
		when(puppetLoop, asm.Loop(asm.Void, asm.Br(0))),
		when(puppetLarge, asm.Result(0, 65536), asm.Op(ret)),
		when(puppetOutside, asm.Result(65535, 2), asm.Op(ret)),
		when(puppetEmpty, asm.Result(0, 0), asm.Op(ret)),
		pack(plus(asm.Get(0), 1), minus(asm.Get(1), 1)),
	)}
	// digest(state, stateLen, event, eventLen): locals 4 where the result begins, 5 its length without the hashes.
	digests := asm.Func{Params: []byte{asm.I32, asm.I32, asm.I32, asm.I32}, Results: []byte{asm.I64}, Locals: []byte{asm.I32, asm.I32}, Body: asm.Cat(
		asm.Get(2), asm.Get(3), asm.Const32(0), asm.Call(keccak),
		asm.Get(0), asm.Get(1), asm.Const32(32), asm.Call(keccak),
		// The header's last byte, terminal, is the one in front of the funds: it serves as the result's first.
		asm.Get(0), asm.Get(2), asm.Load(load8, 2), asm.Const32(3), asm.Op(add), asm.Const32(32), asm.Op(mul), asm.Op(add), asm.Const32(1), asm.Op(sub), asm.Set(4),
		asm.Get(2), asm.Load(load8, 3), asm.Get(2), asm.Load(load8, 4), asm.Op(mul), asm.Const32(32), asm.Op(mul), asm.Const32(1), asm.Op(add), asm.Set(5),
		asm.Get(4), asm.Get(2), asm.Load(load8, 0), asm.Const32(2), asm.Op(eq), asm.Store(store8, 0),
		asm.Get(3), asm.Const32(37), asm.Op(eq), asm.If(asm.Void,
			asm.Get(2), asm.Load(load8, 32), asm.Const32(puppetApp), asm.Op(eq), asm.If(asm.Void,
				pack(asm.Get(4), asm.Cat(asm.Get(5), asm.Get(2), asm.Load(load32, 33), asm.Op(add))), asm.Op(ret))),
		asm.Get(4), asm.Get(5), asm.Op(add), asm.Const32(0), asm.Const32(64), asm.Op(0xfc, 10, 0, 0),
		pack(asm.Get(4), plus(asm.Get(5), 64)),
	)}
	all := asm.Cat(asm.Get(0), asm.Get(1), asm.Get(2), asm.Get(3), asm.Call(digest), asm.Op(ret))
	last := plus(asm.Get(0), 0)
	last = minus(asm.Cat(last, asm.Get(1), asm.Op(add)), 1)
	reduce := asm.Cat(
		asm.Get(2), asm.Load(load8, 0), asm.If(asm.Void, // a system event
			last, asm.Load(load8, 0), asm.Op(eqz), asm.If(asm.Void, all),
			last, asm.Load(load8, 0), asm.Const32(puppetEmpty), asm.Op(gtU), asm.If(asm.Void, all),
			last, asm.Const32(1), asm.Call(command), asm.Op(ret)),
		asm.Get(3), asm.Const32(33), asm.Op(ltU), asm.If(asm.Void, all),
		asm.Get(2), asm.Load(load8, 32), asm.Const32(puppetDigest-1), asm.Op(gtU), asm.If(asm.Void, all),
		plus(asm.Get(2), 32), minus(asm.Get(3), 32), asm.Call(command),
	)
	m := asm.Reducer(nil, reduce, obey, digests)
	m.Imports = asm.Host("keccak256", "reject")
	// init: the third word of the input is where the genesis input is; its offset and length are below 65,536.
	short := func(at int) []byte {
		return asm.Cat(asm.Get(2), asm.Load(load8, at+30), asm.Const32(8), asm.Op(shl32), asm.Get(2), asm.Load(load8, at+31), asm.Op(or32))
	}
	m.Funcs[1].Locals = []byte{asm.I32, asm.I32}
	m.Funcs[1].Body = asm.Cat(
		asm.Get(0), asm.Set(2), asm.Get(0), short(64), asm.Op(add), asm.Set(2), short(0), asm.Set(3),
		asm.Get(3), asm.Const32(161), asm.Op(ltU), asm.If(asm.Void, asm.Result(0, 0), asm.Op(ret)),
		plus(asm.Get(2), 32+160), minus(asm.Get(3), 160), asm.Call(command),
	)
	// effects: local 2 is where the length stands, 3 the length.
	m.Funcs[2].Locals = []byte{asm.I32, asm.I32}
	m.Funcs[2].Body = asm.Cat(
		asm.Get(0), asm.Get(1), asm.Op(add), asm.Const32(4), asm.Op(sub), asm.Set(2),
		asm.Get(2), asm.Load(load32, 0), asm.Set(3),
		asm.Get(2), asm.Get(3), asm.Op(sub), asm.Get(3), asm.Call(command),
	)
	return m
}

// puppetOptions leave the largest state room: a digest of it and of the longest event.
func puppetOptions(sparse bool) derivation.Options {
	return derivation.Options{FuelLimit: 1_000_000, PageLimit: 1, Sparse: sparse}
}

// ordered is a command with what it needs.
func ordered(command byte, rest ...byte) []byte { return append([]byte{command}, rest...) }

// headed is a genesis input that orders something.
func headed(command byte, rest ...byte) []byte {
	return append(make([]byte, 160), ordered(command, rest...)...)
}

// tailedEffects is an app whose effects are what the command gives.
func tailedEffects(command byte, output ...byte) []byte {
	b := ordered(command, output...)
	return binary.LittleEndian.AppendUint32(b, uint32(len(b)))
}

// result is what a module returns: terminal ‖ funds ‖ app.
func result(terminal byte, funds, app []byte) []byte {
	return append(append([]byte{terminal}, funds...), app...)
}
