package derivation_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/crypto"
	"github.com/stretchr/testify/require"

	"github.com/evmts/channels/channel"
	"github.com/evmts/channels/derivation"
	"github.com/evmts/channels/derivation/internal/asm"
)

// limits of the test modules: high enough for what they do, low enough to stop loops at once.
var limits = derivation.Options{FuelLimit: 1_000_000, PageLimit: 2}

const reduceIndex = 3 // index of asm.Reducer's reduce, without imports

func imported(m asm.Module, names ...string) asm.Module {
	m.Imports = asm.Host(names...)
	return m
}

type statusCase struct {
	name   string
	module asm.Module
	status channel.Status
	reason string
	output string
}

func statusCases() []statusCase {
	i32, text := []byte{asm.I32}, func(s string) []asm.Segment { return []asm.Segment{{At: 100, Bytes: []byte(s)}} }
	code := func(parts ...[]byte) asm.Module { return asm.Reducer(i32, asm.Cat(parts...)) }
	data := func(m asm.Module, d []asm.Segment) asm.Module { m.Data = d; return m }
	ok := asm.Result(0, 1)
	trap := func(name string, reason string, parts ...[]byte) statusCase {
		return statusCase{name, code(asm.Cat(parts...), ok), channel.RejectedTrap, reason, ""}
	}
	table := code(asm.Get(1), asm.CallIndirect(0), ok)
	table.ExtraTypes, table.Table = [][2][]byte{{nil, nil}}, 2
	mistyped := code(asm.Const32(0), asm.CallIndirect(0), ok)
	mistyped.ExtraTypes, mistyped.Table, mistyped.Elements = [][2][]byte{{nil, nil}}, 1, []asm.Segment{{Funcs: []uint32{0}}}
	return []statusCase{
		{"accepted", code(ok), channel.Accepted, "", "\x00"},
		{"accepted, longest output", code(asm.Const32(2), asm.Op(0x40, 0, 0x1a), asm.Result(2048, derivation.MaxResultBytes)), channel.Accepted, "", strings.Repeat("\x00", derivation.MaxResultBytes)},
		{"rejected", imported(data(code(asm.Const32(100), asm.Const32(7), asm.Call(0), ok), text("no mana")), "reject"), channel.RejectedByModule, "no mana", ""},
		{"rejected without a reason", imported(code(asm.Const32(0), asm.Const32(0), asm.Call(0), ok), "reject"), channel.RejectedByModule, "", ""},
		{"rejected with bytes that are not text", imported(data(code(asm.Const32(100), asm.Const32(3), asm.Call(0), ok), text("a\xff\xfe")), "reject"), channel.RejectedByModule, "a?", ""},
		{"rejected at length", imported(data(code(asm.Const32(100), asm.Const32(400), asm.Call(0), ok), text(strings.Repeat("x", 255)+"äöü")), "reject"), channel.RejectedByModule, strings.Repeat("x", 255), ""},
		{"reject ends the call", imported(code(asm.Const32(0), asm.Const32(0), asm.Call(0), asm.Op(0x00)), "reject"), channel.RejectedByModule, "", ""},
		{"reject through the table", func() asm.Module {
			m := imported(code(asm.Const32(0), asm.Const32(0), asm.Const32(0), asm.CallIndirect(0), asm.Op(0x00)), "reject")
			m.ExtraTypes, m.Table, m.Elements = [][2][]byte{{{asm.I32, asm.I32}, nil}}, 1, []asm.Segment{{Funcs: []uint32{0}}}
			return m
		}(), channel.RejectedByModule, "", ""},
		{"reject outside of the memory", imported(code(asm.Const32(65536), asm.Const32(1), asm.Call(0), ok), "reject"), channel.RejectedTrap, derivation.TrapHostPointer, ""},
		{"log wraps around", imported(code(asm.Const32(-1), asm.Const32(-1), asm.Call(0), ok), "log"), channel.RejectedOutOfFuel, "", ""},
		{"log outside of the memory", imported(code(asm.Const32(-8), asm.Const32(16), asm.Call(0), ok), "log"), channel.RejectedTrap, derivation.TrapHostPointer, ""},
		{"keccak256 to outside of the memory", imported(code(asm.Const32(0), asm.Const32(1), asm.Const32(65536-31), asm.Call(0), ok), "keccak256"), channel.RejectedTrap, derivation.TrapHostPointer, ""},

		trap("unreachable", derivation.TrapUnreachable, asm.Op(0x00)),
		trap("load outside", derivation.TrapMemory, asm.Const32(65533), asm.Load(0x28, 0), asm.Op(0x1a)),
		trap("load at a wrapping address", derivation.TrapMemory, asm.Const32(-1), asm.Op(0x28, 0, 0xff, 0xff, 0xff, 0xff, 0x0f), asm.Op(0x1a)),
		trap("store outside", derivation.TrapMemory, asm.Const32(65536), asm.Const32(1), asm.Store(0x3a, 0)),
		trap("fill outside", derivation.TrapMemory, asm.Const32(65530), asm.Const32(1), asm.Const32(7), asm.Op(0xfc, 11, 0)),
		trap("copy outside", derivation.TrapMemory, asm.Const32(0), asm.Const32(65530), asm.Const32(7), asm.Op(0xfc, 10, 0, 0)),
		trap("division by zero", derivation.TrapDivideByZero, asm.Const32(1), asm.Const32(0), asm.Op(0x6d, 0x1a)),
		trap("remainder by zero", derivation.TrapDivideByZero, asm.Const64(1), asm.Const64(0), asm.Op(0x82, 0x1a)),
		trap("division overflow", derivation.TrapOverflow, asm.Const32(-1<<31), asm.Const32(-1), asm.Op(0x6d, 0x1a)),
		{"undefined table element", table, channel.RejectedTrap, derivation.TrapTable, ""},
		{"indirect call of another type", mistyped, channel.RejectedTrap, derivation.TrapIndirectType, ""},
		{"endless recursion", code(asm.Get(0), asm.Get(1), asm.Get(2), asm.Get(3), asm.Call(reduceIndex)), channel.RejectedTrap, derivation.TrapStack, ""},
		{"result outside", code(asm.Result(65536, 1)), channel.RejectedTrap, derivation.TrapResult, ""},
		{"result wraps around", code(asm.Const64(-1)), channel.RejectedTrap, derivation.TrapResult, ""},

		{"endless loop", code(asm.Loop(asm.Void, asm.Br(0)), asm.Op(0x00)), channel.RejectedOutOfFuel, "", ""},
		{"endless loop of calls", imported(code(asm.Loop(asm.Void, asm.Const32(0), asm.Const32(32), asm.Const32(0), asm.Call(0), asm.Br(0)), asm.Op(0x00)), "keccak256"), channel.RejectedOutOfFuel, "", ""},
		{"endless loop of growth", code(asm.Loop(asm.Void, asm.Const32(0), asm.Op(0x40, 0, 0x1a), asm.Br(0)), asm.Op(0x00)), channel.RejectedOutOfFuel, "", ""},
		{"copy of 4 GiB", code(asm.Const32(0), asm.Const32(0), asm.Const32(-1), asm.Op(0xfc, 10, 0, 0), ok), channel.RejectedOutOfFuel, "", ""},
		{"loop of copies", code(asm.Loop(asm.Void, asm.Const32(0), asm.Const32(32768), asm.Const32(32768), asm.Op(0xfc, 10, 0, 0), asm.Br(0)), asm.Op(0x00)), channel.RejectedOutOfFuel, "", ""},

		{"empty output", code(asm.Result(0, 0)), channel.RejectedOutput, "the output is empty", ""},
		{"terminal byte", data(code(asm.Result(100, 1)), text("\x02")), channel.RejectedOutput, "the terminal byte of the output is neither 0 nor 1", ""},
		{"too much output", code(asm.Const32(1), asm.Op(0x40, 0, 0x1a), asm.Result(0, derivation.MaxResultBytes+1)), channel.RejectedOutput, "the output is too large", ""},
	}
}

