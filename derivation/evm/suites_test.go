package evm_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/evmts/channels/derivation/evm"
	"github.com/evmts/channels/derivation/evm/evmrun"
	"github.com/evmts/channels/derivation/internal/asm"
	"github.com/evmts/channels/derivation/lower"
	"github.com/evmts/channels/derivation/machine"
	"github.com/evmts/channels/derivation/modgen"
	"github.com/evmts/channels/derivation/wasm"
)

// The suites below compare the contract with the reference machine and say what differs. They are run against the machine
// as it is, where nothing may, and against machines with planted mistakes, where something must.

// lowered is a module's program.
func lowered(binary []byte) (*lower.Program, error) {
	m, err := wasm.Decode(binary)
	if err != nil {
		return nil, err
	}
	l, err := machine.Lower(m, 1<<40)
	if err != nil {
		return nil, err
	}
	return l.Program, nil
}

// invoke compares one function: what it returns, how it ends, its fuel, and the memory and globals it leaves.
func invoke(c *evmrun.Chain, p *lower.Program, function uint32, params []uint64, fuel uint64) error {
	m, err := machine.New(p, 16)
	if err != nil {
		return err
	}
	m.Invoke(function, params, fuel)
	m.Finish()
	want := evmrun.Left{Status: map[machine.Status]uint8{machine.Done: 0, machine.Rejected: 7, machine.Trapped: 8, machine.OutOfFuel: 9}[m.Status()],
		Fuel: m.FuelUsed(), Globals: m.Globals(), Memory: m.Memory()}
	if want.Status == 0 {
		want.Results = m.Operands()
	}
	got, err := c.Invoke(&evmrun.Invocation{Fuel: fuel, Pages: 16, Program: p, Function: function, Parameters: params})
	if err != nil {
		return err
	}
	if got.Status != want.Status || got.Fuel != want.Fuel || !slices.Equal(got.Results, want.Results) || !slices.Equal(got.Globals, want.Globals) {
		return fmt.Errorf("%x: status %d fuel %d results %x globals %x, must be %d %d %x %x", params, got.Status, got.Fuel, got.Results, got.Globals,
			want.Status, want.Fuel, want.Results, want.Globals)
	}
	if !bytes.Equal(got.Memory, want.Memory) {
		return fmt.Errorf("%x: the memory differs", params)
	}
	return nil
}

// edgeNumbers are where arithmetic goes wrong.
var edgeNumbers = []uint64{0, 1, 2, 3, 31, 32, 33, 63, 64, 65, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0x8000, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0x80000001, 0xfffffffe,
	0xffffffff, 1 << 32, 1<<63 - 1, 1 << 63, 1<<63 + 1, 1<<64 - 1, 1<<64 - 2, 0x5555555555555555, 0x8421084210842108, 0xfedcba9876543210}

// alone is a module whose function 4 carries out one plain instruction on its parameters.
func alone(op wasm.Opcode, offset int) asm.Module {
	name := op.String()
	typ, pops, pushes := byte(asm.I32), 0, 0
	if strings.HasPrefix(name, "i64") {
		typ = asm.I64
	}
	pops, pushes, _ = op.Arity()
	f := asm.Func{}
	for i := range pops {
		t := typ
		if op >= wasm.OpI32Load && op <= wasm.OpI64Store32 && i == 0 || op == wasm.OpI64ExtendS || op == wasm.OpI64ExtendU {
			t = asm.I32
		} else if op == wasm.OpI32WrapI64 {
			t = asm.I64
		}
		f.Params = append(f.Params, t)
		f.Body = append(f.Body, asm.Get(i)...)
	}
	out := typ
	if op >= wasm.OpI32Eqz && op <= wasm.OpI64GeU || op == wasm.OpI32WrapI64 {
		out = asm.I32
	}
	f.Results = many(pushes, []byte{out})
	switch {
	case op >= wasm.OpI32Load && op <= wasm.OpI64Store32:
		f.Body = append(f.Body, asm.Load(byte(op), offset)...)
	case op == wasm.OpMemorySize, op == wasm.OpMemoryGrow:
		f.Body = append(f.Body, byte(op), 0)
	case op == wasm.OpMemoryCopy:
		f.Body = append(f.Body, 0xfc, 10, 0, 0)
	case op == wasm.OpMemoryFill:
		f.Body = append(f.Body, 0xfc, 11, 0)
	default:
		f.Body = append(f.Body, byte(op))
	}
	m := asm.Reducer(nil, asm.Result(0, 1), f)
	m.MaxPages = 3
	for at := 0; at < 65536; at += 8192 {
		m.Data = append(m.Data, asm.Segment{At: int32(at), Bytes: randomBytes(uint64(at), 700)})
	}
	m.Data = append(m.Data, asm.Segment{At: 65536 - 900, Bytes: randomBytes(7, 900)})
	return m
}

