package derivation_test

import (
	"bytes"
	"fmt"
	"math"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/evmts/channels/channel"
)

func genesisCases(p *puppeteer) {
	s := p.stakes()
	order := func(name string, want channel.Status, command byte, rest ...byte) {
		p.genesis(name, headed(command, rest...), want)
	}
	order("accepted", channel.Accepted, puppetReturn, result(0, s, []byte("app"))...)
	order("accepted without an app", channel.Accepted, puppetReturn, result(0, s, nil)...)
	order("accepted and ended", channel.Accepted, puppetReturn, result(1, p.moved(), []byte("app"))...)
	order("rejected", channel.RejectedByModule, puppetReject, []byte("no")...)
	order("trap", channel.RejectedTrap, puppetTrap)
	order("out of fuel", channel.RejectedOutOfFuel, puppetLoop)
	order("too large", channel.RejectedOutput, puppetLarge)
	order("outside", channel.RejectedTrap, puppetOutside)
	order("empty", channel.RejectedOutput, puppetEmpty)
	order("terminal is 2", channel.RejectedOutput, puppetReturn, result(2, s, nil)...)
	order("one byte short", channel.RejectedOutput, puppetReturn, result(0, s[1:], nil)...)
	order("nothing but terminal", channel.RejectedOutput, puppetReturn, 0)
	more, less := bytes.Clone(s), bytes.Clone(s)
	more[63]++
	less[63]--
	order("one too much", channel.RejectedSums, puppetReturn, result(0, more, nil)...)
	order("one too little", channel.RejectedSums, puppetReturn, result(0, less, nil)...)
	wraps := bytes.Clone(s) // the sum is right modulo 2^256
	wraps[0], wraps[32] = 0x80, 0x80
	order("sum wraps around", channel.RejectedSums, puppetReturn, result(0, wraps, nil)...)

	longest := headed(puppetReturn, result(0, s, nil)...)
	longest = append(longest, make([]byte, channel.MaxGenesis-len(longest))...)
	p.genesis("longest input", longest, channel.Accepted)
	p.genesis("too long an input", append(longest, 0), channel.RejectedOversize)

	input := headed(puppetReturn, result(0, s, nil)...)
	p.params.GenesisHash = channel.GenesisHash(append(bytes.Clone(input), 1))
	state, v := p.rules(nil).Genesis(input)
	p.add(onChainCase{Name: "another input", Kind: onGenesis}, nil, input, state, v, channel.RejectedChannel)
	p.genesis("empty input", nil, channel.RejectedOutput)
}

// begun is a state in the middle of a game.
func (p *puppeteer) begun() *channel.State {
	h := channel.Header{LastTimestamp: 1_700_000_000, Nonces: make([]uint64, len(p.params.Participants))}
	for i := range h.Nonces {
		h.Nonces[i] = uint64(i) * 3
	}
	return p.state(h, p.stakes(), []byte("app"))
}

