package adjudicator_test

import (
	"encoding/json"
	"math/big"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/evmts/channels/adjudicator"
	"github.com/evmts/channels/adjudicator/bindings"
	"github.com/evmts/channels/channel"
)

var contracts = adjudicator.Contracts{Adjudicator: common.HexToAddress("0xa1"), Settlement: common.HexToAddress("0x5e")}

func parsed(t testing.TB, meta string) abi.ABI {
	t.Helper()
	a, err := abi.JSON(strings.NewReader(meta))
	require.NoError(t, err)
	return a
}

func TestEveryRefusalSaysWhatToDo(t *testing.T) {
	require.Greater(t, len(adjudicator.ErrorNames()), 50)
	for _, meta := range []string{bindings.AdjudicatorMetaData.ABI, bindings.MudSettlementMetaData.ABI} {
		for name, e := range parsed(t, meta).Errors {
			args := make([]any, len(e.Inputs))
			for i, in := range e.Inputs {
				switch in.Type.String() {
				case "uint256":
					args[i] = big.NewInt(7)
				case "address":
					args[i] = common.HexToAddress("0x77")
				case "bytes32":
					args[i] = [32]byte{7}
				default:
					t.Fatalf("%s has an argument of type %s", name, in.Type)
				}
			}
			tail, err := e.Inputs.Pack(args...)
			require.NoError(t, err)
			data := append(common.CopyBytes(e.ID[:4]), tail...)
			r, ok := adjudicator.ParseRevert(data)
			require.True(t, ok, name)
			require.Equal(t, name, r.Name)
			require.Len(t, r.Args, len(args))
			require.NotEmpty(t, r.Advice, "%s has no advice", name)
			text, ok := adjudicator.DecodeRevert(data)
			require.True(t, ok)
			require.Contains(t, text, name)
			_, ok = adjudicator.DecodeRevert(append(data, 0))
			require.False(t, ok, "%s with a byte too many", name)
		}
	}
	for _, data := range [][]byte{nil, {1}, {1, 2, 3, 4}, common.FromHex("08c379a0")} {
		_, ok := adjudicator.DecodeRevert(data)
		require.False(t, ok)
	}
}

func FuzzDecodeRevert(f *testing.F) {
	for _, e := range parsed(f, bindings.AdjudicatorMetaData.ABI).Errors {
		f.Add(append(common.CopyBytes(e.ID[:4]), make([]byte, 32*len(e.Inputs))...))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r, ok := adjudicator.ParseRevert(data)
		if ok && (r.Name == "" || r.Advice == "" || r.Error() == "") {
			t.Fatalf("%x is refused without a word", data)
		}
	})
}

// logOf is the log that a contract writes for an event.
func logOf(t testing.TB, meta, name string, values ...any) types.Log {
	t.Helper()
	event := parsed(t, meta).Events[name]
	l := types.Log{Topics: []common.Hash{event.ID}, BlockHash: common.Hash{9}, BlockNumber: 5, Index: 3, TxHash: common.Hash{8}, Address: contracts.Adjudicator}
	if meta == bindings.MudSettlementMetaData.ABI {
		l.Address = contracts.Settlement
	}
	var rest []any
	for i, in := range event.Inputs {
		if !in.Indexed {
			rest = append(rest, values[i])
			continue
		}
		topics, err := abi.MakeTopics([]any{values[i]})
		require.NoError(t, err)
		l.Topics = append(l.Topics, topics[0][0])
	}
	var err error
	l.Data, err = event.Inputs.NonIndexed().Pack(rest...)
	require.NoError(t, err)
	return l
}

type example struct {
	log  types.Log
	want adjudicator.Body
}

