// Package lifecycle runs the objectives of one channel one after the other, as one objective: directfund, play,
// directdefund and, for an attestor or publisher, settle. One of them owns the channel at a time (R2).
package lifecycle

import (
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/evmts/channels/channel"
	"github.com/evmts/channels/protocols"
	"github.com/evmts/channels/protocols/directdefund"
	"github.com/evmts/channels/protocols/directfund"
	"github.com/evmts/channels/protocols/play"
	"github.com/evmts/channels/protocols/settle"
)

// Config fixes what does not change over a channel's life. Times are seconds.
type Config struct {
	Rules   *channel.Rules
	Genesis []byte // genesis input
	Start   play.Point
	Me      uint8
	Attest  bool   // we attest for the channel's World
	Publish bool   // we publish the channel's journal for its World
	Margin  uint64 // no deposit later than this before the funding deadline
	Skew    uint64 // how far an event's timestamp may be ahead of our clock
	Stall   uint64 // messages are sent again after this long without progress
	Turn    uint64 // a participant leaves this long to each one before it to conclude
}

// StartOf derives the genesis and checks that the input is what Params commit to.
func StartOf(r *channel.Rules, genesis []byte) (play.Point, error) {
	if hash := channel.GenesisHash(genesis); hash != r.Params.GenesisHash {
		return play.Point{}, channel.Refuse(channel.CodeParams, "genesisHash is %s, but the input hashes to %s", r.Params.GenesisHash, hash)
	}
	state, verdict := r.Genesis(genesis)
	if err := verdict.Err(); err != nil {
		return play.Point{}, fmt.Errorf("derive genesis: %w", err)
	}
	hash := state.Hash()
	return play.Point{State: state, Hash: hash, Journal: channel.Journal{}.Append(channel.LeafHash(r.Params.GenesisHash, hash))}, nil
}

// Lifecycle is a value: Crank returns the next one.
type Lifecycle struct {
	cfg    *Config
	fund   directfund.Objective
	play   play.Objective
	began  bool // play exists: Update 0 is supported
	defund directdefund.Objective
	settle settle.Objective
	view   protocols.ChainView
	told   protocols.Progress // what directdefund and settle know of play
}

// New is a channel that was just proposed.
func New(cfg *Config) Lifecycle {
	return Lifecycle{
		cfg: cfg, fund: directfund.New(fundConfig(cfg)), defund: directdefund.New(defundConfig(cfg)),
		settle: settle.New(&settle.Config{Rules: cfg.Rules, Attest: cfg.Attest, Publish: cfg.Publish, Stall: cfg.Stall}),
	}
}

// Propose is New for the participant that proposes the channel to the others.
func Propose(cfg *Config) Lifecycle {
	l := New(cfg)
	l.fund = directfund.Propose(fundConfig(cfg))
	return l
}

func fundConfig(c *Config) *directfund.Config {
	return &directfund.Config{
		Rules: c.Rules, Genesis: c.Genesis, Update0: c.Start.Update(c.Rules.ID()), Me: c.Me,
		Margin: c.Margin, Stall: c.Stall,
	}
}

func defundConfig(c *Config) *directdefund.Config {
	return &directdefund.Config{Rules: c.Rules, Me: c.Me, Turn: c.Turn, Stall: c.Stall}
}

// Restored is what the store knows of a channel.
type Restored struct {
	Objectives map[string][]byte // by the objective's name
	Play       *play.Restored    // nil when Update 0 is not supported yet
}