// edges carries out every plain instruction at edges: numbers, addresses around the ends of the memory, ranges that
// overlap and that do not fit. only is the name of one instruction, or empty for all.
func edges(c *evmrun.Chain, random int, only string) error {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, op := range wasm.Accepted() {
		pops, _, plain := op.Arity()
		if only != "" && op.String() != only || !plain || op == wasm.OpI32Const || op == wasm.OpI64Const {
			continue
		}
		offsets := []int{0}
		if op >= wasm.OpI32Load && op <= wasm.OpI64Store32 {
			offsets = []int{0, 1, 65528, 1<<32 - 1}
		}
		for _, offset := range offsets {
			p, err := lowered(alone(op, offset).Bytes())
			if err != nil {
				return err
			}
			var cases [][]uint64
			switch {
			case pops == 0:
				cases = [][]uint64{nil}
			case op >= wasm.OpI32Load && op <= wasm.OpI64Store32:
				for _, at := range []uint64{0, 1, 7, 8, 30, 31, 32, 33, 8190, 65504, 65505, 65520, 65526, 65527, 65528, 65529, 65530, 65531, 65532, 65533, 65534, 65535, 65536, 1<<32 - 8, 1<<32 - 1} {
					for _, v := range []uint64{0, 1<<64 - 1, 0xfedcba9876543210} {
						cases = append(cases, []uint64{at, v}[:pops])
					}
				}
			case op == wasm.OpMemoryGrow:
				cases = [][]uint64{{0}, {1}, {2}, {3}, {65536}, {1<<32 - 1}}
			case pops == 3:
				for _, to := range []uint64{0, 1, 31, 33, 700, 65536, 65535, 65505, 1<<32 - 1} {
					for _, from := range []uint64{0, 5, 64, 699, 65530, 1<<32 - 1} {
						for _, n := range []uint64{0, 1, 31, 32, 33, 64, 65, 200, 1000, 65536, 65505, 1<<32 - 1} {
							cases = append(cases, []uint64{to, from, n})
						}
					}
				}
			default:
				for _, x := range edgeNumbers {
					for _, y := range edgeNumbers[:1+(pops-1)*(len(edgeNumbers)-1)] {
						cases = append(cases, []uint64{x, y}[:pops])
					}
				}
				for range random {
					cases = append(cases, []uint64{rng.Uint64() >> rng.IntN(64), rng.Uint64() >> rng.IntN(64)}[:pops])
				}
			}
			function := alone(op, offset).Funcs[4]
			for _, params := range cases {
				params = slices.Clone(params)
				for i := range params {
					if function.Params[i] == asm.I32 {
						params[i] = uint64(uint32(params[i]))
					}
				}
				if err := invoke(c, p, 4, params, 1<<40); err != nil {
					return fmt.Errorf("%s, offset %d: %w", op, offset, err)
				}
			}
		}
	}
	return nil
}

