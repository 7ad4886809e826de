package channel

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"
)

// counter is a module in Go: its app is the number of calls of reduce (8 bytes). What else a call does, the test says.
type counter struct {
	manifest Manifest
	init     func(c *counter) Result
	reduce   func(state, event []byte) Result
	effects  func(state []byte) Result

	inputs [][]byte // of every call, as given
}

func (c *counter) Manifest() Manifest { return c.manifest }

func (c *counter) Init(input []byte) Result {
	c.inputs = append(c.inputs, bytes.Clone(input))
	return c.init(c)
}

func (c *counter) Reduce(state, event []byte) Result {
	c.inputs = append(c.inputs, bytes.Clone(state), bytes.Clone(event))
	return c.reduce(state, event)
}

func (c *counter) Effects(state []byte) Result { return c.effects(state) }

// count is the plain reduce: everybody keeps the funds, one more call.
func count(state, event []byte) Result {
	header, funds := 32*(int(event[2])+3), 32*int(event[3])*int(event[4])
	calls := binary.BigEndian.Uint64(state[header+funds:]) + 1
	out := append([]byte{0}, state[header:header+funds]...)
	return Result{Output: binary.BigEndian.AppendUint64(out, calls), Fuel: 7}
}

func output(terminal byte, funds, app []byte) Result {
	return Result{Output: append(append([]byte{terminal}, funds...), app...), Fuel: 7}
}

// counting gives the rules of a channel of n participants with its genesis input, which the module turns into state 0.
func counting(t *testing.T, n, beneficiaries, assets int, change func(c *counter, p *Params, f Funding)) (*Rules, *counter, []byte) {
	t.Helper()
	f := fundingBy(assets, n, small)
	p := paramsFor(n, f)
	for i := range beneficiaries {
		p.Beneficiaries = append(p.Beneficiaries, testAddress("beneficiary", i))
	}
	genesis := testBytes("genesis", 200)
	p.GenesisHash = hash(genesis)
	c := &counter{manifest: Manifest{ProgramHash: testHash("counter"), FuelLimit: 1000, PageLimit: 1}, reduce: count}
	if change != nil {
		change(c, p, f)
	}
	p.ModuleHash, p.FundingHash = c.manifest.Hash(), f.Hash()
	r, err := NewRules(p, f, c)
	require.NoError(t, err)
	if c.init == nil {
		c.init = func(*counter) Result { return output(0, r.stakes(), make([]byte, 8)) }
	}
	return r, c, genesis
}

func genesisOf(t *testing.T, r *Rules, input []byte) *State {
	t.Helper()
	s, v := r.Genesis(input)
	require.NoError(t, v.Err())
	return s
}

func TestF2_NewRulesRefusesPartsThatDoNotBelongTogether(t *testing.T) {
	m := &counter{manifest: Manifest{ProgramHash: testHash("counter")}}
	for _, c := range []struct {
		name   string
		change func(p *Params, f *Funding, m *Module)
		code   Code
	}{
		{"as made", func(*Params, *Funding, *Module) {}, ""},
		{"params out of bounds", func(p *Params, _ *Funding, _ *Module) { p.Window = 0 }, CodeParams},
		{"funding out of bounds", func(p *Params, f *Funding, _ *Module) { *f = fundingBy(1, 3, small); p.FundingHash = f.Hash() }, CodeParams},
		{"another funding", func(_ *Params, f *Funding, _ *Module) { (*f)[0].Amounts[0].SetUint64(9) }, CodeParams},
		{"no module", func(_ *Params, _ *Funding, m *Module) { *m = nil }, CodeUnknownModule},
		{"module for a ledger", func(p *Params, _ *Funding, _ *Module) { p.ModuleHash = common.Hash{} }, CodeUnknownModule},
		{"ledger", func(p *Params, _ *Funding, m *Module) { p.ModuleHash = common.Hash{}; *m = nil }, ""},
		{"another module", func(p *Params, _ *Funding, _ *Module) { p.ModuleHash[0]++ }, CodeModuleHash},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := fundingBy(1, 2, small)
			p := paramsFor(2, f)
			p.ModuleHash = m.manifest.Hash()
			module := Module(m)
			c.change(p, &f, &module)
			r, err := NewRules(p, f, module)
			if c.code != "" {
				require.ErrorIs(t, err, &Refusal{Code: c.code})
				return
			}
			require.NoError(t, err)
			require.Equal(t, p.ID(), r.ID())
			require.Equal(t, Shape{2, 0, 1}, r.Shape())
		})
	}
}

