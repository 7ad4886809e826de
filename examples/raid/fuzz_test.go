package raid

import (
	"bytes"
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
		s := setup{heroes: 3, keeper: 1, assets: 2, beneficiaries: 1, config: DefaultConfig()}
		for _, loot := range []func(int, Item) uint32{nil, func(int, Item) uint32 { return 2 }} {
			s.loot = loot
			g := newGame(tb, h, s, 4)
			g.until(cond)
			out = append(out, g)
		}
	}
	return out
}

// Any payload by anyone at any time is accepted by the rules or rejected by them: no trap, no other sum.
func FuzzPayload(f *testing.F) {
	h := newHost(f)
	games := stages(f, h)
	for stage := range games {
		for seat := range byte(4) {
			for _, p := range [][]byte{Attack(), Defend(), Heal(2), Use(Potion), Use(Sword), Commit(anyHash, Mage), Commit(anyHash, NoClass), Reveal(anyHash), CommitBringing(anyHash, Rogue, MaxPack)} {
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

// Whatever changes in a genesis input with a ticket, and however its ticket and head are made to agree with it again: the
// module accepts what has the records that it demands, and only that. What it accepts the Go package reads.
func FuzzTicketGenesis(f *testing.F) {
	h := newHost(f)
	s := setup{heroes: 3, keeper: 1, assets: 1, config: DefaultConfig(), loot: func(seat int, item Item) uint32 { return uint32(seat) * uint32(item) }}
	rules, good := s.rules(f, h), s.input(f, h)
	want := s.genesis(f, h)
	f.Add(uint16(0), byte(0), uint16(0), false)
	for _, at := range []uint16{31, 63, 160, 191, 511, 543, 576, 640, 1000, 1500, 3000} {
		f.Add(at, byte(1), at+7, true)
	}
	f.Fuzz(func(t *testing.T, at uint16, change byte, cut uint16, agree bool) {
		input := bytes.Clone(good)
		input[32+int(at)%(len(input)-32)] ^= change // the settlement is no concern of the module
		if cut != 0 {
			input = input[:len(input)-int(cut)%len(input)]
		}
		if agree && len(input) > headOfGenesis { // as if Tickets had sold a ticket for just these records
			if config, ticket, records, err := decodeRest(input[headOfGenesis:]); err == nil {
				ticket.Snapshot = SnapshotHash(ticket.World, &ticket.Block, records)
				input = want.input(ticket.ConfigHash, ticket.Hash(), encodeRest(config, ticket, records))
			}
		}
		state, v := rulesFor(t, rules, input).Genesis(input)
		require.Contains(t, []channel.Status{channel.Accepted, channel.RejectedByModule}, v.Status, v.Text())
		if v.Status != channel.Accepted {
			return
		}
		_, err := Decode(state.Bytes())
		require.NoError(t, err)
		g, err := DecodeGenesis(input)
		require.NoError(t, err)
		require.Len(t, g.Records, len(want.Records))
		for i, r := range want.Records {
			require.Equal(t, r.Key, g.Records[i].Key)
			require.Equal(t, r.ResourceID, g.Records[i].ResourceID)
		}
	})
}

// Nobody's bytes stop DecodeGenesis, and what it reads it writes again.
func FuzzDecodeGenesis(f *testing.F) {
	h := newHost(f)
	for _, s := range []setup{defaultSetup(), ticketed(MaxPack)} {
		f.Add(s.input(f, h))
	}
	f.Add(make([]byte, headOfGenesis))
	f.Fuzz(func(t *testing.T, input []byte) {
		g, err := DecodeGenesis(input)
		if err != nil {
			return
		}
		again, err := g.Input()
		require.NoError(t, err)
		require.Equal(t, input, again)
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
