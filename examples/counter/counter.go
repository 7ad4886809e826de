// Package counter holds the smallest useful module: it counts events, keeps the funds where they are, and ends when an
// event says so. It takes next to no time itself, so it measures what surrounds a module.
//
//	app      8 bytes, little-endian: events accepted so far, top-ups and timeouts not counted
//	payload  anything; the single byte 0xc3 (MessagePack true) makes the state terminal
//	effects  none
package counter

import (
	_ "embed"

	"github.com/evmts/channels/derivation"
)

//go:generate ../../node_modules/.bin/asc counter.ts -o counter.wasm -O3 --noAssert --runtime stub --use abort= --initialMemory 1 --maximumMemory 1 --converge

// Wasm is the compiled module.
//
//go:embed counter.wasm
var Wasm []byte

// PayloadEnd is the payload that makes the state terminal.
var PayloadEnd = []byte{0xc3}

// Options are the manifest's limits. Counting commutes, so participants need not wait for each other.
func Options() derivation.Options { return derivation.Options{PageLimit: 1, Independent: true} }
