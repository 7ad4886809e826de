package counter_test

import (
	"encoding/binary"
	"fmt"
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
	"github.com/evmts/channels/examples/counter"
)

func load(t *testing.T) *derivation.Module {
	e, err := derivation.NewEngine(derivation.Config{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.Close()) })
	m, err := e.Load(counter.Wasm, counter.Options())
	require.NoError(t, err)
	return m
}

// TestA9_ModuleIsBuiltFromItsSource runs the command of go:generate and compares.
func TestA9_ModuleIsBuiltFromItsSource(t *testing.T) {
	source, err := os.ReadFile("counter.go")
	require.NoError(t, err)
	_, rest, _ := strings.Cut(string(source), "//go:generate ")
	line, _, _ := strings.Cut(rest, "\n")
	out := filepath.Join(t.TempDir(), "counter.wasm")
	args := strings.Fields(strings.Replace(line, "-o counter.wasm", "-o "+out, 1))
	text, err := exec.Command(args[0], args[1:]...).CombinedOutput()
	require.NoError(t, err, "run `make deps` first: %s", text)
	built, err := os.ReadFile(out)
	require.NoError(t, err)
	require.Equal(t, built, counter.Wasm, "counter.ts was changed without running go generate ./examples/counter")
}

// TestF11_EveryShape counts in channels of every kind of size, the largest included, through the shell of the protocol.
func TestF11_EveryShape(t *testing.T) {
	m := load(t)
	for _, s := range []channel.Shape{{Participants: 2}, {Participants: 2, Assets: 1}, {Participants: 3, Beneficiaries: 1, Assets: 2},
		{Participants: channel.MaxParticipants, Beneficiaries: channel.MaxBeneficiaries, Assets: channel.MaxAssets}} {
		t.Run(fmt.Sprintf("%+v", s), func(t *testing.T) {
			rules := rules(t, m, s)
			genesis := make([]byte, channel.MaxGenesis)
			rules.Params.GenesisHash = channel.GenesisHash(genesis)
			rules, err := channel.NewRules(rules.Params, rules.Funding, m)
			require.NoError(t, err)
			state, v := rules.Genesis(genesis)
			require.Equal(t, channel.Accepted, v.Status, v.Text())
			for a, st := range rules.Funding {
				for p := range s.Holders() {
					want := new(uint256.Int)
					if p < s.Participants {
						want = &st.Amounts[p]
					}
					got := state.Amount(s, a, p)
					require.True(t, want.Eq(&got))
				}
			}
			funds := state.Funds
			for i := uint64(1); i <= 3; i++ {
				for author := range s.Participants {
					state, v = rules.Apply(state, i, &channel.Event{ChannelID: rules.ID(), Author: uint8(author), Nonce: i, Payload: make([]byte, channel.MaxPayload)})
					require.Equal(t, channel.Accepted, v.Status, v.Text())
				}
			}
			require.Equal(t, uint64(3*s.Participants), binary.LittleEndian.Uint64(state.App))
			require.Equal(t, funds, state.Funds)

			timeout, v := rules.Timeout(state, 9, 1_800_000_000)
			require.Equal(t, channel.Accepted, v.Status, v.Text())
			require.Equal(t, state.App, timeout.App)
			if s.Assets > 0 {
				topUp := channel.TopUp{Participant: 1, Asset: uint8(s.Assets - 1)}
				topUp.Amount.SetUint64(9)
				rules.TopUps = []channel.TopUp{topUp}
				state, v = rules.ApplyTopUp(state, 9)
				require.Equal(t, channel.Accepted, v.Status, v.Text())
				require.Len(t, state.App, 8)
			}
			end, v := rules.Apply(state, 10, &channel.Event{ChannelID: rules.ID(), Author: 1, Nonce: 4, Payload: counter.PayloadEnd})
			require.Equal(t, channel.Accepted, v.Status, v.Text())
			require.True(t, end.Header.Terminal)
			effects, v := rules.Effects(end)
			require.Equal(t, channel.Accepted, v.Status, v.Text())
			require.Empty(t, effects)
		})
	}
}

func rules(t *testing.T, m *derivation.Module, s channel.Shape) *channel.Rules {
	p := &channel.Params{ChainID: *uint256.NewInt(1), Adjudicator: common.Address{1}, Window: 60, ForceQuota: 1, ModuleHash: m.Hash(), GenesisHash: channel.GenesisHash(nil)}
	for i := range s.Participants {
		p.Participants = append(p.Participants, channel.Participant{Signer: common.Address{1, byte(i)}, Owner: common.Address{2, byte(i)}})
	}
	for i := range s.Beneficiaries {
		p.Beneficiaries = append(p.Beneficiaries, common.Address{3, byte(i)})
	}
	var f channel.Funding
	for a := range s.Assets {
		st := channel.Stake{Asset: common.Address{4, byte(a)}}
		for i := range s.Participants {
			st.Amounts = append(st.Amounts, *uint256.NewInt(uint64(1000*a + i)))
		}
		f = append(f, st)
	}
	p.FundingHash = f.Hash()
	r, err := channel.NewRules(p, f, m)
	require.NoError(t, err)
	return r
}

// FuzzInit: whatever init is given, it gives a result or traps; it never runs away.
func FuzzInit(f *testing.F) {
	e, err := derivation.NewEngine(derivation.Config{})
	require.NoError(f, err)
	f.Cleanup(func() { require.NoError(f, e.Close()) })
	m, err := e.Load(counter.Wasm, counter.Options())
	require.NoError(f, err)
	f.Add(make([]byte, 32*12))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, input []byte) {
		r := m.Init(input)
		require.Contains(t, []channel.Status{channel.Accepted, channel.RejectedTrap, channel.RejectedOutOfFuel, channel.RejectedOutput}, r.Status)
		require.NotContains(t, r.Reason, "engine failed")
	})
}