// chains holds a variant of the machine in both forms.
type chains struct{ machine, harness *evmrun.Chain }

// generated compares calls of random modules.
func generated(c chains, modules, calls int) error {
	for seed := range uint64(modules) {
		rng := rand.New(rand.NewPCG(seed, 17))
		g := modgen.Generate(randomBytes(seed, 64+rng.IntN(4000)))
		p, err := lowered(g.Binary)
		if err != nil {
			continue
		}
		chunks := c.machine.Store(p.Encode(), 0)
		for i := range calls {
			r := evmrun.Request{Fuel: g.FuelLimit, Pages: g.PageLimit, Entry: lower.Reduce, MaxOutput: 100, Chunks: chunks,
				Arguments: [][]byte{[]byte("state"), randomBytes(seed<<16|uint64(i), rng.IntN(96))}}
			if p.Pages() > r.Pages {
				break
			}
			if err := compare(c.machine, p, &r); err != nil {
				return fmt.Errorf("seed %d, call %d: %w", seed, i, err)
			}
			// The same function from the snapshot, for what it leaves in memory and globals.
			if err := invoke(c.harness, p, p.Entries[lower.Reduce], []uint64{64, 5, 128, uint64(rng.IntN(200))}, g.FuelLimit); err != nil {
				return fmt.Errorf("seed %d, harness: %w", seed, err)
			}
		}
	}
	return nil
}

func compare(c *evmrun.Chain, p *lower.Program, r *evmrun.Request) error {
	m, err := machine.New(p, r.Pages)
	if err != nil {
		return err
	}
	want := begin(m, r)
	got, _, err := c.Run(r)
	if err != nil {
		return err
	}
	if got.Status != want.Status || got.Fuel != want.Fuel || !bytes.Equal(got.Output, want.Output) {
		return fmt.Errorf("status %d fuel %d output %x, must be %d %d %x", got.Status, got.Fuel, got.Output, want.Status, want.Fuel, want.Output)
	}
	return nil
}

