package derivation_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"flag"
	"fmt"
	"math/big"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/evmts/channels/channel"
	"github.com/evmts/channels/derivation"
	"github.com/evmts/channels/derivation/evm"
)

// The files in contracts/test/testdata that begin with "delta" say what δ gives; contracts/test/Derivation.t.sol requires
// the same of the chain. After a wanted change of a module, of weights, or of δ:
//
//	go test ./derivation -run TestC2_OnChain -update-onchain
var updateOnChain = flag.Bool("update-onchain", false, "rewrite contracts/test/testdata/delta*.json")

// onChainFile holds exactly what the generator makes.
func onChainFile(t *testing.T, name string, content any) {
	t.Helper()
	want, err := json.MarshalIndent(content, "", " ")
	require.NoError(t, err)
	want = append(want, '\n')
	path := filepath.Join("..", "contracts", "test", "testdata", name)
	if *updateOnChain {
		require.NoError(t, os.WriteFile(path, want, 0o644))
	}
	got, err := os.ReadFile(path)
	require.NoError(t, err, "run with -update-onchain")
	require.True(t, bytes.Equal(want, got), "%s is not what the generator makes: run with -update-onchain and read the difference", name)
}

type onChainModule struct {
	Name        string        `json:"name"`
	Program     hexutil.Bytes `json:"program"`
	ProgramHash common.Hash   `json:"programHash"`
	FuelLimit   uint64        `json:"fuelLimit"`
	PageLimit   uint32        `json:"pageLimit"`
	MaxEvents   uint32        `json:"maxEvents"`
	Flags       uint8         `json:"flags"`
	ModuleHash  common.Hash   `json:"moduleHash"`
}

func onChainModuleOf(name string, m *derivation.Module) onChainModule {
	manifest := m.Manifest()
	var flags uint8
	if manifest.Sparse {
		flags |= 1
	}
	if manifest.Independent {
		flags |= 2
	}
	return onChainModule{name, m.Program().Encode(), manifest.ProgramHash, manifest.FuelLimit, manifest.PageLimit, manifest.MaxEvents, flags, m.Hash()}
}

// Kinds of a case.
const (
	onGenesis = iota
	onEvent
	onTopUp
	onTimeout
	onEffects
)

// onChainCase is one call of Derivation. Numbers that may be above 2^53 are words.
type onChainCase struct {
	Name      string        `json:"name"`
	Kind      uint8         `json:"kind"`
	Channel   uint64        `json:"channel"`   // index of the channel
	TopUps    hexutil.Bytes `json:"topUps"`    // abi.encode(TopUp[])
	State     hexutil.Bytes `json:"state"`     // the genesis input for onGenesis
	Seq       common.Hash   `json:"seq"`       //
	Event     hexutil.Bytes `json:"entry"`     // abi.encode(Event) for onEvent
	Number    common.Hash   `json:"number"`    // the index for onTopUp, the time for onTimeout
	Status    uint8         `json:"status"`    //
	Output    hexutil.Bytes `json:"output"`    // abi.encode(Effect[]) for onEffects
	StateHash common.Hash   `json:"stateHash"` // zero for onEffects and for a genesis that is rejected
}

// onChainChannel is a channel by its encodings.
type onChainChannel struct {
	Params  hexutil.Bytes `json:"params"`
	Funding hexutil.Bytes `json:"funding"`
}

func tuple(typ string, components ...abi.ArgumentMarshaling) abi.Arguments {
	t, err := abi.NewType(typ, "", components)
	if err != nil {
		panic(err) // misspelt
	}
	return abi.Arguments{{Type: t}}
}

