// Package chess is chess with a clock, in a channel: the module, payloads, the state, the rules in Go, and a bot. The
// module's rules are in README.md, its source in assembly/.
//
// The head of a state is drawn in examples/internal/table. The game's own bytes of the head are the seat that moves,
// castling rights, 1 + the passed square, 1 + the seat that offers a draw, how often the position has been there, why the game
// ended, and the squares of both kings. After the owners come the squares (64), half-moves (2), plies (2), positions seen (2),
// zero (2), both clocks (8), increment (4), base (4), the time of the last move (8), and 8 bytes for each of 151 positions.
package chess

import (
	_ "embed"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/common"

	"github.com/evmts/channels/examples/internal/table"
)

// Wasm is the module, as examples/build.mjs builds it from assembly/.
//
//go:embed chess.wasm
var Wasm []byte

const (
	version  = 0x24
	maxSeen  = 151
	restSize = 96 + 8*maxSeen

	maxBase      = 864_000
	maxIncrement = 3600
	maxHalfmoves = 99
)

// ErrConfig says that the module would refuse a configuration.
var ErrConfig = errors.New("chess: configuration out of bounds")

// Over is the phase of a game that is decided; before it is 0.
const Over = table.Over

// Outcome is how a game ended.
type Outcome uint8

const (
	Undecided Outcome = iota
	WhiteWon
	BlackWon
	Drawn
	CalledOff // silence before both have moved
)

// Reason is why a game ended.
type Reason uint8

const (
	NoReason Reason = iota
	Mate
	Resigned
	Flag
	Silence
	Stalemate
	Agreed
	Threefold
	Fivefold
	Fifty
	SeventyFive
	Material
	MoveLimit
)

// Config is a game: seconds for each player, 0 for no clock, and seconds added for each move. Start, if set, is a position
// in Forsyth-Edwards notation. Seat 0 is white.
type Config struct {
	Base, Increment uint32
	Start           string
}

// wire is the configuration as the module reads it.
func (c Config) wire() (any, error) {
	type clock struct {
		Base      uint32 `msgpack:"base"`
		Increment uint32 `msgpack:"increment"`
	}
	if c.Base > maxBase || c.Increment > maxIncrement {
		return nil, fmt.Errorf("%w: base is at most %d seconds, increment %d", ErrConfig, maxBase, maxIncrement)
	}
	if c.Start == "" {
		return clock{c.Base, c.Increment}, nil
	}
	p, err := ParseFEN(c.Start)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	if p.Halfmoves > maxHalfmoves {
		return nil, fmt.Errorf("%w: a game begins with at most %d half-moves", ErrConfig, maxHalfmoves)
	}
	packed := make([]byte, 32)
	for s, piece := range p.Board {
		packed[s/2] |= byte(piece) << (4 * (s % 2))
	}
	return struct {
		Base      uint32 `msgpack:"base"`
		Increment uint32 `msgpack:"increment"`
		Start     []any  `msgpack:"start"`
	}{c.Base, c.Increment, []any{packed, p.Turn, p.Rights, p.Passed + 1, p.Halfmoves}}, nil
}

// Genesis is a game and where its outcome goes.
type Genesis struct {
	World  table.World
	Config Config
}

// Input is the channel's genesis input. It fails with ErrConfig; positions that cannot be are refused by the module.
func (g Genesis) Input() ([]byte, error) {
	config, err := g.Config.wire()
	if err != nil {
		return nil, err
	}
	return g.World.Input(config)
}

// Play is a move; OfferDraw is one with an offer that stands until the other moves.
func Play(m Move) []byte { return table.Payload(map[string]string{"move": m.String()}) }

// OfferDraw is Play with the offer of a draw.
func OfferDraw(m Move) []byte {
	return table.Payload(struct {
		Move string `msgpack:"move"`
		Draw uint8  `msgpack:"draw"`
	}{m.String(), 1})
}

// AcceptDraw accepts the other's offer.
func AcceptDraw() []byte { return only("accept") }

// ClaimDraw claims a draw on one's turn: three times the same position, or fifty moves without capture or pawn's move.
func ClaimDraw() []byte { return only("claim") }

// ClaimFlag says that the other's time has run out.
func ClaimFlag() []byte { return only("flag") }

// Resign gives the game up.
func Resign() []byte { return only("resign") }

func only(field string) []byte { return table.Payload(map[string]uint8{field: 1}) }

