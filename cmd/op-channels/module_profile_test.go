package main

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/crypto"
	"github.com/evmts/channels/channel"
	"github.com/evmts/channels/examples/raid"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"
)

const raidWasm = "../../examples/raid/raid.wasm"

// tool runs a command line and gives what it prints.
func tool(t *testing.T, args ...string) (string, error) {
	t.Helper()
	app := newApp()
	var out bytes.Buffer
	app.Writer, app.ErrWriter = &out, &out
	err := app.Run(append([]string{"op-channels"}, args...))
	return out.String(), err
}

// raidScript lets bots play a raid and writes it down; one event is refused.
func raidScript(t *testing.T) string {
	t.Helper()
	genesis, err := raid.Genesis{Config: raid.DefaultConfig()}.Input()
	require.NoError(t, err)
	s := script{Participants: 3, Sequencer: 2, Genesis: genesis,
		Funding: channel.Funding{{Amounts: []uint256.Int{*uint256.NewInt(1000), *uint256.NewInt(2000), *uint256.NewInt(3000)}}}}
	path := filepath.Join(t.TempDir(), "raid.json")
	write := func() {
		b, err := json.Marshal(s)
		require.NoError(t, err)
		// A payload that is not there is left out.
		require.NoError(t, os.WriteFile(path, bytes.ReplaceAll(b, []byte(`"payload":null,`), nil), 0o600))
	}
	write()
	l, err := loadModule(raidWasm)
	require.NoError(t, err)
	defer func() { require.NoError(t, l.engine.Close()) }()
	g, err := readScript(path)
	require.NoError(t, err)
	params := g.params
	params.ModuleHash = l.module.Hash()
	rules, err := channel.NewRules(&params, g.funding, l.module)
	require.NoError(t, err)
	state, v := rules.Genesis(g.genesis)
	require.NoError(t, v.Err())
	var bots []*raid.Bot
	for i := range 3 {
		bots = append(bots, raid.NewBot(uint8(i), crypto.Keccak256Hash([]byte{byte(i)})))
	}
	s.Events = append(s.Events, scriptEvent{Author: 0, Hex: []byte{0xc1}, Timestamp: 1}) // no MessagePack: the raid refuses it
	for seq := uint64(1); !state.Header.Terminal; seq++ {
		moved := false
		for seat, bot := range bots {
			payload, ok := bot.Next(state.Bytes())
			if !ok {
				continue
			}
			e := channel.Event{ChannelID: rules.ID(), Author: uint8(seat), Nonce: state.Header.Nonces[seat] + 1, Timestamp: 1_700_000_000 + seq, Payload: payload}
			next, v := rules.Apply(state, seq, &e)
			require.NoError(t, v.Err())
			s.Events = append(s.Events, scriptEvent{Author: e.Author, Hex: payload, Timestamp: e.Timestamp})
			state, moved = next, true
			break
		}
		require.True(t, moved)
	}
	write()
	return path
}

// TestProfileAccountsForAllFuel plays a raid: the table, the stacks and the engine agree to the unit.
func TestProfileAccountsForAllFuel(t *testing.T) {
	path, svg := raidScript(t), filepath.Join(t.TempDir(), "raid.svg")
	out, err := tool(t, "module", "profile", "--json", "--svg", svg, "--script", path, raidWasm)
	require.NoError(t, err)
	var rep profileReport
	require.NoError(t, json.Unmarshal([]byte(out), &rep))

	// What the engine says, from module run and, for the effects, module check.
	out, err = tool(t, "module", "run", "--json", "--script", path, raidWasm)
	require.NoError(t, err)
	var steps []step
	require.NoError(t, json.Unmarshal([]byte(out), &steps))
	out, err = tool(t, "module", "check", "--json", "--script", path, raidWasm)
	require.NoError(t, err)
	var check moduleReport
	require.NoError(t, json.Unmarshal([]byte(out), &check))
	require.Positive(t, check.Effects)
	require.Equal(t, 1, check.Rejected)
	engine := check.Effects
	for _, s := range steps {
		engine += s.Fuel
	}
	require.Equal(t, engine, rep.Fuel)
	require.EqualValues(t, len(steps)+1, rep.Calls)

	self, stacks := uint64(0), uint64(0)
	names := map[string]bool{}
	for _, f := range rep.Functions {
		self += f.Self
		require.GreaterOrEqual(t, f.Total, f.Self, f.Name)
		require.LessOrEqual(t, f.Total, rep.Fuel, f.Name)
		names[f.Name] = true
	}
	for _, s := range rep.Stacks {
		stacks += s.Self
	}
	require.Equal(t, engine, self)
	require.Equal(t, engine, stacks)
	for _, want := range []string{"reduce", "init", "effects", "allocate", "keccak256", "reject", "(input, output)"} {
		require.True(t, names[want], want)
	}
	require.Subset(t, titles(t, svg), keys(names), "the flame graph has every function of the table")

	// One event: what module run says of it.
	last := steps[len(steps)-1]
	require.EqualValues(t, len(steps)-2, last.Seq)
	out, err = tool(t, "module", "profile", "--json", "--event", "3", "--script", path, raidWasm)
	require.NoError(t, err)
	var one profileReport
	require.NoError(t, json.Unmarshal([]byte(out), &one))
	require.EqualValues(t, 3, steps[4].Seq)
	require.Equal(t, steps[4].Fuel, one.Fuel)

	out, err = tool(t, "module", "profile", "--script", path, raidWasm)
	require.NoError(t, err)
	require.Contains(t, out, "keccak256 (host)")
	require.Contains(t, out, "reduce")
	_, err = tool(t, "module", "profile", "--event", "1000", "--script", path, raidWasm)
	require.ErrorContains(t, err, "not called at seq 1000")
}

func keys(set map[string]bool) (out []string) {
	for k := range set {
		out = append(out, k)
	}
	return out
}

// titles gives what an SVG names; it must be well-formed and load nothing.
func titles(t *testing.T, path string) (out []string) {
	t.Helper()
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NotContains(t, string(b), "href")
	dec := xml.NewDecoder(bytes.NewReader(b))
	inTitle := false
	for {
		token, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return out
		}
		require.NoError(t, err)
		switch token := token.(type) {
		case xml.StartElement:
			require.NotEqual(t, "script", token.Name.Local)
			inTitle = token.Name.Local == "title"
		case xml.CharData:
			if inTitle {
				name, _, _ := strings.Cut(string(token), ": ")
				out = append(out, name)
			}
		case xml.EndElement:
			inTitle = false
		}
	}
}
