package chess

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/evmts/channels/channel"
	"github.com/evmts/channels/examples/internal/play"
	"github.com/evmts/channels/examples/internal/table"
)

// requireRecords checks what the World gets, and who holds the stakes.
func requireRecords(g *play.Game) {
	g.TB.Helper()
	s := decode(g)
	want := map[string]int64{}
	for i := range 2 {
		field := 3
		if s.Outcome == WhiteWon+Outcome(i) {
			field = 1
		} else if s.Outcome != Drawn {
			field = 2
		}
		if s.Outcome != CalledOff {
			want[fmt.Sprintf("ChessRecord/%d/0/0", i)] = 1
			want[fmt.Sprintf("ChessRecord/%d/0/%d", i, field)] = 1
		}
		for a := range g.Rules.Funding {
			stake := uint64(1_000_003 + 17*i + 1009*a)
			switch field {
			case 1:
				stake = uint64(2_000_006 + 17 + 2*1009*a)
			case 2:
				if s.Outcome != CalledOff {
					stake = 0
				}
			}
			require.Equal(g.TB, stake, g.Holds(a, i))
		}
	}
	require.Equal(g.TB, want, g.Records(namespace))
}

func TestU5_GamesOfBots(t *testing.T) {
	fuel := map[string]uint64{}
	reasons := map[Reason]int{}
	plies := 0
	for seed := range uint64(play.Long(24)) {
		s := setup(t, Config{Base: 600, Increment: 5})
		s.Assets, s.Beneficiaries, s.Sequencer = int(seed%3), int(seed%2), int(seed/2%2)
		if seed%12 == 11 {
			s.Assets, s.Beneficiaries = channel.MaxAssets, channel.MaxBeneficiaries
		}
		g := game(t, s, seed, fuel)
		for {
			before := decode(g)
			payload, _ := g.Players[before.Turn].Next(g.State.Bytes())
			if _, ok := g.Step(kind); !ok {
				break
			}
			if kind(payload) != "move" {
				continue
			}
			requireSame(t, before, parse(t, string(payload[7:])), decode(g))
		}
		end := decode(g)
		require.True(t, g.State.Header.Terminal)
		requireRecords(g)
		reasons[end.Reason]++
		plies += int(end.Plies)
		for _, n := range g.State.Header.Nonces {
			require.LessOrEqual(t, n, uint64(251), "maxEvents of the manifest")
		}
	}
	t.Logf("reasons %v, %d plies", reasons, plies)
	require.Greater(t, reasons[Mate], 2)
	require.Greater(t, len(reasons), 2)
	dearest(t, fuel)
	play.FuelTable(t, fuel)
}

func TestU5_FamousGames(t *testing.T) {
	text, err := os.ReadFile("testdata/games.txt")
	require.NoError(t, err)
	games := strings.Split(strings.TrimSpace(string(text)), "\n\n")
	require.Len(t, games, 6)
	for _, record := range games {
		title, moves, ok := strings.Cut(record, "\n")
		require.True(t, ok)
		g := from(t, StartPosition, nil)
		for _, san := range strings.Fields(regexp.MustCompile(`\d+\.`).ReplaceAllString(moves, " ")) {
			s := decode(g)
			m, err := s.ParseSAN(san)
			require.NoError(t, err, title)
			g.Must("move", s.Turn, Play(m))
			require.Equal(t, strings.ContainsAny(san, "+#"), ptr(decode(g).Position).Check(), "%s: %s", title, san)
		}
		end := map[string][2]any{"white, mate": {WhiteWon, Mate}, "black, mate": {BlackWon, Mate}, "drawn, stalemate": {Drawn, Stalemate}}
		_, how, _ := strings.Cut(title, ": ")
		require.Contains(t, end, how)
		requireEnd(g, end[how][0].(Outcome), end[how][1].(Reason))
		requireRecords(g)
	}
}

func ptr[T any](v T) *T { return &v }

