package examples

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/evmts/channels/derivation"
	"github.com/evmts/channels/examples/internal/play"
)

// shown are the modules of the table, and what each shows. Sizes and fuel come from the folders.
var shown = []struct{ name, players, events, shows string }{
	{"raid", "3 to 16", "2 a round and hero", "a party against a dungeon, loot and experience (U1)"},
	{"rps", "2", "3 a round", "commit-reveal (U4); a whole match below 1 KB"},
	{"duel", "2", "4 a round", "hidden actions at once, fair dice, Elo in integers (U2)"},
	{"crafting", "2 to 8", "2 a craft", "items that cannot be duplicated, fair quality rolls (U3)"},
	{"chess", "2", "1 a move", "a whole rule book, clocks by timestamps (U5)"},
}

const first, last = "| module |", "\n\n"

// fuel is what has been measured: the dearest call of reduce, and of init and effects.
func fuel(t *testing.T, name string) (reduce uint64, kind string, other uint64) {
	raw, err := os.ReadFile(filepath.Join(name, "testdata", "fuel.txt"))
	require.NoError(t, err)
	for _, line := range strings.Split(strings.TrimSpace(string(raw)), "\n") {
		what, figure, ok := strings.Cut(line, " ")
		require.True(t, ok, line)
		n, err := strconv.ParseUint(figure, 10, 64)
		require.NoError(t, err)
		if what == "init" || what == "effects" {
			other = max(other, n)
		} else if n > reduce {
			reduce, kind = n, what
		}
	}
	require.NotZero(t, reduce)
	return reduce, kind, other
}

func TestU_TableOfModulesIsTrue(t *testing.T) {
	engine, err := derivation.NewEngine(derivation.Config{})
	require.NoError(t, err)
	defer func() { require.NoError(t, engine.Close()) }()
	var table strings.Builder
	table.WriteString("| module | players | events | wasm bytes | dearest event | its fuel | of the budget | init, effects at most | what it shows |\n|---|---|---|---|---|---|---|---|---|\n")
	for _, s := range shown {
		m, err := derivation.NewLibrary(engine).AddFile(filepath.Join(s.name, s.name+".wasm"))
		require.NoError(t, err)
		worst, kind, other := fuel(t, s.name)
		limit := m.Manifest().FuelLimit
		require.Equal(t, uint64(derivation.DefaultFuelLimit), limit)
		require.Less(t, max(worst, other), limit)
		fmt.Fprintf(&table, "| [%s](%s/README.md) | %s | %s | %d | %s | %d | %d %% | %d | %s |\n",
			s.name, s.name, s.players, s.events, m.Info().Bytes, kind, worst, (100*worst+limit-1)/limit, other, s.shows)
	}
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	before, rest, ok := strings.Cut(string(readme), first)
	require.True(t, ok)
	_, after, ok := strings.Cut(rest, last)
	require.True(t, ok)
	want := before + strings.TrimSuffix(table.String(), "\n") + last + after
	if *play.Update {
		require.NoError(t, os.WriteFile("README.md", []byte(want), 0o644))
		readme = []byte(want)
	}
	require.Equal(t, want, string(readme), "run go test ./examples -update")
}
