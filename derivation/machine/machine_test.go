package machine_test

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/evmts/channels/derivation/internal/asm"
	"github.com/evmts/channels/derivation/lower"
	"github.com/evmts/channels/derivation/machine"
	"github.com/evmts/channels/derivation/meter"
	"github.com/evmts/channels/derivation/modgen"
	"github.com/evmts/channels/derivation/wasm"
	"github.com/evmts/channels/examples/counter"
)

func lowered(t testing.TB, binary []byte) *lower.Program {
	t.Helper()
	m, err := wasm.Decode(binary)
	require.NoError(t, err)
	l, err := machine.Lower(m, 1_000_000)
	require.NoError(t, err)
	return l.Program
}

func newMachine(t testing.TB, p *lower.Program) *machine.Machine {
	t.Helper()
	m, err := machine.New(p, 4)
	require.NoError(t, err)
	return m
}

func randomBytes(seed uint64, n int) []byte {
	rng, b := rand.New(rand.NewPCG(seed, 17)), make([]byte, n)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return b
}

// end is all that an ended call leaves.
type end struct {
	status  machine.Status
	trap    machine.Trap
	fuel    uint64
	output  string
	memory  string
	globals []uint64
}

func endOf(m *machine.Machine) end {
	return end{m.Status(), m.Trap(), m.FuelUsed(), string(m.Output()), string(m.Memory()), append([]uint64(nil), m.Globals()...)}
}

// recursive calls itself through the table until the event's length is used up, with operands on the stack.
func recursive() []byte {
	m := asm.Reducer(nil, asm.Cat(asm.Get(3), asm.Call(4), asm.Op(0xad), asm.Const64(0), asm.Op(0x84, 0x1a), asm.Result(0, 9)),
		asm.Func{Params: []byte{asm.I32}, Results: []byte{asm.I32}, Locals: []byte{asm.I64}, Body: asm.Cat(
			asm.Get(0), asm.Op(0x45), asm.If(asm.I32, asm.Const32(7), asm.Op(0x05),
				asm.Const32(5), asm.Get(0), asm.Const32(1), asm.Op(0x6b), asm.Const32(0), asm.CallIndirect(0), asm.Op(0x6a)))})
	m.ExtraTypes, m.Table, m.Elements = [][2][]byte{{{asm.I32}, {asm.I32}}}, 1, []asm.Segment{{Funcs: []uint32{4}}}
	return m.Bytes()
}

// TestF11_StateAtAnyStep: a call that is encoded and continued on another machine after every single step ends as one
// that ran through, and the encoding of what was restored is the same.
func TestF11_StateAtAnyStep(t *testing.T) {
	for name, binary := range map[string][]byte{"counter": counter.Wasm, "recursive": recursive()} {
		p := lowered(t, binary)
		args := [][]byte{make([]byte, 300), {0, 0, 2, 1, 3, 9}}
		whole := newMachine(t, p)
		whole.Begin(lower.Reduce, args, 100_000)
		whole.Finish()
		m := newMachine(t, p)
		m.Begin(lower.Reduce, args, 100_000)
		steps := 0
		for m.Status() == machine.Running {
			state := m.Encode()
			next, err := machine.Restore(p, state)
			require.NoError(t, err, "%s, step %d", name, steps)
			require.Equal(t, state, next.Encode())
			m = next
			require.Equal(t, 1, m.Run(1))
			steps++
		}
		require.Greater(t, steps, 20, name)
		require.Equal(t, endOf(whole), endOf(m), name)
		ended, err := machine.Restore(p, m.Encode())
		require.NoError(t, err)
		require.Equal(t, endOf(whole), endOf(ended))
		require.Zero(t, ended.Run(1))
	}
}

// TestF11_StateAtRandomSteps does the same on random modules, whatever way they end.
func TestF11_StateAtRandomSteps(t *testing.T) {
	seen := map[machine.Status]int{}
	for seed := range uint64(150) {
		g := modgen.Generate(randomBytes(seed, 1000))
		decoded, err := wasm.Decode(g.Binary)
		require.NoError(t, err)
		l, err := machine.Lower(decoded, 10_000)
		if err != nil {
			require.ErrorIs(t, err, machine.ErrStart)
			continue
		}
		p, args := l.Program, [][]byte{nil, randomBytes(seed, 64)}
		whole := newMachine(t, p)
		whole.Begin(lower.Reduce, args, g.FuelLimit)
		whole.Finish()
		m, rng := newMachine(t, p), rand.New(rand.NewPCG(seed, 0))
		m.Begin(lower.Reduce, args, g.FuelLimit)
		for m.Run(rng.IntN(60)); m.Status() == machine.Running; m.Run(rng.IntN(60)) {
			if m, err = machine.Restore(p, m.Encode()); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
		}
		require.Equal(t, endOf(whole), endOf(m), "seed %d", seed)
		_, err = machine.Restore(p, m.Encode())
		require.NoError(t, err, "seed %d: %v %v", seed, m.Status(), m.Trap())
		seen[m.Status()]++
	}
	for _, s := range []machine.Status{machine.Done, machine.Trapped, machine.OutOfFuel, machine.Rejected} {
		require.Positive(t, seen[s], s.String())
	}
}

