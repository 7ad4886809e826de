package sidecar

import (
	"errors"
	"fmt"
	"math/big"
	"slices"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/evmts/channels/adjudicator"
	"github.com/evmts/channels/adjudicator/proof"
	"github.com/evmts/channels/channel"
	"github.com/evmts/channels/derivation/evm"
)

// What one transaction of a publication or an execution may hold. A chain takes 16.8 million gas per transaction (EIP-7825);
// an execution stays below that with its calldata and its bookkeeping.
const (
	chunkBytes      = 48 << 10
	executionGas    = 13_000_000
	executionShell  = 200_000 // of one leaf beside the machine: the checks of δ, handing states on
	ticketPage      = 10_000  // blocks that are searched for a ticket at a time
	maxTicketSearch = 10_000_000
)

// errNoWorld is returned where a policy has no mode that this node can serve.
var errNoWorld = errors.New("the World takes neither attestations of this node nor published journals: its namespace's owner sets the policy")

// policy is what the channel's World allows: under the ticket, if it was played for one, otherwise now.
func (l *Link) policy(req TxRequest, t adjudicator.Ticket) (adjudicator.Policy, error) {
	w := req.Settle.World
	p, _, err := l.reader.InForce(l.ctx, w.World, w.NamespaceID, req.Params.ModuleHash, w.ConfigHash, t.Revision)
	return p, err
}

// settleCalls writes the effects: by our attestation, or because the journal was executed or stands.
func (l *Link) settleCalls(req TxRequest) ([]adjudicator.Call, error) {
	ticket, err := l.ticket(req.Settle.World.Ticket)
	if err != nil {
		return nil, err
	}
	policy, err := l.policy(req, ticket)
	if err != nil {
		return nil, err
	}
	claim, err := l.claim(req, policy, ticket)
	if err != nil {
		return nil, err
	}
	one := func(c adjudicator.Call, err error) ([]adjudicator.Call, error) { return []adjudicator.Call{c}, err }
	if req.Settle.Attestation.IsZero() {
		standing, err := l.reader.Standing(l.ctx, req.Channel)
		if err != nil {
			return nil, err
		}
		if standing.Executed {
			return one(adjudicator.SettleExecuted(l.cfg.Settlement, claim))
		}
		return one(adjudicator.SettleOptimistic(l.cfg.Settlement, claim))
	}
	if policy.Modes&adjudicator.ModeAttested == 0 {
		return nil, fmt.Errorf("the World %s takes no attestations for this module", req.Settle.World.World)
	}
	me := l.cfg.AttestorAddress()
	index := slices.Index(policy.Attestors, me)
	if index < 0 {
		return nil, fmt.Errorf("the World %s does not name %s as an attestor of this module: its namespace's owner sets the policy", req.Settle.World.World, me)
	}
	if policy.Threshold > 1 {
		return nil, fmt.Errorf("the World %s wants %d attestors; this node brings its own signature only", req.Settle.World.World, policy.Threshold)
	}
	return one(adjudicator.SettleAttested(l.cfg.Settlement, claim, []adjudicator.AttestorSignature{{Index: uint8(index), Attestation: req.Settle.Attestation}}))
}

func (l *Link) claim(req TxRequest, policy adjudicator.Policy, ticket adjudicator.Ticket) (claim adjudicator.Claim, err error) {
	s := req.Settle
	claim = adjudicator.Claim{
		Params: req.Params, Funding: req.Funding, State: req.Conclude.State, GenesisInput: s.Genesis, Joins: make([][]byte, len(s.Joins)), Ticket: ticket,
	}
	for i := range s.Joins {
		if !s.Joins[i].IsZero() {
			claim.Joins[i] = s.Joins[i][:]
		}
	}
	if s.World.Ticket != (common.Hash{}) && slices.ContainsFunc(policy.Permissions, func(p adjudicator.Permission) bool {
		return p.Op == channel.EffectSet || p.Op == channel.EffectDelete
	}) {
		claim.Snapshot, err = l.snapshot(ticket)
	}
	return claim, err
}

