package adjudicator_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"errors"
	"math/big"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/ethereum/go-ethereum/rpc"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/evmts/channels/adjudicator"
	"github.com/evmts/channels/channel"
	"github.com/evmts/channels/plugin/anvil"
)

const minWindow = 1

// world is a development chain with the contracts on it.
type world struct {
	t         *testing.T
	node      *anvil.Node
	eth       *ethclient.Client
	contracts adjudicator.Contracts
	reader    adjudicator.Reader
	keys      []*ecdsa.PrivateKey
}

func (w *world) sender(key int) adjudicator.Sender {
	return func(ctx context.Context, c adjudicator.Call) (*types.Receipt, error) {
		return w.node.Send(ctx, w.keys[key], &c.To, c.Value, c.Data)
	}
}

func newChain(t *testing.T, o anvil.Options) *world {
	t.Helper()
	n, err := anvil.Start(context.Background(), o)
	require.NoError(t, err)
	t.Cleanup(func() { _ = n.Close() })
	return &world{t: t, node: n, eth: ethclient.NewClient(n.Client()), keys: anvil.Keys()}
}

func newWorld(t *testing.T) *world {
	w := newChain(t, anvil.Options{})
	c, receipts, err := adjudicator.Deploy(context.Background(), w.eth, w.sender(9), minWindow, common.Hash{})
	require.NoError(t, err)
	require.Len(t, receipts, 8)
	w.contracts, w.reader = c, adjudicator.NewReader(w.eth, c)
	return w
}

// send sends a call and gives the facts of its receipt.
func (w *world) send(key int) func(adjudicator.Call, error) []adjudicator.Fact {
	return func(c adjudicator.Call, err error) []adjudicator.Fact {
		w.t.Helper()
		require.NoError(w.t, err)
		receipt, err := w.sender(key)(context.Background(), c)
		require.NoError(w.t, err)
		require.EqualValues(w.t, 1, receipt.Status)
		var facts []adjudicator.Fact
		for _, l := range receipt.Logs {
			f, ok, err := w.contracts.DecodeLog(*l)
			require.NoError(w.t, err)
			require.True(w.t, ok)
			require.Equal(w.t, adjudicator.FactID{BlockHash: receipt.BlockHash, LogIndex: l.Index}, f.ID)
			facts = append(facts, f)
		}
		w.t.Logf("%v: %d gas", kinds(facts), receipt.GasUsed)
		return facts
	}
}

// refused checks that the contract refuses a call, and with what.
func (w *world) refused(key int, name string) func(adjudicator.Call, error) {
	return func(c adjudicator.Call, err error) {
		w.t.Helper()
		require.NoError(w.t, err)
		_, err = w.eth.CallContract(context.Background(), ethereum.CallMsg{From: w.address(key), To: &c.To, Value: c.Value, Data: c.Data}, nil)
		var withData rpc.DataError
		require.True(w.t, errors.As(err, &withData), "%v", err)
		text, ok := withData.ErrorData().(string)
		require.True(w.t, ok)
		r, ok := adjudicator.ParseRevert(hexutil.MustDecode(text))
		require.True(w.t, ok, "unknown refusal %s", text)
		require.Equal(w.t, name, r.Name)
	}
}

func (w *world) address(key int) common.Address { return crypto.PubkeyToAddress(w.keys[key].PublicKey) }

// game is a channel between the owners 0 and 1 with stakes of 3 and 5 coins.
type game struct {
	w       *world
	params  *channel.Params
	funding channel.Funding
	signers []*ecdsa.PrivateKey
}

const coin = 1e18

