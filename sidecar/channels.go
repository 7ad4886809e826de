package sidecar

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/ethereum/go-ethereum/common"
	"github.com/evmts/channels/channel"
	"github.com/evmts/channels/eventstore"
	"github.com/evmts/channels/protocols"
	"github.com/evmts/channels/protocols/directfund"
	"github.com/evmts/channels/protocols/lifecycle"
)

// Policy says which channels this node enters (R4). Its bounds apply to our own proposals too.
type Policy struct {
	Ask       bool             // leave every proposal to the owner (channels_approve)
	Allow     []common.Address // session keys whose proposals are considered; empty: every peer's
	Deny      []common.Address // session keys that are refused as proposer or participant
	MinWindow uint32           // seconds
	// MaxStake is the most that we pay into one channel, by asset. Up to it proposals are accepted without asking; above it,
	// and in assets it does not name once it names any, every channel is refused. Empty: a proposal in which we pay anything
	// waits for the owner, whatever Ask says, because nobody else may decide what our wallet spends.
	MaxStake map[common.Address]channel.Amount
}

// World is what the genesis input of every module but the null one starts with (docs/encoding.md 25).
type World struct {
	Settlement  common.Address
	World       common.Address
	NamespaceID common.Hash
	ConfigHash  common.Hash
	Ticket      common.Hash
}

const worldBytes = 160

// worldOf reads the head of a genesis input; ok is false when there is none.
func worldOf(genesis []byte) (w World, ok bool) {
	if len(genesis) < worldBytes {
		return w, false
	}
	word := func(i int) common.Hash { return common.BytesToHash(genesis[i*32 : (i+1)*32]) }
	a, b := word(0), word(1)
	for _, x := range append(slices.Clone(a[:12]), b[:12]...) {
		if x != 0 {
			return w, false
		}
	}
	return World{common.BytesToAddress(a[12:]), common.BytesToAddress(b[12:]), word(2), word(3), word(4)}, true
}

// check refuses what the bounds of the protocol allow but this node does not want (S4).
func (e *Engine) check(r *channel.Rules, me int) *channel.Refusal {
	p := r.Params
	switch {
	case p.ChainID.CmpUint64(e.cfg.ChainID) != 0 || p.Adjudicator != e.cfg.Adjudicator:
		return channel.Refuse(channel.CodeParams, "the channel is on chain %s with adjudicator %s, this node serves chain %d with %s",
			p.ChainID.Dec(), p.Adjudicator, e.cfg.ChainID, e.cfg.Adjudicator)
	case me < 0:
		return channel.Refuse(channel.CodeNotParticipant, "this node's session key %s is not among the participants", e.session)
	case p.Participants[me].Owner != e.owner:
		return channel.Refuse(channel.CodePolicy, "the owner named for us is %s, ours is %s", p.Participants[me].Owner, e.owner)
	case p.IsVirtual || p.IsLedger():
		return channel.Refuse(channel.CodePolicy, "this node opens directly funded channels with a module only")
	case p.Window < e.cfg.Policy.MinWindow:
		return channel.Refuse(channel.CodePolicy, "window of %d s, this node wants at least %d", p.Window, e.cfg.Policy.MinWindow)
	case p.FundingDeadline > e.now()+channel.MaxFundingDelay:
		return channel.Refuse(channel.CodeParams, "fundingDeadline is more than 7 days ahead")
	case p.FundingDeadline <= e.now()+uint64(e.cfg.Margin.Seconds()):
		return channel.Refuse(channel.CodeParams, "fundingDeadline is too near: less than %s remain", e.cfg.Margin)
	}
	if err := checkQuota(r); err != nil {
		return err
	}
	for _, part := range p.Participants {
		if slices.Contains(e.cfg.Policy.Deny, part.Signer) {
			return channel.Refuse(channel.CodePolicy, "participant %s is on this node's deny list", part.Signer)
		}
	}
	for _, s := range r.Funding {
		limit, named := e.cfg.Policy.MaxStake[s.Asset]
		if len(e.cfg.Policy.MaxStake) > 0 && !s.Amounts[me].IsZero() && (!named || s.Amounts[me].Gt(&limit)) {
			return channel.Refuse(channel.CodePolicy, "a stake of %s of asset %s is above this node's limit", s.Amounts[me].Dec(), s.Asset)
		}
	}
	if e.refusing.Load() {
		return channel.Refuse(channel.CodeBusy, "this node enters no new channels for now, its operator is at work on it: try again later")
	}
	if len(e.channels) >= maxChannels {
		return channel.Refuse(channel.CodeBusy, "this node holds %d channels, as many as it takes", maxChannels)
	}
	return nil
}

// checkQuota is S4's bound on forceQuota: every event that a participant may need to force must fit.
func checkQuota(r *channel.Rules) *channel.Refusal {
	m := r.Module.Manifest()
	if m.MaxEvents == 0 {
		return nil
	}
	need := uint64(m.MaxEvents)
	if m.Sparse {
		need += uint64(len(r.Params.Participants) - 1)
	}
	if m.Independent {
		need += protocols.MaxInFlight
	}
	if uint64(r.Params.ForceQuota) < need {
		return channel.Refuse(channel.CodePolicy, "forceQuota is %d, the module needs %d", r.Params.ForceQuota, need)
	}
	return nil
}