// ticket finds what a ticket's hash stands for: the contract keeps the hash only, and says the rest in its log.
func (l *Link) ticket(hash common.Hash) (adjudicator.Ticket, error) {
	if hash == (common.Hash{}) {
		return adjudicator.Ticket{}, nil
	}
	sealed, err := search(l, adjudicator.SealedTopics(hash), func(f adjudicator.Sealed) bool { return f.TicketHash == hash })
	if err != nil {
		return adjudicator.Ticket{}, fmt.Errorf("ticket %s: %w", hash, err)
	}
	return sealed.Ticket, nil
}

// snapshot finds the records that a ticket was bought over.
func (l *Link) snapshot(t adjudicator.Ticket) ([]adjudicator.Record, error) {
	entered, err := search(l, adjudicator.EnteredTopics(t.Number), func(f adjudicator.Entered) bool { return f.Number == t.Number })
	if err != nil {
		return nil, fmt.Errorf("records of ticket %s: %w", t.Number.Dec(), err)
	}
	return entered.Records, nil
}

// search goes back through the logs of the tickets until a fact is the wanted one. The node is asked for that one only: a busy World sells
// many tickets, each with its records in the log.
func search[F adjudicator.Body](l *Link, topics [][]common.Hash, wanted func(F) bool) (found F, err error) {
	head, err := l.chain.Client().BlockNumber(l.ctx)
	if err != nil {
		return found, fmt.Errorf("read the chain's head: %w", err)
	}
	lowest := max(l.cfg.StartBlock, head-min(head, maxTicketSearch))
	for to := head; ; to -= ticketPage {
		from := max(lowest, to-min(to, ticketPage-1))
		logs, err := l.chain.Client().FilterLogs(l.ctx, ethereum.FilterQuery{
			FromBlock: new(big.Int).SetUint64(from), ToBlock: new(big.Int).SetUint64(to), Addresses: []common.Address{l.contracts.Tickets}, Topics: topics,
		})
		if err != nil {
			return found, fmt.Errorf("read the logs of the tickets: %w", err)
		}
		if f, ok := last(l, logs, wanted); ok {
			return f, nil
		}
		if from == lowest {
			return found, fmt.Errorf("no such ticket in the log of %s since block %d: check --start-block", l.contracts.Tickets, lowest)
		}
	}
}

func last[F adjudicator.Body](l *Link, logs []types.Log, wanted func(F) bool) (found F, ok bool) {
	for _, raw := range slices.Backward(logs) {
		fact, known, err := l.contracts.DecodeLog(raw)
		if err != nil || !known {
			continue
		}
		if f, is := fact.Body.(F); is && wanted(f) {
			return f, true
		}
	}
	return found, false
}

// publishCalls put the journal on chain: run there where the World wants that, otherwise published with the World's bond.
// What is there already is left out.
func (l *Link) publishCalls(req TxRequest) ([]adjudicator.Call, error) {
	policy, err := l.policy(req, adjudicator.Ticket{}) // a publication begins under the newest
	if err != nil {
		return nil, err
	}
	journal, err := l.journal(req)
	if err != nil {
		return nil, err
	}
	if policy.MaxJournalBytes > 0 && journal.Bytes() > int(policy.MaxJournalBytes) {
		return nil, fmt.Errorf("the journal has %d bytes, the World takes %d", journal.Bytes(), policy.MaxJournalBytes)
	}
	switch {
	case policy.Modes&adjudicator.ModeOptimistic != 0:
		return l.publication(req, policy, journal)
	case policy.Modes&adjudicator.ModeExecuted != 0:
		return l.execution(req, journal)
	}
	return nil, errNoWorld
}