func TestF11_R6_Statuses(t *testing.T) {
	for name, engine := range engines(t) {
		for _, c := range statusCases() {
			t.Run(name+"/"+c.name, func(t *testing.T) {
				m, err := engine.Load(c.module.Bytes(), limits)
				require.NoError(t, err)
				first := m.Reduce([]byte("state"), []byte("event"))
				require.Equal(t, c.status, first.Status, first.Reason)
				require.Equal(t, c.reason, first.Reason)
				require.Equal(t, c.output, string(first.Output))
				if c.status == channel.RejectedOutOfFuel {
					require.Equal(t, limits.FuelLimit, first.Fuel)
				}
				for range 3 { // a failure leaves nothing behind
					require.Equal(t, first, m.Reduce([]byte("state"), []byte("event")))
				}
				require.Equal(t, channel.Accepted, m.Init(nil).Status)
			})
		}
	}
}

// TestF11_R6_DeltaIsTotal: through the shell, each way of failing leaves the state as it was and gives the same verdict,
// and the next event finds a channel that goes on.
func TestF11_R6_DeltaIsTotal(t *testing.T) {
	for _, c := range statusCases() {
		if c.status == channel.Accepted {
			continue
		}
		m, funds := c.module, make([]byte, 97) // terminal, then what each of the two participants and the beneficiary has
		funds[32], funds[64] = 100, 50
		m.Funcs = append([]asm.Func(nil), m.Funcs...)
		m.Funcs[1].Body = asm.Result(3000, 97)
		m.Data = append(append([]asm.Segment(nil), m.Data...), asm.Segment{At: 3000, Bytes: funds})
		var verdicts []channel.Verdict
		for name, engine := range engines(t) {
			loaded, err := engine.Load(m.Bytes(), limits)
			require.NoError(t, err)
			w := newWorld(t, loaded, nil)
			state, v := w.rules.Genesis(nil)
			require.Equal(t, channel.Accepted, v.Status, "%s on %s: %s", c.name, name, v.Text())
			before := state.Hash()
			for range 2 {
				next, v := w.rules.Apply(state, 1, w.event(0, 1, []byte("event")))
				require.Equal(t, c.status, v.Status, "%s on %s: %s", c.name, name, v.Text())
				require.Equal(t, before, state.Hash())
				require.Nil(t, next)
				verdicts = append(verdicts, v)
			}
		}
		for _, v := range verdicts {
			require.Equal(t, verdicts[0], v, c.name)
		}
	}
}