var (
	eventArgs = tuple("tuple", abi.ArgumentMarshaling{Name: "channelId", Type: "bytes32"}, abi.ArgumentMarshaling{Name: "author", Type: "uint8"},
		abi.ArgumentMarshaling{Name: "nonce", Type: "uint64"}, abi.ArgumentMarshaling{Name: "notAfter", Type: "uint64"},
		abi.ArgumentMarshaling{Name: "timestamp", Type: "uint64"}, abi.ArgumentMarshaling{Name: "payload", Type: "bytes"})
	topUpArgs = tuple("tuple[]", abi.ArgumentMarshaling{Name: "participant", Type: "uint8"}, abi.ArgumentMarshaling{Name: "assetIndex", Type: "uint8"},
		abi.ArgumentMarshaling{Name: "amount", Type: "uint256"})
)

func encodeEvent(t *testing.T, e *channel.Event) []byte {
	b, err := eventArgs.Pack(struct {
		ChannelId                  [32]byte
		Author                     uint8
		Nonce, NotAfter, Timestamp uint64
		Payload                    []byte
	}{e.ChannelID, e.Author, e.Nonce, e.NotAfter, e.Timestamp, e.Payload})
	require.NoError(t, err)
	return b
}

func encodeTopUps(t *testing.T, topUps []channel.TopUp) []byte {
	list := make([]struct {
		Participant uint8
		AssetIndex  uint8
		Amount      *big.Int
	}, len(topUps))
	for i, u := range topUps {
		list[i].Participant, list[i].AssetIndex, list[i].Amount = u.Participant, u.Asset, u.Amount.ToBig()
	}
	b, err := topUpArgs.Pack(list)
	require.NoError(t, err)
	return b
}

func wordHash(v uint64) (h common.Hash) {
	binary.BigEndian.PutUint64(h[24:], v)
	return h
}

// puppeteer makes cases with one module in one channel.
type puppeteer struct {
	t       *testing.T
	prefix  string
	module  *derivation.Module
	params  *channel.Params
	funding channel.Funding
	all     *onChainCases
}

// onChainCases collects them; a channel is listed once.
type onChainCases struct {
	channels []onChainChannel
	cases    []onChainCase
}

func (a *onChainCases) channel(params *channel.Params, funding channel.Funding) uint64 {
	c := onChainChannel{params.Encode(), funding.Encode()}
	for i := len(a.channels) - 1; i >= 0; i-- {
		if bytes.Equal(a.channels[i].Params, c.Params) {
			return uint64(i)
		}
	}
	a.channels = append(a.channels, c)
	return uint64(len(a.channels) - 1)
}

func newPuppeteer(t *testing.T, all *onChainCases, prefix string, m *derivation.Module, shape channel.Shape) *puppeteer {
	p := &puppeteer{t: t, prefix: prefix, module: m, all: all}
	p.funding = channel.Funding{}
	for a := range shape.Assets {
		stake := channel.Stake{Asset: common.Address{19: byte(a)}}
		for i := range shape.Participants {
			stake.Amounts = append(stake.Amounts, *uint256.NewInt(uint64(100*a + i)))
		}
		p.funding = append(p.funding, stake)
	}
	p.params = &channel.Params{
		ChainID: *uint256.NewInt(31337), Adjudicator: common.Address{0xad}, Window: 3600, ForceQuota: 8, Nonce: 7, ModuleHash: m.Hash(),
		FundingHash: p.funding.Hash(), FundingDeadline: 1_800_000_000,
	}
	for i := range shape.Participants {
		p.params.Participants = append(p.params.Participants, channel.Participant{Signer: common.Address{0: 1, 19: byte(i)}, Owner: common.Address{0: 2, 19: byte(i)}})
	}
	for i := range shape.Beneficiaries {
		p.params.Beneficiaries = append(p.params.Beneficiaries, common.Address{0: 3, 19: byte(i)})
	}
	return p
}

func (p *puppeteer) rules(topUps []channel.TopUp) *channel.Rules {
	r, err := channel.NewRules(p.params, p.funding, p.module)
	require.NoError(p.t, err)
	r.TopUps = topUps
	return r
}