func TestU5_SpecialMoves(t *testing.T) {
	for name, c := range map[string]struct {
		fen   string
		moves string // the last is refused if it starts with "!"
	}{
		"castle both sides":        {"r3k2r/8/8/8/8/8/8/R3K2R w KQkq - 0 1", "e1g1 e8c8"},
		"not out of check":         {"r3k2r/8/8/8/4r3/8/8/R3K2R w KQkq - 0 1", "!e1g1"},
		"not through check":        {"r3k2r/8/8/8/5r2/8/8/R3K2R w KQkq - 0 1", "!e1g1"},
		"not into check":           {"r3k2r/8/8/8/6r1/8/8/R3K2R w KQkq - 0 1", "!e1g1"},
		"rook may pass an attack":  {"r3k2r/8/8/8/1r6/8/8/R3K2R w KQkq - 0 1", "e1c1"},
		"not after the king moved": {"r3k2r/8/8/8/8/8/8/R3K2R w KQkq - 0 1", "e1e2 a8b8 e2e1 b8a8 !e1g1"},
		"not after the rook moved": {"r3k2r/8/8/8/8/8/8/R3K2R w KQkq - 0 1", "h1h2 a8b8 h2h1 b8a8 !e1g1"},
		"not with a taken rook":    {"r3k2r/8/8/8/8/8/6b1/R3K2R b KQkq - 0 1", "g2h1 a1b1 h1g2 b1a1 e8e7 !e1g1"},
		"not over a piece":         {"rn2k2r/8/8/8/8/8/8/R3K2R b KQkq - 0 1", "!e8c8"},
		"en passant":               {"4k3/8/8/8/5p2/8/4P3/4K3 w - - 0 1", "e2e4 f4e3"},
		"en passant at once only":  {"4k3/8/8/8/5p2/8/4P3/4K3 w - - 0 1", "e2e4 e8e7 e1e2 !f4e3"},
		"en passant uncovers":      {"8/8/8/8/k4p1R/8/4P3/4K3 w - - 0 1", "e2e4 !f4e3"},
		"promotion and underpromo": {"8/P6k/8/8/8/8/p6K/8 w - - 0 1", "a7a8n a2a1q"},
		"promotion must be named":  {"8/P6k/8/8/8/8/p6K/8 w - - 0 1", "!a7a8"},
		"only pawns are promoted":  {"8/P6k/8/8/8/8/p6K/8 w - - 0 1", "!h2g2q"},
		"pinned":                   {"4k3/4r3/8/8/8/8/4N3/4K3 w - - 0 1", "!e2c3"},
		"pinned along the line":    {"4k3/4r3/8/8/8/8/4R3/4K3 w - - 0 1", "e2e5"},
		"double check":             {"4k3/4r3/8/8/8/3n4/8/3QK3 w - - 0 1", "!d1d3"},
		"no step back for pawns":   {"4k3/8/8/8/8/4P3/8/4K3 w - - 0 1", "!e3e2"},
		"no jump over a piece":     {"4k3/8/8/8/8/4n3/4P3/4K3 w - - 0 1", "!e2e4"},
	} {
		t.Run(name, func(t *testing.T) {
			g := from(t, c.fen, nil)
			for _, text := range strings.Fields(c.moves) {
				if refused, ok := strings.CutPrefix(text, "!"); ok {
					v := g.Try(decode(g).Turn, Play(parse(t, refused)))
					require.Equal(t, channel.RejectedByModule, v.Status)
				} else {
					move(g, text)
				}
			}
		})
	}
}