// Restore goes on where the records end. The actions repeat what the end of the process may have cut off.
func Restore(cfg *Config, r Restored) (l Lifecycle, acts []protocols.Action, err error) {
	l = New(cfg)
	if data := r.Objectives[directfund.Name]; data != nil {
		if l.fund, err = directfund.Restore(fundConfig(cfg), data); err != nil {
			return l, nil, err
		}
	}
	acts = l.fund.Resume()
	if r.Play != nil {
		p := *r.Play
		if data := r.Objectives[play.Name]; data != nil {
			if p.Halt, err = play.DecodeHalt(data); err != nil {
				return l, nil, err
			}
		}
		l.play, l.began = play.Restore(playConfig(cfg), p), true
	}
	if data := r.Objectives[directdefund.Name]; data != nil {
		if l.defund, err = directdefund.Restore(defundConfig(cfg), data); err != nil {
			return l, nil, err
		}
		acts = append(acts, l.defund.Resume()...)
	}
	acts = l.settled(acts)
	if l.began { // last, so that nothing is signed again that a Close forbids
		acts = append(acts, l.play.Resume()...)
	}
	return l, acts, nil
}

func playConfig(c *Config) *play.Config {
	return &play.Config{Rules: c.Rules, Me: c.Me, Skew: c.Skew, Stall: c.Stall}
}

// Rules, Me, and the parts' states are for those who show or build things from them.
func (l Lifecycle) Rules() *channel.Rules             { return l.cfg.Rules }
func (l Lifecycle) Me() uint8                         { return l.cfg.Me }
func (l Lifecycle) Genesis() []byte                   { return l.cfg.Genesis }
func (l Lifecycle) Fund() directfund.Objective        { return l.fund }
func (l Lifecycle) Defund() directdefund.Objective    { return l.defund }
func (l Lifecycle) Settle() settle.Objective          { return l.settle }
func (l Lifecycle) View() protocols.ChainView         { return l.view }
func (l Lifecycle) Play() (p play.Objective, ok bool) { return l.play, l.began }

// Status is one word for where the channel stands.
func (l Lifecycle) Status() string {
	switch {
	case l.settle.Phase() == settle.Settled:
		return "settled"
	case l.defund.Phase() == directdefund.Final:
		return "final"
	case l.fund.Phase() != directfund.Open:
		return l.fund.Phase().String()
	case l.began && l.play.Phase() == play.Halted:
		return "halted"
	case l.began && l.play.Phase() == play.Waiting: // after a restart, until the chain is seen again; or a reorg
		return "waiting"
	case l.defund.Phase() != directdefund.Idle:
		return l.defund.Phase().String()
	}
	return "open"
}

// WaitingFor names the first thing that the channel cannot go on without.
func (l Lifecycle) WaitingFor() protocols.WaitingFor {
	if w := l.fund.WaitingFor(); w != "" {
		return w
	}
	if w := l.settle.WaitingFor(); w != "" {
		return w
	}
	if w := l.defund.WaitingFor(); w != "" || l.defund.Phase() == directdefund.Final || !l.began {
		return w
	}
	return l.play.WaitingFor()
}

// Crank takes one input.
func (l Lifecycle) Crank(in protocols.Input) (Lifecycle, []protocols.Action) {
	var acts []protocols.Action
	switch in := in.(type) {
	case protocols.Received:
		acts = l.received(in)
	case protocols.Signed:
		acts = l.signed(in)
	case protocols.Unsigned:
		acts = l.unsigned(in)
	case protocols.Request:
		acts = l.request(in)
	case protocols.Submitted:
		switch in.Tx.Kind {
		case protocols.TxDeposit, protocols.TxRefund:
			acts = l.toFund(in)
		case protocols.TxConclude:
			acts = l.toDefund(in)
		case protocols.TxSettle, protocols.TxPublish, protocols.TxRelease:
			acts = l.toSettle(in)
		}
	case protocols.Replayed:
		acts = l.toSettle(in)
	case protocols.Flush, protocols.Recalled:
		acts = l.toPlay(in)
	case protocols.ChainView:
		l.view = in
		acts = l.toAll(in)
	case protocols.Connected, protocols.Tick:
		acts = l.toAll(in)
	}
	return l, l.settled(acts)
}

func (l *Lifecycle) toFund(in protocols.Input) (acts []protocols.Action) {
	l.fund, acts = l.fund.Crank(in)
	return acts
}

func (l *Lifecycle) toPlay(in protocols.Input) (acts []protocols.Action) {
	if l.began {
		l.play, acts = l.play.Crank(in)
	}
	return acts
}

