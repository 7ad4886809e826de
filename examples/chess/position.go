package chess

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// ErrFEN says that a text is no position in Forsyth-Edwards notation.
var ErrFEN = errors.New("chess: not a position")

// Piece is 0 for none, 1 to 6 for white's pawn, knight, bishop, rook, queen, king, and 8 more for black's.
type Piece uint8

const (
	Pawn Piece = 1 + iota
	Knight
	Bishop
	Rook
	Queen
	King
	Black Piece = 8
)

func (p Piece) kind() Piece { return p & 7 }
func (p Piece) seat() int   { return int(p >> 3) }

const letters = " PNBRQK  pnbrqk"

// Move is from one square to another, 0 a1, 1 b1, to 63 h8; Into is what a pawn becomes.
type Move struct {
	From, To uint8
	Into     Piece
}

// String is the move in long algebraic notation, as payloads have it: e2e4, e7e8q.
func (m Move) String() string {
	s := Square(m.From) + Square(m.To)
	if m.Into > 0 {
		s += strings.ToLower(letters[m.Into : m.Into+1])
	}
	return s
}

// Square names a square, 0 to 63.
func Square(s uint8) string { return string([]byte{'a' + s&7, '1' + s>>3}) }

// Position is a board, and what belongs to the rules: it is comparable. This generator tries every move on a copy; the
// module's does not, so the two check each other.
type Position struct {
	Board     [64]Piece
	Turn      int   // seat that moves: 0 white, 1 black
	Rights    uint8 // bits: white kingside, queenside, black kingside, queenside
	Passed    int8  // square that a pawn has passed over, −1 for none; kept only if a pawn can capture there
	Halfmoves uint16
}

// StartPosition is where games usually begin.
const StartPosition = "rnbqkbnr/pppppppp/8/8/8/8/PPPPPPPP/RNBQKBNR w KQkq - 0 1"

// ParseFEN reads a position: board, turn, rights, passed square, and if it is there the number of half-moves.
func ParseFEN(fen string) (Position, error) {
	f := strings.Fields(fen)
	bad := func(what string) (Position, error) {
		return Position{}, fmt.Errorf("%w: %s in %q", ErrFEN, what, fen)
	}
	if len(f) < 4 {
		return bad("missing fields")
	}
	p := Position{Passed: -1}
	rows := strings.Split(f[0], "/")
	if len(rows) != 8 {
		return bad("rows")
	}
	for r, row := range rows {
		file := 0
		for _, c := range row {
			if c >= '1' && c <= '8' {
				file += int(c - '0')
				continue
			}
			i := strings.IndexRune(letters[1:], c)
			if i < 0 || c == ' ' || file > 7 {
				return bad("row")
			}
			p.Board[(7-r)*8+file] = Piece(i + 1)
			file++
		}
		if file != 8 {
			return bad("row")
		}
	}
	switch f[1] {
	case "w":
	case "b":
		p.Turn = 1
	default:
		return bad("turn")
	}
	for _, c := range f[2] {
		if i := strings.IndexRune("KQkq", c); i >= 0 {
			p.Rights |= 1 << i
		} else if c != '-' {
			return bad("castling")
		}
	}
	if f[3] != "-" {
		if len(f[3]) != 2 || f[3][0] < 'a' || f[3][0] > 'h' || f[3][1] < '1' || f[3][1] > '8' {
			return bad("passed square")
		}
		p.Passed = int8(f[3][1]-'1')*8 + int8(f[3][0]-'a')
	}
	if len(f) > 4 {
		n, err := strconv.ParseUint(f[4], 10, 16)
		if err != nil {
			return bad("half-moves")
		}
		p.Halfmoves = uint16(n)
	}
	if strings.Count(f[0], "K") != 1 || strings.Count(f[0], "k") != 1 {
		return bad("kings")
	}
	p.forgetPassed()
	return p, nil
}

type step struct{ file, rank int }

var (
	straight = []step{{1, 0}, {-1, 0}, {0, 1}, {0, -1}}
	diagonal = []step{{1, 1}, {1, -1}, {-1, 1}, {-1, -1}}
	jumps    = []step{{1, 2}, {2, 1}, {-1, 2}, {-2, 1}, {1, -2}, {2, -1}, {-1, -2}, {-2, -1}}
	around   = append(append([]step{}, straight...), diagonal...)
)

// on gives the square that a step leads to.
func on(s int, d step) (int, bool) {
	f, r := s&7+d.file, s>>3+d.rank
	return r*8 + f, f >= 0 && f < 8 && r >= 0 && r < 8
}