func eventCases(p *puppeteer) {
	p.params.GenesisHash = channel.GenesisHash(nil)
	s := p.begun()
	ended := p.begun()
	ended.Header.Terminal = true
	kept := ordered(puppetReturn, result(0, s.Funds, []byte("next"))...)
	at := func(change func(e *channel.Event)) *channel.Event {
		e := p.move(1, 4, kept)
		change(e)
		return e
	}
	do := func(name string, want channel.Status, change func(e *channel.Event)) {
		p.event(name, s, nil, 10, at(change), want)
	}
	payload := func(command byte, rest ...byte) func(*channel.Event) {
		return func(e *channel.Event) { e.Payload = ordered(command, rest...) }
	}

	do("accepted", channel.Accepted, func(*channel.Event) {})
	do("empty payload", channel.Accepted, func(e *channel.Event) { e.Payload = nil })
	do("digest", channel.Accepted, payload(puppetDigest, []byte("and more")...))
	do("ends", channel.Accepted, payload(puppetReturn, result(1, p.moved(), nil)...))
	do("older timestamp", channel.Accepted, func(e *channel.Event) { e.Timestamp, e.Payload = 1, nil })
	do("latest timestamp", channel.Accepted, func(e *channel.Event) { e.Timestamp, e.Payload = math.MaxUint64, nil })
	do("last author", channel.Accepted, func(e *channel.Event) { e.Author, e.Nonce, e.Payload = 2, 7, nil })
	do("longest payload", channel.Accepted, func(e *channel.Event) {
		e.Payload = append(ordered(puppetDigest), make([]byte, channel.MaxPayload-1)...)
	})

	do("another channel", channel.RejectedChannel, func(e *channel.Event) { e.ChannelID[31] ^= 1 })
	do("no such author", channel.RejectedAuthor, func(e *channel.Event) { e.Author = 3 })
	do("the adjudicator as author", channel.RejectedAuthor, func(e *channel.Event) { e.Author = 0xff })
	for _, nonce := range []uint64{0, 3, 5, math.MaxUint64} {
		do(fmt.Sprintf("nonce %d after 3", nonce), channel.RejectedNonce, func(e *channel.Event) { e.Nonce = nonce })
	}
	for _, notAfter := range []uint64{10, 11, math.MaxUint64} {
		do(fmt.Sprintf("notAfter %d at 10", notAfter), channel.Accepted, func(e *channel.Event) { e.NotAfter = notAfter })
	}
	for _, notAfter := range []uint64{1, 9} {
		do(fmt.Sprintf("notAfter %d at 10", notAfter), channel.RejectedNotAfter, func(e *channel.Event) { e.NotAfter = notAfter })
	}
	do("too long a payload", channel.RejectedOversize, func(e *channel.Event) { e.Payload = append(kept, make([]byte, channel.MaxPayload)...) })

	do("rejected", channel.RejectedByModule, payload(puppetReject, []byte("no mana")...))
	do("rejected without a reason", channel.RejectedByModule, payload(puppetReject))
	do("trap", channel.RejectedTrap, payload(puppetTrap))
	do("outside", channel.RejectedTrap, payload(puppetOutside))
	do("out of fuel", channel.RejectedOutOfFuel, payload(puppetLoop))
	do("too large", channel.RejectedOutput, payload(puppetLarge))
	do("empty", channel.RejectedOutput, payload(puppetEmpty))
	do("terminal is 2", channel.RejectedOutput, payload(puppetReturn, result(2, s.Funds, nil)...))
	do("short", channel.RejectedOutput, payload(puppetReturn, result(0, s.Funds[:len(s.Funds)-1], nil)...))
	for i := range len(s.Funds) / 32 {
		funds := bytes.Clone(s.Funds)
		funds[32*i+31]++
		do(fmt.Sprintf("word %d has one too much", i), channel.RejectedSums, payload(puppetReturn, result(0, funds, nil)...))
	}
	swapped := append(bytes.Clone(s.Funds[128:]), s.Funds[:128]...)
	do("assets swapped", channel.RejectedSums, payload(puppetReturn, result(0, swapped, nil)...))

	longApp := func(n int) func(*channel.Event) {
		return payload(puppetApp, byte(n), byte(n>>8), byte(n>>16), byte(n>>24))
	}
	do("longest app", channel.Accepted, longApp(channel.MaxApp))
	do("too long an app", channel.RejectedOutput, longApp(channel.MaxApp+1))
	do("no app", channel.Accepted, longApp(0))

	// Two reasons at once: the first of docs/encoding.md 18 is the status.
	faults := []func(*channel.Event){
		func(e *channel.Event) { e.ChannelID[0] ^= 1 }, nil, // 2 is the state's
		func(e *channel.Event) { e.Author = 200 }, func(e *channel.Event) { e.Nonce = 9 }, func(e *channel.Event) { e.NotAfter = 1 },
		func(e *channel.Event) { e.Payload = make([]byte, channel.MaxPayload+1) }, payload(puppetTrap),
	}
	for i, first := range faults {
		for j, second := range faults[i+1:] {
			before, status := s, channel.Status(i+1)
			if first == nil || second == nil {
				before = ended
			}
			p.event(fmt.Sprintf("reasons %d and %d", i+1, i+j+2), before, nil, 10, at(func(e *channel.Event) {
				if second != nil {
					second(e)
				}
				if first != nil {
					first(e)
				}
			}), status)
		}
	}

	// A state whose nonce is used up: nothing follows.
	spent := p.begun()
	spent.Header.Nonces[1] = math.MaxUint64
	for _, nonce := range []uint64{0, math.MaxUint64} {
		p.event(fmt.Sprintf("nonce %d after the last", nonce), spent, nil, 10, p.move(1, nonce, nil), channel.RejectedNonce)
	}

	r := seeded("events")
	state := s
	for i := range 25 {
		author := uint8(r.IntN(3))
		e := p.move(author, state.Header.Nonces[author]+1, append(ordered(puppetDigest), noise(r, r.IntN(200))...))
		e.Timestamp, e.NotAfter = r.Uint64()>>20, uint64(i)+r.Uint64()>>40
		state = p.event(fmt.Sprintf("play %d", i), state, nil, uint64(i+1), e, channel.Accepted)
	}
}

