package channel

import (
	"encoding/json"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"
)

func TestF2_ParamsBounds(t *testing.T) {
	type change = func(p *Params)
	participants := func(n int) change {
		return func(p *Params) { p.Participants = paramsFor(n, nil).Participants }
	}
	beneficiaries := func(n int) change {
		return func(p *Params) {
			p.Beneficiaries = nil
			for i := range n {
				p.Beneficiaries = append(p.Beneficiaries, testAddress("beneficiary", i))
			}
		}
	}
	virtual := func(guarantors int) change {
		return func(p *Params) {
			p.IsVirtual = true
			for i := range guarantors {
				p.Guarantors = append(p.Guarantors, testSigner(100+i))
			}
		}
	}
	both := func(cs ...change) change {
		return func(p *Params) {
			for _, c := range cs {
				c(p)
			}
		}
	}
	tests := []struct {
		name   string
		change change
		ok     bool
	}{
		{"as made", func(*Params) {}, true},
		{"no participants", participants(0), false},
		{"1 participant", participants(1), false},
		{"2 participants", participants(2), true},
		{"16 participants", participants(16), true},
		{"17 participants", participants(17), false},
		{"8 beneficiaries", beneficiaries(8), true},
		{"9 beneficiaries", beneficiaries(9), false},
		{"zero beneficiary", both(beneficiaries(2), func(p *Params) { p.Beneficiaries[1] = common.Address{} }), false},
		{"repeated beneficiary", both(beneficiaries(2), func(p *Params) { p.Beneficiaries[1] = p.Beneficiaries[0] }), true},
		{"sequencer last", func(p *Params) { p.Sequencer = 1 }, true},
		{"sequencer out of range", func(p *Params) { p.Sequencer = 2 }, false},
		{"window 0", func(p *Params) { p.Window = 0 }, false},
		{"window 1", func(p *Params) { p.Window = 1 }, true},
		{"window 30 days", func(p *Params) { p.Window = 30 * 24 * 3600 }, true},
		{"window above 30 days", func(p *Params) { p.Window = 30*24*3600 + 1 }, false},
		{"quota 0", func(p *Params) { p.ForceQuota = 0 }, false},
		{"quota 1", func(p *Params) { p.ForceQuota = 1 }, true},
		{"quota 256", func(p *Params) { p.ForceQuota = 256 }, true},
		{"quota 257", func(p *Params) { p.ForceQuota = 257 }, false},
		{"adjudicator zero", func(p *Params) { p.Adjudicator = common.Address{} }, false},
		{"chainId zero", func(p *Params) { p.ChainID.Clear() }, false},
		{"chainId 2^256 - 1", func(p *Params) { p.ChainID = maxUint256 }, true},
		{"zero signer", func(p *Params) { p.Participants[1].Signer = common.Address{} }, false},
		{"zero owner", func(p *Params) { p.Participants[1].Owner = common.Address{} }, false},
		{"repeated signer", func(p *Params) { p.Participants[1].Signer = p.Participants[0].Signer }, false},
		{"repeated owner", func(p *Params) { p.Participants[1].Owner = p.Participants[0].Owner }, true},
		{"signer is its own owner", func(p *Params) { p.Participants[1].Owner = p.Participants[1].Signer }, true},
		{"virtual without guarantor", virtual(0), false},
		{"virtual, 1 guarantor", virtual(1), true},
		{"virtual, 4 guarantors", virtual(4), true},
		{"virtual, 5 guarantors", virtual(5), false},
		{"virtual with beneficiary", both(virtual(1), beneficiaries(1)), false},
		{"guarantor of a direct channel", both(virtual(1), func(p *Params) { p.IsVirtual = false }), false},
		{"zero guarantor", both(virtual(2), func(p *Params) { p.Guarantors[1] = common.Address{} }), false},
		{"repeated guarantor", both(virtual(2), func(p *Params) { p.Guarantors[1] = p.Guarantors[0] }), false},
		{"guarantor plays", both(virtual(1), func(p *Params) { p.Guarantors[0] = p.Participants[1].Signer }), false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p := paramsFor(2, fundingBy(1, 2, small))
			test.change(p)
			if err := p.Validate(); test.ok {
				require.NoError(t, err)
			} else {
				require.ErrorIs(t, err, &Refusal{Code: CodeParams})
			}
		})
	}
}