// journal reads what is published from the store.
func (l *Link) journal(req TxRequest) (*proof.Journal, error) {
	rec, err := l.store.Channel(req.Channel)
	if err != nil {
		return nil, fmt.Errorf("read the channel: %w", err)
	}
	j := &proof.Journal{Genesis: rec.GenesisInput, Leaves: []proof.Leaf{{StateHash: rec.StateHash}}}
	for last := req.Conclude.Update.Seq; uint64(len(j.Leaves)) <= last; {
		from := uint64(len(j.Leaves))
		page, err := l.store.Entries(req.Channel, from, int(min(last-from+1, replayPage)))
		if err != nil {
			return nil, fmt.Errorf("read the journal: %w", err)
		}
		if len(page) == 0 || page[0].Seq != from {
			return nil, fmt.Errorf("the journal has no entry %d", from)
		}
		for _, e := range page {
			j.Leaves = append(j.Leaves, proof.Leaf{Entry: e.Entry, StateHash: e.StateHash})
		}
	}
	return j, nil
}

func (l *Link) publication(req TxRequest, policy adjudicator.Policy, j *proof.Journal) ([]adjudicator.Call, error) {
	me := l.cfg.OwnerAddress()
	next, _, err := l.reader.Progress(l.ctx, req.Channel, me)
	if err != nil {
		return nil, err
	}
	chunks, err := j.Split(req.Params, proof.Budget{Bytes: chunkBytes})
	if err != nil {
		return nil, err
	}
	about := adjudicator.Publication{Params: req.Params, Funding: req.Funding, GenesisInput: j.Genesis, GenesisState: j.Leaves[0].StateHash}
	var calls []adjudicator.Call
	for i, c := range chunks {
		if c.First < next {
			continue
		}
		var bond channel.Amount
		if i == len(chunks)-1 {
			bond = policy.Bond
		}
		call, err := adjudicator.Publish(l.contracts.Publications, about, c, bond)
		if err != nil {
			return nil, err
		}
		calls = append(calls, call)
	}
	return calls, nil
}

func (l *Link) execution(req TxRequest, j *proof.Journal) ([]adjudicator.Call, error) {
	manifest := req.Rules.Module.Manifest()
	_, size, err := l.reader.ProgramOf(l.ctx, manifest.ProgramHash)
	if err != nil {
		return nil, err
	}
	parts, err := j.Execute(req.Rules, req.Conclude.Update, proof.Gas{
		Limit: executionGas, Overhead: executionShell + evm.GasBound(0, manifest.PageLimit, int(size)),
	})
	if err != nil {
		return nil, err
	}
	first := 0
	for i := len(parts) - 1; i > 0; i-- { // the last progress that anybody has reached
		there, err := l.reader.Reached(l.ctx, req.Channel, parts[i].First, parts[i].Range, j.Leaves[parts[i].First-1].StateHash)
		if err != nil {
			return nil, err
		}
		if there {
			first = i
			break
		}
	}
	about := adjudicator.Publication{Params: req.Params, Funding: req.Funding, GenesisInput: j.Genesis, GenesisState: j.Leaves[0].StateHash}
	var calls []adjudicator.Call
	for _, p := range parts[first:] {
		call, err := adjudicator.Execute(l.contracts.Publications, about, p)
		if err != nil {
			return nil, err
		}
		calls = append(calls, call)
	}
	return calls, nil
}

// releaseCalls take our bond back when the publication stands.
func (l *Link) releaseCalls(req TxRequest) ([]adjudicator.Call, error) {
	me := l.cfg.OwnerAddress()
	standing, err := l.reader.Standing(l.ctx, req.Channel)
	if err != nil {
		return nil, err
	}
	if standing.Publisher != me || standing.Bond.IsZero() {
		return nil, nil
	}
	release, err := adjudicator.ReleaseBond(l.contracts.Publications, req.Channel)
	if err != nil {
		return nil, err
	}
	withdraw, err := adjudicator.WithdrawBond(l.contracts.Publications, me)
	return []adjudicator.Call{release, withdraw}, err
}