// The fuel of every case, pinned: a change of weights or of charging points is a change of the protocol.
func TestF11_A9_FuelIsPinnedAndEqual(t *testing.T) {
	all := engines(t)
	for _, c := range statusCases() {
		var results []channel.Result
		for _, engine := range all {
			m, err := engine.Load(c.module.Bytes(), limits)
			require.NoError(t, err)
			results = append(results, m.Reduce([]byte("state"), []byte("event")))
		}
		require.Equal(t, results[0], results[1], c.name)
		require.Equal(t, results[0], results[2], c.name)
	}
	m, err := all["compiler"].Load(asm.Reducer(nil, asm.Result(0, 1)).Bytes(), limits)
	require.NoError(t, err)
	// Two arguments: a word each, allocate (block, parameter, 2 global.get, local.get, add, global.set, end). Then reduce:
	// block, four parameters, i64.const, end; and a word of output.
	const allocate, called, constant, back, word = 81 + 16 + 3*60 + 59 + 42 + 63, 81 + 4*16, 48, 63, 198
	require.EqualValues(t, 2*(201+allocate)+called+constant+back+word, m.Reduce([]byte("state"), []byte("event")).Fuel)
	// A second word of input, and a dead block that is not charged.
	require.EqualValues(t, 3*201+2*allocate+called+constant+back+word, m.Reduce(make([]byte, 33), []byte("event")).Fuel)
	m, err = all["compiler"].Load(asm.Reducer(nil, asm.Cat(asm.Block(asm.Void, asm.Br(0), asm.Const32(1), asm.Op(0x1a)), asm.Result(0, 1))).Bytes(), limits)
	require.NoError(t, err)
	require.EqualValues(t, 2*(201+allocate)+(called+42)+(81+constant+back)+word, m.Reduce([]byte("state"), []byte("event")).Fuel)
	// A br_if that would drop two operands and keep one, not taken: 201, and 23 for each. Then the block behind it, and the end of the block.
	branch := asm.Cat(asm.Block(asm.I64, asm.Const32(1), asm.Const32(2), asm.Const64(1), asm.Const32(0), asm.BrIf(0), asm.Op(0x1a, 0x1a, 0x1a), asm.Const64(1)))
	m, err = all["compiler"].Load(asm.Reducer(nil, branch).Bytes(), limits)
	require.NoError(t, err)
	require.EqualValues(t, 2*(201+allocate)+(called+4*constant+59+201+3*23)+(81+3*32+constant)+(81+back)+word, m.Reduce([]byte("state"), []byte("event")).Fuel)
	// A call of a function with ten parameters and three locals.
	many := asm.Func{Params: bytes.Repeat([]byte{asm.I32}, 10), Locals: []byte{asm.I32, asm.I64, asm.I32}}
	m, err = all["compiler"].Load(asm.Reducer(nil, asm.Cat(bytes.Repeat(asm.Const32(0), 10), asm.Call(4), asm.Result(0, 1)), many).Bytes(), limits)
	require.NoError(t, err)
	require.EqualValues(t, 2*(201+allocate)+(called+10*constant+303+constant+back)+(81+10*16+3*3+back)+word, m.Reduce([]byte("state"), []byte("event")).Fuel)
}