func newGame(w *world, nonce uint64) *game {
	g := &game{w: w, funding: channel.Funding{{Amounts: []uint256.Int{*uint256.NewInt(3 * coin), *uint256.NewInt(5 * coin)}}}}
	head, err := w.eth.HeaderByNumber(context.Background(), nil)
	require.NoError(w.t, err)
	g.params = &channel.Params{
		ChainID: *uint256.NewInt(31337), Adjudicator: w.contracts.Adjudicator, Nonce: nonce, Window: 60, ForceQuota: 4,
		ModuleHash: common.Hash{1}, GenesisHash: common.Hash{2}, FundingHash: g.funding.Hash(), FundingDeadline: head.Time + 3600,
		Beneficiaries: []common.Address{common.HexToAddress("0xbe4ef1c1")},
	}
	for i := range 2 {
		key, err := crypto.GenerateKey()
		require.NoError(w.t, err)
		g.signers = append(g.signers, key)
		g.params.Participants = append(g.params.Participants, channel.Participant{Signer: crypto.PubkeyToAddress(key.PublicKey), Owner: w.address(i)})
	}
	require.NoError(w.t, g.params.Validate())
	return g
}

func (g *game) state(terminal bool, amounts ...uint64) *channel.State {
	s := &channel.State{Header: channel.Header{LastTimestamp: 7, Nonces: []uint64{4, 5}, Terminal: terminal}, App: []byte("loot")}
	for _, a := range amounts {
		word := uint256.NewInt(a).Bytes32()
		s.Funds = append(s.Funds, word[:]...)
	}
	return s
}

func (g *game) sign(m channel.Message) (out []channel.Signature) {
	for _, key := range g.signers {
		s, err := channel.Sign(g.params.Domain().Digest(m), key)
		require.NoError(g.w.t, err)
		out = append(out, s)
	}
	return out
}

func (g *game) update(s *channel.State) channel.Update {
	return channel.Update{ChannelID: g.params.ID(), Seq: 62, JournalRoot: common.Hash{0xaa}, StateHash: s.Hash()}
}

func kinds(facts []adjudicator.Fact) (out []string) {
	for _, f := range facts {
		out = append(out, f.Body.Kind())
	}
	return out
}

func TestR10_DeployIsIdempotentAndWherePredicted(t *testing.T) {
	ctx := context.Background()
	w := newWorld(t)
	require.Equal(t, adjudicator.Predict(minWindow, common.Hash{}), w.contracts)
	again, receipts, err := adjudicator.Deploy(ctx, w.eth, w.sender(3), minWindow, common.Hash{})
	require.NoError(t, err)
	require.Empty(t, receipts)
	require.Equal(t, w.contracts, again)
	other, receipts, err := adjudicator.Deploy(ctx, w.eth, w.sender(3), 60, common.Hash{7})
	require.NoError(t, err)
	require.Len(t, receipts, 8)
	require.NotEqual(t, w.contracts, other)
	found, err := adjudicator.Discover(ctx, w.eth, other.Settlement)
	require.NoError(t, err)
	require.Equal(t, other, found)
	found, err = adjudicator.DiscoverPublications(ctx, w.eth, other.Publications)
	require.NoError(t, err)
	require.Equal(t, adjudicator.Contracts{Adjudicator: other.Adjudicator, Machine: other.Machine, Registry: other.Registry, Derivation: other.Derivation,
		Policies: other.Policies, Publications: other.Publications}, found)
	_, err = adjudicator.Discover(ctx, w.eth, other.Adjudicator)
	require.Error(t, err)
	window, err := adjudicator.NewReader(w.eth, other).MinWindow(ctx)
	require.NoError(t, err)
	require.EqualValues(t, 60, window)
}

func TestR10_DeployCreatesTheDeployer(t *testing.T) {
	ctx := context.Background()
	w := newChain(t, anvil.Options{ExtraArgs: []string{"--disable-default-create2-deployer"}})
	code, err := w.eth.CodeAt(ctx, adjudicator.Deployer, nil)
	require.NoError(t, err)
	require.Empty(t, code)
	_, receipts, err := adjudicator.Deploy(ctx, w.eth, w.sender(0), minWindow, common.Hash{})
	require.NoError(t, err)
	require.Len(t, receipts, 9, "the fee, eight contracts")
}

func TestR10_DeployReportsWhatFails(t *testing.T) {
	ctx := context.Background()
	w := newChain(t, anvil.Options{})
	_, _, err := adjudicator.Deploy(ctx, w.eth, func(context.Context, adjudicator.Call) (*types.Receipt, error) {
		return nil, errors.New("the account is empty")
	}, minWindow, common.Hash{})
	require.ErrorIs(t, err, adjudicator.ErrDeploy)
	require.ErrorContains(t, err, "the account is empty")
}