func (l *Lifecycle) toDefund(in protocols.Input) (acts []protocols.Action) {
	l.defund, acts = l.defund.Crank(in)
	return acts
}

func (l *Lifecycle) toSettle(in protocols.Input) (acts []protocols.Action) {
	l.settle, acts = l.settle.Crank(in)
	return acts
}

func (l *Lifecycle) toAll(in protocols.Input) []protocols.Action {
	acts := l.toFund(in)
	acts = append(acts, l.toPlay(in)...)
	acts = append(acts, l.toDefund(in)...)
	return append(acts, l.toSettle(in)...)
}

func (l *Lifecycle) received(in protocols.Received) []protocols.Action {
	switch m := in.Body.(type) {
	case protocols.Proposal, protocols.Accept:
		return l.toFund(in)
	case protocols.CloseConsent:
		if !l.began {
			break
		}
		return l.toDefund(in)
	case protocols.Refusal:
		if m.Ref == (common.Hash{}) {
			return l.toFund(in)
		}
		return l.toPlay(in)
	default:
		if l.began {
			return l.toPlay(in)
		}
	}
	return []protocols.Action{protocols.Drop{From: in.From, Code: channel.CodeNotReady, Text: "the channel is not open yet"}}
}

func (l *Lifecycle) signed(in protocols.Signed) []protocols.Action {
	switch m := in.Message.(type) {
	case channel.Update:
		if m.Seq == 0 {
			return l.toFund(in)
		}
		return l.toPlay(in)
	case channel.Join:
		return l.toFund(in)
	case channel.Event:
		return l.toPlay(in)
	case channel.Close:
		return l.toDefund(in)
	}
	return l.toSettle(in)
}

// unsigned goes to those who sign with a key that may be elsewhere.
func (l *Lifecycle) unsigned(in protocols.Unsigned) []protocols.Action {
	switch in.Message.(type) {
	case channel.Join:
		return l.toFund(in)
	case channel.Attestation:
		return l.toSettle(in)
	}
	return nil
}

func (l *Lifecycle) request(in protocols.Request) []protocols.Action {
	refuse := func() []protocols.Action {
		return []protocols.Action{protocols.Respond{ID: in.ID, Err: channel.Refuse(channel.CodePhase, "the channel is %s, not open", l.Status())}}
	}
	switch in.Ask.(type) {
	case protocols.AskApprove, protocols.AskReject:
		return l.toFund(in)
	case protocols.AskAuthor:
		if !l.began {
			return refuse()
		}
		return l.toPlay(in)
	case protocols.AskClose:
		if l.fund.Phase() != directfund.Open {
			return refuse()
		}
		return l.toDefund(in)
	}
	return refuse()
}

// settled lets what one objective did reach the others, until nothing moves any more.
func (l *Lifecycle) settled(acts []protocols.Action) []protocols.Action {
	if !l.began && l.fund.Phase() >= directfund.Funding && l.fund.Phase() != directfund.Abandoned {
		l.play, l.began = play.Start(playConfig(l.cfg), l.cfg.Start, l.fund.Signatures()), true
		acts = append(acts, l.toPlay(l.view)...)
	}
	for rounds := 0; rounds < 4; rounds++ { // each round moves a phase forward; there are fewer phases than that
		moved := false
		for i := 0; i < len(acts); i++ {
			if h, ok := acts[i].(protocols.HoldPlay); ok {
				acts = append(acts[:i:i], append(l.toPlay(h.Hold), acts[i+1:]...)...)
				i--
				moved = true
			}
		}
		if l.began {
			if p := l.play.Progress(); p.Supported != l.told.Supported || p.SignedSeq != l.told.SignedSeq || l.told.Signatures == nil {
				l.told, moved = p, true
				acts = append(acts, l.toDefund(p)...)
				acts = append(acts, l.toSettle(p)...)
			}
		}
		if !moved {
			break
		}
	}
	return acts
}
