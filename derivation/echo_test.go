package derivation_test

import (
	"encoding/binary"
	"encoding/json"
	"flag"
	"os"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/evmts/channels/channel"
	"github.com/evmts/channels/derivation"
	"github.com/evmts/channels/derivation/internal/asm"
)

var updateEcho = flag.Bool("update-echo", false, "write contracts/test/testdata/echo.json anew")

// echoPath is read by the tests of the contracts.
const echoPath = "../contracts/test/testdata/echo.json"

// echo is a module that does what it is told, so that tests of the contracts get any state and any effects out of a real
// module on the real machine:
//
//	init     what stands before the last 4 bytes of its input: they are its length, little-endian
//	reduce   the event's payload
//	effects  what stands before the last 4 bytes of the state, likewise
func echo() asm.Module {
	const loadI32, extend, shl, or, sub, add = 0x28, 0xad, 0x86, 0x84, 0x6b, 0x6a
	// The locals are ptr and len; then where the length stands, and the length.
	tail := asm.Cat(
		asm.Get(0), asm.Get(1), asm.Op(add), asm.Const32(4), asm.Op(sub), asm.Set(2),
		asm.Get(2), asm.Load(loadI32, 0), asm.Set(3),
		asm.Get(2), asm.Get(3), asm.Op(sub), asm.Op(extend), asm.Const64(32), asm.Op(shl),
		asm.Get(3), asm.Op(extend), asm.Op(or),
	)
	const head = 32 // bytes of the event before its payload (docs/encoding.md 21)
	m := asm.Reducer(nil, asm.Cat(
		asm.Get(2), asm.Const32(head), asm.Op(add), asm.Op(extend), asm.Const64(32), asm.Op(shl),
		asm.Get(3), asm.Const32(head), asm.Op(sub), asm.Op(extend), asm.Op(or),
	))
	for _, i := range []int{1, 2} {
		m.Funcs[i].Locals, m.Funcs[i].Body = []byte{asm.I32, asm.I32}, tail
	}
	return m
}

func echoOptions() derivation.Options {
	return derivation.Options{FuelLimit: 400_000, PageLimit: 1}
}

type echoVector struct {
	Program     hexutil.Bytes `json:"program"`
	ProgramHash common.Hash   `json:"programHash"`
	FuelLimit   uint64        `json:"fuelLimit"`
	PageLimit   uint32        `json:"pageLimit"`
	MaxEvents   uint32        `json:"maxEvents"`
	Flags       uint8         `json:"flags"`
	ModuleHash  common.Hash   `json:"moduleHash"`
}

// tailed is data as echo's init and effects find it.
func tailed(before, data []byte) []byte {
	return binary.LittleEndian.AppendUint32(append(before, data...), uint32(len(data)))
}

func TestC3_EchoDoesWhatItIsTold(t *testing.T) {
	one := channel.EncodeEffects([]channel.Effect{{Op: channel.EffectDelete, ResourceID: common.Hash{1}, Key: []common.Hash{{2}}}})
	funds := make([]byte, 96)
	w := uint256.NewInt(150).Bytes32()
	copy(funds[64:], w[:])
	for name, engine := range engines(t) {
		t.Run(name, func(t *testing.T) {
			m, err := engine.Load(echo().Bytes(), echoOptions())
			require.NoError(t, err)
			// init's input ends with the genesis input, which must therefore fill whole words.
			first := tailed(nil, append(append([]byte{0}, funds...), "begin"...))
			genesis := append(make([]byte, (32-len(first)%32)%32), first...)
			w := newWorld(t, m, genesis)
			state, v := w.rules.Genesis(genesis)
			require.Equal(t, channel.Accepted, v.Status, v.Reason)
			require.Equal(t, "begin", string(state.App))

			payload := append(append([]byte{1}, funds...), tailed([]byte("app"), one)...)
			state, v = w.rules.Apply(state, 1, w.event(0, 1, payload))
			require.Equal(t, channel.Accepted, v.Status, v.Reason)
			require.True(t, state.Header.Terminal)
			require.Equal(t, funds, state.Funds)
			effects, v := w.rules.Effects(state)
			require.Equal(t, channel.Accepted, v.Status, v.Reason)
			require.Equal(t, one, channel.EncodeEffects(effects))

			_, v = w.rules.Apply(state, 2, w.event(0, 2, payload))
			require.Equal(t, channel.RejectedTerminal, v.Status)
		})
	}
}

func TestC3_EchoVectorIsCurrent(t *testing.T) {
	m, err := newEngine(t, derivation.Config{}).Load(echo().Bytes(), echoOptions())
	require.NoError(t, err)
	manifest := m.Manifest()
	want, err := json.MarshalIndent(echoVector{
		Program: m.Program().Encode(), ProgramHash: manifest.ProgramHash, FuelLimit: manifest.FuelLimit, PageLimit: manifest.PageLimit,
		MaxEvents: manifest.MaxEvents, ModuleHash: m.Hash(),
	}, "", "  ")
	require.NoError(t, err)
	want = append(want, '\n')
	if *updateEcho {
		require.NoError(t, os.WriteFile(echoPath, want, 0o644))
	}
	got, err := os.ReadFile(echoPath)
	require.NoError(t, err, "run this test with -update-echo")
	require.Equal(t, string(want), string(got), "weights or lowering changed: run this test with -update-echo")
}