func examples(t testing.TB) map[string]example {
	a, s := bindings.AdjudicatorMetaData.ABI, bindings.MudSettlementMetaData.ABI
	id, asset, to := common.Hash{1, 2}, common.HexToAddress("0x20"), common.HexToAddress("0x30")
	sum, n := big.NewInt(1e18), *uint256.NewInt(1e18)
	policy := bindings.Policy{
		Mode: 1, Threshold: 1, MinFundingAsset: asset, MinFunding: sum, Attestors: []common.Address{to},
		Permissions: []bindings.Permission{{ResourceId: id, Op: 2, Field: 1, Selector: [4]byte{1}, MaxIncrease: sum, MaxDecrease: big.NewInt(0), PerChannel: sum}},
	}
	return map[string]example{
		"Deposited": {logOf(t, a, "Deposited", id, uint8(1), asset, sum), adjudicator.Deposited{ChannelID: id, Participant: 1, Asset: asset, Amount: n}},
		"Funded":    {logOf(t, a, "Funded", id), adjudicator.Funded{ChannelID: id}},
		"Refunded":  {logOf(t, a, "Refunded", id), adjudicator.Refunded{ChannelID: id}},
		"Concluded": {logOf(t, a, "Concluded", id, uint64(62), [32]byte{3}, [32]byte{4}), adjudicator.Concluded{ChannelID: id, Seq: 62, JournalRoot: common.Hash{3}, StateHash: common.Hash{4}}},
		"Paid":      {logOf(t, a, "Paid", id, asset, to, sum), adjudicator.Paid{ChannelID: id, Asset: asset, To: to, Amount: n}},
		"Credited":  {logOf(t, a, "Credited", id, asset, to, sum), adjudicator.Credited{ChannelID: id, Asset: asset, To: to, Amount: n}},
		"Withdrawn": {logOf(t, a, "Withdrawn", to, asset, asset, sum), adjudicator.Withdrawn{Account: to, Asset: asset, To: asset, Amount: n}},
		"Settled":   {logOf(t, s, "Settled", id, to, [32]byte{5}, big.NewInt(4), uint64(2)), adjudicator.Settled{ChannelID: id, World: to, NamespaceID: common.Hash{5}, Effects: *uint256.NewInt(4), Revision: 2}},
		"PolicySet": {logOf(t, s, "PolicySet", to, [32]byte{5}, [32]byte{6}, [32]byte{7}, uint64(2), policy), adjudicator.PolicySet{
			World: to, NamespaceID: common.Hash{5}, ModuleHash: common.Hash{6}, ConfigHash: common.Hash{7}, Revision: 2,
			Policy: adjudicator.Policy{Mode: adjudicator.ModeAttested, Threshold: 1, MinFundingAsset: asset, MinFunding: n, Attestors: []common.Address{to},
				Permissions: []adjudicator.Permission{{ResourceID: id, Op: 2, Field: 1, Selector: [4]byte{1}, MaxIncrease: n, PerChannel: n}}},
		}},
	}
}

func TestF7_FactsOfEveryEvent(t *testing.T) {
	all := examples(t)
	require.Len(t, adjudicator.Topics()[0], len(all), "an event without an example")
	for name, e := range all {
		t.Run(name, func(t *testing.T) {
			f, ok, err := contracts.DecodeLog(e.log)
			require.NoError(t, err)
			require.True(t, ok)
			require.Equal(t, e.want, f.Body)
			require.Equal(t, name, f.Body.Kind())
			require.Equal(t, adjudicator.FactID{BlockHash: e.log.BlockHash, LogIndex: 3}, f.ID)
			require.EqualValues(t, 5, f.Block)
			require.Equal(t, e.log.TxHash, f.TxHash)
			require.Contains(t, adjudicator.Topics()[0], e.log.Topics[0])
			text, err := json.Marshal(f)
			require.NoError(t, err)
			var back adjudicator.Fact
			require.NoError(t, json.Unmarshal(text, &back))
			require.Equal(t, f, back)
			_, about := f.Body.Channel()
			require.Equal(t, name != "Withdrawn" && name != "PolicySet", about)

			other := e.log
			other.Address = common.HexToAddress("0x99")
			_, ok, err = contracts.DecodeLog(other)
			require.NoError(t, err)
			require.False(t, ok, "another contract's log is a fact")
			// The two contracts do not speak for each other.
			other.Address = contracts.Settlement
			if e.log.Address == contracts.Settlement {
				other.Address = contracts.Adjudicator
			}
			_, ok, err = contracts.DecodeLog(other)
			require.NoError(t, err)
			require.False(t, ok)
		})
	}
}

func TestAttack29_MalformedFactsAreRefused(t *testing.T) {
	for _, text := range []string{`{}`, `{"kind":"Nothing","body":{}}`, `{"kind":"Funded"}`, `{"kind":"Funded","body":{"channelID":1}}`, `{"kind":"Funded","body":{"x":1}}`, `[]`} {
		var f adjudicator.Fact
		require.ErrorIs(t, json.Unmarshal([]byte(text), &f), adjudicator.ErrFact, text)
	}
	_, err := json.Marshal(adjudicator.Fact{})
	require.ErrorIs(t, err, adjudicator.ErrFact)
}

func FuzzFactJSON(f *testing.F) {
	for _, e := range examples(f) {
		fact, _, err := contracts.DecodeLog(e.log)
		require.NoError(f, err)
		text, err := json.Marshal(fact)
		require.NoError(f, err)
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var fact adjudicator.Fact
		if fact.UnmarshalJSON(text) != nil {
			return
		}
		again, err := json.Marshal(fact)
		require.NoError(t, err)
		var back adjudicator.Fact
		require.NoError(t, json.Unmarshal(again, &back))
		require.Equal(t, fact, back)
	})
}