func TestF2_IDsAndDomainAgreeWithTheChain(t *testing.T) {
	ctx := context.Background()
	w := newWorld(t)
	for nonce := range uint64(3) {
		g := newGame(w, nonce)
		id, err := w.reader.ChannelID(ctx, g.params)
		require.NoError(t, err)
		require.Equal(t, g.params.ID(), id)
		domain, err := w.reader.DomainSeparator(ctx)
		require.NoError(t, err)
		require.Equal(t, g.params.Domain(), domain)
	}
}

func TestF5_DepositConcludePayout(t *testing.T) {
	ctx := context.Background()
	w := newWorld(t)
	g := newGame(w, 1)
	id := g.params.ID()
	s := g.state(true, 6*coin, 1*coin, 1*coin)
	u := g.update(s)

	c, err := w.reader.Channel(ctx, id)
	require.NoError(t, err)
	require.Equal(t, adjudicator.StatusNone, c.Status)
	require.False(t, c.Funded || c.HasDeposited(0, 0) || c.HasPaid(0, 0))
	w.refused(0, "NotFunded")(adjudicator.Conclude(g.params, g.funding, u, g.sign(u), nil, s)) // attack 10
	w.refused(1, "NotOwner")(adjudicator.Deposit(g.params, g.funding, 0, 0))
	w.refused(0, "FundingOpen")(adjudicator.Refund(g.params, g.funding))

	first := w.send(0)(adjudicator.Deposit(g.params, g.funding, 0, 0))
	require.Equal(t, []string{"Deposited"}, kinds(first))
	require.Equal(t, adjudicator.Deposited{ChannelID: id, Amount: *uint256.NewInt(3 * coin)}, first[0].Body)
	w.refused(0, "AlreadyDeposited")(adjudicator.Deposit(g.params, g.funding, 0, 0))
	before := w.reader.At(first[0].ID.BlockHash)
	require.Equal(t, []string{"Deposited", "Funded"}, kinds(w.send(1)(adjudicator.Deposit(g.params, g.funding, 1, 0))))
	c, err = w.reader.Channel(ctx, id)
	require.NoError(t, err)
	require.True(t, c.Funded && c.HasDeposited(0, 0) && c.HasDeposited(1, 0))
	require.False(t, c.HasDeposited(2, 0) || c.HasDeposited(0, 1) || c.HasDeposited(-1, 0) || c.HasDeposited(16, 0))
	c, err = before.Channel(ctx, id)
	require.NoError(t, err)
	require.True(t, !c.Funded && c.HasDeposited(0, 0) && !c.HasDeposited(1, 0) && c.Missing == 1, "the state at a block is not that block's")
	held, err := w.reader.Held(ctx, id, common.Address{})
	require.NoError(t, err)
	require.EqualValues(t, uint64(8*coin), held.Uint64())

	forged := g.sign(u) // attack 14
	forged[1] = forged[0]
	w.refused(5, "BadSignature")(adjudicator.Conclude(g.params, g.funding, u, forged, nil, s))
	greedy := g.state(true, 7*coin, 1*coin, 1*coin)
	gu := g.update(greedy)
	w.refused(5, "WrongSum")(adjudicator.Conclude(g.params, g.funding, gu, g.sign(gu), nil, greedy))

	facts := w.send(5)(adjudicator.Conclude(g.params, g.funding, u, g.sign(u), nil, s))
	require.Equal(t, []string{"Concluded", "Paid", "Paid", "Paid"}, kinds(facts))
	require.Equal(t, adjudicator.Concluded{ChannelID: id, Seq: 62, JournalRoot: u.JournalRoot, StateHash: u.StateHash}, facts[0].Body)
	require.Equal(t, adjudicator.Paid{ChannelID: id, To: w.address(0), Amount: *uint256.NewInt(6 * coin)}, facts[1].Body)
	c, err = w.reader.Channel(ctx, id)
	require.NoError(t, err)
	require.Equal(t, adjudicator.StatusFinal, c.Status)
	require.Equal(t, u.StateHash, c.StateHash)
	require.Equal(t, u.JournalRoot, c.JournalRoot)
	require.EqualValues(t, 62, c.Seq)
	for slot := range 3 {
		require.True(t, c.HasPaid(slot, 0))
		require.Empty(t, w.send(5)(adjudicator.Payout(g.params, g.funding, s, slot)), "paid twice") // attack 10
	}
	held, err = w.reader.Held(ctx, id, common.Address{})
	require.NoError(t, err)
	require.True(t, held.IsZero())
	balance, err := w.eth.BalanceAt(ctx, g.params.Beneficiaries[0], nil)
	require.NoError(t, err)
	require.EqualValues(t, uint64(coin), balance.Uint64())
	w.refused(5, "WrongStatus")(adjudicator.Conclude(g.params, g.funding, u, g.sign(u), nil, s))
}

