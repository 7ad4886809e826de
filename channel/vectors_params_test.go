package channel

import (
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"
)

type paramsFields struct {
	ChainID         number           `json:"chainId"`
	Adjudicator     common.Address   `json:"adjudicator"`
	Participants    []Participant    `json:"participants"`
	Beneficiaries   []common.Address `json:"beneficiaries"`
	Guarantors      []common.Address `json:"guarantors"`
	Nonce           number           `json:"nonce"`
	Window          number           `json:"window"`
	ForceQuota      number           `json:"forceQuota"`
	Sequencer       number           `json:"sequencer"`
	ModuleHash      common.Hash      `json:"moduleHash"`
	GenesisHash     common.Hash      `json:"genesisHash"`
	FundingHash     common.Hash      `json:"fundingHash"`
	FundingDeadline number           `json:"fundingDeadline"`
	IsVirtual       bool             `json:"isVirtual"`
}

func fieldsOf(p *Params) paramsFields {
	list := func(a []common.Address) []common.Address { return append([]common.Address{}, a...) }
	return paramsFields{
		number{p.ChainID}, p.Adjudicator, p.Participants, list(p.Beneficiaries), list(p.Guarantors), num(p.Nonce),
		num(uint64(p.Window)), num(uint64(p.ForceQuota)), num(uint64(p.Sequencer)), p.ModuleHash, p.GenesisHash, p.FundingHash,
		num(p.FundingDeadline), p.IsVirtual,
	}
}

func (f paramsFields) params() *Params {
	return &Params{
		f.ChainID.Int, f.Adjudicator, f.Participants, f.Beneficiaries, f.Guarantors, f.Nonce.Uint64(), uint32(f.Window.Uint64()),
		uint16(f.ForceQuota.Uint64()), uint8(f.Sequencer.Uint64()), f.ModuleHash, f.GenesisHash, f.FundingHash,
		f.FundingDeadline.Uint64(), f.IsVirtual,
	}
}

type paramsCase struct {
	Name      string        `json:"name"`
	Params    paramsFields  `json:"params"`
	Encoded   hexutil.Bytes `json:"encoded"`   // abi.encode(Params), one argument
	ChannelID common.Hash   `json:"channelId"` // keccak256(encoded)
}

type fundingCase struct {
	Name         string         `json:"name"`
	Participants number         `json:"participants"`
	Funding      []fundingStake `json:"funding"`
	Encoded      hexutil.Bytes  `json:"encoded"`     // abi.encode(Funding[]), one argument
	FundingHash  common.Hash    `json:"fundingHash"` // keccak256(encoded)
}

type fundingStake struct {
	Asset   common.Address `json:"asset"`
	Amounts numbers        `json:"amounts"`
}

func (c fundingCase) funding() Funding {
	f := Funding{}
	for _, s := range c.Funding {
		f = append(f, Stake{s.Asset, s.Amounts.amounts()})
	}
	return f
}

var testAdjudicator = testAddress("adjudicator", 0)

// fundingBy makes a Funding of n participants whose entry (asset, participant) is amount(asset, participant).
func fundingBy(assets, n int, amount func(a, p int) uint256.Int) Funding {
	f := Funding{}
	for a := range assets {
		s := Stake{Amounts: []uint256.Int{}}
		if a > 0 { // asset 0 is the coin
			s.Asset = testAddress("token", a)
		}
		for p := range n {
			s.Amounts = append(s.Amounts, amount(a, p))
		}
		f = append(f, s)
	}
	return f
}

func small(a, p int) uint256.Int { return *uint256.NewInt(uint64(1000*(a+1) + p)) }

// paramsFor makes valid Params of n participants.
func paramsFor(n int, f Funding) *Params {
	p := &Params{
		ChainID: *uint256.NewInt(31337), Adjudicator: testAdjudicator, Nonce: 1, Window: 3600, ForceQuota: 16,
		ModuleHash: testHash("module"), GenesisHash: testHash("genesis"), FundingHash: f.Hash(), FundingDeadline: 1_900_000_000,
	}
	for i := range n {
		p.Participants = append(p.Participants, Participant{testSigner(i), testAddress("owner", i)})
	}
	return p
}

func goldenParams() (names []string, all []*Params) {
	add := func(name string, p *Params) { names, all = append(names, name), append(all, p) }

	add("two participants", paramsFor(2, fundingBy(1, 2, small)))

	ledger := paramsFor(2, fundingBy(1, 2, small))
	ledger.ModuleHash, ledger.GenesisHash = common.Hash{}, hash(nil)
	add("ledger, null module", ledger)

	raid := paramsFor(4, fundingBy(2, 4, small))
	raid.Beneficiaries = []common.Address{testAddress("beneficiary", 0)}
	raid.Sequencer = 3
	add("four participants, one beneficiary, sequencer last", raid)

	virtual := paramsFor(3, fundingBy(1, 3, small))
	virtual.IsVirtual, virtual.Guarantors = true, []common.Address{testSigner(100)}
	add("virtual, one guarantor", virtual)

	star := paramsFor(16, fundingBy(8, 16, small))
	star.IsVirtual = true
	for i := range MaxGuarantors {
		star.Guarantors = append(star.Guarantors, testSigner(100+i))
	}
	add("virtual, 16 participants, 4 guarantors", star)

	most := paramsFor(16, fundingBy(8, 16, small))
	for i := range MaxBeneficiaries {
		most.Beneficiaries = append(most.Beneficiaries, testAddress("beneficiary", i))
	}
	most.ChainID, most.Nonce, most.FundingDeadline = maxUint256, maxUint64, maxUint64
	most.Window, most.ForceQuota, most.Sequencer = MaxWindow, MaxForceQuota, 15
	add("16 participants, 8 beneficiaries, largest numbers", most)

	same := paramsFor(2, fundingBy(0, 2, small))
	same.Participants[1].Owner = same.Participants[0].Owner
	same.Beneficiaries = []common.Address{same.Participants[0].Owner, same.Participants[0].Owner}
	same.Window, same.ForceQuota, same.Nonce, same.FundingDeadline = 1, 1, 0, 0
	add("one owner behind both, repeated beneficiary, smallest numbers", same)
	return names, all
}