func TestAttack29_MalformedLogsAreRefused(t *testing.T) {
	for name, e := range examples(t) {
		for what, change := range map[string]func(*types.Log){
			"a byte too many":  func(l *types.Log) { l.Data = append(common.CopyBytes(l.Data), 0) },
			"a topic too many": func(l *types.Log) { l.Topics = append(append([]common.Hash{}, l.Topics...), common.Hash{}) },
			"a topic too few":  func(l *types.Log) { l.Topics = l.Topics[:len(l.Topics)-1] },
			"reorganised away": func(l *types.Log) { l.Removed = true },
		} {
			l := e.log
			change(&l)
			_, ok, err := contracts.DecodeLog(l)
			require.False(t, ok, "%s with %s", name, what)
			require.ErrorIs(t, err, adjudicator.ErrLog, "%s with %s", name, what)
		}
		if len(e.log.Data) > 0 {
			l := e.log
			l.Data = l.Data[:len(l.Data)-1]
			_, _, err := contracts.DecodeLog(l)
			require.ErrorIs(t, err, adjudicator.ErrLog, name)
		}
	}
	l := examples(t)["Paid"].log
	l.Topics[2][0] = 1
	_, _, err := contracts.DecodeLog(l)
	require.ErrorContains(t, err, "no address")
	l = examples(t)["Deposited"].log
	l.Data = common.CopyBytes(l.Data)
	l.Data[0] = 1 // a uint8 above its range
	_, _, err = contracts.DecodeLog(l)
	require.ErrorIs(t, err, adjudicator.ErrLog)
	_, ok, err := contracts.DecodeLog(types.Log{Address: contracts.Adjudicator})
	require.False(t, ok)
	require.NoError(t, err)
}

func FuzzDecodeLog(f *testing.F) {
	for _, e := range examples(f) {
		var topics []byte
		for _, topic := range e.log.Topics {
			topics = append(topics, topic[:]...)
		}
		f.Add(e.log.Address == contracts.Settlement, topics, e.log.Data)
	}
	f.Fuzz(func(t *testing.T, settlement bool, topics, data []byte) {
		l := types.Log{Address: contracts.Adjudicator, Data: data}
		if settlement {
			l.Address = contracts.Settlement
		}
		for ; len(topics) >= 32 && len(l.Topics) < 4; topics = topics[32:] {
			l.Topics = append(l.Topics, common.Hash(topics[:32]))
		}
		fact, ok, err := contracts.DecodeLog(l)
		if ok && (err != nil || fact.Body == nil) {
			t.Fatalf("a fact of %T with %v", fact.Body, err)
		}
	})
}

func TestR10_AddressesFollowFromTheCode(t *testing.T) {
	a := adjudicator.Predict(60, common.Hash{})
	require.Equal(t, a, adjudicator.Predict(60, common.Hash{}))
	require.NotEqual(t, a, adjudicator.Predict(61, common.Hash{}))
	require.NotEqual(t, a, adjudicator.Predict(60, common.Hash{1}))
	code := adjudicator.AdjudicatorInitCode(60)
	want := crypto.Keccak256([]byte{0xff}, adjudicator.Deployer[:], make([]byte, 32), crypto.Keccak256(code))[12:]
	require.Equal(t, common.BytesToAddress(want), a.Adjudicator)
	require.Equal(t, append(make([]byte, 32), code...), adjudicator.DeployCall(common.Hash{}, code).Data)
}

func TestAddressesLeaveOutWhatIsNotThere(t *testing.T) {
	require.Equal(t, []common.Address{contracts.Adjudicator, contracts.Settlement}, contracts.Addresses())
	require.Equal(t, []common.Address{contracts.Adjudicator}, adjudicator.Contracts{Adjudicator: contracts.Adjudicator}.Addresses())
}

func TestCallsRefuseWhatCannotBe(t *testing.T) {
	p := &channel.Params{Participants: make([]channel.Participant, 2), ChainID: *uint256.NewInt(1)}
	f := channel.Funding{{Amounts: make([]uint256.Int, 2)}}
	for _, c := range [][2]int{{2, 0}, {-1, 0}, {0, 1}, {0, -1}} {
		_, err := adjudicator.Deposit(p, f, c[0], c[1])
		require.ErrorIs(t, err, adjudicator.ErrCall)
	}
	for _, slot := range []int{-1, 2, 256} {
		_, err := adjudicator.Payout(p, f, &channel.State{}, slot)
		require.ErrorIs(t, err, adjudicator.ErrCall)
	}
	huge := new(uint256.Int).Lsh(uint256.NewInt(1), 128)
	_, err := adjudicator.SetPolicy(common.Address{}, common.Address{}, common.Hash{}, common.Hash{}, common.Hash{},
		adjudicator.Policy{Permissions: []adjudicator.Permission{{PerChannel: *huge}}})
	require.ErrorIs(t, err, adjudicator.ErrCall)
	_, err = adjudicator.SettleAttested(common.Address{}, adjudicator.AttestedClaim{Params: p, State: &channel.State{}})
	require.ErrorIs(t, err, adjudicator.ErrCall)
}