func TestF8_GenesisOfTheNullModule(t *testing.T) {
	f := fundingBy(2, 2, small)
	p := paramsFor(2, f)
	p.ModuleHash, p.GenesisHash = common.Hash{}, hash(nil)
	p.Beneficiaries = []common.Address{testAddress("beneficiary", 0)}
	r, err := NewRules(p, f, nil)
	require.NoError(t, err)

	s := genesisOf(t, r, nil)
	require.Equal(t, Header{Nonces: []uint64{0, 0}}, s.Header)
	require.Equal(t, oneArgument(listOf(nil)), s.App, "abi.encode of no guarantees")
	for a, stake := range f {
		for i, amount := range stake.Amounts {
			require.Equal(t, amount, s.Amount(r.Shape(), a, i))
		}
		require.Equal(t, uint256.Int{}, s.Amount(r.Shape(), a, 2), "the beneficiary starts with nothing")
	}
	_, v := r.Genesis([]byte{1})
	require.Equal(t, RejectedOversize, v.Status)

	e := Event{ChannelID: r.ID(), Nonce: 1}
	_, v = r.Apply(s, 1, &e)
	require.Equal(t, RejectedByModule, v.Status)
	r.TopUps = []TopUp{{Amount: *uint256.NewInt(1)}}
	_, v = r.ApplyTopUp(s, 1)
	require.Equal(t, RejectedByModule, v.Status)
	_, v = r.Timeout(s, 1, 5)
	require.Equal(t, RejectedTerminal, v.Status)
	_, v = r.Effects(&State{Header: Header{Terminal: true}})
	require.Equal(t, RejectedTerminal, v.Status)

	p.GenesisHash = testHash("not the hash of nothing")
	r, err = NewRules(p, f, nil)
	require.NoError(t, err)
	_, v = r.Genesis(nil)
	require.Equal(t, RejectedChannel, v.Status)
}

func TestF2_GenesisOfAModule(t *testing.T) {
	r, c, input := counting(t, 3, 1, 2, nil)
	s, v := r.Genesis(input)
	require.Equal(t, Verdict{Status: Accepted, Fuel: 7}, v)
	require.Equal(t, Header{Nonces: []uint64{0, 0, 0}}, s.Header)
	require.Equal(t, make([]byte, 8), s.App)
	want := frameOf(oracleParams(r.Params), oracleFunding(r.Funding), bytesOf(input)).bytes
	require.Equal(t, [][]byte{want}, c.inputs, "abi.encode(Params, Funding[], bytes)")

	funds := r.stakes()
	for _, test := range []struct {
		name   string
		result Result
		status Status
	}{
		{"terminal from the start", output(1, funds, nil), Accepted},
		{"rejects", Result{Status: RejectedByModule, Reason: "no"}, RejectedByModule},
		{"traps", Result{Status: RejectedTrap}, RejectedTrap},
		{"funds in other hands", output(0, append(append([]byte(nil), funds[32:]...), funds[:32]...), nil), RejectedSums},
		{"too long", output(0, funds, make([]byte, MaxApp+1)), RejectedOutput},
	} {
		t.Run(test.name, func(t *testing.T) {
			c.init = func(*counter) Result { return test.result }
			s, v := r.Genesis(input)
			require.Equal(t, test.status, v.Status)
			if test.status != Accepted {
				require.Nil(t, s)
				require.ErrorIs(t, v.Err(), &Refusal{Code: CodeRejected})
				return
			}
			require.True(t, s.Header.Terminal)
		})
	}
}

// Leaf 0 carries Params.genesisHash: another input would give a wrong leaf that everybody signed.
func TestA11_Attack6_GenesisInputIsTheOneOfTheParams(t *testing.T) {
	r, c, input := counting(t, 2, 0, 1, nil)
	for _, other := range [][]byte{nil, {}, input[:len(input)-1], append(append([]byte(nil), input...), 0)} {
		s, v := r.Genesis(other)
		require.Nil(t, s)
		require.Equal(t, RejectedChannel, v.Status)
	}
	require.Empty(t, c.inputs, "the module was not asked")

	for _, n := range []int{0, MaxGenesis, MaxGenesis + 1} {
		big := testBytes("big", n)
		r, _, _ := counting(t, 2, 0, 1, func(_ *counter, p *Params, _ Funding) { p.GenesisHash = hash(big) })
		_, v := r.Genesis(big)
		if n <= MaxGenesis {
			require.Equal(t, Accepted, v.Status, "%d bytes", n)
		} else {
			require.Equal(t, RejectedOversize, v.Status, "%d bytes", n)
		}
	}
}