// Attacked says whether a piece of a seat attacks a square.
func (p *Position) Attacked(s int, by int) bool {
	for from, piece := range p.Board {
		if piece == 0 || piece.seat() != by {
			continue
		}
		df, dr := s&7-from&7, s>>3-from>>3
		switch piece.kind() {
		case Pawn:
			if dr == 1-2*by && df*df == 1 {
				return true
			}
		case Knight:
			if df*df+dr*dr == 5 {
				return true
			}
		case King:
			if from != s && df*df <= 1 && dr*dr <= 1 {
				return true
			}
		default:
			if from != s && p.sees(from, s, piece.kind(), df, dr) {
				return true
			}
		}
	}
	return false
}

func (p *Position) sees(from, s int, kind Piece, df, dr int) bool {
	line, slant := df == 0 || dr == 0, df == dr || df == -dr
	if !(line && kind != Bishop || slant && kind != Rook) {
		return false
	}
	d := step{sign(df), sign(dr)}
	for at, _ := on(from, d); at != s; at, _ = on(at, d) {
		if p.Board[at] != 0 {
			return false
		}
	}
	return true
}

func sign(n int) int {
	switch {
	case n > 0:
		return 1
	case n < 0:
		return -1
	}
	return 0
}

func (p *Position) king(seat int) int {
	for s, piece := range p.Board {
		if piece == King|Black*Piece(seat) {
			return s
		}
	}
	return -1
}

// Check says whether the side to move is in check.
func (p *Position) Check() bool { return p.Attacked(p.king(p.Turn), 1-p.Turn) }

// Legal lists the legal moves, in the order of their squares.
func (p *Position) Legal() []Move {
	var out []Move
	for from, piece := range p.Board {
		if piece == 0 || piece.seat() != p.Turn {
			continue
		}
		for _, to := range p.targets(from) {
			next := p.after(Move{From: uint8(from), To: uint8(to)})
			if next.Attacked(next.king(p.Turn), 1-p.Turn) {
				continue
			}
			if piece.kind() == Pawn && (to < 8 || to >= 56) {
				for _, into := range []Piece{Queen, Rook, Bishop, Knight} {
					out = append(out, Move{uint8(from), uint8(to), into})
				}
			} else {
				out = append(out, Move{From: uint8(from), To: uint8(to)})
			}
		}
	}
	return out
}

// targets are where a piece can go if its king's safety is left out of account.
func (p *Position) targets(from int) (out []int) {
	free := func(s int) bool { return p.Board[s] == 0 || p.Board[s].seat() != p.Turn }
	walk := func(steps []step, far bool) {
		for _, d := range steps {
			for at, ok := on(from, d); ok && free(at); at, ok = on(at, d) {
				out = append(out, at)
				if !far || p.Board[at] != 0 {
					break
				}
			}
		}
	}
	switch p.Board[from].kind() {
	case Knight:
		walk(jumps, false)
	case Bishop:
		walk(diagonal, true)
	case Rook:
		walk(straight, true)
	case Queen:
		walk(around, true)
	case King:
		walk(around, false)
		out = append(out, p.castles(from)...)
	case Pawn:
		ahead := 8 - 16*p.Turn
		if p.Board[from+ahead] == 0 {
			out = append(out, from+ahead)
			if from>>3 == 1+5*p.Turn && p.Board[from+2*ahead] == 0 {
				out = append(out, from+2*ahead)
			}
		}
		for _, df := range []int{-1, 1} {
			if to, ok := on(from, step{df, 1 - 2*p.Turn}); ok && (p.Board[to] != 0 && free(to) || to == int(p.Passed)) {
				out = append(out, to)
			}
		}
	}
	return out
}

func (p *Position) castles(from int) (out []int) {
	safe := func(squares ...int) bool {
		for _, s := range squares {
			if p.Attacked(s, 1-p.Turn) {
				return false
			}
		}
		return true
	}
	empty := func(squares ...int) bool {
		for _, s := range squares {
			if p.Board[s] != 0 {
				return false
			}
		}
		return true
	}
	rights := p.Rights >> (2 * p.Turn)
	if rights&1 > 0 && empty(from+1, from+2) && safe(from, from+1, from+2) {
		out = append(out, from+2)
	}
	if rights&2 > 0 && empty(from-1, from-2, from-3) && safe(from, from-1, from-2) {
		out = append(out, from-2)
	}
	return out
}