func TestAttack10_FundingBounds(t *testing.T) {
	one := *uint256.NewInt(1)
	tests := []struct {
		name    string
		n       int
		funding Funding
		ok      bool
	}{
		{"none", 2, Funding{}, true},
		{"8 assets", 2, fundingBy(8, 2, small), true},
		{"9 assets", 2, fundingBy(9, 2, small), false},
		{"an amount too few", 3, fundingBy(2, 2, small), false},
		{"an amount too many", 2, fundingBy(2, 3, small), false},
		{"no amounts", 2, Funding{{}}, false},
		{"an asset twice", 2, Funding{{testAddress("token", 1), make([]uint256.Int, 2)}, {testAddress("token", 1), make([]uint256.Int, 2)}}, false},
		{"the coin twice", 2, Funding{{Amounts: make([]uint256.Int, 2)}, {testAddress("token", 1), make([]uint256.Int, 2)}, {Amounts: make([]uint256.Int, 2)}}, false},
		{"pot of 2^256 - 1", 2, Funding{{Amounts: []uint256.Int{maxUint256, {}}}}, true},
		{"pot of 2^256", 2, Funding{{Amounts: []uint256.Int{maxUint256, one}}}, false},
		{"a pot that wraps to small", 3, Funding{{Amounts: []uint256.Int{maxUint256, maxUint256, one}}}, false},
		{"the last pot wraps", 2, append(fundingBy(2, 2, small), Stake{testAddress("token", 9), []uint256.Int{one, maxUint256}}), false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if err := test.funding.Validate(test.n); test.ok {
				require.NoError(t, err)
			} else {
				require.ErrorIs(t, err, &Refusal{Code: CodeParams})
			}
		})
	}
	pot := fundingBy(2, 3, small).Pot()
	require.Equal(t, []uint256.Int{*uint256.NewInt(3003), *uint256.NewInt(6003)}, pot)
}

// Every field takes part in the id (attack 13).
func TestAttack13_ChannelIDNamesEveryField(t *testing.T) {
	ids := map[common.Hash]string{}
	add := func(name string, change func(p *Params)) {
		p := paramsFor(3, fundingBy(1, 3, small))
		change(p)
		require.Empty(t, ids[p.ID()], "%s has the id of another", name)
		ids[p.ID()] = name
	}
	add("as made", func(*Params) {})
	add("chainId", func(p *Params) { p.ChainID.SetUint64(1) })
	add("adjudicator", func(p *Params) { p.Adjudicator[0]++ })
	add("signer", func(p *Params) { p.Participants[2].Signer[19]++ })
	add("owner", func(p *Params) { p.Participants[2].Owner[19]++ })
	add("order", func(p *Params) { p.Participants[0], p.Participants[1] = p.Participants[1], p.Participants[0] })
	add("fewer", func(p *Params) { p.Participants = p.Participants[:2] })
	add("beneficiary", func(p *Params) { p.Beneficiaries = []common.Address{testAddress("x", 0)} })
	add("guarantor", func(p *Params) { p.Guarantors = []common.Address{testAddress("x", 0)} })
	add("nonce", func(p *Params) { p.Nonce++ })
	add("window", func(p *Params) { p.Window++ })
	add("forceQuota", func(p *Params) { p.ForceQuota++ })
	add("sequencer", func(p *Params) { p.Sequencer++ })
	add("moduleHash", func(p *Params) { p.ModuleHash[0]++ })
	add("genesisHash", func(p *Params) { p.GenesisHash[0]++ })
	add("fundingHash", func(p *Params) { p.FundingHash[0]++ })
	add("fundingDeadline", func(p *Params) { p.FundingDeadline++ })
	add("isVirtual", func(p *Params) { p.IsVirtual = true })
}

func TestF2_ParamsLookups(t *testing.T) {
	p := paramsFor(3, nil)
	require.Equal(t, 2, p.Index(testSigner(2)))
	require.Equal(t, -1, p.Index(testAddress("owner", 2)), "an owner is not a session key")
	require.Equal(t, -1, p.Index(common.Address{}))
	require.False(t, p.IsLedger())
	p.ModuleHash = common.Hash{}
	require.True(t, p.IsLedger())
}

// tampered gives every encoding that says the same, or nothing, in other bytes than Solidity's.
func tampered(b []byte) map[string][]byte {
	out := map[string][]byte{
		"empty":           {},
		"one byte":        {0},
		"a trailing byte": append(append([]byte(nil), b...), 0),
		"a trailing word": append(append([]byte(nil), b...), make([]byte, 32)...),
		"a byte short":    b[:len(b)-1],
		"a word short":    b[:len(b)-32],
	}
	// The value one word later, the offset raised accordingly.
	moved := append(append(wordOf(0x40).bytes, make([]byte, 32)...), b[32:]...)
	out["a gap before the value"] = moved
	huge := append([]byte(nil), b...)
	for i := range 32 {
		huge[i] = 0xff
	}
	out["an offset of 2^256 - 1"] = huge
	return out
}

func setWord(b []byte, i int, w []byte) []byte {
	out := append([]byte(nil), b...)
	copy(out[32*i:], w)
	return out
}

func dirty(b []byte, i int) []byte { // the first byte of word i
	out := append([]byte(nil), b...)
	out[32*i] ^= 0x80
	return out
}

