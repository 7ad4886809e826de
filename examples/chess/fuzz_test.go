package chess

import (
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/stretchr/testify/require"

	"github.com/evmts/channels/channel"
	"github.com/evmts/channels/examples/internal/play"
	"github.com/evmts/channels/examples/internal/table"
)

// Any payload by anyone at any time is accepted by the rules or refused by them.
func FuzzPayload(f *testing.F) {
	var stages []*play.Game
	g := game(f, setup(f, Config{Base: 300}), 1, nil)
	for stage := range byte(30) {
		stages = append(stages, g.Fork())
		for seat := range byte(2) {
			for _, p := range [][]byte{Resign(), ClaimDraw(), ClaimFlag(), AcceptDraw(), Play(Move{From: 12, To: 28}), nil} {
				if stage < 2 {
					f.Add(stage, seat, p)
				}
			}
			if p, ok := g.Players[seat].Next(g.State.Bytes()); ok {
				f.Add(stage, seat, p)
			}
		}
		g.Step(kind)
	}
	f.Fuzz(func(t *testing.T, stage, seat byte, payload []byte) {
		g := stages[int(stage)%len(stages)].Fork()
		g.TB, g.Fuel = t, map[string]uint64{}
		play.NoTrap(t, g.Try(int(seat), payload))
		decode(g)
	})
}

// Any 64 squares are a position that both generators agree on, or are refused.
func FuzzPosition(f *testing.F) {
	for fen := range perfts {
		p, err := ParseFEN(fen)
		require.NoError(f, err)
		squares := make([]byte, 64)
		for i, piece := range p.Board {
			squares[i] = byte(piece)
		}
		f.Add(squares, p.Turn == 1, p.Rights)
	}
	m := play.Load(f, "chess", Wasm)
	f.Fuzz(func(t *testing.T, squares []byte, black bool, rights uint8) {
		if len(squares) != 64 {
			return
		}
		packed := make([]byte, 32)
		for i, piece := range squares {
			packed[i/2] |= piece & 15 << (4 * (i % 2))
		}
		turn := 0
		if black {
			turn = 1
		}
		s := setup(t, Config{})
		s.Config = struct {
			Base      int   `msgpack:"base"`
			Increment int   `msgpack:"increment"`
			Start     []any `msgpack:"start"`
		}{Start: []any{packed, turn, rights & 15, 0, 0}}
		rules, input := s.Rules(t, m)
		state, v := rules.Genesis(input)
		play.NoTrap(t, v)
		if v.Status != channel.Accepted {
			return
		}
		d, err := Decode(state.Bytes())
		require.NoError(t, err)
		require.Equal(t, d.Perft(1), modulePerft(t, state.Bytes(), 1))
		require.Equal(t, d.Perft(2), modulePerft(t, state.Bytes(), 2))
	})
}

func FuzzDecode(f *testing.F) {
	g := game(f, setup(f, Config{Base: 300}), 1, nil)
	for range 9 {
		f.Add(g.State.Bytes())
		g.Step(kind)
	}
	f.Fuzz(func(t *testing.T, state []byte) {
		if _, err := Decode(state); err != nil {
			require.ErrorIs(t, err, table.ErrState)
			return
		}
		for seat := range uint8(2) {
			NewBot(seat, common.Hash{}).Next(state)
		}
	})
}