// The checks in their order (encoding 18): the event that breaks check k and every later one gets status k.
func TestA1_ApplyChecksInOrder(t *testing.T) {
	r, c, input := counting(t, 2, 1, 1, nil)
	good := genesisOf(t, r, input)
	funds := good.Funds
	spoil := []struct {
		status Status
		event  func(e *Event)
		state  func(s *State)
		result *Result
	}{
		{status: RejectedChannel, event: func(e *Event) { e.ChannelID[0] ^= 1 }},
		{status: RejectedTerminal, state: func(s *State) { s.Header.Terminal = true }},
		{status: RejectedAuthor, event: func(e *Event) { e.Author = 2 }}, // the beneficiary's place
		{status: RejectedNonce, event: func(e *Event) { e.Nonce = 2 }},
		{status: RejectedNotAfter, event: func(e *Event) { e.NotAfter = 4 }},
		{status: RejectedOversize, event: func(e *Event) { e.Payload = make([]byte, MaxPayload+1) }},
		{status: RejectedByModule, result: &Result{Status: RejectedByModule, Reason: "not your turn", Fuel: 9}},
		{status: RejectedTrap, result: &Result{Status: RejectedTrap, Fuel: 9}},
		{status: RejectedOutOfFuel, result: &Result{Status: RejectedOutOfFuel, Fuel: 9}},
		{status: RejectedOutput, result: &Result{Output: append([]byte{2}, make([]byte, len(funds))...)}},
		{status: RejectedSums, result: &Result{Output: make([]byte, 1+len(funds))}},
	}
	const seq = 5
	for first := range spoil {
		for _, through := range []int{first, len(spoil) - 1} { // alone, and with everything after it
			e := Event{ChannelID: r.ID(), Author: 1, Nonce: 1, NotAfter: seq, Timestamp: 10, Payload: make([]byte, MaxPayload)}
			s := &State{good.Header, good.Funds, good.App}
			c.reduce = count
			for i := through; i >= first; i-- {
				if spoil[i].event != nil {
					spoil[i].event(&e)
				}
				if spoil[i].state != nil {
					spoil[i].state(s)
				}
				if result := spoil[i].result; result != nil {
					c.reduce = func([]byte, []byte) Result { return *result }
				}
			}
			next, v := r.Apply(s, seq, &e)
			require.Equal(t, spoil[first].status, v.Status, "through %d", through)
			require.Nil(t, next)
			require.ErrorIs(t, v.Err(), &Refusal{Code: CodeRejected})
			require.ErrorContains(t, v.Err(), v.Status.String())
		}
	}
	c.reduce = count
	e := Event{ChannelID: r.ID(), Author: 1, Nonce: 1, NotAfter: seq, Timestamp: 10, Payload: make([]byte, MaxPayload)}
	next, v := r.Apply(good, seq, &e)
	require.NoError(t, v.Err())
	require.NotNil(t, next)
}

