// Package tictactoe holds one game for two written four times, in AssemblyScript, C, Rust and Zig, with the SDKs of
// sdk/modules: the four modules give the same bytes, statuses and reasons for every input. Rules are in README.md.
//
// The app part of a state, 64 bytes, little-endian:
//
//	 0  version 1    1  outcome    2  seat that is to move    3  moves
//	 4  squares of seat 0 (2, bit k is square k)    6  squares of seat 1 (2)
//	 8  namespace (14)    22  in a world    23  winner, 1 + seat, 0 nobody
//	24  owner of seat 0 (20)    44  owner of seat 1 (20)
package tictactoe

import (
	"embed"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/evmts/channels/derivation"
)

// Languages are those that the module is written in, in the order of the alphabet.
var Languages = []string{"assemblyscript", "c", "rust", "zig"}

//go:embed assemblyscript.wasm c.wasm rust.wasm zig.wasm
var files embed.FS

// ErrLanguage means that the module is not written in that language.
var ErrLanguage = errors.New("tictactoe: unknown language")

// Wasm is the module that was built from a language.
func Wasm(language string) ([]byte, error) {
	b, err := files.ReadFile(language + ".wasm")
	if err != nil {
		return nil, fmt.Errorf("%w: %q; there are %v", ErrLanguage, language, Languages)
	}
	return b, nil
}

// Options are the manifest's limits: nobody has more than five moves.
func Options() derivation.Options { return derivation.Options{PageLimit: 4, MaxEvents: 5} }

// Outcome is how the game ended.
type Outcome uint8

const (
	Playing Outcome = iota
	Won
	Drawn
	Forfeited // the seat that was to move fell silent
)

// NoWinner is the winner of a game that nobody won.
const NoWinner = -1

// State is the app part of a state.
type State struct {
	Outcome   Outcome
	Turn      uint8 // the seat that is to move
	Moves     uint8
	Marks     [2]uint16 // of each seat: bit k is square k
	InWorld   bool
	Namespace [14]byte
	Winner    int // a seat or NoWinner
	Owners    [2]common.Address
}

// ErrState means that bytes are no app of this module.
var ErrState = errors.New("tictactoe: not a state of the game")

const (
	appSize = 64
	version = 1
)

// Decode reads the app part of a state.
func Decode(app []byte) (*State, error) {
	if len(app) != appSize || app[0] != version || app[1] > byte(Forfeited) || app[2] > 1 || app[22] > 1 || app[23] > 2 {
		return nil, fmt.Errorf("%w: %d bytes %x", ErrState, len(app), app[:min(len(app), appSize)])
	}
	s := &State{
		Outcome: Outcome(app[1]), Turn: app[2], Moves: app[3], InWorld: app[22] == 1, Winner: int(app[23]) - 1,
		Marks: [2]uint16{binary.LittleEndian.Uint16(app[4:]), binary.LittleEndian.Uint16(app[6:])},
	}
	copy(s.Namespace[:], app[8:])
	copy(s.Owners[0][:], app[24:])
	copy(s.Owners[1][:], app[44:])
	return s, nil
}

// Move is the payload of putting a mark on a square, 0 to 8: {at: square}.
func Move(square uint8) []byte { return []byte{0x81, 0xa2, 'a', 't', square} }

// Genesis is where effects go, and which seat begins. With World zero the game leaves no records.
type Genesis struct {
	Settlement, World common.Address
	Namespace         string // at most 14 bytes
	First             uint8  // 0 or 1
}

// Input is the genesis input: the 160 bytes of docs/encoding.md 25, then {first: seat} in MessagePack.
func (g Genesis) Input() []byte {
	config := []byte{0x81, 0xa5, 'f', 'i', 'r', 's', 't', g.First}
	b := make([]byte, 160, 160+len(config))
	copy(b[12:], g.Settlement[:])
	copy(b[44:], g.World[:])
	copy(b[64:80], "ns"+g.Namespace)
	copy(b[96:], crypto.Keccak256(config))
	return append(b, config...)
}