func TestU5_Clock(t *testing.T) {
	g := game(t, setup(t, Config{Base: 100, Increment: 3}), 1, nil)
	g.Time += 5000 // the first move takes no time
	move(g, "e2e4")
	require.Equal(t, [2]uint32{100, 100}, decode(g).Clock)
	g.Time += 9
	move(g, "e7e5") // ten seconds
	require.Equal(t, [2]uint32{100, 93}, decode(g).Clock)
	g.Time -= 500 // earlier than the last event: the time of the last one counts
	move(g, "g1f3")
	require.Equal(t, [2]uint32{103, 93}, decode(g).Clock)
	g.Time += 500

	last := decode(g).Last
	g.Time = last + 93
	g.Refused(0, ClaimFlag(), "the flag has not fallen")
	g.Refused(1, ClaimFlag(), "your own clock runs; move or resign")
	justInTime := g.Fork()
	justInTime.Must("move", 1, Play(parse(t, "b8c6")))
	require.EqualValues(t, 3, decode(justInTime).Clock[1])
	g.Time = last + 94
	claimed := g.Fork()
	claimed.Must("flag", 0, ClaimFlag())
	requireEnd(claimed, WhiteWon, Flag)
	requireRecords(claimed)
	late := g.Fork()
	late.Must("move", 1, Play(parse(t, "b8c6")))
	requireEnd(late, WhiteWon, Flag)
	require.Equal(t, decode(g).Position, decode(late).Position, "the late move is not made")

	// Against a bare king a fallen flag is a draw.
	g = game(t, setup(t, Config{Base: 100, Start: "4k3/8/8/8/8/8/8/Q3K3 w - - 0 1"}), 1, nil)
	move(g, "a1a2")
	move(g, "e8e7")
	g.Time += 1000
	g.Must("flag", 1, ClaimFlag())
	requireEnd(g, Drawn, Flag)

	// No clock.
	g = from(t, StartPosition, nil)
	move(g, "e2e4")
	g.Time += 1 << 40
	move(g, "e7e5")
	g.Refused(1, ClaimFlag(), "the flag has not fallen")
}

func TestU5_SilenceLoses(t *testing.T) {
	g := game(t, setup(t, Config{Base: 100}), 1, nil)
	for ply := range 6 {
		late := g.Timeout(play.StartTime + 10_000)
		s := decode(late)
		if ply < 2 {
			requireEnd(late, CalledOff, NoReason)
			require.Equal(t, g.State.Funds, late.State.Funds)
			require.Empty(t, late.Records(namespace))
		} else {
			requireEnd(late, WhiteWon+Outcome(1-ply%2), Silence)
			require.EqualValues(t, 1<<(ply%2), s.Silent)
			requireRecords(late)
		}
		g.Step(kind)
	}
}

func TestR6_GoldenGame(t *testing.T) {
	g := play.BothEngines(t, "chess", Wasm, func(m channel.Module, fuel map[string]uint64) *play.Game {
		g := gameOn(t, m, setup(t, Config{Base: 600, Increment: 2}), 7, fuel)
		g.Finish(600, kind)
		return g
	})
	play.Golden(t, "final.txt", fmt.Sprintf("%d events, %d bytes of payload, reason %d\n%s\n", g.Seq, g.Payload, decode(g).Reason, g.State.Hash()))
}

func TestA9_ModuleIsBuiltFromItsSource(t *testing.T) { play.BuiltFromSource(t, "chess", Wasm) }

