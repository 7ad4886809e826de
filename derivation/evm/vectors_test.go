package evm_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"testing"

	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/stretchr/testify/require"

	"github.com/evmts/channels/derivation/evm"
	"github.com/evmts/channels/derivation/evm/evmrun"
	"github.com/evmts/channels/derivation/internal/asm"
	"github.com/evmts/channels/derivation/lower"
)

var update = flag.Bool("update", false, "write contracts/test/vectors/ends.json")

const endsFile = "../../contracts/test/vectors/ends.json"

// ways are what the module of the vectors does, by the first byte of its event, and the status that must come of it.
var ways = []struct {
	name   string
	status uint8
	code   []byte
}{
	{"one byte", 0, asm.Result(0, 1)},
	{"33 bytes", 0, asm.Result(1, 33)},
	{"unreachable", 8, asm.Op(0x00)},
	{"load outside of the memory", 8, asm.Cat(asm.Const32(65533), asm.Load(0x28, 0), asm.Op(0x1a), asm.Result(0, 1))},
	{"division by zero", 8, asm.Cat(asm.Const32(1), asm.Const32(0), asm.Op(0x6d, 0x1a), asm.Result(0, 1))},
	{"division overflows", 8, asm.Cat(asm.Const64(-1<<63), asm.Const64(-1), asm.Op(0x7f, 0x1a), asm.Result(0, 1))},
	{"endless loop", 9, asm.Cat(asm.Loop(asm.Void, asm.Br(0)), asm.Op(0x00))},
	{"reject", 7, asm.Cat(asm.Const32(0), asm.Const32(9), asm.Call(1), asm.Op(0x00))},
	{"nothing returned", 10, asm.Result(0, 0)},
	{"too much returned", 10, asm.Result(0, 1001)},
	{"all that may be returned", 0, asm.Result(0, 1000)},
	{"output outside of the memory", 8, asm.Result(65536, 1)},
	{"endless recursion", 8, asm.Cat(asm.Call(imported+4), asm.Result(0, 1))},
	{"memory grows", 0, asm.Cat(asm.Const32(1), asm.Op(0x40, 0, 0x1a), asm.Const32(65536), asm.Const32(0), asm.Const32(500), asm.Op(0xfc, 10, 0, 0),
		asm.Const32(66000), asm.Const32(7), asm.Const32(77), asm.Op(0xfc, 11, 0), asm.Result(65537, 600))},
	{"memory does not grow", 0, asm.Cat(asm.Const32(0), asm.Const32(2), asm.Op(0x40, 0), asm.Store(0x36, 0), asm.Result(0, 4))},
	{"keccak256", 0, asm.Cat(asm.Const32(0), asm.Const32(100), asm.Const32(200), asm.Call(0), asm.Result(200, 32))},
	{"hash outside of the memory", 8, asm.Cat(asm.Const32(0), asm.Const32(100), asm.Const32(65505), asm.Call(0), asm.Result(0, 1))},
	{"log and emit", 0, asm.Cat(asm.Const32(0), asm.Const32(100), asm.Call(2), asm.Const32(0), asm.Const32(100), asm.Call(3), asm.Result(0, 1))},
	{"null in the table", 8, asm.Cat(asm.Const32(2), asm.CallIndirect(0), asm.Result(0, 1))},
	{"another type in the table", 8, asm.Cat(asm.Const32(0), asm.CallIndirect(0), asm.Result(0, 1))},
}

// endings is the module of the vectors.
func endings() []byte {
	var body []byte
	for i, w := range ways {
		body = append(body, asm.Cat(asm.Get(2), asm.Load(0x2d, 0), asm.Const32(int32(i)), asm.Op(0x46), asm.If(asm.Void, w.code, asm.Op(0x0f)))...)
	}
	m := asm.Reducer(nil, asm.Cat(body, asm.Op(0x00)), function(0, 0, 0, asm.Call(imported+4)))
	m.ExtraTypes = [][2][]byte{{}}
	m.Imports, m.MaxPages = asm.Host("keccak256", "reject", "log", "emit"), 9
	m.Table, m.Elements = 3, []asm.Segment{{Funcs: []uint32{1, imported + 4}}}
	m.Data = append(m.Data, asm.Segment{At: 200, Bytes: randomBytes(5, 900)})
	return m.Bytes()
}

type vector struct {
	Name      string          `json:"name"`
	FuelLimit uint64          `json:"fuelLimit"`
	PageLimit uint32          `json:"pageLimit"`
	Entry     uint8           `json:"entry"`
	MaxOutput uint64          `json:"maxOutput"`
	Arguments []hexutil.Bytes `json:"arguments"`
	Status    uint8           `json:"status"`
	Fuel      uint64          `json:"fuel"`
	Output    hexutil.Bytes   `json:"output"`
	Gas       uint64          `json:"gas"`
}