func TestA1_Attack12_ModuleOutputs(t *testing.T) {
	r, c, input := counting(t, 2, 1, 2, nil)
	good := genesisOf(t, r, input)
	funds := good.Funds
	full := maxUint256.Bytes32()
	moved := append([]byte(nil), funds...) // all of asset 0 to the beneficiary
	total := r.Pot(0)[0].Bytes32()
	copy(moved, make([]byte, 64))
	copy(moved[64:], total[:])
	plusOne := append([]byte(nil), funds...)
	plusOne[31]++
	lessOne := append([]byte(nil), funds...)
	lessOne[31]--
	secondAsset := append([]byte(nil), funds...)
	secondAsset[len(funds)-1]++
	// wraps to the right sum: 2^256 - 1 for one, the pot + 1 for another
	wraps := append([]byte(nil), funds...)
	potPlusOne := r.Pot(0)[0]
	potPlusOne.AddUint64(&potPlusOne, 1)
	w := potPlusOne.Bytes32()
	copy(wraps, full[:])
	copy(wraps[32:], w[:])
	copy(wraps[64:], make([]byte, 32))
	swapped := append(append([]byte(nil), funds[96:]...), funds[:96]...)

	for _, test := range []struct {
		name   string
		result Result
		status Status
	}{
		{"empty", Result{}, RejectedOutput},
		{"terminal only", Result{Output: []byte{0}}, RejectedOutput},
		{"a byte of funds missing", output(0, funds[1:], nil), RejectedOutput},
		{"no app", output(0, funds, nil), Accepted},
		{"16 KiB of app", output(0, funds, make([]byte, MaxApp)), Accepted},
		{"a byte above 16 KiB", output(0, funds, make([]byte, MaxApp+1)), RejectedOutput},
		{"terminal", output(1, funds, nil), Accepted},
		{"terminal is 2", output(2, funds, nil), RejectedOutput},
		{"terminal is 255", output(255, funds, nil), RejectedOutput},
		{"all to the beneficiary", output(0, moved, nil), Accepted},
		{"one unit more", output(0, plusOne, nil), RejectedSums},
		{"one unit less", output(0, lessOne, nil), RejectedSums},
		{"one unit more of the second asset", output(0, secondAsset, nil), RejectedSums},
		{"the sum wraps to the pot", output(0, wraps, nil), RejectedSums},
		{"assets swapped", output(0, swapped, nil), RejectedSums},
	} {
		t.Run(test.name, func(t *testing.T) {
			c.reduce = func([]byte, []byte) Result { return test.result }
			next, v := r.Apply(good, 1, &Event{ChannelID: r.ID(), Nonce: 1})
			require.Equal(t, test.status, v.Status)
			if test.status != Accepted {
				require.Nil(t, next)
				return
			}
			require.Equal(t, test.result.Output[0] == 1, next.Header.Terminal)
			require.Equal(t, test.result.Output[1:], append(append([]byte(nil), next.Funds...), next.App...))
			for i := range test.result.Output { // the module's memory may be used again
				test.result.Output[i] = 0xee
			}
			sums, ok := Sums(next.Funds, r.Shape())
			require.True(t, ok)
			require.Equal(t, r.Pot(0), sums)
		})
	}
}

func TestF2_ApplyGivesReduceStateAndEvent(t *testing.T) {
	r, c, input := counting(t, 3, 1, 2, nil)
	s := genesisOf(t, r, input)
	c.inputs = nil
	before := s.Bytes()
	e := Event{ChannelID: r.ID(), Author: 2, Nonce: 1, Timestamp: 77, Payload: []byte("move")}
	next, v := r.Apply(s, 9, &e)
	require.Equal(t, Verdict{Status: Accepted, Fuel: 7}, v)
	require.Equal(t, [][]byte{before, reduceInput(r.Shape(), 0, 2, 77, 9, 1, []byte("move"))}, c.inputs)
	require.Equal(t, Header{77, []uint64{0, 0, 1}, 0, false}, next.Header)
	require.Equal(t, before, s.Bytes(), "the previous state is as it was")
	require.Equal(t, uint64(1), binary.BigEndian.Uint64(next.App))
}

// States share slices, so nothing may write to one: two answers to one state, and rejected events, leave it alone.
func TestF2_StatesAreImmutable(t *testing.T) {
	r, c, input := counting(t, 2, 0, 1, nil)
	r.TopUps = []TopUp{{0, 1, 0, *uint256.NewInt(5)}}
	s := genesisOf(t, r, input)
	before := s.Bytes()
	a, v := r.Apply(s, 1, &Event{ChannelID: r.ID(), Author: 0, Nonce: 1, Timestamp: 5})
	require.NoError(t, v.Err())
	aBytes := a.Bytes()
	b, v := r.Apply(s, 1, &Event{ChannelID: r.ID(), Author: 1, Nonce: 1, Timestamp: 6})
	require.NoError(t, v.Err())
	_, v = r.ApplyTopUp(s, 1)
	require.NoError(t, v.Err())
	_, v = r.ApplyTopUp(a, 2)
	require.NoError(t, v.Err())
	_, v = r.Timeout(s, 1, 99)
	require.NoError(t, v.Err())
	c.reduce = func(state, event []byte) Result { // a module that writes to its inputs
		for i := range state {
			state[i] = 0xee
		}
		for i := range event {
			event[i] = 0xee
		}
		return Result{Status: RejectedByModule}
	}
	e := Event{ChannelID: r.ID(), Author: 1, Nonce: 1, Payload: []byte("payload")}
	_, v = r.Apply(s, 1, &e)
	require.Error(t, v.Err())
	require.Equal(t, "payload", string(e.Payload))
	_, v = r.ApplyTopUp(s, 1)
	require.Error(t, v.Err())
	require.Equal(t, before, s.Bytes())
	require.Equal(t, aBytes, a.Bytes())
	require.Equal(t, []uint64{0, 1}, b.Header.Nonces)
}