// onProposal is a peer's wish to open a channel with us. What is wrong with it goes back with a code.
func (e *Engine) onProposal(from common.Address, id common.Hash, p protocols.Proposal) {
	if refused := e.consider(from, id, p); refused != nil {
		e.cfg.Log.Info("Proposal refused", "from", from, "channel", id, "code", refused.Code, "why", refused.Detail)
		e.dropped(from, refused.Code, "proposal: "+refused.Detail)
		e.sendTo(from, protocols.Message{Channel: id, Body: protocols.Refusal{Code: string(refused.Code), Text: refused.Detail[:min(len(refused.Detail), 400)]}})
	}
}

func (e *Engine) consider(from common.Address, id common.Hash, p protocols.Proposal) *channel.Refusal {
	policy := e.cfg.Policy
	if slices.Contains(policy.Deny, from) || len(policy.Allow) > 0 && !slices.Contains(policy.Allow, from) {
		return channel.Refuse(channel.CodePolicy, "proposals of %s are not considered here", from)
	}
	params, err := channel.DecodeParams(p.Params)
	if err != nil {
		return asRefusal(err, channel.CodeMalformed)
	}
	funding, err := channel.DecodeFunding(p.Funding)
	if err != nil {
		return asRefusal(err, channel.CodeMalformed)
	}
	if params.ID() != id {
		return channel.Refuse(channel.CodeMalformed, "the message names channel %s, its params are those of %s", id, params.ID())
	}
	if params.Index(from) < 0 {
		return channel.Refuse(channel.CodeNotParticipant, "the proposer has no place in the channel")
	}
	if e.undecided(from) >= maxUndecided {
		return channel.Refuse(channel.CodeBusy, "%d proposals of yours wait for a decision or for signatures", maxUndecided)
	}
	c, refused := e.create(params, funding, p.Genesis, false)
	if refused != nil {
		return refused
	}
	e.after = append(e.after, deferred{c.id, protocols.Notify{Event: protocols.Notification{Kind: protocols.NoteProposed, Text: "by " + from.Hex()}}})
	if !policy.Ask && (len(policy.MaxStake) > 0 || !pays(c)) {
		e.crank(c.id, protocols.Request{Ask: protocols.AskApprove{}, Now: e.now()})
	}
	return nil
}

// maxUndecided bounds what one peer can make us hold by proposing.
const maxUndecided = 64

// undecided counts the channels with a peer that are not funded yet.
func (e *Engine) undecided(peer common.Address) (n int) {
	for id := range e.peers[peer] {
		if p := e.channels[id].Fund().Phase(); p == directfund.Asking || p == directfund.Signing {
			n++
		}
	}
	return n
}

// pays tells whether the channel wants a stake of us.
func pays(c *running) bool {
	return slices.ContainsFunc(c.Rules().Funding, func(s channel.Stake) bool { return !s.Amounts[c.Me()].IsZero() })
}

// create checks a channel from all sides, derives its genesis and puts it into the store and into memory.
func (e *Engine) create(params *channel.Params, funding channel.Funding, genesis []byte, propose bool) (*running, *channel.Refusal) {
	if err := params.Validate(); err != nil {
		return nil, asRefusal(err, channel.CodeParams)
	}
	rules, err := e.rules(params, funding)
	if err != nil {
		return nil, asRefusal(err, channel.CodeParams)
	}
	me := params.Index(e.session)
	if refused := e.check(rules, me); refused != nil {
		return nil, refused
	}
	start, err := lifecycle.StartOf(rules, genesis)
	if err != nil {
		return nil, asRefusal(err, channel.CodeRejected)
	}
	rec := eventstore.ChannelRecord{
		Params: *params, Funding: funding, GenesisInput: genesis, StateHash: start.Hash, Me: uint8(me), CreatedAt: e.now(),
	}
	cfg := e.lifecycleConfig(rules, genesis, start, uint8(me))
	life := lifecycle.New(cfg)
	if propose {
		life = lifecycle.Propose(cfg)
	}
	c := e.add(life, rec)
	c.status = c.Status()
	c.record.Status = c.status
	e.batch.PutChannel(c.id, c.record)
	e.batch.PutObjective(objectiveID(c.id, directfund.Name), eventstore.ObjectiveRecord{
		Kind: directfund.Name, Channel: c.id, Status: c.status, Data: life.Fund().Encode(), Version: objectiveVersion,
	})
	e.logCreated(c)
	e.touched[c.id] = struct{}{}
	e.crank(c.id, e.view(c))
	e.cfg.Log.Info("Channel created", "channel", c.id, "participants", len(params.Participants), "me", me, "module", params.ModuleHash)
	return c, nil
}