type bound struct {
	FuelLimit    uint64 `json:"fuelLimit"`
	Pages        uint32 `json:"pages"`
	ProgramBytes uint64 `json:"programBytes"`
	Chunks       uint64 `json:"chunks"`
	Gas          uint64 `json:"gas"`
}

// TestA9_VectorsForTheContracts: how calls end, and bounds of their gas, in a file that Solidity reads.
func TestA9_VectorsForTheContracts(t *testing.T) {
	c := newChain(t)
	p, err := lowered(endings())
	require.NoError(t, err)
	file := struct {
		Program hexutil.Bytes `json:"program"`
		Cases   []vector      `json:"cases"`
		Bounds  []bound       `json:"bounds"`
	}{Program: p.Encode()}
	chunks := c.Store(file.Program, 0)
	for i, w := range ways {
		r := evmrun.Request{Fuel: 300_000, Pages: 2, Entry: lower.Reduce, MaxOutput: 1000, Chunks: chunks, Arguments: [][]byte{[]byte("a state"), {byte(i), 1, 2}}}
		want := expected(t, p, &r)
		require.Equal(t, w.status, want.Status, w.name)
		got, gas := run(t, c, &r)
		require.Equal(t, want, got, w.name)
		file.Cases = append(file.Cases, vector{w.name, r.Fuel, r.Pages, uint8(r.Entry), r.MaxOutput,
			[]hexutil.Bytes{r.Arguments[0], r.Arguments[1]}, got.Status, got.Fuel, got.Output, gas})
	}
	for _, b := range []bound{{3_500_000, 4, 65_536, 3, 0}, {13_000_000, 1, 5_000, 1, 0}, {0, 0, 0, 0, 0}, {1, 16, 24_575, 1, 0}, {1, 16, 24_576, 2, 0}} {
		b.Gas = evm.GasBound(b.FuelLimit, b.Pages, int(b.ProgramBytes))
		file.Bounds = append(file.Bounds, b)
	}
	b, err := json.MarshalIndent(file, "", " ")
	require.NoError(t, err)
	b = append(b, '\n')
	if *update {
		require.NoError(t, os.WriteFile(endsFile, b, 0o644))
	}
	want, err := os.ReadFile(endsFile)
	require.NoError(t, err)
	require.True(t, bytes.Equal(want, b), "%s: run go test with -update if the change is meant", endsFile)
}

// TestA11_LaterForksTakeTheSameGas: what was measured at Cancun holds at Osaka.
func TestA11_LaterForksTakeTheSameGas(t *testing.T) {
	code, err := evm.Machine()
	require.NoError(t, err)
	cancun, err := evmrun.New(code.Code)
	require.NoError(t, err)
	osaka, err := evmrun.NewAtOsaka(code.Code)
	require.NoError(t, err)
	p, err := lowered(endings())
	require.NoError(t, err)
	for i := range ways {
		r := evmrun.Request{Fuel: 300_000, Pages: 2, Entry: lower.Reduce, MaxOutput: 1000, Arguments: [][]byte{nil, {byte(i)}}}
		r.Chunks = cancun.Store(p.Encode(), 0)
		want, gas := run(t, cancun, &r)
		r.Chunks = osaka.Store(p.Encode(), 0)
		got, later := run(t, osaka, &r)
		require.Equal(t, want, got)
		require.Equal(t, gas, later)
	}
}

// TestF11_GeneratedFilesAreThere: listing, code and table are what the generator gives.
func TestF11_GeneratedFilesAreThere(t *testing.T) {
	files, err := evm.Files()
	require.NoError(t, err)
	for name, want := range files {
		got, err := os.ReadFile("../../" + name)
		require.NoError(t, err)
		require.Equal(t, string(want), string(got), "%s: run `go run ./derivation/evm/gen`", name)
	}
	p, err := evm.Machine()
	require.NoError(t, err)
	require.LessOrEqual(t, len(p.Code), evm.MaxCode)
	require.Contains(t, string(files[evm.SolidityFile]), p.Hash().Hex())
}

// TestA11_WeightsAreTheHandlersGas: no instruction is charged less than the code of its handlers costs, and none much more.
func TestA11_WeightsAreTheHandlersGas(t *testing.T) {
	p, err := evm.Machine()
	require.NoError(t, err)
	prices := p.Prices()
	require.Len(t, prices, 1+17+88)
	for _, r := range prices {
		require.LessOrEqual(t, r.Gas, r.Fuel, r.Instruction)
		if r.Instruction != "memory.fill" {
			require.Equal(t, r.Gas, r.Fuel, r.Instruction)
		}
	}
}