func TestAttack7_Nonces(t *testing.T) {
	for _, test := range []struct {
		name         string
		sparse       bool
		last, next   uint64
		want         Status
		otherAuthors uint64
	}{
		{"next", false, 4, 5, Accepted, 9},
		{"same again", false, 4, 4, RejectedNonce, 9},
		{"older", false, 4, 3, RejectedNonce, 9},
		{"zero", false, 0, 0, RejectedNonce, 9},
		{"gap", false, 4, 6, RejectedNonce, 9},
		{"last of all", false, maxUint64 - 1, maxUint64, Accepted, 9},
		{"wrapped around", false, maxUint64, 0, RejectedNonce, 9},
		{"sparse: next", true, 4, 5, Accepted, 9},
		{"sparse: gap", true, 4, maxUint64, Accepted, 9},
		{"sparse: same again", true, 4, 4, RejectedNonce, 9},
		{"sparse: older", true, 4, 3, RejectedNonce, 9},
		{"sparse: zero", true, 0, 0, RejectedNonce, 9},
		{"sparse: nothing after the last", true, maxUint64, maxUint64, RejectedNonce, 9},
	} {
		t.Run(test.name, func(t *testing.T) {
			r, _, input := counting(t, 2, 0, 1, func(c *counter, _ *Params, _ Funding) { c.manifest.Sparse = test.sparse })
			s := genesisOf(t, r, input)
			s = &State{Header{0, []uint64{test.otherAuthors, test.last}, 0, false}, s.Funds, s.App}
			next, v := r.Apply(s, 1, &Event{ChannelID: r.ID(), Author: 1, Nonce: test.next})
			require.Equal(t, test.want, v.Status)
			if v.Status == Accepted {
				require.Equal(t, []uint64{test.otherAuthors, test.next}, next.Header.Nonces)
			}
		})
	}
}

func TestAttack4_NotAfterAndTimes(t *testing.T) {
	r, c, input := counting(t, 2, 0, 1, nil)
	s := genesisOf(t, r, input)
	for _, test := range []struct {
		notAfter, seq uint64
		want          Status
	}{
		{0, 1, Accepted}, {0, maxUint64, Accepted}, {5, 4, Accepted}, {5, 5, Accepted}, {5, 6, RejectedNotAfter}, {maxUint64, maxUint64, Accepted},
	} {
		_, v := r.Apply(s, test.seq, &Event{ChannelID: r.ID(), Nonce: 1, NotAfter: test.notAfter})
		require.Equal(t, test.want, v.Status, "notAfter %d at %d", test.notAfter, test.seq)
	}
	for _, test := range []struct{ last, event, want uint64 }{{0, 0, 0}, {10, 20, 20}, {20, 10, 20}, {20, 20, 20}, {20, maxUint64, maxUint64}} {
		s := &State{Header{test.last, []uint64{0, 0}, 0, false}, s.Funds, s.App}
		next, v := r.Apply(s, 1, &Event{ChannelID: r.ID(), Nonce: 1, Timestamp: test.event})
		require.NoError(t, v.Err())
		require.Equal(t, test.want, next.Header.LastTimestamp)
		given := c.inputs[len(c.inputs)-1]
		require.Equal(t, test.want, binary.LittleEndian.Uint64(given[8:]), "the module sees the same time")
	}
}