func TestVectorsF2_Params(t *testing.T) {
	var out vectors[paramsCase]
	names, all := goldenParams()
	for i, p := range all {
		out.Cases = append(out.Cases, paramsCase{names[i], fieldsOf(p), p.Encode(), p.ID()})
	}
	for _, c := range golden(t, "params.json", out).Cases {
		t.Run(c.Name, func(t *testing.T) {
			p := c.Params.params()
			require.NoError(t, p.Validate())
			require.Equal(t, c.Encoded, hexutil.Bytes(p.Encode()))
			require.Equal(t, c.Encoded, hexutil.Bytes(oneArgument(oracleParams(p))), "hand-made words")
			require.Equal(t, wordOf(0x20).bytes, []byte(c.Encoded[:32]))
			require.Equal(t, c.ChannelID, p.ID())
			require.Equal(t, c.ChannelID, hash(c.Encoded))
			back, err := DecodeParams(c.Encoded)
			require.NoError(t, err)
			require.Equal(t, p, back)
		})
	}
}

func goldenFunding() []fundingCase {
	var out []fundingCase
	add := func(name string, n int, f Funding) {
		c := fundingCase{Name: name, Participants: num(uint64(n)), Funding: []fundingStake{}, Encoded: f.Encode(), FundingHash: f.Hash()}
		for _, s := range f {
			c.Funding = append(c.Funding, fundingStake{s.Asset, amounts(s.Amounts)})
		}
		out = append(out, c)
	}
	add("no assets", 2, fundingBy(0, 2, small))
	add("coin, two participants", 2, fundingBy(1, 2, small))
	add("coin and token, three participants", 3, fundingBy(2, 3, small))
	add("all amounts zero", 2, fundingBy(1, 2, func(a, p int) (v uint256.Int) { return }))
	add("8 assets, 16 participants", 16, fundingBy(8, 16, small))
	add("pot of 2^256 - 1", 2, fundingBy(1, 2, func(a, p int) (v uint256.Int) {
		if p == 0 {
			return *uint256.NewInt(1)
		}
		v.SubUint64(&maxUint256, 1)
		return
	}))
	return out
}

func TestVectorsF2_Funding(t *testing.T) {
	for _, c := range golden(t, "funding.json", vectors[fundingCase]{goldenFunding()}).Cases {
		t.Run(c.Name, func(t *testing.T) {
			f := c.funding()
			require.NoError(t, f.Validate(int(c.Participants.Uint64())))
			require.Equal(t, c.Encoded, hexutil.Bytes(f.Encode()))
			require.Equal(t, c.Encoded, hexutil.Bytes(oneArgument(oracleFunding(f))), "hand-made words")
			require.Equal(t, c.FundingHash, f.Hash())
			require.Equal(t, c.FundingHash, hash(c.Encoded))
			back, err := DecodeFunding(c.Encoded)
			require.NoError(t, err)
			require.Equal(t, f, back)
		})
	}
}

type manifestCase struct {
	Name        string      `json:"name"`
	ProgramHash common.Hash `json:"programHash"`
	FuelLimit   number      `json:"fuelLimit"`
	PageLimit   number      `json:"pageLimit"`
	MaxEvents   number      `json:"maxEvents"`
	Flags       number      `json:"flags"` // bit 0 sparse, bit 1 independent
	ModuleHash  common.Hash `json:"moduleHash"`
}

func TestVectorsF2_Manifest(t *testing.T) {
	var out vectors[manifestCase]
	add := func(name string, m Manifest, flags uint64) {
		out.Cases = append(out.Cases, manifestCase{
			name, m.ProgramHash, num(m.FuelLimit), num(uint64(m.PageLimit)), num(uint64(m.MaxEvents)), num(flags), m.Hash(),
		})
	}
	program := testHash("program")
	add("plain", Manifest{program, 1_000_000, 16, 0, false, false}, 0)
	add("sparse", Manifest{program, 1_000_000, 16, 200, true, false}, 1)
	add("independent", Manifest{program, 1_000_000, 16, 200, false, true}, 2)
	add("sparse and independent, largest numbers", Manifest{program, maxUint64, 1<<32 - 1, 1<<32 - 1, true, true}, 3)
	for _, c := range golden(t, "manifest.json", out).Cases {
		t.Run(c.Name, func(t *testing.T) {
			flags := c.Flags.Uint64()
			m := Manifest{c.ProgramHash, c.FuelLimit.Uint64(), uint32(c.PageLimit.Uint64()), uint32(c.MaxEvents.Uint64()), flags&1 != 0, flags&2 != 0}
			require.Equal(t, c.ModuleHash, m.Hash())
			byHand := frameOf(wordOfHash(c.ProgramHash), wordOf(m.FuelLimit), wordOf(uint64(m.PageLimit)), wordOf(uint64(m.MaxEvents)), wordOf(flags))
			require.Equal(t, c.ModuleHash, hash(byHand.bytes))
		})
	}
}
