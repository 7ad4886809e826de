package play

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/stretchr/testify/require"

	"github.com/evmts/channels/channel"
	"github.com/evmts/channels/derivation"
	"github.com/evmts/channels/derivation/evm"
	"github.com/evmts/channels/derivation/evm/evmrun"
	"github.com/evmts/channels/derivation/lower"
	"github.com/evmts/channels/derivation/meter"
)

// OnChain is a module whose calls are carried out by the contract as well, in the EVM in this process: both have to agree,
// and the gas has to be within its bound.
type OnChain struct {
	*derivation.Module
	tb     testing.TB
	chain  *evmrun.Chain
	chunks []common.Address
	size   int
	// untouched is what the EVM asks for the module's first pages, when only the first argument touches them.
	untouched uint64
	spent     map[int]*spent
	vectors   Vectors
	keep      int
}

// spent is what the calls of an entry took.
type spent struct{ calls, operations, gas, loading, copying, fuel, most uint64 }

// Vectors are calls of the machine with what they give, for the tests of the contracts.
type Vectors struct {
	Program hexutil.Bytes `json:"program"`
	Cases   []Vector      `json:"cases"`
}

// Vector is one call. All numbers are decimal, so that every reader of JSON takes them.
type Vector struct {
	Name      string          `json:"name"`
	FuelLimit uint64          `json:"fuelLimit"`
	PageLimit uint32          `json:"pageLimit"`
	Entry     uint8           `json:"entry"`
	MaxOutput uint64          `json:"maxOutput"`
	Arguments []hexutil.Bytes `json:"arguments"`
	Status    uint8           `json:"status"`
	Fuel      uint64          `json:"fuel"`
	Output    hexutil.Bytes   `json:"output"`
	Gas       uint64          `json:"gas"` // of the machine
}

// NewOnChain puts a module's program into data contracts beside the machine. The first keep calls become vectors.
func NewOnChain(tb testing.TB, m *derivation.Module, keep int) *OnChain {
	tb.Helper()
	p, err := evm.Machine()
	require.NoError(tb, err)
	c, err := evmrun.New(p.Code)
	require.NoError(tb, err)
	b := m.Program().Encode()
	o := &OnChain{Module: m, tb: tb, chain: c, chunks: c.Store(b, 0), size: len(b), spent: map[int]*spent{}, keep: keep, vectors: Vectors{Program: b}}
	if memory := m.Program().Memory; len(bytes.Trim(memory, "\x00")) == 0 {
		words := uint64(evm.MemoryWords) + meter.Words(len(b))
		all := words + meter.Words(len(memory))
		o.untouched = 3*(all-words) + all*all/512 - words*words/512
	}
	return o
}

func (o *OnChain) Init(input []byte) channel.Result {
	return o.call(lower.Init, o.Module.Init(input), input)
}

func (o *OnChain) Reduce(state, event []byte) channel.Result {
	return o.call(lower.Reduce, o.Module.Reduce(state, event), state, event)
}

func (o *OnChain) Effects(state []byte) channel.Result {
	return o.call(lower.Effects, o.Module.Effects(state), state)
}

func (o *OnChain) call(entry int, want channel.Result, arguments ...[]byte) channel.Result {
	manifest := o.Manifest()
	r := evmrun.Request{Fuel: manifest.FuelLimit, Pages: manifest.PageLimit, Entry: entry, MaxOutput: derivation.MaxResultBytes, Chunks: o.chunks, Arguments: arguments}
	if entry == lower.Effects {
		r.MaxOutput = channel.MaxEffectBytes
	}
	got, gas, err := o.chain.Run(&r)
	require.NoError(o.tb, err)
	require.Equal(o.tb, uint8(want.Status), got.Status)
	require.Equal(o.tb, want.Fuel, got.Fuel)
	require.True(o.tb, bytes.Equal(want.Output, got.Output))
	require.LessOrEqual(o.tb, gas, evm.GasBound(got.Fuel, manifest.PageLimit, o.size))
	if got.Status != 0 {
		return want
	}
	m, err := o.Machine(entry, arguments...)
	require.NoError(o.tb, err)
	s := o.spent[entry]
	if s == nil {
		s = &spent{}
		o.spent[entry] = s
	}
	s.operations += uint64(m.Run(1 << 40))
	r.Fuel = 0 // nothing but loading
	_, loading, err := o.chain.Run(&r)
	require.NoError(o.tb, err)
	loading += o.untouched
	for _, a := range arguments {
		s.copying += meter.InputWord * meter.Words(len(a))
	}
	s.copying += meter.OutputWord * meter.Words(len(got.Output))
	s.calls, s.gas, s.fuel, s.loading, s.most = s.calls+1, s.gas+gas, s.fuel+got.Fuel, s.loading+loading, max(s.most, gas)
	if len(o.vectors.Cases) < o.keep {
		v := Vector{Name: fmt.Sprintf("%s %d", lower.EntryNames[entry], s.calls), FuelLimit: manifest.FuelLimit, PageLimit: manifest.PageLimit, Entry: uint8(entry),
			MaxOutput: r.MaxOutput, Status: got.Status, Fuel: got.Fuel, Output: got.Output, Gas: gas}
		for _, a := range arguments {
			v.Arguments = append(v.Arguments, bytes.Clone(a))
		}
		o.vectors.Cases = append(o.vectors.Cases, v)
	}
	return want
}

// GasTable compares what the calls cost with testdata/name: averages over the calls, the operations being instructions of
// the lowered program, charges of fuel included. Loading is memory and reading the program, before anything runs; copying
// is turning over the bytes of arguments and output. The rest is the operations'.
func (o *OnChain) GasTable(name string) {
	o.tb.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "program of %d bytes\n\nentry calls operations gas loading copying gas/operation gas/fuel most\n", o.size)
	all := &spent{}
	row := func(name string, s *spent) {
		fmt.Fprintf(&b, "%s %d %d %d %d %d %.1f %.3f %d\n", name, s.calls, s.operations/s.calls, s.gas/s.calls, s.loading/s.calls, s.copying/s.calls,
			float64(s.gas-s.loading-s.copying)/float64(s.operations), float64(s.gas-s.loading)/float64(s.fuel), s.most)
	}
	for entry := lower.Init; entry <= lower.Effects; entry++ {
		s := o.spent[entry]
		require.NotNil(o.tb, s, lower.EntryNames[entry])
		row(lower.EntryNames[entry], s)
		all.calls, all.operations, all.gas, all.loading = all.calls+s.calls, all.operations+s.operations, all.gas+s.gas, all.loading+s.loading
		all.copying, all.fuel, all.most = all.copying+s.copying, all.fuel+s.fuel, max(all.most, s.most)
	}
	row("all", all)
	require.LessOrEqual(o.tb, all.gas-all.loading-all.copying, 100*all.operations, "an operation may cost 100 gas on average")
	require.Less(o.tb, all.most, uint64(5_000_000-derivation.ShellGas), "a transaction may cost 5 million")
	Golden(o.tb, name, b.String())
}

// WriteVectors compares the kept calls with a file of the contracts' tests, or writes it with -update.
func (o *OnChain) WriteVectors(path string) {
	o.tb.Helper()
	require.Len(o.tb, o.vectors.Cases, o.keep)
	b, err := json.MarshalIndent(o.vectors, "", " ")
	require.NoError(o.tb, err)
	b = append(b, '\n')
	if *Update {
		require.NoError(o.tb, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(o.tb, os.WriteFile(path, b, 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(o.tb, err, "run go test with -update")
	require.True(o.tb, bytes.Equal(want, b), "%s: run go test with -update if the change is meant", path)
}
