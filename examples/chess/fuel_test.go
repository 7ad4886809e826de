package chess

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/evmts/channels/channel"
	"github.com/evmts/channels/derivation"
	"github.com/evmts/channels/examples/internal/play"
)

// dearest adds the calls that cost most: full history, all assets, positions with many queens, mates and stalemates of a side
// with all its pieces, and a sweep over random positions.
func dearest(t *testing.T, fuel map[string]uint64) {
	for _, fen := range []string{
		"R6R/3Q4/1Q4Q1/4Q3/2Q4Q/Q4Q2/pp1Q4/kBNN1KB1 w - - 0 1",
	} {
		s := setup(t, Config{Start: fen, Base: 60, Increment: 1})
		s.Assets, s.Beneficiaries = channel.MaxAssets, channel.MaxBeneficiaries
		g := game(t, s, 1, fuel)
		for _, m := range decode(g).Legal() {
			g.Fork().Must("move", 0, Play(m))
		}
	}
	sweep(t, fuel, 3, 150)

	s := setup(t, Config{Start: "r3k3/8/8/8/8/8/8/R3K3 w - - 0 1", Base: 60, Increment: 100})
	s.Assets, s.Beneficiaries = channel.MaxAssets, channel.MaxBeneficiaries
	g := game(t, s, 1, fuel)
	tour(g, 149)
	require.EqualValues(t, 150, decode(g).Seen)
	g.Fork().Must("claim", decode(g).Turn, ClaimDraw())
	g.Fork().Must("resign", 0, Resign())
	g.Timeout(play.StartTime + 100_000)
	flag := g.Fork()
	flag.Time += 1_000_000
	flag.Must("flag", 1-decode(flag).Turn, ClaimFlag())
	s = setup(t, Config{Base: 60})
	s.Assets, s.Beneficiaries = channel.MaxAssets, channel.MaxBeneficiaries
	g = game(t, s, 1, fuel)
	g.Must("move", 0, OfferDraw(parse(t, "e2e4")))
	g.Must("accept", 1, AcceptDraw())
}

// Other random positions stay well within the budget, too, with room for a full list of positions.
func TestU5_SweepOfFuel(t *testing.T) {
	fuel := map[string]uint64{}
	sweep(t, fuel, 4, play.Long(100))
	t.Log(fuel)
	require.Less(t, fuel["move"], uint64(derivation.DefaultFuelLimit*3/4))
}

// sweep plays moves of random positions, every one that ends the game, and keeps the most fuel.
func sweep(t *testing.T, fuel map[string]uint64, seed uint64, positions int) {
	rnd := rand.New(rand.NewPCG(seed, 3))
	var g *play.Game
	for done := 0; done < positions; {
		var p Position
		p.Passed = -1
		squares := rnd.Perm(64)
		p.Board[squares[0]], p.Board[squares[1]] = King, King|Black
		for i := range 2 * rnd.IntN(16) {
			p.Board[squares[2+i]] = []Piece{Queen, Queen, Rook, Bishop, Knight}[rnd.IntN(5)] | Black*Piece(i&1)
		}
		if p.Attacked(p.king(1), 0) || p.Dead() {
			continue
		}
		moves := p.Legal()
		if len(moves) == 0 {
			continue
		}
		done++
		s := setup(t, Config{Start: fen(p)})
		s.Assets, s.Beneficiaries = channel.MaxAssets, channel.MaxBeneficiaries
		g = game(t, s, 1, fuel)
		for _, m := range moves {
			if next := p.After(m); done%10 == 0 || len(next.Legal()) == 0 {
				g.Fork().Must("move", 0, Play(m))
			}
		}
	}
}

// fen writes a position of white to move, without castling.
func fen(p Position) string {
	var b strings.Builder
	for r := 7; r >= 0; r-- {
		for f := range 8 {
			if piece := p.Board[r*8+f]; piece > 0 {
				b.WriteByte(letters[piece])
			} else {
				b.WriteByte('1')
			}
		}
		if r > 0 {
			b.WriteByte('/')
		}
	}
	return b.String() + " w - - 0 1"
}
