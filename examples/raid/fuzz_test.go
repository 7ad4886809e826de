package raid

import (
	"encoding/binary"
	"testing"

	"github.com/evmts/channels/channel"
	"github.com/stretchr/testify/require"
)

// stages are states of one raid that fuzzing starts from.
func stages(tb testing.TB, h *host) []*game {
	var out []*game
	for _, cond := range []func(*State) bool{
		phase(PhaseCommit), phase(PhaseAct), phase(PhaseReveal),
		func(s *State) bool { return s.Phase == PhaseAct && s.Room >= 2 },
		func(s *State) bool { return s.Phase == PhaseReveal && len(s.Waiting()) == 1 },
	} {
		g := newGame(tb, h, setup{heroes: 3, keeper: 1, assets: 2, beneficiaries: 1, config: DefaultConfig()}, 4)
		g.until(cond)
		out = append(out, g)
	}
	return out
}

// Any payload by anyone at any time is accepted by the rules or rejected by them: no trap, no other sum.
func FuzzPayload(f *testing.F) {
	h := newHost(f)
	games := stages(f, h)
	for stage := range games {
		for seat := range byte(4) {
			for _, p := range [][]byte{Attack(), Defend(), Heal(2), Use(Potion), Use(Sword), Commit(anyHash, Mage), Commit(anyHash, NoClass), Reveal(anyHash)} {
				f.Add(byte(stage), seat, p)
			}
			if p, ok := games[stage].bots[seat].Next(games[stage].state.Bytes()); ok {
				f.Add(byte(stage), seat, p)
			}
		}
	}
	f.Fuzz(func(t *testing.T, stage, seat byte, payload []byte) {
		g := *games[int(stage)%len(games)]
		g.tb = t
		before := g.state.Bytes()
		v := g.try(int(seat), payload)
		switch v.Status {
		case channel.Accepted:
			_, err := Describe(before, g.state.Bytes(), seat, payload, nil)
			require.NoError(t, err)
		case channel.RejectedByModule, channel.RejectedAuthor, channel.RejectedOversize:
		default:
			t.Fatal(v.Text())
		}
	})
}

// Any genesis input is accepted or rejected.
func FuzzGenesis(f *testing.F) {
	h := newHost(f)
	r := defaultSetup().rules(f, h)
	good, err := DefaultConfig().Encode()
	require.NoError(f, err)
	f.Add(good, []byte{})
	f.Add([]byte{0x82}, make([]byte, 160))
	f.Fuzz(func(t *testing.T, config, prefix []byte) {
		input := withConfig(config)
		copy(input[:96], prefix)
		s, v := rulesFor(t, r, input).Genesis(input)
		switch v.Status {
		case channel.Accepted:
			_, err := Decode(s.Bytes())
			require.NoError(t, err)
		case channel.RejectedByModule, channel.RejectedOversize:
		default:
			t.Fatal(v.Text())
		}
	})
}

// What Decode takes, bot and story take, too.
func FuzzDecode(f *testing.F) {
	h := newHost(f)
	for _, g := range stages(f, h) {
		f.Add(g.state.Bytes(), uint16(0), byte(0), byte(0))
		f.Add(g.state.App, uint16(80), byte(7), byte(2))
	}
	f.Fuzz(func(t *testing.T, state []byte, at uint16, value, seat byte) {
		if len(state) > 0 {
			state = append([]byte(nil), state...)
			state[int(at)%len(state)] ^= value
		}
		s, err := Decode(state)
		if err != nil {
			require.ErrorIs(t, err, ErrState)
			return
		}
		for i := range s.Seats {
			NewBot(uint8(i), anyHash).Next(state)
		}
		after := append([]byte(nil), state...)
		app := after[len(after)-int(binary.LittleEndian.Uint16(after[len(after)-2:])):]
		app[1] = (app[1] + 1) % 4
		_, _ = Describe(state, after, seat, Attack(), nil)
		_, _ = Describe(state, after, Nobody, nil, nil)
	})
}