// TestF11_R6_FuelEdge: with exactly the fuel a call needs it is accepted, with one less it is not.
func TestF11_R6_FuelEdge(t *testing.T) {
	module := imported(asm.Reducer(nil, asm.Cat(asm.Const32(0), asm.Const32(100), asm.Const32(0), asm.Call(0), asm.Const32(0), asm.Const32(64),
		asm.Const32(500), asm.Op(0xfc, 10, 0, 0), asm.Const32(1), asm.Op(0x40, 0, 0x1a), asm.Result(2000, 1))), "keccak256").Bytes()
	for name, engine := range engines(t) {
		m, err := engine.Load(module, limits)
		require.NoError(t, err)
		full := m.Reduce([]byte("state"), nil)
		require.Equal(t, channel.Accepted, full.Status, full.Reason)
		for fuel, want := range map[uint64]channel.Status{full.Fuel: channel.Accepted, full.Fuel - 1: channel.RejectedOutOfFuel, 1: channel.RejectedOutOfFuel} {
			o := limits
			o.FuelLimit = fuel
			m, err := engine.Load(module, o)
			require.NoError(t, err)
			r := m.Reduce([]byte("state"), nil)
			require.Equal(t, want, r.Status, "%s with %d of %d", name, fuel, full.Fuel)
			require.Equal(t, fuel, r.Fuel)
		}
	}
}

// TestF11_R6_RecursionLimit: the depth at which a call is refused depends on the frame, not on the engine.
func TestF11_R6_RecursionLimit(t *testing.T) {
	// recurse(n): n == 0 ? 0 : recurse(n - 1); the smallest frame that can count. Its cost: 2 + 2 operands + 1 for a local.
	recurse := asm.Func{Params: []byte{asm.I32}, Body: asm.Cat(asm.Get(0), asm.If(asm.Void, asm.Get(0), asm.Const32(1), asm.Op(0x6b), asm.Call(4)))}
	for name, engine := range engines(t) {
		m, err := engine.Load(asm.Reducer(nil, asm.Cat(asm.Get(1), asm.Call(4), asm.Result(0, 1)), recurse).Bytes(), derivation.Options{})
		require.NoError(t, err)
		// reduce itself: 2 + 1 operand + 1 for its four locals. (900 - 4) / 5 = 179 frames: n = 178 is the last that fits.
		require.Equal(t, channel.Accepted, m.Reduce(make([]byte, 178), nil).Status, name)
		r := m.Reduce(make([]byte, 179), nil)
		require.Equal(t, channel.RejectedTrap, r.Status, name)
		require.Equal(t, derivation.TrapStack, r.Reason, name)
	}
}

func TestF11_R6_MemoryGrowIsBounded(t *testing.T) {
	// reduce returns what memory.grow(stateLen) gave and then the size, as bytes behind the terminal byte at 200.
	module := asm.Reducer(nil, asm.Cat(asm.Const32(201), asm.Get(1), asm.Op(0x40, 0), asm.Store(0x36, 0),
		asm.Const32(205), asm.Op(0x3f, 0), asm.Store(0x36, 0), asm.Result(200, 9)))
	for name, engine := range engines(t) {
		for _, c := range []struct {
			pages    uint32
			max      int
			delta    int
			old, now byte
		}{{1, 0, 0, 1, 1}, {1, 0, 1, 0xff, 1}, {2, 0, 1, 1, 2}, {2, 0, 2, 0xff, 1}, {16, 2, 1, 1, 2}, {16, 2, 2, 0xff, 1}, {3, 60000, 2, 1, 3}, {3, 0, 60000, 0xff, 1}} {
			module.MaxPages = c.max
			m, err := engine.Load(module.Bytes(), derivation.Options{PageLimit: c.pages})
			require.NoError(t, err)
			for range 3 {
				r := m.Reduce(make([]byte, c.delta), nil)
				require.Equal(t, channel.Accepted, r.Status, r.Reason)
				require.Equal(t, c.old, r.Output[1], "%s %+v", name, c)
				require.Equal(t, c.now, r.Output[5], "%s %+v", name, c)
			}
		}
	}
}