func (p *puppeteer) add(c onChainCase, topUps []channel.TopUp, before []byte, after *channel.State, v channel.Verdict, want channel.Status) {
	require.Equal(p.t, want, v.Status, "%s: %s", c.Name, v.Text())
	c.Name, c.Channel, c.TopUps = p.prefix+c.Name, p.all.channel(p.params, p.funding), encodeTopUps(p.t, topUps)
	c.Status, c.State = uint8(v.Status), before
	if c.State == nil {
		c.State = hexutil.Bytes{}
	}
	if c.Event == nil {
		c.Event = hexutil.Bytes{}
	}
	switch {
	case after != nil:
		c.StateHash = after.Hash()
	case c.Kind == onEvent || c.Kind == onTopUp || c.Kind == onTimeout: // the state stays
		s, err := channel.DecodeState(before, channel.ShapeOf(p.params, p.funding))
		require.NoError(p.t, err)
		c.StateHash = s.Hash()
	}
	if c.Output == nil {
		c.Output = hexutil.Bytes{}
	}
	p.all.cases = append(p.all.cases, c)
}

func (p *puppeteer) genesis(name string, input []byte, want channel.Status) *channel.State {
	p.params.GenesisHash = channel.GenesisHash(input)
	s, v := p.rules(nil).Genesis(input)
	p.add(onChainCase{Name: name, Kind: onGenesis}, nil, input, s, v, want)
	return s
}

func (p *puppeteer) event(name string, s *channel.State, topUps []channel.TopUp, seq uint64, e *channel.Event, want channel.Status) *channel.State {
	next, v := p.rules(topUps).Apply(s, seq, e)
	p.add(onChainCase{Name: name, Kind: onEvent, Seq: wordHash(seq), Event: encodeEvent(p.t, e)}, topUps, s.Bytes(), next, v, want)
	return next
}

func (p *puppeteer) topUp(name string, s *channel.State, topUps []channel.TopUp, index uint32, want channel.Status) *channel.State {
	r := p.rules(topUps)
	next, v := r.ApplyTopUp(s, 5)
	if index != s.Header.TopUps { // what derivation.Replayer says
		next, v = nil, channel.Verdict{Status: channel.RejectedAuthor}
	}
	p.add(onChainCase{Name: name, Kind: onTopUp, Seq: wordHash(5), Number: wordHash(uint64(index))}, topUps, s.Bytes(), next, v, want)
	return next
}

func (p *puppeteer) timeout(name string, s *channel.State, time uint64, want channel.Status) *channel.State {
	next, v := p.rules(nil).Timeout(s, 9, time)
	p.add(onChainCase{Name: name, Kind: onTimeout, Seq: wordHash(9), Number: wordHash(time)}, nil, s.Bytes(), next, v, want)
	return next
}

func (p *puppeteer) effects(name string, s *channel.State, want channel.Status) {
	list, v := p.rules(nil).Effects(s)
	c := onChainCase{Name: name, Kind: onEffects}
	if v.Status == channel.Accepted {
		c.Output = channel.EncodeEffects(list)
	}
	p.add(c, nil, s.Bytes(), nil, v, want)
}

// stakes are the funds as they were paid in.
func (p *puppeteer) stakes() []byte {
	shape := channel.ShapeOf(p.params, p.funding)
	b := make([]byte, shape.FundsLen())
	for a, s := range p.funding {
		for i := range s.Amounts {
			w := s.Amounts[i].Bytes32()
			copy(b[32*(a*shape.Holders()+i):], w[:])
		}
	}
	return b
}

// moved are the stakes with all of asset 0 at the last holder.
func (p *puppeteer) moved() []byte {
	b, holders := p.stakes(), channel.ShapeOf(p.params, p.funding).Holders()
	sum := p.funding.Pot()[0]
	clear(b[:32*holders])
	w := sum.Bytes32()
	copy(b[32*(holders-1):], w[:])
	return b
}

func (p *puppeteer) move(author uint8, nonce uint64, payload []byte) *channel.Event {
	return &channel.Event{ChannelID: p.params.ID(), Author: author, Nonce: nonce, Timestamp: 1_700_000_000 + nonce, Payload: payload}
}

