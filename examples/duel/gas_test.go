package duel

import (
	"testing"

	"github.com/evmts/channels/examples/internal/play"
)

// TestA9_GamesOnChain plays games whose every call the contract carries out as well, and holds the table of its gas.
func TestA9_GamesOnChain(t *testing.T) {
	o := play.NewOnChain(t, play.Load(t, "duel", Wasm), 0)
	for seed := range uint64(3) {
		g := gameOn(t, o, setup(Config{Rounds: 6}), seed, nil)
		g.Finish(500, kind)
		g.Records(namespace)
	}
	o.GasTable("gas.txt")
}