func TestF11_HostFunctions(t *testing.T) {
	for name, engine := range engines(t) {
		hash := imported(asm.Reducer(nil, asm.Cat(asm.Get(0), asm.Get(1), asm.Const32(201), asm.Call(0), asm.Result(200, 33))), "keccak256")
		m, err := engine.Load(hash.Bytes(), limits)
		require.NoError(t, err)
		for _, n := range []int{0, 1, 31, 32, 33, 200, 20_000} {
			state := bytes.Repeat([]byte{7}, n)
			r := m.Reduce(state, nil)
			require.Equal(t, channel.Accepted, r.Status, r.Reason)
			require.Equal(t, crypto.Keccak256(state), r.Output[1:], name)
		}

		// Logs and emits the event 100 times.
		loop := asm.Cat(asm.Loop(asm.Void, asm.Get(2), asm.Get(3), asm.Call(0), asm.Get(2), asm.Get(3), asm.Call(1),
			asm.Get(4), asm.Const32(1), asm.Op(0x6a), asm.Tee(4), asm.Const32(100), asm.Op(0x49), asm.BrIf(0)), asm.Result(0, 1))
		m, err = engine.Load(imported(asm.Reducer([]byte{asm.I32}, loop), "log", "emit").Bytes(), limits)
		require.NoError(t, err)
		event := append([]byte("hi \xff"), make([]byte, 1500)...)
		r, emitted := m.ReduceEmitting(nil, event)
		require.Equal(t, channel.Accepted, r.Status, r.Reason)
		require.Len(t, emitted, derivation.MaxNotices)
		require.Equal(t, event[:derivation.MaxNoticeBytes], emitted[0])
		require.Len(t, r.Log, derivation.MaxNotices)
		require.Equal(t, "hi ?"+string(make([]byte, derivation.MaxNoticeBytes-4)), r.Log[0])
		require.Equal(t, r, m.Reduce(nil, event), "what is emitted is no part of the result")
	}
}

func TestF11_AllocateIsChecked(t *testing.T) {
	for name, engine := range engines(t) {
		bad := asm.Reducer(nil, asm.Result(0, 1))
		bad.Funcs[0].Body = asm.Const32(65530)
		m, err := engine.Load(bad.Bytes(), limits)
		require.NoError(t, err)
		require.Equal(t, channel.Accepted, m.Reduce(make([]byte, 6), nil).Status, name)
		r := m.Reduce(make([]byte, 7), nil)
		require.Equal(t, channel.RejectedTrap, r.Status, name)
		require.Equal(t, derivation.TrapAllocate, r.Reason, name)

		loop := asm.Reducer(nil, asm.Result(0, 1))
		loop.Funcs[0].Body = asm.Cat(asm.Loop(asm.Void, asm.Br(0)), asm.Op(0x00))
		m, err = engine.Load(loop.Bytes(), limits)
		require.NoError(t, err)
		require.Equal(t, channel.RejectedOutOfFuel, m.Init([]byte{1}).Status, name)
		require.Equal(t, channel.RejectedTrap, m.Effects(make([]byte, derivation.MaxInputBytes+1)).Status, name)
	}
}

func TestF11_EffectsAreBounded(t *testing.T) {
	for name, engine := range engines(t) {
		for size, want := range map[int64]channel.Status{0: channel.RejectedOutput, channel.MaxEffectBytes: channel.Accepted, channel.MaxEffectBytes + 1: channel.RejectedOutput} {
			module := asm.Reducer(nil, asm.Result(0, 1))
			module.Funcs[2].Body = asm.Result(0, size)
			m, err := engine.Load(module.Bytes(), limits)
			require.NoError(t, err)
			require.Equal(t, want, m.Effects(nil).Status, name)
		}
	}
}