// TestF11_HookSeesEveryInstruction: the fuel that the hook can add up is what the call used, and looking changes nothing.
func TestF11_HookSeesEveryInstruction(t *testing.T) {
	p := lowered(t, recursive())
	args := [][]byte{{1, 2, 3}, make([]byte, 5)}
	plain := newMachine(t, p)
	plain.Begin(lower.Reduce, args, 1_000_000)
	plain.Finish()
	m := newMachine(t, p)
	charged, depth, byFunction, steps := uint64(2*meter.InputWord), 0, map[int]uint64{}, 0
	m.Hook = func(m *machine.Machine) {
		in, f := m.Instr(), m.Function()
		_, locals, _ := p.Code[p.Functions[f].Entry].Frame()
		require.Len(t, m.Locals(), locals)
		require.LessOrEqual(t, len(m.Operands()), int(p.Functions[f].Height))
		if in.Op == lower.Fuel {
			charged += uint64(in.C)
			byFunction[f] += uint64(in.C)
		}
		depth = max(depth, m.Depth())
		steps++
	}
	m.Begin(lower.Reduce, args, 1_000_000)
	for m.Status() == machine.Running {
		m.Run(7)
	}
	require.Equal(t, endOf(plain), endOf(m))
	require.Equal(t, charged+meter.OutputWord*meter.Words(len(m.Output())), m.FuelUsed())
	require.Equal(t, 1+6, depth)
	require.Positive(t, byFunction[4])
	require.Greater(t, steps, 50)
}

// TestA9_RandomModulesExecuteEveryInstruction: what the engines are compared on is not only written but executed.
func TestA9_RandomModulesExecuteEveryInstruction(t *testing.T) {
	seen := map[lower.Op]int{}
	for seed := range uint64(400) {
		g := modgen.Generate(randomBytes(seed, 3000))
		decoded, err := wasm.Decode(g.Binary)
		require.NoError(t, err)
		l, err := machine.Lower(decoded, 10_000)
		if err != nil {
			continue // its start function traps
		}
		m := newMachine(t, l.Program)
		m.Hook = func(m *machine.Machine) { seen[m.Instr().Op]++ }
		for i := range uint64(3) {
			m.Begin(lower.Reduce, [][]byte{nil, randomBytes(seed<<8|i, 64)}, g.FuelLimit)
			m.Finish()
		}
	}
	for _, op := range lower.Ops() {
		if op != lower.Enter { // a part of its call
			require.Positive(t, seen[op], op.String())
		}
	}
}

func TestF11_PageLimitOfAMachine(t *testing.T) {
	p := lowered(t, counter.Wasm)
	_, err := machine.New(p, 0)
	require.ErrorContains(t, err, "1 pages, the limit is 0")
}

// TestF11_RestoreRefuses what no instruction could continue from.
func TestF11_RestoreRefuses(t *testing.T) {
	p := lowered(t, recursive())
	m := newMachine(t, p)
	m.Begin(lower.Reduce, [][]byte{nil, make([]byte, 4)}, 1_000_000)
	for m.Depth() < 4 {
		m.Run(1)
	}
	good := m.Encode()
	for name, at := range map[string]int{"magic": 0, "version": 5, "status": 6, "trap": 7, "entry": 8, "arguments": 9, "copied": 10, "zero": 11, "program": 20, "zero word": 47,
		"fuel": 56, "pc": 67, "base": 71, "values": 75, "frames": 79, "height": 83, "page limit": 87, "pages": 91} {
		b := append([]byte(nil), good...)
		b[at] ^= 0x40
		_, err := machine.Restore(p, b)
		require.ErrorIs(t, err, machine.ErrState, name)
	}
	_, err := machine.Restore(p, good[:len(good)-1])
	require.ErrorIs(t, err, machine.ErrState)
	_, err = machine.Restore(lowered(t, counter.Wasm), good)
	require.ErrorIs(t, err, machine.ErrState)
	require.ErrorContains(t, err, "belongs to program")
}

// FuzzRestore changes bytes of states: what is accepted runs to an end without a panic, and is what Encode gives.
func FuzzRestore(f *testing.F) {
	p := lowered(f, recursive())
	m := newMachine(f, p)
	m.Begin(lower.Reduce, [][]byte{nil, make([]byte, 3)}, 20_000)
	for m.Run(5); m.Status() == machine.Running; m.Run(5) {
		f.Add(m.Encode()[:400]) // the memory is always the same
	}
	full := m.Encode()
	f.Fuzz(func(t *testing.T, b []byte) {
		state := append(append([]byte(nil), b...), full[min(len(b), len(full)):]...)
		m, err := machine.Restore(p, state)
		if err != nil {
			require.ErrorIs(t, err, machine.ErrState)
			return
		}
		require.Equal(t, state, m.Encode())
		m.Operands()
		m.Locals()
		m.Finish()
		m.Output()
	})
}

// loop is xorshift, 20 instructions a round: the tight loop that the figure of this package is about.
func loop() []byte {
	shift := func(n int64, op byte) []byte {
		return asm.Cat(asm.Get(4), asm.Get(4), asm.Const64(n), asm.Op(op, 0x85), asm.Set(4))
	}
	return asm.Reducer([]byte{asm.I64, asm.I32}, asm.Cat(asm.Const64(88172645463325252), asm.Set(4),
		asm.Loop(asm.Void, shift(13, 0x86), shift(7, 0x88), shift(17, 0x86),
			asm.Get(5), asm.Const32(1), asm.Op(0x6a), asm.Tee(5), asm.Const32(-1), asm.Op(0x49), asm.BrIf(0)), asm.Result(0, 1))).Bytes()
}

// BenchmarkMachine reports operations per second: instructions of the lowered program, fuel charges included.
func BenchmarkMachine(b *testing.B) {
	m := newMachine(b, lowered(b, loop()))
	const steps = 1_000_000
	m.Begin(lower.Reduce, [][]byte{nil, nil}, 1<<62)
	for b.Loop() {
		if m.Run(steps) != steps {
			b.Fatal("the loop ended")
		}
	}
	b.ReportMetric(float64(b.N)*steps/b.Elapsed().Seconds()/1e6, "Mops/s")
}
