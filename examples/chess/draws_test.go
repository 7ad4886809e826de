package chess

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/evmts/channels/channel"
	"github.com/evmts/channels/examples/internal/play"
)

// tourist moves pieces about so that no position comes five times, nothing is taken and no check given.
type tourist struct {
	*play.Game
	counts map[Position]int
	may    func(before *State, m Move) bool // nil: everything but pawns' moves
}

func tour(g *play.Game, plies int) { (&tourist{Game: g, counts: map[Position]int{}}).walk(plies) }

func (w *tourist) walk(plies int) {
	w.TB.Helper()
	key := func(p Position) Position { p.Halfmoves = 0; return p }
	for range plies {
		s := decode(w.Game)
		w.counts[key(s.Position)]++
		var best *Move
		least := 0
		for _, m := range s.Legal() {
			next := s.After(m)
			if next.Halfmoves == 0 || next.Check() || len(next.Legal()) == 0 || w.may != nil && !w.may(s, m) {
				continue
			}
			if n := w.counts[key(next)]; best == nil || n < least {
				best, least = &m, n
			}
		}
		require.NotNil(w.TB, best)
		w.Must("move", s.Turn, Play(*best))
	}
}

func shuffle(g *play.Game, rounds int) {
	for range rounds {
		for _, m := range []string{"g1f3", "g8f6", "f3g1", "f6g8"} {
			move(g, m)
		}
	}
}

func TestU5_Repetition(t *testing.T) {
	g := from(t, StartPosition, nil)
	shuffle(g, 1)
	require.EqualValues(t, 2, decode(g).Times)
	const none = "nothing to claim: the position has not been there three times, nor fifty moves gone without capture or pawn"
	g.Refused(0, ClaimDraw(), none)
	shuffle(g, 1)
	g.Refused(1, ClaimDraw(), "it is not your turn; wait for the other")
	claimed := g.Fork()
	claimed.Must("claim", 0, ClaimDraw())
	requireEnd(claimed, Drawn, Threefold)
	requireRecords(claimed)
	shuffle(g, 1)
	require.EqualValues(t, 4, decode(g).Times)
	for _, m := range []string{"g1f3", "g8f6", "f3g1"} {
		move(g, m)
		requireEnd(g, Undecided, NoReason)
	}
	move(g, "f6g8")
	requireEnd(g, Drawn, Fivefold)

	// The same squares with other castling rights are another position.
	g = from(t, "r3k2r/8/8/8/8/8/8/R3K2R w KQkq - 0 1", nil)
	for _, m := range []string{"h1g1", "h8g8", "g1h1", "g8h8"} {
		move(g, m)
	}
	require.EqualValues(t, 1, decode(g).Times)
	// As is one in which a pawn could be captured in passing.
	g = from(t, "4k3/8/8/8/5p2/8/4P3/4K1N1 w - - 0 1", nil)
	for _, m := range []string{"e2e4", "e8e7", "g1f3", "e7e8", "f3g1"} {
		move(g, m)
	}
	require.EqualValues(t, 1, decode(g).Times)
}

func TestU5_FiftyAndSeventyFiveMoves(t *testing.T) {
	g := from(t, "r3k3/8/8/8/8/8/8/R3K3 w - - 90 1", nil)
	tour(g, 9)
	require.EqualValues(t, 99, decode(g).Halfmoves)
	g.Refused(1, ClaimDraw(), "nothing to claim: the position has not been there three times, nor fifty moves gone without capture or pawn")
	tour(g, 1)
	claimed := g.Fork()
	claimed.Must("claim", 0, ClaimDraw())
	requireEnd(claimed, Drawn, Fifty)
	tour(g, 49)
	requireEnd(g, Undecided, NoReason)
	tour(g, 1)
	requireEnd(g, Drawn, SeventyFive)

	// Mate comes before the seventy-five moves.
	g = from(t, "7k/8/6K1/8/8/8/8/R7 w - - 99 1", nil)
	rook := &tourist{Game: g, counts: map[Position]int{}, may: func(s *State, m Move) bool { return s.Turn == 1 || s.Board[m.From] == Rook && m.To&7 < 5 }}
	rook.walk(50)
	s := decode(g)
	require.EqualValues(t, 149, s.Halfmoves)
	for _, m := range s.Legal() {
		if next := s.After(m); next.Check() && len(next.Legal()) == 0 {
			g.Must("move", 0, Play(m))
			requireEnd(g, WhiteWon, Mate)
			return
		}
	}
	t.Fatal("there is no mate in one")
}

func TestU5_Material(t *testing.T) {
	for fen, dead := range map[string]bool{
		"4k3/8/8/8/8/8/4p3/4K3 w - - 0 1":    true,
		"4k3/8/8/8/8/8/4p3/4KN2 w - - 0 1":   true,
		"4k3/8/8/8/8/8/4p3/4KB2 w - - 0 1":   true,
		"2b1k3/8/8/8/8/8/4p3/4KB2 w - - 0 1": true, // bishops of one colour
		"1b2k3/8/8/8/8/8/4p3/4KB2 w - - 0 1": false,
		"4kn2/8/8/8/8/8/4p3/4KN2 w - - 0 1":  false,
		"4k3/8/8/8/8/8/4p3/4KNN1 w - - 0 1":  false,
		"4k3/8/8/8/8/8/4p2P/4K3 w - - 0 1":   false,
		"4kb2/8/8/8/8/8/4p3/4KN2 w - - 0 1":  false,
		"2b1kb2/8/8/8/8/8/4p3/4K3 w - - 0 1": false,
	} {
		g := from(t, fen, nil)
		move(g, "e1e2")
		if dead {
			requireEnd(g, Drawn, Material)
		} else {
			requireEnd(g, Undecided, NoReason)
		}
	}
}

func TestU5_DrawsAndResigning(t *testing.T) {
	g := from(t, StartPosition, nil)
	g.Refused(1, AcceptDraw(), "the other has not offered a draw")
	g.Must("move", 0, OfferDraw(parse(t, "e2e4")))
	require.EqualValues(t, 1, decode(g).Offer)
	g.Refused(0, AcceptDraw(), "the other has not offered a draw")
	agreed := g.Fork()
	agreed.Must("accept", 1, AcceptDraw())
	requireEnd(agreed, Drawn, Agreed)
	requireRecords(agreed)
	move(g, "e7e5") // declines
	g.Refused(1, AcceptDraw(), "the other has not offered a draw")
	g.Refused(0, AcceptDraw(), "the other has not offered a draw")
	for seat := range 2 {
		gone := g.Fork()
		gone.Must("resign", seat, Resign())
		requireEnd(gone, WhiteWon+Outcome(1-seat), Resigned)
		requireRecords(gone)
	}
}

// A pawn's move now and then begins the count of half-moves anew; after 250 moves each the game is drawn.
func TestU5_MoveLimit(t *testing.T) {
	g := from(t, "r3k3/p6p/8/8/8/8/P6P/R3K3 w - - 0 1", nil)
	w := &tourist{Game: g, counts: map[Position]int{}}
	for k, pawn := range []string{"a2a3", "h7h6", "h2h3", "a7a6", ""} {
		for decode(g).Plies < uint16(100*k+100-k%2) {
			w.walk(1)
		}
		for pawn != "" && g.Try(decode(g).Turn, Play(parse(t, pawn))).Status != channel.Accepted {
			w.walk(1)
		}
	}
	requireEnd(g, Drawn, MoveLimit)
	require.EqualValues(t, 500, decode(g).Plies)
	require.EqualValues(t, 250, g.State.Header.Nonces[0])
	requireRecords(g)
}