func TestF5_ConcludeByCloseOfEveryone(t *testing.T) {
	w := newWorld(t)
	g := newGame(w, 2)
	s := g.state(false, 3*coin, 5*coin, 0)
	u := g.update(s)
	for i := range 2 {
		w.send(i)(adjudicator.Deposit(g.params, g.funding, i, 0))
	}
	w.refused(5, "NotTerminal")(adjudicator.Conclude(g.params, g.funding, u, g.sign(u), nil, s))
	closes := g.sign(channel.Close{ChannelID: u.ChannelID, Seq: u.Seq, StateHash: u.StateHash})
	require.Equal(t, []string{"Concluded", "Paid", "Paid"}, kinds(w.send(5)(adjudicator.Conclude(g.params, g.funding, u, g.sign(u), closes, s))))
}

func TestF3_RefundOfAnUnderfundedChannel(t *testing.T) {
	ctx := context.Background()
	w := newWorld(t)
	g := newGame(w, 3)
	w.send(0)(adjudicator.Deposit(g.params, g.funding, 0, 0))
	require.NoError(t, w.node.Advance(ctx, 2*time.Hour))
	require.NoError(t, w.node.Mine(ctx, 1))
	w.refused(1, "FundingClosed")(adjudicator.Deposit(g.params, g.funding, 1, 0))
	facts := w.send(7)(adjudicator.Refund(g.params, g.funding))
	require.Equal(t, []string{"Refunded", "Paid"}, kinds(facts))
	require.Equal(t, adjudicator.Paid{ChannelID: g.params.ID(), To: w.address(0), Amount: *uint256.NewInt(3 * coin)}, facts[1].Body)
	c, err := w.reader.Channel(ctx, g.params.ID())
	require.NoError(t, err)
	require.True(t, c.Refunded)
}

func TestAttack16_PayeeThatRefusesIsCredited(t *testing.T) {
	ctx := context.Background()
	w := newWorld(t)
	g := newGame(w, 4)
	s := g.state(true, 6*coin, 2*coin, 0)
	u := g.update(s)
	for i := range 2 {
		w.send(i)(adjudicator.Deposit(g.params, g.funding, i, 0))
	}
	require.NoError(t, w.node.SetCode(ctx, w.address(1), common.FromHex("60006000fd")))
	facts := w.send(5)(adjudicator.Conclude(g.params, g.funding, u, g.sign(u), nil, s))
	require.Equal(t, []string{"Concluded", "Paid", "Credited"}, kinds(facts))
	credit, err := w.reader.Credits(ctx, common.Address{}, w.address(1))
	require.NoError(t, err)
	require.EqualValues(t, uint64(2*coin), credit.Uint64())
	w.refused(5, "NothingToWithdraw")(adjudicator.Withdraw(w.contracts.Adjudicator, common.Address{}, w.address(5)))
	require.NoError(t, w.node.SetCode(ctx, w.address(1), nil))
	to := common.HexToAddress("0x7ea5")
	facts = w.send(1)(adjudicator.Withdraw(w.contracts.Adjudicator, common.Address{}, to))
	require.Equal(t, adjudicator.Withdrawn{Account: w.address(1), To: to, Amount: *uint256.NewInt(2 * coin)}, facts[0].Body)
	balance, err := w.eth.BalanceAt(ctx, to, nil)
	require.NoError(t, err)
	require.EqualValues(t, uint64(2*coin), balance.Uint64())
}