func sparseCases(p *puppeteer) {
	s := p.begun()
	for _, c := range []struct {
		nonce uint64
		want  channel.Status
	}{{0, channel.RejectedNonce}, {3, channel.RejectedNonce}, {4, channel.Accepted}, {5, channel.Accepted}, {math.MaxUint64, channel.Accepted}} {
		p.event(fmt.Sprintf("nonce %d after 3", c.nonce), s, nil, 10, p.move(1, c.nonce, nil), c.want)
	}
	s.Header.Nonces[1] = math.MaxUint64
	p.event("nothing follows the last", s, nil, 10, p.move(1, math.MaxUint64, nil), channel.RejectedNonce)
}

func topUpCases(p *puppeteer) {
	s := p.begun()
	all := []channel.TopUp{{Index: 0, Participant: 2, Asset: 1, Amount: *uint256.NewInt(1000)}, {Index: 1, Participant: 0, Asset: 0, Amount: *uint256.NewInt(5)}}
	p.topUp("none recorded", s, nil, 0, channel.RejectedAuthor)
	p.topUp("out of order", s, all, 1, channel.RejectedAuthor)
	one := p.topUp("first", s, all, 0, channel.Accepted)
	p.topUp("again", one, all, 0, channel.RejectedAuthor)
	two := p.topUp("second", one, all, 1, channel.Accepted)
	p.topUp("third", two, all, 2, channel.RejectedAuthor)
	p.topUp("far out of order", two, all, math.MaxUint32, channel.RejectedAuthor)

	p.event("the pot has both", two, all, 9, p.move(0, 1, nil), channel.Accepted)
	p.event("the pot has the first", one, all, 9, p.move(0, 1, nil), channel.Accepted)
	p.event("the chain knows of fewer than are counted", two, all[:1], 9, p.move(0, 1, nil), channel.RejectedSums)
	p.event("the old funds", two, all, 9, p.move(0, 1, ordered(puppetReturn, result(0, s.Funds, nil)...)), channel.RejectedSums)

	for command, want := range puppetFails {
		obeys := p.begun()
		obeys.App = []byte{9, byte(command)}
		if want != channel.Accepted {
			p.topUp(fmt.Sprintf("module does %d", command), obeys, all, 0, want)
		}
	}
	ended := p.begun()
	ended.Header.Terminal = true
	p.topUp("ended", ended, all, 0, channel.RejectedTerminal)
	p.topUp("ended and out of order", ended, all, 1, channel.RejectedAuthor)
	p.topUp("ended and not recorded", ended, nil, 0, channel.RejectedTerminal)

	bad := []channel.TopUp{{Participant: 3, Amount: *uint256.NewInt(1)}, {Participant: 255, Amount: *uint256.NewInt(1)}, {Asset: 2, Amount: *uint256.NewInt(1)}, {Asset: 255, Amount: *uint256.NewInt(1)}}
	for _, t := range bad {
		p.topUp(fmt.Sprintf("participant %d, asset %d", t.Participant, t.Asset), s, []channel.TopUp{t}, 0, channel.RejectedAuthor)
	}
	most := *new(uint256.Int).SetAllOne()
	p.topUp("the amount does not fit", s, []channel.TopUp{{Participant: 1, Amount: most}}, 0, channel.RejectedSums)
	p.topUp("the sum does not fit", s, []channel.TopUp{{Participant: 0, Amount: most}}, 0, channel.RejectedSums)
	counted := p.begun()
	counted.Header.TopUps = 1
	p.event("a counted one of no asset adds nothing", counted, bad[2:3], 9, p.move(0, 1, nil), channel.Accepted)
}