func (p *puppeteer) state(header channel.Header, funds, app []byte) *channel.State {
	return &channel.State{Header: header, Funds: funds, App: app}
}

func seeded(label string) *rand.Rand {
	h := crypto.Keccak256([]byte(label))
	return rand.New(rand.NewPCG(binary.BigEndian.Uint64(h), binary.BigEndian.Uint64(h[8:])))
}

func noise(r *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

var (
	commonShape  = channel.Shape{Participants: 3, Beneficiaries: 1, Assets: 2}
	largestShape = channel.Shape{Participants: channel.MaxParticipants, Beneficiaries: channel.MaxBeneficiaries, Assets: channel.MaxAssets}
)

// TestC2_OnChainDelta writes and checks what δ gives for every status, kind and shape.
func TestC2_OnChainDelta(t *testing.T) {
	engine := newEngine(t, derivation.Config{})
	load := func(sparse bool) *derivation.Module {
		m, err := engine.Load(puppet().Bytes(), puppetOptions(sparse))
		require.NoError(t, err)
		return m
	}
	strict, sparse := load(false), load(true)
	all := new(onChainCases)
	begin := func(prefix string, m *derivation.Module, shape channel.Shape) *puppeteer {
		return newPuppeteer(t, all, prefix+": ", m, shape)
	}
	genesisCases(begin("genesis", strict, commonShape))
	eventCases(begin("event", strict, commonShape))
	sparseCases(begin("sparse", sparse, channel.Shape{Participants: 2, Assets: 1}))
	topUpCases(begin("top-up", strict, commonShape))
	timeoutCases(begin("timeout", strict, commonShape))
	effectCases(begin("effects", strict, channel.Shape{Participants: 2}))
	effectNoiseCases(begin("effects", strict, channel.Shape{Participants: 2}))
	largestCases(begin("largest", strict, largestShape))
	for _, shape := range []channel.Shape{{Participants: 2}, {Participants: 2, Beneficiaries: 8}, {Participants: 16, Assets: 8}, {Participants: 5, Beneficiaries: 2, Assets: 3}} {
		shapeCases(begin(fmt.Sprintf("%d participants, %d beneficiaries, %d assets", shape.Participants, shape.Beneficiaries, shape.Assets), strict, shape))
	}

	seen := map[channel.Status]bool{}
	for _, c := range all.cases {
		seen[channel.Status(c.Status)] = true
	}
	for s := channel.Accepted; s <= channel.RejectedSums; s++ {
		require.True(t, seen[s], "no case of status %d", s)
	}
	t.Logf("%d cases in %d channels", len(all.cases), len(all.channels))
	onChainFile(t, "delta.json", map[string]any{
		"modules":  []onChainModule{onChainModuleOf("puppet", strict), onChainModuleOf("sparse puppet", sparse)},
		"channels": all.channels, "cases": all.cases,
	})
}

// TestC2_OnChainGasBound writes and checks the bound that the registry computes as well, and the limits that belong to it.
func TestC2_OnChainGasBound(t *testing.T) {
	type boundCase struct {
		FuelLimit    uint64 `json:"fuelLimit"`
		Pages        uint32 `json:"pages"`
		ProgramBytes int    `json:"programBytes"`
		Bound        uint64 `json:"bound"`
	}
	var cases []boundCase
	for _, fuel := range []uint64{1, derivation.DefaultFuelLimit, derivation.MaxFuelLimit} {
		for _, pages := range []uint32{0, 1, 4, 16} {
			for _, size := range []int{0, 1, 32, 33, 5000, 24_575, 24_576, 100_000, 16 * 24_575} {
				cases = append(cases, boundCase{fuel, pages, size, evm.GasBound(fuel, pages, size)})
			}
		}
	}
	onChainFile(t, "gasbound.json", map[string]any{
		"defaultFuelLimit": derivation.DefaultFuelLimit, "defaultPageLimit": derivation.DefaultPageLimit,
		"maxMachineGas": derivation.MaxMachineGas, "shellGas": derivation.ShellGas, "cases": cases,
	})
}