func TestAttack11_TopUps(t *testing.T) {
	r, c, input := counting(t, 2, 1, 2, nil)
	s := genesisOf(t, r, input)
	_, v := r.ApplyTopUp(s, 1)
	require.Equal(t, RejectedAuthor, v.Status, "the chain recorded none")

	r.TopUps = []TopUp{{0, 1, 1, *uint256.NewInt(500)}, {1, 0, 0, *uint256.NewInt(7)}}
	s, v = r.Apply(s, 1, &Event{ChannelID: r.ID(), Author: 1, Nonce: 1, Timestamp: 50})
	require.NoError(t, v.Err(), "a recorded top-up that is not counted yet is no part of the pot")
	c.inputs = nil
	next, v := r.ApplyTopUp(s, 2)
	require.NoError(t, v.Err())
	require.Equal(t, Header{50, []uint64{0, 1}, 1, false}, next.Header)
	require.Equal(t, *uint256.NewInt(2001 + 500), next.Amount(r.Shape(), 1, 1))
	raised := &State{next.Header, next.Funds, s.App}
	payload := append([]byte{1}, wordOf(500).bytes...)
	require.Equal(t, [][]byte{raised.Bytes(), reduceInput(r.Shape(), 1, 1, 50, 2, 0, payload)}, c.inputs, "funds and topUps are already raised")
	require.Equal(t, []Amount{*uint256.NewInt(2001), *uint256.NewInt(4001 + 500)}, r.Pot(1))

	c.reduce = func(state, event []byte) Result { return output(0, s.Funds, nil) }
	_, v = r.ApplyTopUp(s, 2)
	require.Equal(t, RejectedSums, v.Status, "a module cannot swallow it")
	c.reduce = func(state, event []byte) Result { return Result{Status: RejectedByModule} }
	_, v = r.ApplyTopUp(s, 2)
	require.Equal(t, RejectedByModule, v.Status)
	c.reduce = count

	again, v := r.ApplyTopUp(next, 3)
	require.NoError(t, v.Err())
	require.Equal(t, uint32(2), again.Header.TopUps)
	require.Equal(t, *uint256.NewInt(1000 + 7), again.Amount(r.Shape(), 0, 0))
	_, v = r.ApplyTopUp(again, 4)
	require.Equal(t, RejectedAuthor, v.Status)
	later, v := r.Apply(again, 4, &Event{ChannelID: r.ID(), Author: 0, Nonce: 1})
	require.NoError(t, v.Err(), "what was counted stays in the pot")
	require.Equal(t, uint32(2), later.Header.TopUps)
	_, v = r.ApplyTopUp(&State{Header{Nonces: []uint64{0, 0}, Terminal: true}, s.Funds, s.App}, 2)
	require.Equal(t, RejectedTerminal, v.Status)
}

// Top-ups come from a chain's logs: one that cannot be is rejected, never a panic and never money for a wrong holder.
func TestAttack11_ImpossibleTopUps(t *testing.T) {
	r, _, input := counting(t, 2, 1, 1, nil)
	s := genesisOf(t, r, input)
	one := *uint256.NewInt(1)
	for _, topUp := range []TopUp{
		{0, 2, 0, one}, // the beneficiary's place
		{0, 255, 0, one}, {0, 0, 1, one}, {0, 0, 255, one},
		{1, 0, 0, one}, // out of order
	} {
		r.TopUps = []TopUp{topUp}
		require.NotPanics(t, func() {
			_, v := r.ApplyTopUp(s, 1)
			require.Equal(t, RejectedAuthor, v.Status, "%+v", topUp)
			r.Pot(1)
		})
	}
	for _, amount := range []uint256.Int{maxUint256, func() (v uint256.Int) { v.SubUint64(&maxUint256, 1000); return }()} {
		r.TopUps = []TopUp{{0, 0, 0, amount}} // the entry, or only the pot, overflows
		_, v := r.ApplyTopUp(s, 1)
		require.Equal(t, RejectedSums, v.Status)
	}
}

