package crafting

import (
	"testing"

	"github.com/evmts/channels/examples/internal/play"
)

// TestA9_GamesOnChain plays games whose every call the contract carries out as well, and holds the table of its gas.
func TestA9_GamesOnChain(t *testing.T) {
	o := play.NewOnChain(t, play.Load(t, "crafting", Wasm), 0)
	for seed := range uint64(2) {
		g := gameOn(t, o, setup(3, 0), seed, nil)
		g.Finish(500, kind)
		g.Records(namespace)
	}
	o.GasTable("gas.txt")
}
