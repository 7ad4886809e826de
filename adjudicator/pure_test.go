package adjudicator_test

import (
	"bytes"
	"encoding/json"
	"math/big"
	"slices"
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

var contracts = adjudicator.Contracts{
	Adjudicator: common.HexToAddress("0xa1"), Machine: common.HexToAddress("0x3a"), Registry: common.HexToAddress("0x4e"),
	Derivation: common.HexToAddress("0xd1"), Policies: common.HexToAddress("0x90"), Tickets: common.HexToAddress("0x71"),
	Publications: common.HexToAddress("0x9b"), Settlement: common.HexToAddress("0x5e"),
}

// abis are the contracts that have events or errors, with their addresses.
var abis = []struct {
	name, abi string
	at        common.Address
}{
	{"Adjudicator", bindings.AdjudicatorMetaData.ABI, contracts.Adjudicator}, {"ModuleRegistry", bindings.ModuleRegistryMetaData.ABI, contracts.Registry},
	{"Derivation", bindings.DerivationMetaData.ABI, contracts.Derivation}, {"Policies", bindings.PoliciesMetaData.ABI, contracts.Policies},
	{"Tickets", bindings.TicketsMetaData.ABI, contracts.Tickets}, {"Publications", bindings.PublicationsMetaData.ABI, contracts.Publications},
	{"MudSettlement", bindings.MudSettlementMetaData.ABI, contracts.Settlement},
}

func parsed(t testing.TB, meta string) abi.ABI {
	t.Helper()
	a, err := abi.JSON(strings.NewReader(meta))
	require.NoError(t, err)
	return a
}

func TestEveryRefusalSaysWhatToDo(t *testing.T) {
	require.Greater(t, len(adjudicator.ErrorNames()), 50)
	seen := make(map[[4]byte]string)
	for _, c := range abis {
		for name, e := range parsed(t, c.abi).Errors {
			args := make([]any, len(e.Inputs))
			for i, in := range e.Inputs {
				switch in.Type.String() {
				case "uint256", "uint128":
					args[i] = big.NewInt(7)
				case "uint64":
					args[i] = uint64(7)
				case "uint8":
					args[i] = uint8(7)
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
			if other, known := seen[[4]byte(data)]; known {
				require.Equal(t, name, other, "one selector, two errors")
			}
			seen[[4]byte(data)] = name
			r, ok := adjudicator.ParseRevert(data)
			require.True(t, ok, name)
			require.Equal(t, name, r.Name)
			require.Len(t, r.Args, len(args))
			require.NotEmpty(t, r.Advice, "%s has no advice", name)
			if e.Sig == "TooLate()" {
				require.Contains(t, r.Advice, "first chunk", "another contract's advice")
			}
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

// logOf is the log that a contract writes for an event. values are in the order of the event's inputs.
func logOf(t testing.TB, contract, name string, values ...any) types.Log {
	t.Helper()
	l := types.Log{BlockHash: common.Hash{9}, BlockNumber: 5, Index: 3, TxHash: common.Hash{8}}
	var event abi.Event
	for _, c := range abis {
		if c.name == contract {
			event, l.Address = parsed(t, c.abi).Events[name], c.at
		}
	}
	l.Topics = []common.Hash{event.ID}
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
	a, r, p, k, b, s := "Adjudicator", "ModuleRegistry", "Policies", "Tickets", "Publications", "MudSettlement"
	id, asset, to := common.Hash{1, 2}, common.HexToAddress("0x20"), common.HexToAddress("0x30")
	sum, n := big.NewInt(1e18), *uint256.NewInt(1e18)
	policy := bindings.Policy{
		Modes: 5, Threshold: 1, Window: 60, Guardian: to, Bond: sum, MaxJournalBytes: 1 << 20, NeedsTicket: true, TicketPrice: sum,
		MinFundingAsset: asset, MinFunding: sum, Attestors: []common.Address{to},
		Permissions: []bindings.Permission{{ResourceId: id, Op: 2, Field: 1, Selector: [4]byte{1}, MaxIncrease: sum, MaxDecrease: big.NewInt(0), PerChannel: sum}},
	}
	ticket := bindings.Ticket{
		Number: big.NewInt(7), World: to, NamespaceId: [32]byte{5}, ModuleHash: [32]byte{6}, ConfigHash: [32]byte{7}, Revision: 2, Block: big.NewInt(9),
		OwnersHash: [32]byte{8}, Snapshot: [32]byte{9}, Seed: [32]byte{10},
	}
	wantTicket := adjudicator.Ticket{
		Number: *uint256.NewInt(7), World: to, NamespaceID: common.Hash{5}, ModuleHash: common.Hash{6}, ConfigHash: common.Hash{7}, Revision: 2,
		Block: *uint256.NewInt(9), OwnersHash: common.Hash{8}, Snapshot: common.Hash{9}, Seed: common.Hash{10},
	}
	chainID := big.NewInt(31337)
	params := bindings.Params{
		ChainId: chainID, Adjudicator: to, Participants: []bindings.Participant{{Signer: asset, Owner: to}}, Beneficiaries: []common.Address{to},
		Guarantors: []common.Address{}, Nonce: 3, Window: 60, ForceQuota: 4, Sequencer: 1, ModuleHash: [32]byte{6}, GenesisHash: [32]byte{7},
		FundingHash: [32]byte{8}, FundingDeadline: 99, IsVirtual: true,
	}
	return map[string]example{
		"Deposited":         {logOf(t, a, "Deposited", id, uint8(1), asset, sum), adjudicator.Deposited{ChannelID: id, Participant: 1, Asset: asset, Amount: n}},
		"Funded":            {logOf(t, a, "Funded", id), adjudicator.Funded{ChannelID: id}},
		"Refunded":          {logOf(t, a, "Refunded", id), adjudicator.Refunded{ChannelID: id}},
		"Concluded":         {logOf(t, a, "Concluded", id, uint64(62), [32]byte{3}, [32]byte{4}), adjudicator.Concluded{ChannelID: id, Seq: 62, JournalRoot: common.Hash{3}, StateHash: common.Hash{4}}},
		"Paid":              {logOf(t, a, "Paid", id, asset, to, sum), adjudicator.Paid{ChannelID: id, Asset: asset, To: to, Amount: n}},
		"Credited":          {logOf(t, a, "Credited", id, asset, to, sum), adjudicator.Credited{ChannelID: id, Asset: asset, To: to, Amount: n}},
		"Withdrawn":         {logOf(t, a, "Withdrawn", to, asset, asset, sum), adjudicator.Withdrawn{Account: to, Asset: asset, To: asset, Amount: n}},
		"ChunkStored":       {logOf(t, r, "ChunkStored", to, sum), adjudicator.ChunkStored{Chunk: to, Size: n}},
		"ProgramRegistered": {logOf(t, r, "ProgramRegistered", id, sum, []common.Address{to}), adjudicator.ProgramRegistered{ProgramHash: id, Size: n, Chunks: []common.Address{to}}},
		"ModuleRegistered": {logOf(t, r, "ModuleRegistered", id, bindings.Manifest{ProgramHash: [32]byte{4}, FuelLimit: 5, PageLimit: 6, MaxEvents: 7, Flags: 3}),
			adjudicator.ModuleRegistered{ModuleHash: id, Manifest: channel.Manifest{ProgramHash: common.Hash{4}, FuelLimit: 5, PageLimit: 6, MaxEvents: 7, Sparse: true, Independent: true}}},
		"PolicySet": {logOf(t, p, "PolicySet", to, [32]byte{5}, [32]byte{6}, [32]byte{7}, uint64(2), policy), adjudicator.PolicySet{
			World: to, NamespaceID: common.Hash{5}, ModuleHash: common.Hash{6}, ConfigHash: common.Hash{7}, Revision: 2,
			Policy: adjudicator.Policy{Modes: adjudicator.ModeAttested | adjudicator.ModeOptimistic, Threshold: 1, Window: 60, Guardian: to, Bond: n,
				MaxJournalBytes: 1 << 20, NeedsTicket: true, TicketPrice: n, MinFundingAsset: asset, MinFunding: n, Attestors: []common.Address{to},
				Permissions: []adjudicator.Permission{{ResourceID: id, Op: 2, Field: 1, Selector: [4]byte{1}, MaxIncrease: n, PerChannel: n}}},
		}},
		"Entered": {logOf(t, k, "Entered", big.NewInt(7), to, [32]byte{5}, big.NewInt(11), ticket, []bindings.Record{{
			ResourceId: id, Key: [][32]byte{{1}}, StaticData: []byte{1}, EncodedLengths: [32]byte{2}, DynamicData: []byte{3},
		}}), adjudicator.Entered{Number: *uint256.NewInt(7), World: to, NamespaceID: common.Hash{5}, SeedBlock: *uint256.NewInt(11), Ticket: wantTicket,
			Records: []adjudicator.Record{{ResourceID: id, Key: []common.Hash{{1}}, StaticData: []byte{1}, EncodedLengths: common.Hash{2}, DynamicData: []byte{3}}}}},
		"Sealed":           {logOf(t, k, "Sealed", big.NewInt(7), id, ticket), adjudicator.Sealed{Number: *uint256.NewInt(7), TicketHash: id, Ticket: wantTicket}},
		"TicketsWithdrawn": {logOf(t, k, "Withdrawn", to, sum), adjudicator.TicketsWithdrawn{Account: to, Amount: n}},
		"ChunkPublished": {logOf(t, b, "ChunkPublished", id, to, uint64(0), uint64(3), []byte{1, 2}, [32]byte{4}, []byte{5}),
			adjudicator.ChunkPublished{ChannelID: id, Publisher: to, Next: 3, GenesisInput: []byte{1, 2}, GenesisState: common.Hash{4}, Entries: []byte{5}}},
		"Published": {logOf(t, b, "Published", id, to, asset, uint64(88), sum, params, []bindings.Funding{{Asset: asset, Amounts: []*big.Int{sum}}}),
			adjudicator.Published{ChannelID: id, Publisher: to, World: asset, Deadline: 88, Bond: n,
				Params: channel.Params{ChainID: *uint256.NewInt(31337), Adjudicator: to, Participants: []channel.Participant{{Signer: asset, Owner: to}},
					Beneficiaries: []common.Address{to}, Guarantors: []common.Address{}, Nonce: 3, Window: 60, ForceQuota: 4, Sequencer: 1, ModuleHash: common.Hash{6},
					GenesisHash: common.Hash{7}, FundingHash: common.Hash{8}, FundingDeadline: 99, IsVirtual: true},
				Funding: channel.Funding{{Asset: asset, Amounts: []uint256.Int{n}}}}},
		"Disproved": {logOf(t, b, "Disproved", id, to, uint64(3), uint8(4), [32]byte{5}, [32]byte{6}, sum, sum),
			adjudicator.Disproved{ChannelID: id, Prover: to, Index: 3, Status: 4, Derived: common.Hash{5}, Claimed: common.Hash{6}, Reward: n, Burnt: n}},
		"Vetoed":                {logOf(t, b, "Vetoed", id, to), adjudicator.Vetoed{ChannelID: id, Guardian: to}},
		"Executed":              {logOf(t, b, "Executed", id, uint64(3), uint64(4), [32]byte{5}, true), adjudicator.Executed{ChannelID: id, First: 3, Next: 4, StateHash: common.Hash{5}, Complete: true}},
		"BondReleased":          {logOf(t, b, "BondReleased", id, to, sum), adjudicator.BondReleased{ChannelID: id, Publisher: to, Bond: n}},
		"PublicationsWithdrawn": {logOf(t, b, "Withdrawn", to, sum), adjudicator.PublicationsWithdrawn{Account: to, Amount: n}},
		"Settled": {logOf(t, s, "Settled", id, to, [32]byte{5}, big.NewInt(4), uint64(2), uint8(4)),
			adjudicator.Settled{ChannelID: id, World: to, NamespaceID: common.Hash{5}, Effects: *uint256.NewInt(4), Revision: 2, Mode: adjudicator.ModeOptimistic}},
	}
}

// aboutNoChannel are the facts that belong to no channel.
var aboutNoChannel = []string{"Withdrawn", "ChunkStored", "ProgramRegistered", "ModuleRegistered", "PolicySet", "Entered", "Sealed", "TicketsWithdrawn", "PublicationsWithdrawn"}

func TestF7_FactsOfEveryEvent(t *testing.T) {
	all := examples(t)
	require.Len(t, adjudicator.Topics()[0], len(all)-1, "an event without an example; two contracts share one")
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
			require.NotContains(t, string(text), "[1000000000000000000", "an amount as limbs")
			var back adjudicator.Fact
			require.NoError(t, json.Unmarshal(text, &back))
			require.Equal(t, f, back)
			_, about := f.Body.Channel()
			require.Equal(t, !slices.Contains(aboutNoChannel, name), about)

			other := e.log
			other.Address = common.HexToAddress("0x99")
			_, ok, err = contracts.DecodeLog(other)
			require.NoError(t, err)
			require.False(t, ok, "another contract's log is a fact")
			// No contract speaks for another, and one that is not configured says nothing.
			for _, c := range abis {
				other.Address = c.at
				f, ok, err := contracts.DecodeLog(other)
				require.True(t, c.at == e.log.Address || !ok || f.Body.Kind() != name, "%s by %s (%v)", name, c.name, err)
			}
			other.Address = common.Address{}
			_, ok, err = adjudicator.Contracts{}.DecodeLog(other)
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
		f.Add(uint8(slices.IndexFunc(abis, func(c struct {
			name, abi string
			at        common.Address
		}) bool {
			return c.at == e.log.Address
		})), topics, e.log.Data)
	}
	f.Fuzz(func(t *testing.T, contract uint8, topics, data []byte) {
		l := types.Log{Address: abis[int(contract)%len(abis)].at, Data: data}
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
	require.Equal(t, []common.Address{contracts.Adjudicator, contracts.Registry, contracts.Policies, contracts.Tickets, contracts.Publications, contracts.Settlement}, contracts.Addresses())
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
	_, err = adjudicator.SetPolicy(common.Address{}, common.Address{}, common.Hash{}, common.Hash{}, common.Hash{}, adjudicator.Policy{Bond: *huge})
	require.ErrorIs(t, err, adjudicator.ErrCall)
	for _, c := range []adjudicator.Claim{{}, {Params: p}, {Params: p, State: &channel.State{}}} {
		_, err = adjudicator.SettleAttested(common.Address{}, c, nil)
		require.ErrorIs(t, err, adjudicator.ErrCall)
		_, err = adjudicator.SettleExecuted(common.Address{}, c)
		require.ErrorIs(t, err, adjudicator.ErrCall)
		_, err = adjudicator.SettleOptimistic(common.Address{}, c)
		require.ErrorIs(t, err, adjudicator.ErrCall)
	}
	for _, n := range []int{0, adjudicator.MaxProgramBytes + 1} {
		_, err = adjudicator.ProgramPieces(make([]byte, n))
		require.ErrorIs(t, err, adjudicator.ErrRegister)
	}
}

func TestProgramPieces(t *testing.T) {
	for _, n := range []int{1, adjudicator.ProgramChunkBytes, adjudicator.ProgramChunkBytes + 1, adjudicator.MaxProgramBytes} {
		program := make([]byte, n)
		for i := range program {
			program[i] = byte(i / 7)
		}
		pieces, err := adjudicator.ProgramPieces(program)
		require.NoError(t, err)
		require.Equal(t, program, bytes.Join(pieces, nil))
		for _, p := range pieces[:len(pieces)-1] {
			require.Len(t, p, adjudicator.ProgramChunkBytes)
		}
	}
}

// What selects one ticket in a log filter selects its logs, and not those of another.
func TestTopicsOfOneTicket(t *testing.T) {
	selects := func(topics [][]common.Hash, l types.Log) bool {
		for i, alternatives := range topics {
			if len(alternatives) > 0 && (i >= len(l.Topics) || !slices.Contains(alternatives, l.Topics[i])) {
				return false
			}
		}
		return true
	}
	logs := examples(t)
	sealed, entered := logs["Sealed"].want.(adjudicator.Sealed), logs["Entered"].want.(adjudicator.Entered)
	require.True(t, selects(adjudicator.SealedTopics(sealed.TicketHash), logs["Sealed"].log))
	require.True(t, selects(adjudicator.EnteredTopics(entered.Number), logs["Entered"].log))
	for _, topics := range [][][]common.Hash{adjudicator.SealedTopics(common.Hash{0xee}), adjudicator.EnteredTopics(*uint256.NewInt(8))} {
		require.False(t, selects(topics, logs["Sealed"].log))
		require.False(t, selects(topics, logs["Entered"].log))
	}
}