func TestA1_Refusals(t *testing.T) {
	g := from(t, StartPosition, nil)
	const events = "an event is {move}, {move, draw}, {accept}, {claim}, {flag} or {resign}"
	text := func(s string) []byte { return table.Payload(map[string]string{"move": s}) }
	g.Cases(0, map[string]play.Case{
		"empty": {nil, "the input ends too early"}, "no map": {table.Payload("e2e4"), "expected a map"},
		"no keys": {table.Payload(map[string]int{}), events}, "unknown": {table.Payload(map[string]int{"castle": 1}), events},
		"only draw": {table.Payload(map[string]int{"draw": 1}), events}, "two": {table.Payload(map[string]int{"resign": 1, "accept": 1}), events},
		"three":    {table.Payload(map[string]int{"resign": 1, "accept": 1, "flag": 1}), "too many elements"},
		"zero":     {table.Payload(map[string]int{"resign": 0}), "this field is 1 or not there"},
		"twice":    {append([]byte{0x82}, append(Resign()[1:], Resign()[1:]...)...), "a field appears twice"},
		"trailing": {append(Resign(), 0), "bytes follow the value"},
		"short":    {text("e2e"), "a move is from and to, as e2e4, and perhaps q, r, b or n"}, "long": {text("e2e4qq"), "a move is from and to, as e2e4, and perhaps q, r, b or n"},
		"number": {table.Payload(map[string]int{"move": 1}), "expected a string"},
		"file":   {text("i2e4"), "a square is a1 to h8"}, "rank": {text("e2e9"), "a square is a1 to h8"}, "capital": {text("E2E4"), "a square is a1 to h8"},
		"into king": {text("e2e4k"), "a pawn becomes q, r, b or n"}, "into": {text("e2e4q"), "only a pawn on the last rank is promoted"},
		"empty square": {text("e4e5"), "there is no piece on this square"}, "theirs": {text("e7e5"), "this is not your piece"},
		"on own": {text("a1a2"), "this move is not legal"}, "through": {text("a1a3"), "this move is not legal"}, "nowhere": {text("b1b1"), "this move is not legal"},
		"wraps": {text("h2a3"), "this move is not legal"}, "own clock": {ClaimFlag(), "your own clock runs; move or resign"},
	})
	g.Refused(1, text("e7e5"), "it is not your turn; wait for the other")
	require.Equal(t, channel.RejectedAuthor, g.Try(2, Resign()).Status)
	move(g, "e2e4")
	move(g, "f7f6")
	move(g, "d1h5")
	g.Refused(1, text("a7a6"), "this move is not legal; you are in check")
	move(g, "g7g6")
	require.NoError(t, g.Try(0, Resign()).Err())
	require.Equal(t, channel.RejectedTerminal, g.Try(1, Resign()).Status)
	r := g.Rules.Module.Reduce(g.State.Bytes(), append([]byte{0, 0, 2, 1, 2}, append(make([]byte, 27), Resign()...)...))
	require.Equal(t, "chess: the game is over", r.Reason)
}

func TestAttack29_ForeignStatesAndEvents(t *testing.T) {
	play.Foreign(from(t, StartPosition, nil), Play(parse(t, "e2e4")))
}

func TestAttack11_TopUps(t *testing.T) {
	g := from(t, StartPosition, nil)
	require.NoError(t, g.TopUp(1, 0, 500).Err())
	move(g, "e2e4")
	require.Equal(t, "chess: the game has begun; stakes are fixed", g.TopUp(0, 0, 500).Reason)
}

