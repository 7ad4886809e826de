package chess

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/evmts/channels/channel"
)

// Counts that every correct generator gives (chessprogramming.org, "Perft Results"), depths 1 to 3.
var perfts = map[string][3]uint64{
	StartPosition: {20, 400, 8902},
	"r3k2r/p1ppqpb1/bn2pnp1/3PN3/1p2P3/2N2Q1p/PPPBBPPP/R3K2R w KQkq - 0 1":     {48, 2039, 97862},
	"8/2p5/3p4/KP5r/1R3p1k/8/4P1P1/8 w - - 0 1":                                {14, 191, 2812},
	"r3k2r/Pppp1ppp/1b3nbN/nP6/BBP1P3/q4N2/Pp1P2PP/R2Q1RK1 w kq - 0 1":         {6, 264, 9467},
	"r2q1rk1/pP1p2pp/Q4n2/bbp1p3/Np6/1B3NBn/pPPP1PPP/R3K2R b KQ - 0 1":         {6, 264, 9467},
	"rnbq1k1r/pp1Pbppp/2p5/8/2B5/8/PPP1NnPP/RNBQK2R w KQ - 1 8":                {44, 1486, 62379},
	"r4rk1/1pp1qppp/p1np1n2/2b1p1B1/2B1P1b1/P1NP1N2/1PP1QPPP/R4RK1 w - - 0 10": {46, 2079, 89890},
	"R6R/3Q4/1Q4Q1/4Q3/2Q4Q/Q4Q2/pp1Q4/kBNN1KB1 w - - 0 1":                     {218, 99, 19073},
	"8/8/8/8/k2Pp2Q/8/8/3K4 b - d3 0 1":                                        {6, 0, 0}, // en passant would uncover the king
	"r3k2r/8/8/8/8/8/8/R3K2R b KQkq - 0 1":                                     {26, 568, 13744},
	"n1n5/PPPk4/8/8/8/8/4Kppp/5N1N b - - 0 1":                                  {24, 496, 9483},
}

func TestU5_PerftInGoAndInTheModule(t *testing.T) {
	for fen, want := range perfts {
		p, err := ParseFEN(fen)
		require.NoError(t, err)
		state := from(t, fen, nil).State.Bytes()
		for depth, n := range want {
			if n == 0 {
				n = p.Perft(depth + 1) // not published: the two generators agree
			}
			require.Equal(t, n, p.Perft(depth+1), "Go, depth %d, %s", depth+1, fen)
			require.Equal(t, n, modulePerft(t, state, depth+1), "module, depth %d, %s", depth+1, fen)
		}
	}
}

// On positions of random games the module accepts exactly what the rules in Go call legal: of all 64 · 64 moves, and of all
// promotions of pawns.
func TestU5_ModuleAcceptsExactlyTheLegalMoves(t *testing.T) {
	accepted := 0
	for seed := range uint64(3) {
		rnd := rand.New(rand.NewPCG(seed, 5))
		g := from(t, []string{StartPosition, "r3k2r/p1ppqpb1/bn2pnp1/3PN3/1p2P3/2N2Q1p/PPPBBPPP/R3K2R w KQkq - 0 1",
			"n1n5/PPPk4/8/8/8/8/4Kppp/5N1N b - - 0 1"}[seed], nil)
		for ply := 0; ply < 40 && !g.State.Header.Terminal; ply++ {
			s := decode(g)
			legal := map[Move]bool{}
			moves := s.Legal()
			for _, m := range moves {
				legal[m] = true
			}
			if ply%8 == 3 {
				for n := range 64 * 64 * 5 {
					m := Move{From: uint8(n & 63), To: uint8(n >> 6 & 63), Into: []Piece{0, Queen, Rook, Bishop, Knight}[n>>12]}
					if m.Into > 0 && s.Board[m.From].kind() != Pawn {
						continue
					}
					v := g.Fork().Try(s.Turn, Play(m))
					require.Equal(t, legal[m], v.Status == channel.Accepted, "%s: %s", m, v.Text())
					if legal[m] {
						accepted++
					}
				}
			}
			m := moves[rnd.IntN(len(moves))]
			g.Must("move", s.Turn, Play(m))
			requireSame(t, s, m, decode(g))
		}
	}
	require.Greater(t, accepted, 300)
}

// requireSame compares the module's position after a move with that of the rules in Go, and how the game stands.
func requireSame(t *testing.T, before *State, m Move, after *State) {
	t.Helper()
	next := before.After(m)
	require.Equal(t, next, after.Position, "%s", m)
	stuck := len(next.Legal()) == 0
	switch {
	case stuck && next.Check():
		require.Equal(t, []any{WhiteWon + Outcome(before.Turn), Mate}, []any{after.Outcome, after.Reason})
	case stuck:
		require.Equal(t, []any{Drawn, Stalemate}, []any{after.Outcome, after.Reason})
	case next.Dead():
		require.Equal(t, []any{Drawn, Material}, []any{after.Outcome, after.Reason})
	default:
		require.Contains(t, []Reason{NoReason, Fivefold, SeventyFive, MoveLimit}, after.Reason)
	}
}