func TestC3_SettlementReadsAndRefusals(t *testing.T) {
	ctx := context.Background()
	w := newWorld(t)
	namespace := common.HexToHash("0x6e73726169640000000000000000000000000000000000000000000000000000")
	p, revision, err := w.reader.PolicyOf(ctx, common.HexToAddress("0x1"), namespace, common.Hash{1}, common.Hash{})
	require.NoError(t, err)
	require.Equal(t, adjudicator.ModeNone, p.Modes)
	require.Zero(t, revision)
	revision, err = w.reader.PolicyRevision(ctx, common.HexToAddress("0x1"), namespace)
	require.NoError(t, err)
	require.Zero(t, revision)
	settled, err := w.reader.IsSettled(ctx, common.Hash{1})
	require.NoError(t, err)
	require.False(t, settled)
	w.refused(0, "BadNamespace")(adjudicator.SetPolicy(w.contracts.Policies, w.contracts.Adjudicator, common.Hash{}, common.Hash{1}, common.Hash{}, adjudicator.Policy{}))

	g := newGame(w, 5)
	key, err := crypto.GenerateKey()
	require.NoError(t, err)
	signature, err := channel.Sign(common.Hash{1}, key)
	require.NoError(t, err)
	claim := adjudicator.Claim{
		Params: g.params, Funding: g.funding, State: g.state(true, 1, 2, 3), GenesisInput: bytes.Repeat([]byte{1}, 160), Joins: make([][]byte, 2),
		Snapshot: []adjudicator.Record{{Key: []common.Hash{{2}}, StaticData: []byte{3}}},
	}
	w.refused(0, "NotFinal")(adjudicator.SettleAttested(w.contracts.Settlement, claim, []adjudicator.AttestorSignature{{Attestation: signature}}))
	w.refused(0, "NotFinal")(adjudicator.SettleExecuted(w.contracts.Settlement, claim))
	w.refused(0, "NotFinal")(adjudicator.SettleOptimistic(w.contracts.Settlement, claim))
}

func TestReaderNamesAMissingContract(t *testing.T) {
	ctx := context.Background()
	w := newChain(t, anvil.Options{})
	r := adjudicator.NewReader(w.eth, adjudicator.Predict(minWindow, common.Hash{}))
	_, err := r.Channel(ctx, common.Hash{})
	require.ErrorContains(t, err, "there is no contract at")
	require.NoError(t, w.node.SetCode(ctx, r.Adjudicator, common.FromHex("60016000f3"))) // returns one byte
	_, err = r.Channel(ctx, common.Hash{})
	require.ErrorContains(t, err, "another one")
}

// TestTokenCallsAndReads uses a contract that answers everything with 42.
func TestTokenCallsAndReads(t *testing.T) {
	ctx := context.Background()
	w := newChain(t, anvil.Options{})
	token := common.HexToAddress("0x70ce4")
	require.NoError(t, w.node.SetCode(ctx, token, common.FromHex("602a60005260206000f3")))
	r := adjudicator.NewReader(w.eth, adjudicator.Contracts{})
	for _, read := range []func() (channel.Amount, error){
		func() (channel.Amount, error) { return r.TokenBalance(ctx, token, token) },
		func() (channel.Amount, error) { return r.Allowance(ctx, token, token, token) },
	} {
		v, err := read()
		require.NoError(t, err)
		require.EqualValues(t, 42, v.Uint64())
	}
	c, err := adjudicator.Approve(token, common.HexToAddress("0xa1"), *uint256.NewInt(5))
	require.NoError(t, err)
	require.Equal(t, token, c.To)
	require.Equal(t, common.FromHex("095ea7b3"+"00000000000000000000000000000000000000000000000000000000000000a1"+"0000000000000000000000000000000000000000000000000000000000000005"), c.Data)
	require.Zero(t, c.Value.Cmp(new(big.Int)))
}