func TestAttack29_DecodeParamsIsStrict(t *testing.T) {
	p := paramsFor(2, fundingBy(1, 2, small))
	p.Beneficiaries = []common.Address{testAddress("beneficiary", 0)}
	b := p.Encode()
	cases := tampered(b)
	for i, field := range map[int]string{2: "adjudicator", 6: "nonce", 7: "window", 8: "forceQuota", 9: "sequencer", 13: "fundingDeadline", 14: "isVirtual", 16: "signer", 17: "owner"} {
		cases["dirty "+field] = dirty(b, i)
	}
	cases["isVirtual is 2"] = setWord(b, 14, wordOf(2).bytes)
	cases["beneficiaries share the place of participants"] = setWord(b, 4, b[32*3:32*4])
	cases["participants' offset points into the head"] = setWord(b, 3, wordOf(0).bytes)
	cases["2^64 participants"] = setWord(b, 15, append(make([]byte, 23), 1, 0, 0, 0, 0, 0, 0, 0, 0))
	cases["participants' length above the bytes"] = setWord(b, 15, wordOf(1000).bytes)
	// guarantors (length 0, at the very end) may not point at another zero word
	cases["guarantors elsewhere"] = setWord(b, 5, wordOf(32*13).bytes)
	cases["too long"] = make([]byte, maxEncodedParams+1)
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := DecodeParams(c)
			require.ErrorIs(t, err, &Refusal{Code: CodeMalformed})
		})
	}
	back, err := DecodeParams(b)
	require.NoError(t, err)
	require.Equal(t, p.ID(), back.ID())
}

func TestAttack29_DecodeFundingIsStrict(t *testing.T) {
	f := fundingBy(2, 2, small)
	b := f.Encode()
	// words: 0 offset, 1 count, 2-3 offsets, 4 asset, 5 offset, 6 count, 7-8 amounts, 9 asset, ...
	cases := tampered(b)
	cases["dirty asset"] = dirty(b, 4)
	cases["both entries at one place"] = setWord(b, 3, b[32*2:32*3])
	cases["entries in the other order of bytes"] = setWord(setWord(b, 2, b[32*3:32*4]), 3, b[32*2:32*3])
	cases["amounts' count above the bytes"] = setWord(b, 6, wordOf(1000).bytes)
	cases["too long"] = make([]byte, maxEncodedFunding+1)
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := DecodeFunding(c)
			require.ErrorIs(t, err, &Refusal{Code: CodeMalformed})
		})
	}
}

func TestAttack29_DecodeEffectsIsStrict(t *testing.T) {
	b := EncodeEffects(goldenEffects()["all operations"])
	cases := tampered(b)
	// words: 0 offset, 1 count, 2-5 offsets, 6 op, 7 resource, ...
	cases["dirty op"] = dirty(b, 6)
	cases["op 4"] = EncodeEffects([]Effect{{Op: 4}})
	cases["op 255"] = EncodeEffects([]Effect{{Op: 255}})
	cases["33 effects"] = EncodeEffects(make([]Effect, 33))
	cases["above 8 KiB"] = EncodeEffects([]Effect{{Data: make([]byte, MaxEffectBytes)}})
	padding := append([]byte(nil), b...)
	padding[len(padding)-1] = 1 // call data of 36 bytes ends in 28 bytes of padding
	cases["padding not zero"] = padding
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := DecodeEffects(c)
			require.ErrorIs(t, err, &Refusal{Code: CodeMalformed})
		})
	}
}

func TestF2_JSONRoundTrip(t *testing.T) {
	f := fundingBy(2, 2, func(a, p int) uint256.Int { return maxUint256 })
	p := paramsFor(2, f)
	p.ChainID = maxUint256
	topUp := TopUp{Index: 1, Participant: 1, Asset: 1, Amount: maxUint256}

	// By value too: a value is not addressable, so methods on pointers of its fields are not seen by encoding/json.
	for name, b := range map[string][]byte{"pointer": toJSON(t, p), "value": toJSON(t, *p)} {
		t.Run(name, func(t *testing.T) {
			require.Contains(t, string(b), maxUint256.Dec())
			var back Params
			require.NoError(t, json.Unmarshal(b, &back))
			require.Equal(t, p.ID(), back.ID())
		})
	}
	for name, b := range map[string][]byte{"top-up pointer": toJSON(t, &topUp), "top-up value": toJSON(t, topUp)} {
		t.Run(name, func(t *testing.T) {
			require.Contains(t, string(b), maxUint256.Dec())
			var back TopUp
			require.NoError(t, json.Unmarshal(b, &back))
			require.Equal(t, topUp, back)
		})
	}
	var fundingBack Funding
	require.NoError(t, json.Unmarshal(toJSON(t, f), &fundingBack))
	require.Equal(t, f.Hash(), fundingBack.Hash())

	unsigned := SignedEvent{Event: Event{Payload: []byte{1}}}
	signed := unsigned
	var err error
	signed.Signature, err = Sign(testHash("x"), testKey(0))
	require.NoError(t, err)
	for name, e := range map[string]SignedEvent{"signed": signed, "not signed yet": unsigned} {
		t.Run(name, func(t *testing.T) {
			var back SignedEvent
			require.NoError(t, json.Unmarshal(toJSON(t, e), &back))
			require.Equal(t, e, back)
		})
	}
}

func toJSON(t *testing.T, v any) []byte {
	b, err := json.Marshal(v)
	require.NoError(t, err)
	return b
}