func TestAttack12_Timeout(t *testing.T) {
	r, c, input := counting(t, 2, 1, 1, nil)
	s := genesisOf(t, r, input)
	s = &State{Header{50, []uint64{3, 4}, 0, false}, s.Funds, s.App}
	for blockTime, want := range map[uint64]uint64{49: 50, 50: 50, 51: 51} {
		c.inputs = nil
		next, v := r.Timeout(s, 6, blockTime)
		require.NoError(t, v.Err())
		require.Equal(t, Header{want, []uint64{3, 4}, 0, false}, next.Header, "nobody's nonce moves")
		require.Equal(t, [][]byte{s.Bytes(), reduceInput(r.Shape(), 2, 0xff, want, 6, 0, nil)}, c.inputs)
	}
	c.reduce = func([]byte, []byte) Result { return Result{Status: RejectedTrap} }
	next, v := r.Timeout(s, 6, 60)
	require.Nil(t, next)
	require.Equal(t, RejectedTrap, v.Status)
	_, v = r.Timeout(&State{Header{Nonces: []uint64{0, 0}, Terminal: true}, s.Funds, s.App}, 6, 60)
	require.Equal(t, RejectedTerminal, v.Status)
}

func TestC3_EffectsOfTerminalStatesOnly(t *testing.T) {
	r, c, input := counting(t, 2, 0, 1, nil)
	s := genesisOf(t, r, input)
	want := goldenEffects()["all operations"]
	c.effects = func(state []byte) Result { return Result{Output: EncodeEffects(want), Fuel: 3} }
	_, v := r.Effects(s)
	require.Equal(t, RejectedTerminal, v.Status)
	end := &State{Header{Nonces: []uint64{0, 0}, Terminal: true}, s.Funds, s.App}
	effects, v := r.Effects(end)
	require.Equal(t, Verdict{Status: Accepted, Fuel: 3}, v)
	require.Equal(t, want, effects)

	c.effects = func([]byte) Result { return Result{Output: append(EncodeEffects(want), 0)} }
	effects, v = r.Effects(end)
	require.Nil(t, effects)
	require.Equal(t, RejectedOutput, v.Status)
	c.effects = func([]byte) Result { return Result{Status: RejectedOutOfFuel} }
	effects, v = r.Effects(end)
	require.Nil(t, effects)
	require.Equal(t, RejectedOutOfFuel, v.Status)
}

// A message signed for one channel, chain or adjudicator is nothing in another (attack 13).
func TestAttack13_NothingIsReplayed(t *testing.T) {
	r, _, input := counting(t, 2, 0, 1, nil)
	other, _, _ := counting(t, 2, 0, 1, func(_ *counter, p *Params, _ Funding) { p.Nonce++ })
	require.NotEqual(t, r.ID(), other.ID())
	e := Event{ChannelID: r.ID(), Author: 0, Nonce: 1}
	_, v := r.Apply(genesisOf(t, r, input), 1, &e)
	require.NoError(t, v.Err())
	_, v = other.Apply(genesisOf(t, other, input), 1, &e)
	require.Equal(t, RejectedChannel, v.Status)

	domain := r.Params.Domain()
	id, root, state := r.ID(), testHash("root"), testHash("state")
	messages := []Message{
		e, Update{id, 1, root, state}, Attestation{id, 1, root, state}, Challenge{id, 1, root, state}, Close{id, 1, state, false},
		Close{id, 1, state, true}, Join{id, testSigner(0)}, Activate{id}, Force{id, root},
	}
	chain, adjudicator := *r.Params, *r.Params
	chain.ChainID.AddUint64(&chain.ChainID, 1)
	adjudicator.Adjudicator[0]++
	digests := map[common.Hash]bool{}
	for _, m := range messages {
		s, err := Sign(domain.Digest(m), testKey(0))
		require.NoError(t, err)
		require.NoError(t, s.Verify(domain.Digest(m), testSigner(0)))
		require.ErrorIs(t, s.Verify(chain.Domain().Digest(m), testSigner(0)), ErrSignature)
		require.ErrorIs(t, s.Verify(adjudicator.Domain().Digest(m), testSigner(0)), ErrSignature)
		require.False(t, digests[domain.Digest(m)], "two messages of other meaning with one digest")
		digests[domain.Digest(m)] = true
	}
}

func TestF2_StatusesHaveNames(t *testing.T) {
	seen := map[string]bool{}
	for s := Accepted; s <= RejectedSums; s++ {
		require.NotEqual(t, Status(200).String(), s.String())
		require.False(t, seen[s.String()])
		seen[s.String()] = true
	}
	require.Equal(t, Status(11), RejectedSums, "the numbers of encoding 18")
	require.NoError(t, Verdict{}.Err())
	require.EqualError(t, Verdict{Status: RejectedByModule, Reason: "not your turn"}.Err(), "rejected: rejected by the module: not your turn")
}