// shapes are what random modules seldom do: the deepest stacks, fuel that runs out at each point, ranges of every size for
// host functions and output, tables at their ends, memory page by page.
func shapes(c chains) error {
	reduce := func(m asm.Module, r evmrun.Request, name string) error {
		p, err := lowered(m.Bytes())
		if err != nil {
			return err
		}
		r.Chunks, r.Entry = c.machine.Store(p.Encode(), 0), lower.Reduce
		if r.Arguments == nil {
			r.Arguments = [][]byte{nil, {1, 0, 0, 0}}
		}
		if r.Fuel == 0 {
			r.Fuel = 1 << 40
		}
		if r.MaxOutput == 0 {
			r.MaxOutput = 1000
		}
		r.Pages = 16
		if err := compare(c.machine, p, &r); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		return nil
	}
	for name, f := range deepest() {
		if err := reduce(rounds(asm.Cat(many(len(f.Params), asm.Const32(1)), asm.Call(imported+4)), f), evmrun.Request{}, name); err != nil {
			return err
		}
	}
	// Recursion to each depth around the limit: a frame too many is one too many.
	count := asm.Func{Params: []byte{asm.I32}, Body: asm.Cat(asm.Get(0), asm.If(asm.Void, asm.Get(0), asm.Const32(1), asm.Op(0x6b), asm.Call(imported+4)))}
	for depth := range int32(8) {
		for _, around := range []int32{175, 180, 184, 220, 224, 296} {
			if err := reduce(rounds(asm.Cat(asm.Const32(around+depth), asm.Call(imported+4)), count), evmrun.Request{}, "depth"); err != nil {
				return err
			}
		}
	}
	busy := rounds(asm.Cat(asm.Const32(3), asm.Const32(40), asm.Const32(100), asm.Call(0), asm.Const32(0), asm.Const32(60), asm.Call(2),
		asm.Const32(1), asm.Op(0x40, 0, 0x1a), asm.Const32(0), asm.Const32(5), asm.Const32(70), asm.Op(0xfc, 10, 0, 0), asm.Get(2), asm.Get(2), asm.Load(0x2d, 0), asm.Op(0x1a, 0x1a)))
	p, err := lowered(busy.Bytes())
	if err != nil {
		return err
	}
	m, err := machine.New(p, 16)
	if err != nil {
		return err
	}
	full := begin(m, &evmrun.Request{Fuel: 1 << 40, Pages: 16, Entry: lower.Reduce, MaxOutput: 9, Arguments: [][]byte{{9}, {1, 0, 0, 0}}})
	for _, fuel := range []uint64{full.Fuel, full.Fuel - 1, full.Fuel - 197, full.Fuel - 198, full.Fuel - 199, 1, 200, 201, 202, 600, 643, 2000, 3000, 4000, 5000, 6000, 20000, 22000} {
		if err := reduce(busy, evmrun.Request{Fuel: fuel, Arguments: [][]byte{{9}, {1, 0, 0, 0}}}, fmt.Sprintf("%d fuel", fuel)); err != nil {
			return err
		}
	}
	single := func(m asm.Module, name string) error {
		p, err := lowered(m.Bytes())
		if err == nil {
			err = invoke(c.harness, p, 4, nil, 1<<40)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		return nil
	}
	for _, keep := range []int{0, 1, 2, 3, 16} { // what a branch keeps is what was on top, in order
		for _, drop := range []int{1, 2, 17, 200} {
			var code []byte
			for i := range keep + drop {
				code = append(code, asm.Const32(int32(1000+i))...)
			}
			m := asm.Reducer(nil, asm.Result(0, 1), function(0, keep, 0, typed(0x02, 0, code, asm.Br(0))))
			m.ExtraTypes = [][2][]byte{{nil, many(keep, []byte{asm.I32})}}
			if err := single(m, fmt.Sprintf("%d kept, %d dropped", keep, drop)); err != nil {
				return err
			}
		}
	}
	for _, locals := range []int{1, 2, 9} { // a local is zero although there was another frame in its place
		last := locals
		used := function(1, 1, locals, asm.Cat(asm.Get(last), asm.Const32(7), asm.Set(last)))
		m := asm.Reducer(nil, asm.Result(0, 1), function(0, 2, 0, asm.Cat(asm.Const32(5), asm.Call(5), asm.Const32(6), asm.Call(5))), used)
		if err := single(m, fmt.Sprintf("%d locals", locals)); err != nil {
			return err
		}
	}
	// A trap, and a rejection, with exactly the fuel that leads there, and with one less.
	for name, code := range map[string][]byte{"trap": asm.Op(0x00), "reject": asm.Cat(asm.Const32(0), asm.Const32(0), asm.Call(1))} {
		ends := rounds(code)
		p, err := lowered(ends.Bytes())
		if err != nil {
			return err
		}
		m, err := machine.New(p, 16)
		if err != nil {
			return err
		}
		exact := begin(m, &evmrun.Request{Fuel: 1 << 40, Pages: 16, Entry: lower.Reduce, Arguments: [][]byte{nil, {1, 0, 0, 0}}}).Fuel
		for _, fuel := range []uint64{exact, exact - 1} {
			if err := reduce(ends, evmrun.Request{Fuel: fuel}, name); err != nil {
				return err
			}
		}
	}
	for _, n := range []int32{0, 1, 31, 32, 33, 40, 63, 64, 65, 95, 96, 97, 999, 1000, 1001, 131072, 131073} {
		if err := reduce(returning(2, 0, int(n)), evmrun.Request{}, fmt.Sprintf("output of %d", n)); err != nil {
			return err
		}
		if n > 0 {
			if err := reduce(returning(2, 0, int(n)), evmrun.Request{MaxOutput: uint64(n) - 1}, fmt.Sprintf("output of %d, one too many", n)); err != nil {
				return err
			}
		}
		for _, at := range []int32{0, 3, 131071 - 96, 131072 - 32, 131072 - 31} { // of the digest: it is the output, and what was hashed must be as it was
			hash := asm.Reducer(nil, asm.Cat(asm.Const32(20), asm.Const32(n), asm.Const32(at), asm.Call(0), asm.Const32(at), asm.Op(0xad), asm.Const64(32), asm.Op(0x86), asm.Const64(33), asm.Op(0x84)))
			hash.Imports, hash.Pages = asm.Host("keccak256"), 2
			hash.Data = append(hash.Data, asm.Segment{At: 0, Bytes: randomBytes(3, 1200)})
			if err := reduce(hash, evmrun.Request{}, fmt.Sprintf("hash of %d to %d", n, at)); err != nil {
				return err
			}
			p, err := lowered(hash.Bytes())
			if err != nil {
				return err
			}
			if err := invoke(c.harness, p, p.Entries[lower.Reduce], []uint64{0, 0, 0, 0}, 1<<40); err != nil {
				return fmt.Errorf("hash of %d to %d: %w", n, at, err)
			}
		}
		for _, f := range []int{1, 2, 3} { // the range of a notice, at the end of the memory
			for _, at := range []int32{0, 131072 - n, 131073 - n} {
				if err := reduce(rounds(asm.Cat(asm.Const32(at), asm.Const32(n), asm.Call(f))), evmrun.Request{}, fmt.Sprintf("notice %d of %d at %d", f, n, at)); err != nil {
					return err
				}
			}
		}
	}
	for i := int32(-1); i < 6; i++ { // each way out leads through other code
		ways := asm.Block(asm.Void, asm.Block(asm.Void, asm.Block(asm.Void, asm.Const32(i), asm.Op(0x0e, 2, 0, 1, 2)), asm.Get(5), asm.Set(5)), asm.Get(4), asm.Set(5))
		if err := reduce(rounds(ways), evmrun.Request{}, fmt.Sprintf("way %d", i)); err != nil {
			return err
		}
	}
	for i := int32(-1); i < 9; i++ {
		for typ := range 3 {
			args := [][]byte{asm.Cat(asm.Const32(4), asm.Const32(5), asm.Const32(6)), asm.Cat(asm.Const32(4), asm.Const32(5)), nil}[typ]
			table := rounds(asm.Cat(args, asm.Const32(i), asm.CallIndirect(typ)), function(0, 0, 1, nil))
			table.ExtraTypes = [][2][]byte{{{asm.I32, asm.I32, asm.I32}, nil}, {{asm.I32, asm.I32}, nil}, {}}
			table.Table, table.Elements = 7, []asm.Segment{{Funcs: []uint32{0, 1, 2, 3}}, {At: 5, Funcs: []uint32{imported + 4}}}
			table.Data = []asm.Segment{{At: 65536, Bytes: []byte{1}}} // what lies behind the table looks like an element
			if err := reduce(table, evmrun.Request{}, fmt.Sprintf("element %d of type %d", i, typ)); err != nil {
				return err
			}
		}
	}
	return nil
}

func variantOf(t testing.TB, m, h *evm.Program) chains {
	a, err := evmrun.New(m.Code)
	require.NoError(t, err)
	b, err := evmrun.New(h.Code)
	require.NoError(t, err)
	return chains{a, b}
}

func TestF11_A9_SuitesOnTheContract(t *testing.T) {
	m, err := evm.Machine()
	require.NoError(t, err)
	h, err := evm.Harness()
	require.NoError(t, err)
	c := variantOf(t, m, h)
	require.NoError(t, edges(c.harness, 200, ""))
	modules := 60
	if os.Getenv("CHANNELS_LONG") != "" {
		modules = 3000
	}
	require.NoError(t, generated(c, modules, 6))
	require.NoError(t, shapes(c))
}