// After is the position after a legal move.
func (p *Position) After(m Move) Position {
	next := p.after(m)
	next.forgetPassed()
	return next
}

func (p *Position) after(m Move) Position {
	next := *p
	piece := p.Board[m.From]
	from, to := int(m.From), int(m.To)
	next.Halfmoves++
	if piece.kind() == Pawn || p.Board[to] != 0 {
		next.Halfmoves = 0
	}
	next.Board[from], next.Board[to], next.Passed = 0, piece, -1
	if m.Into > 0 {
		next.Board[to] = m.Into | Black*Piece(p.Turn)
	}
	switch {
	case piece.kind() == Pawn && to == int(p.Passed):
		next.Board[to-8+16*p.Turn] = 0
	case piece.kind() == Pawn && (to-from == 16 || from-to == 16):
		next.Passed = int8((from + to) / 2)
	case piece.kind() == King && to-from == 2:
		next.Board[to+1], next.Board[to-1] = 0, p.Board[to+1]
	case piece.kind() == King && from-to == 2:
		next.Board[to-2], next.Board[to+1] = 0, p.Board[to-2]
	}
	next.Rights &^= homes[from] | homes[to]
	next.Turn = 1 - p.Turn
	return next
}

// homes are the rights that are lost when a piece leaves or reaches a square.
var homes = [64]uint8{0: 2, 4: 3, 7: 1, 56: 8, 60: 12, 63: 4}

// forgetPassed drops a passed square on which nobody can capture.
func (p *Position) forgetPassed() {
	if p.Passed < 0 {
		return
	}
	for _, df := range []int{-1, 1} {
		from, ok := on(int(p.Passed), step{df, 2*p.Turn - 1})
		if !ok || p.Board[from] != Pawn|Black*Piece(p.Turn) {
			continue
		}
		next := p.after(Move{From: uint8(from), To: uint8(p.Passed)})
		if !next.Attacked(next.king(p.Turn), 1-p.Turn) {
			return
		}
	}
	p.Passed = -1
}

// Dead says that neither side can ever give mate: kings, and one knight, or bishops of one colour of squares.
func (p *Position) Dead() bool {
	knights, bishops := 0, [2]int{}
	for s, piece := range p.Board {
		switch piece.kind() {
		case 0, King:
		case Knight:
			knights++
		case Bishop:
			bishops[(s+s>>3)&1]++
		default:
			return false
		}
	}
	return knights == 0 && (bishops[0] == 0 || bishops[1] == 0) || knights == 1 && bishops == [2]int{}
}

// Perft counts the leaves of the tree of legal moves.
func (p *Position) Perft(depth int) (leaves uint64) {
	moves := p.Legal()
	if depth == 1 {
		return uint64(len(moves))
	}
	for _, m := range moves {
		next := p.After(m)
		leaves += next.Perft(depth - 1)
	}
	return leaves
}

// ErrSAN says that a text names no legal move.
var ErrSAN = errors.New("chess: no such move")

// ParseSAN finds the move that a text in standard algebraic notation names: e4, Nbd7, exd8=Q+, O-O-O.
func (p *Position) ParseSAN(san string) (Move, error) {
	text := strings.TrimRight(san, "+#!?")
	var found []Move
	for _, m := range p.Legal() {
		if p.matches(m, text) {
			found = append(found, m)
		}
	}
	if len(found) != 1 {
		return Move{}, fmt.Errorf("%w: %q fits %d legal moves", ErrSAN, san, len(found))
	}
	return found[0], nil
}

func (p *Position) matches(m Move, text string) bool {
	piece := p.Board[m.From]
	if text == "O-O" || text == "O-O-O" {
		return piece.kind() == King && int(m.To)-int(m.From) == map[string]int{"O-O": 2, "O-O-O": -2}[text]
	}
	kind, into := Pawn, Piece(0)
	if i := strings.IndexByte("NBRQK", text[0]); i >= 0 {
		kind, text = Piece(i+2), text[1:]
	}
	if i := strings.IndexByte(text, '='); i >= 0 && i+1 < len(text) {
		into, text = Piece(strings.IndexByte(letters, text[i+1])), text[:i]
	}
	text = strings.ReplaceAll(text, "x", "")
	if piece.kind() != kind || m.Into != into || !strings.HasSuffix(text, Square(m.To)) {
		return false
	}
	from := Square(m.From)
	for _, c := range text[:len(text)-2] {
		if !strings.ContainsRune(from, c) {
			return false
		}
	}
	return true
}
