package chess

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/stretchr/testify/require"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/evmts/channels/channel"
	"github.com/evmts/channels/examples/internal/play"
)

const namespace = "chess"

func setup(t testing.TB, c Config) play.Setup {
	config, err := c.wire()
	require.NoError(t, err)
	return play.Setup{Seats: 2, Assets: 1, World: play.World(namespace), Config: config}
}

func secret(seed uint64, seat int) common.Hash {
	return crypto.Keccak256Hash(fmt.Appendf(nil, "%d/%d", seed, seat))
}

func game(t testing.TB, s play.Setup, seed uint64, fuel map[string]uint64) *play.Game {
	return gameOn(t, play.Load(t, "chess", Wasm), s, seed, fuel)
}

func gameOn(t testing.TB, m channel.Module, s play.Setup, seed uint64, fuel map[string]uint64) *play.Game {
	return play.New(t, m, s, []play.Player{NewBot(0, secret(seed, 0)), NewBot(1, secret(seed, 1))}, fuel)
}

// from begins a game without a clock at a position.
func from(t testing.TB, fen string, fuel map[string]uint64) *play.Game {
	return game(t, setup(t, Config{Start: fen}), 1, fuel)
}

func decode(g *play.Game) *State {
	s, err := Decode(g.State.Bytes())
	require.NoError(g.TB, err)
	return s
}

func kind(payload []byte) string { return string(payload[2 : 2+payload[1]&31]) }

// move plays one in long algebraic notation.
func move(g *play.Game, text string) {
	g.TB.Helper()
	g.Must("move", decode(g).Turn, Play(parse(g.TB, text)))
}

func parse(t testing.TB, text string) Move {
	t.Helper()
	require.Contains(t, []int{4, 5}, len(text))
	m := Move{From: (text[1]-'1')*8 + text[0] - 'a', To: (text[3]-'1')*8 + text[2] - 'a'}
	if len(text) == 5 {
		m.Into = map[byte]Piece{'q': Queen, 'r': Rook, 'b': Bishop, 'n': Knight}[text[4]]
	}
	return m
}

// requireEnd checks how a game ended.
func requireEnd(g *play.Game, outcome Outcome, reason Reason) {
	g.TB.Helper()
	s := decode(g)
	require.Equal(g.TB, []any{outcome, reason}, []any{s.Outcome, s.Reason})
	require.Equal(g.TB, outcome != Undecided, g.State.Header.Terminal)
}

// bare compiles the module for its perft, which no engine of ours offers.
var bare = sync.OnceValues(func() (wazero.Runtime, wazero.CompiledModule) {
	ctx := context.Background()
	r := wazero.NewRuntime(ctx)
	_, err := r.NewHostModuleBuilder("channels").
		NewFunctionBuilder().WithFunc(func(context.Context, api.Module, uint32, uint32, uint32) {}).Export("keccak256").
		NewFunctionBuilder().WithFunc(func(context.Context, api.Module, uint32, uint32) {}).Export("reject").Instantiate(ctx)
	if err != nil {
		panic(err)
	}
	m, err := r.CompileModule(ctx, Wasm)
	if err != nil {
		panic(err)
	}
	return r, m
})

// modulePerft counts leaves with the module's generator, in a fresh instance.
func modulePerft(t testing.TB, state []byte, depth int) uint64 {
	ctx := context.Background()
	runtime, compiled := bare()
	m, err := runtime.InstantiateModule(ctx, compiled, wazero.NewModuleConfig().WithName(""))
	require.NoError(t, err)
	defer func() { require.NoError(t, m.Close(ctx)) }()
	r, err := m.ExportedFunction("allocate").Call(ctx, uint64(len(state)))
	require.NoError(t, err)
	require.True(t, m.Memory().Write(uint32(r[0]), state))
	r, err = m.ExportedFunction("perft").Call(ctx, r[0], uint64(len(state)), uint64(depth))
	require.NoError(t, err)
	return r[0]
}