func timeoutCases(p *puppeteer) {
	s := p.begun()
	for _, time := range []uint64{0, 1_700_000_000, 1_700_000_001, math.MaxUint64} {
		p.timeout(fmt.Sprintf("at %d", time), s, time, channel.Accepted)
	}
	ended := p.begun()
	ended.Header.Terminal = true
	p.timeout("ended", ended, 1_800_000_000, channel.RejectedTerminal)
	for command, want := range puppetFails {
		obeys := p.begun()
		obeys.App = []byte{byte(command)}
		if want != channel.Accepted {
			p.timeout(fmt.Sprintf("module does %d", command), obeys, 1_800_000_000, want)
		}
	}
}

// orders is a terminal state whose effects are what the command gives.
func (p *puppeteer) orders(command byte, output ...byte) *channel.State {
	s := p.begun()
	s.Header.Terminal, s.App = true, tailedEffects(command, output...)
	return s
}

func someEffects() []channel.Effect {
	return []channel.Effect{
		{Op: channel.EffectSet, ResourceID: common.Hash{1}, Key: []common.Hash{{2}, {3}}, Data: bytes.Repeat([]byte{7}, 100)},
		{Op: channel.EffectDelete, ResourceID: common.Hash{4}, Key: []common.Hash{{5}}, Data: nil},
		{Op: channel.EffectIncrement, ResourceID: common.Hash{6}, Key: nil, Data: make([]byte, 64)},
		{Op: channel.EffectCall, ResourceID: common.Hash{31: 8}, Key: nil, Data: []byte{1, 2, 3, 4, 5}},
	}
}

func effectCases(p *puppeteer) {
	good := channel.EncodeEffects(someEffects())
	give := func(name string, want channel.Status, output []byte) {
		p.effects(name, p.orders(puppetReturn, output...), want)
	}
	give("none", channel.Accepted, channel.EncodeEffects(nil))
	give("four", channel.Accepted, good)
	open := p.orders(puppetReturn, good...)
	open.Header.Terminal = false
	p.effects("not ended", open, channel.RejectedTerminal)
	for command, want := range puppetFails {
		if want != channel.Accepted {
			p.effects(fmt.Sprintf("module does %d", command), p.orders(byte(command)), want)
		}
	}
	edited := func(at int, b byte) []byte {
		c := bytes.Clone(good)
		c[at] = b
		return c
	}
	give("a word more", channel.RejectedOutput, append(bytes.Clone(good), make([]byte, 32)...))
	give("a byte more", channel.RejectedOutput, append(bytes.Clone(good), 0))
	give("a byte less", channel.RejectedOutput, good[:len(good)-1])
	give("a word less", channel.RejectedOutput, good[:len(good)-32])
	give("nothing but an offset", channel.RejectedOutput, good[:32])
	give("not even an offset", channel.RejectedOutput, good[:31])
	give("another offset", channel.RejectedOutput, edited(31, 0x40))
	give("a dirty offset", channel.RejectedOutput, edited(0, 1))
	give("a count of 2^248", channel.RejectedOutput, edited(32, 1))
	give("a count of 33", channel.RejectedOutput, edited(63, 33))
	op := 64 + 4*32 + 31
	require.Equal(p.t, byte(channel.EffectSet), good[op])
	give("an unknown op", channel.RejectedOutput, edited(op, 4))
	give("a dirty op", channel.RejectedOutput, edited(op-1, 1))
	give("a dirty op of 2^64", channel.RejectedOutput, edited(op-8, 1))
	give("the last byte of padding", channel.RejectedOutput, edited(len(good)-1, 1))

	key := op + 1 + 32 + 2*32 + 31
	require.Equal(p.t, byte(2), good[key])
	give("a longer key", channel.RejectedOutput, edited(key, 3))
	give("a key of 2^255 words", channel.RejectedOutput, edited(key-31, 0x80))
	give("32 effects", channel.Accepted, channel.EncodeEffects(make([]channel.Effect, channel.MaxEffects)))
	give("33 effects", channel.RejectedOutput, channel.EncodeEffects(make([]channel.Effect, channel.MaxEffects+1)))
	longest := func(n int) []byte {
		return channel.EncodeEffects([]channel.Effect{{Op: channel.EffectCall, Data: bytes.Repeat([]byte{9}, n)}})
	}
	most := channel.MaxEffectBytes - len(longest(0))
	give("8 KiB", channel.Accepted, longest(most))
	give("more than 8 KiB", channel.RejectedOutput, longest(most+1))
}