func TestA1_GenesisRefused(t *testing.T) {
	m := play.Load(t, "chess", Wasm)
	start := func(fen string) any {
		c, err := Config{Start: fen}.wire()
		require.NoError(t, err)
		return c
	}
	raw := func(change func(packed []byte, rest []int)) any {
		packed, rest := make([]byte, 32), []int{0, 0, 0, 0}
		packed[2], packed[30] = byte(King), byte(King|Black) // e1, e8
		change(packed, rest)
		return struct {
			Base      int   `msgpack:"base"`
			Increment int   `msgpack:"increment"`
			Start     []any `msgpack:"start"`
		}{Start: []any{packed, rest[0], rest[1], rest[2], rest[3]}}
	}
	type clock struct {
		Base      int `msgpack:"base"`
		Increment int `msgpack:"increment"`
	}
	const shape, big, home = "the configuration is {base, increment} and perhaps start", "an integer is too large", "castling needs king and rook at home"
	play.ErrorsAt(t, m, setup(t, Config{}), map[string]play.GenesisCase{
		"base": {clock{Base: 864001}, big}, "increment": {clock{Increment: 3601}, big}, "none": {map[string]int{}, shape}, "one": {map[string]int{"base": 1}, shape},
		"no map": {1, "expected a map"}, "other": {struct{ A, B int }{}, shape},
		"mate":         {start("7k/6Q1/6K1/8/8/8/8/8 b - - 0 1"), "the start position is decided already"},
		"bare kings":   {start("4k3/8/8/8/8/8/8/4K3 w - - 0 1"), "the start position is decided already"},
		"their check":  {start("4k3/8/8/8/8/8/8/4RK2 w - - 0 1"), "who is not to move is in check"},
		"kings touch":  {start("8/8/8/3kK3/8/8/8/R7 w - - 0 1"), "who is not to move is in check"},
		"pawn":         {start("4k2P/8/8/8/8/8/8/4K3 w - - 0 1"), "a pawn stands on the first or last rank"},
		"rights":       {start("4k3/8/8/8/8/8/8/4K2R w Q - 0 1"), home},
		"black rights": {start("4k3/8/8/8/8/8/8/4K2R w k - 0 1"), home},
		"seventeen":    {start("4k3/8/8/8/8/8/QQQQQQQQ/QQQQKQQQ w - - 0 1"), "who is not to move is in check"},
		"no king":      {raw(func(p []byte, _ []int) { p[2] = 0 }), "each side has one king"},
		"two kings":    {raw(func(p []byte, _ []int) { p[8] = byte(King) }), "each side has one king"},
		"piece 7":      {raw(func(p []byte, _ []int) { p[8] = 7 }), "there is no such piece"},
		"piece 8":      {raw(func(p []byte, _ []int) { p[8] = 8 }), "there is no such piece"},
		"piece 15":     {raw(func(p []byte, _ []int) { p[8] = 15 }), "there is no such piece"},
		"men": {raw(func(p []byte, _ []int) {
			for k := range 9 {
				p[8+k] = byte(Knight | Knight<<4)
			}
		}), "a side has at most sixteen pieces"},
		"turn":      {raw(func(_ []byte, r []int) { r[0] = 2 }), big},
		"rights 16": {raw(func(_ []byte, r []int) { r[1] = 16 }), big},
		"passed 65": {raw(func(_ []byte, r []int) { r[2] = 65 }), big},
		"half 100":  {raw(func(_ []byte, r []int) { r[3] = 100 }), big},
		"passed":    {raw(func(_ []byte, r []int) { r[2] = 1 + 40 }), "no pawn has passed over this square"},
		"nobody captures": {raw(func(p []byte, r []int) {
			p[16] = byte(Pawn | Black) // a5
			r[2] = 1 + 40              // a6
		}), "no pawn can capture on the passed square"},
	})
	for _, c := range []Config{{Base: 864001}, {Increment: 3601}, {Start: "x"}, {Start: "4k3/8/8/8/8/8/8/4K2R w K - 100 1"}} {
		_, err := Genesis{Config: c}.Input()
		require.ErrorIs(t, err, ErrConfig)
	}
	_, err := Genesis{Config: Config{Base: 300, Start: StartPosition}}.Input()
	require.NoError(t, err)
	for _, bad := range []string{"", "8/8 w - -", "9/8/8/8/8/8/8/8 w - - 0", "8/8/8/8/8/8/8/8 w - - 0", "xk6/8/8/8/8/8/8/K7 w - - 0", "k7/8/8/8/8/8/8/K7 x - - 0", "k7/8/8/8/8/8/8/K7 w x - 0",
		"k7/8/8/8/8/8/8/K7 w - z9 0", "k7/8/8/8/8/8/8/K7 w - - x"} {
		_, err := ParseFEN(bad)
		require.ErrorIs(t, err, ErrFEN, bad)
	}
	// The start position that is written out is the usual one.
	a, b := decode(from(t, StartPosition, nil)), decode(game(t, setup(t, Config{}), 1, nil))
	require.Equal(t, a.Rest, b.Rest)
}