// State is a game at one point of its journal.
type State struct {
	*table.Head
	Position
	Outcome   Outcome
	Reason    Reason
	Offer     uint8 // 1 + the seat that offers a draw
	Times     uint8 // how often the position has been on the board
	Plies     uint16
	Seen      uint16 // positions since the last capture or pawn's move
	Clock     [2]uint32
	Increment uint32
	Base      uint32
	Last      uint64 // time of the last move, UNIX seconds
}

// Decode reads the end of a State (header ‖ funds ‖ app). It fails with table.ErrState.
func Decode(state []byte) (*State, error) {
	h, err := table.Open(state, version)
	if err != nil {
		return nil, fmt.Errorf("chess: %w", err)
	}
	f := h.Fields
	if h.Seats() != 2 || len(h.Rest) != restSize || h.Phase != 0 && h.Phase != Over || Outcome(h.Outcome) > CalledOff || Reason(f[5]) > MoveLimit ||
		f[0] > 1 || f[1] > 15 || f[2] > 64 || f[6] > 63 || f[7] > 63 {
		return nil, fmt.Errorf("chess: %w: phase %d, outcome %d, %d bytes", table.ErrState, h.Phase, h.Outcome, len(h.Rest))
	}
	b := h.Rest
	s := &State{
		Head: h, Outcome: Outcome(h.Outcome), Reason: Reason(f[5]), Offer: f[3], Times: f[4],
		Position: Position{Turn: int(f[0]), Rights: f[1], Passed: int8(f[2]) - 1, Halfmoves: binary.LittleEndian.Uint16(b[64:])},
		Plies:    binary.LittleEndian.Uint16(b[66:]), Seen: binary.LittleEndian.Uint16(b[68:]),
		Clock:     [2]uint32{binary.LittleEndian.Uint32(b[72:]), binary.LittleEndian.Uint32(b[76:])},
		Increment: binary.LittleEndian.Uint32(b[80:]), Base: binary.LittleEndian.Uint32(b[84:]), Last: binary.LittleEndian.Uint64(b[88:]),
	}
	kings := 0
	for i := range s.Board {
		piece := Piece(b[i])
		if piece > King|Black || piece > 0 && (piece.kind() == 0 || piece.kind() > King) || piece.kind() == Pawn && (i < 8 || i >= 56) {
			return nil, fmt.Errorf("chess: %w: piece %d on %s", table.ErrState, piece, Square(uint8(i)))
		}
		if piece.kind() == King {
			kings++
		}
		s.Board[i] = piece
	}
	if kings != 2 || s.Board[f[6]] != King || s.Board[f[7]] != King|Black || s.Rights != s.possibleRights() || int(s.Seen) > maxSeen {
		return nil, fmt.Errorf("chess: %w: kings or castling rights", table.ErrState)
	}
	return s, nil
}

// possibleRights are the rights whose king and rook are at home.
func (p *Position) possibleRights() uint8 {
	r := p.Rights
	for _, home := range []struct {
		square int
		piece  Piece
		rights uint8
	}{{4, King, 3}, {7, Rook, 1}, {0, Rook, 2}, {60, King | Black, 12}, {63, Rook | Black, 4}, {56, Rook | Black, 8}} {
		if p.Board[home.square] != home.piece {
			r &^= home.rights
		}
	}
	return r
}

// Bot plays one seat: it takes what it can, promotes, gives mate in one, and else moves as its secret says. It keeps
// nothing between calls.
type Bot struct {
	seat   uint8
	secret common.Hash
}

// NewBot plays a seat.
func NewBot(seat uint8, secret common.Hash) *Bot { return &Bot{seat, secret} }

var worth = [...]int{Pawn: 1, Knight: 3, Bishop: 3, Rook: 5, Queen: 9, King: 0}

// Next is the payload that the seat should author on a state; ok is false when it is not to move.
func (b *Bot) Next(state []byte) (payload []byte, ok bool) {
	s, err := Decode(state)
	if err != nil || s.Phase == Over || s.Turn != int(b.seat) {
		return nil, false
	}
	if s.Times >= 3 || s.Halfmoves >= 100 {
		return ClaimDraw(), true
	}
	moves := s.Legal()
	if len(moves) == 0 {
		return nil, false
	}
	mix := table.Mix(b.secret, uint32(s.Plies))
	best, most := moves[0], -1
	for i, m := range moves {
		score := 4*worth[s.Board[m.To].kind()] + 4*worth[m.Into] + int((mix>>(i%48))%8)
		if next := s.After(m); next.Check() {
			score += 2
			if len(next.Legal()) == 0 {
				score += 1000
			}
		}
		if score > most {
			best, most = m, score
		}
	}
	return Play(best), true
}