// effectNoiseCases change single bits and words of good effects: whatever Go makes of it, the chain makes the same.
func effectNoiseCases(p *puppeteer) {
	good := channel.EncodeEffects(someEffects())
	r := seeded("effects")
	counts := map[channel.Status]int{}
	for i := range 90 {
		b := bytes.Clone(good)
		switch i % 3 {
		case 0:
			b[r.IntN(len(b))] ^= 1 << r.IntN(8)
		case 1: // one word becomes another of the same
			copy(b[32*r.IntN(len(b)/32):][:32], good[32*r.IntN(len(b)/32):])
		case 2: // within a static word, which may be anything
			b = channel.EncodeEffects([]channel.Effect{{Op: uint8(r.IntN(6)), ResourceID: common.Hash(noise(r, 32)), Key: make([]common.Hash, r.IntN(4)), Data: noise(r, r.IntN(70))}})
		}
		s := p.orders(puppetReturn, b...)
		_, v := p.rules(nil).Effects(s)
		counts[v.Status]++
		p.effects(fmt.Sprintf("noise %d", i), s, v.Status)
	}
	require.Greater(p.t, counts[channel.Accepted], 20)
	require.Greater(p.t, counts[channel.RejectedOutput], 20)
}

// largestCases are at the limits of what a channel can be: 16 participants, 8 beneficiaries, 8 assets, 16 KiB of app.
func largestCases(p *puppeteer) {
	r := seeded("largest")
	s := p.begun()
	s.App = noise(r, channel.MaxApp)
	s.App[channel.MaxApp-1] = 0xff // digest, also for a timeout
	p.event("longest event", s, nil, 10, p.move(15, s.Header.Nonces[15]+1, append(ordered(puppetDigest), noise(r, channel.MaxPayload-1)...)), channel.Accepted)
	p.timeout("timeout", s, 1_800_000_000, channel.Accepted)
	p.topUp("top-up", s, []channel.TopUp{{Participant: 15, Asset: 7, Amount: *uint256.NewInt(3)}}, 0, channel.Accepted)
	p.event("too large", s, nil, 10, p.move(15, s.Header.Nonces[15]+1, ordered(puppetLarge)), channel.RejectedOutput)
	n := channel.MaxApp
	p.event("longest app", s, nil, 10, p.move(15, s.Header.Nonces[15]+1, ordered(puppetApp, byte(n), byte(n>>8), 0, 0)), channel.Accepted)
	p.event("too long an app", s, nil, 10, p.move(15, s.Header.Nonces[15]+1, ordered(puppetApp, byte(n+1), byte(n>>8), 0, 0)), channel.RejectedOutput)
	p.genesis("a long app", append(headed(puppetReturn, result(0, p.stakes(), nil)...), noise(r, 9000)...), channel.Accepted)
}

func shapeCases(p *puppeteer) {
	s := p.genesis("genesis", headed(puppetReturn, result(0, p.stakes(), []byte("x"))...), channel.Accepted)
	last := uint8(len(p.params.Participants) - 1)
	s = p.event("event", s, nil, 1, p.move(last, 1, []byte{puppetDigest, 1, 2}), channel.Accepted)
	p.event("replay", s, nil, 2, p.move(last, 1, nil), channel.RejectedNonce)
	p.timeout("timeout", s, 1, channel.Accepted)
	if n := len(s.Funds); n > 0 && n < channel.MaxPayload-2 {
		p.event("all to one", s, nil, 2, p.move(0, 1, ordered(puppetReturn, result(1, p.moved(), nil)...)), channel.Accepted)
	}
}