func asRefusal(err error, otherwise channel.Code) *channel.Refusal {
	var r *channel.Refusal
	if errors.As(err, &r) {
		return r
	}
	return channel.Refuse(otherwise, "%v", err)
}

// OpenRequest is what channels_open takes. Zero values are filled with what the node knows.
type OpenRequest struct {
	Participants    []channel.Participant `json:"participants"`
	Beneficiaries   []common.Address      `json:"beneficiaries"`
	Funding         channel.Funding       `json:"funding"`
	Sequencer       uint8                 `json:"sequencer"`
	ModuleHash      common.Hash           `json:"moduleHash"`
	Genesis         []byte                `json:"-"`
	Nonce           uint64                `json:"nonce"`           // 0: made of the clock
	Window          uint32                `json:"window"`          // seconds; 0: a day
	ForceQuota      uint16                `json:"forceQuota"`      // 0: 64
	FundingDeadline uint64                `json:"fundingDeadline"` // UNIX seconds; 0: an hour from now
}

const (
	defaultWindow        = 24 * 3600
	defaultForceQuota    = 64
	defaultFundingPeriod = 3600
)

// open proposes a channel and answers on ch when it is open, or refused; with noWait as soon as the proposal is durable.
func (e *Engine) open(r OpenRequest, noWait bool, ch chan<- Answer) (common.Hash, *channel.Refusal) {
	params := &channel.Params{
		Adjudicator: e.cfg.Adjudicator, Participants: r.Participants, Beneficiaries: r.Beneficiaries, Nonce: r.Nonce, Window: r.Window,
		ForceQuota: r.ForceQuota, Sequencer: r.Sequencer, ModuleHash: r.ModuleHash, GenesisHash: channel.GenesisHash(r.Genesis),
		FundingHash: r.Funding.Hash(), FundingDeadline: r.FundingDeadline,
	}
	params.ChainID.SetUint64(e.cfg.ChainID)
	if params.Nonce == 0 {
		params.Nonce = uint64(e.cfg.Now().UnixNano())
	}
	if params.Window == 0 {
		params.Window = max(defaultWindow, e.cfg.Policy.MinWindow)
	}
	if params.ForceQuota == 0 {
		params.ForceQuota = defaultForceQuota
	}
	if params.FundingDeadline == 0 {
		params.FundingDeadline = e.now() + defaultFundingPeriod
	}
	id := params.ID()
	if e.channels[id] != nil {
		return id, channel.Refuse(channel.CodeExists, "channel %s exists: give another nonce", id)
	}
	c, refused := e.create(params, r.Funding, r.Genesis, true)
	if refused != nil {
		return id, refused
	}
	if !noWait {
		e.ask(c.id, protocols.AskApprove{}, ch)
		return id, nil
	}
	e.ask(c.id, protocols.AskApprove{}, nil)
	e.nextID++
	e.waiting[e.nextID] = ch
	e.after = append(e.after, deferred{c.id, protocols.Respond{ID: e.nextID}})
	return id, nil
}

// ask gives a Request to a channel; the answer comes on ch, which must have room for it (nil: nobody waits).
func (e *Engine) ask(id common.Hash, ask protocols.Ask, ch chan<- Answer) {
	if e.channels[id] == nil {
		ch <- Answer{Err: unknownChannel(id)}
		return
	}
	if ch != nil && len(e.waiting) >= maxRequests {
		ch <- Answer{Err: channel.Refuse(channel.CodeBusy, "%d requests wait for an answer", maxRequests)}
		return
	}
	e.nextID++
	if ch != nil {
		e.waiting[e.nextID] = ch
	}
	e.crank(id, protocols.Request{ID: e.nextID, Ask: ask, Now: e.now()})
}

func unknownChannel(id common.Hash) *channel.Refusal {
	return channel.Refuse(channel.CodeUnknownChannel, "this node has no channel %s: see channels_list", id)
}

// forget gives up waiting.
func (e *Engine) forget(ch chan<- Answer) {
	for id, w := range e.waiting {
		if w == ch {
			delete(e.waiting, id)
		}
	}
}

// SessionAddress and OwnerAddress are the node's own.
func (e *Engine) SessionAddress() common.Address { return e.session }
func (e *Engine) OwnerAddress() common.Address   { return e.owner }

// AttestorAddress is zero for a node that attests for no World.
func (e *Engine) AttestorAddress() common.Address { return e.cfg.Keys.AttestorAddress() }

// attests tells whether this node attests for a World of its settlement.
func (e *Engine) attests(world common.Address) bool {
	return e.cfg.Keys.Attests() && (len(e.cfg.AttestWorlds) == 0 || slices.Contains(e.cfg.AttestWorlds, world))
}

func (c *running) String() string { return fmt.Sprintf("channel %s (%s)", c.id, c.Status()) }

func sortInfos(out []ChannelInfo) {
	slices.SortFunc(out, func(a, b ChannelInfo) int {
		if c := cmp.Compare(a.Params.Nonce, b.Params.Nonce); c != 0 {
			return c
		}
		return bytes.Compare(a.ID[:], b.ID[:])
	})
}
