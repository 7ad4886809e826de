package sidecar

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/rpc"
	"github.com/evmts/channels/channel"
	"github.com/evmts/channels/eventstore"
	"github.com/evmts/channels/plugin"
	"github.com/evmts/channels/plugin/pushfeed"
	"github.com/evmts/channels/protocols"
)

// API is the JSON-RPC namespace "channels".
type API struct {
	// at gives what is asked: in a program that starts the sidecar again, another one each time.
	at func() (*Engine, Node, error)
}

// Node is what the API tells and changes besides the engine: peers and installed modules.
type Node interface {
	Info() NodeInfo
	Peers() []Peer
	AddPeer(multiaddr string) (common.Address, error)
	ModuleList() []ModuleInfo
}

// NewAPI makes the API of an engine.
func NewAPI(e *Engine, n Node) *API {
	return &API{func() (*Engine, Node, error) { return e, n, nil }}
}

// HostedAPI makes an API that outlives services: running is asked at every request for the one that has started, and its error is the answer
// when there is none.
func HostedAPI(running func() (*Service, error)) *API {
	return &API{func() (*Engine, Node, error) {
		s, err := running()
		if err != nil {
			return nil, nil, coded(fmt.Errorf("%w: %w", ErrStopped, err))
		}
		return s.engine, s, nil
	}}
}

// NodeInfo says who a sidecar is.
type NodeInfo struct {
	Version     string         `json:"version"`
	Session     common.Address `json:"session"`
	Owner       common.Address `json:"owner"`
	Attestor    common.Address `json:"attestor"`
	ChainID     uint64         `json:"chainId"`
	Adjudicator common.Address `json:"adjudicator"`
	Settlement  common.Address `json:"settlement"`
	Multiaddrs  []string       `json:"multiaddrs"`
	Head        hexutil.Uint64 `json:"head"`
	// PushFeed is what was pushed; nil without --push-feed.enabled.
	PushFeed *pushfeed.Status `json:"pushFeed,omitempty"`
}

// Peer is another sidecar.
type Peer struct {
	Address    common.Address `json:"address"`
	Multiaddrs []string       `json:"multiaddrs"`
	Connected  bool           `json:"connected"`
	Queued     int            `json:"queued"`
}

// ModuleInfo describes an installed module.
type ModuleInfo struct {
	Name        string      `json:"name"`
	Hash        common.Hash `json:"moduleHash"`
	ProgramHash common.Hash `json:"programHash"`
	Bytes       int         `json:"bytes"`
	FuelLimit   uint64      `json:"fuelLimit"`
	PageLimit   uint32      `json:"pageLimit"`
	MaxEvents   uint32      `json:"maxEvents"`
	Sparse      bool        `json:"sparse"`
	Independent bool        `json:"independent"`
}

// TxInfo is a transaction that this node sent for a channel.
type TxInfo struct {
	Kind    string      `json:"kind"`
	TxHash  common.Hash `json:"txHash"`
	GasUsed uint64      `json:"gasUsed"`
	Time    uint64      `json:"time"`
	// Of a transaction that was forced through L1: the deposit there, and its gas with what the portal burnt.
	L1TxHash  *common.Hash `json:"l1TxHash,omitempty"`
	L1GasUsed uint64       `json:"l1GasUsed,omitempty"`
}

// FactInfo is what the chain says about a channel.
type FactInfo struct {
	Kind      FactKind     `json:"kind"`
	Block     uint64       `json:"block"`
	BlockHash common.Hash  `json:"blockHash"`
	TxHash    common.Hash  `json:"txHash"`
	Level     plugin.Level `json:"level"` // how far its block can be trusted to stay: unsafe, safe or finalized
	Needs     plugin.Level `json:"needs"` // the level from which on it counts
}

// ChannelInfo is a channel as this node sees it.
type ChannelInfo struct {
	ID           common.Hash         `json:"channelId"`
	Status       string              `json:"status"`
	WaitingFor   string              `json:"waitingFor,omitempty"`
	Me           uint8               `json:"me"`
	Params       *channel.Params     `json:"params"`
	Funding      channel.Funding     `json:"funding"`
	Genesis      hexutil.Bytes       `json:"genesis"`
	HeadSeq      uint64              `json:"headSeq"`
	Supported    *channel.Update     `json:"supported,omitempty"`
	Signatures   []channel.Signature `json:"signatures,omitempty"`
	Terminal     bool                `json:"terminal"`
	InFlight     int                 `json:"inFlight"`
	Facts        []FactInfo          `json:"facts"`
	Transactions []TxInfo            `json:"transactions"`
}

// StateInfo is a state at a seq.
type StateInfo struct {
	Seq       uint64         `json:"seq"`
	StateHash common.Hash    `json:"stateHash"`
	Header    channel.Header `json:"header"`
	Funds     [][]string     `json:"funds"` // decimal, by asset and holder
	App       hexutil.Bytes  `json:"app"`
	Bytes     hexutil.Bytes  `json:"bytes"` // the whole state
}

// EntryInfo is one journal entry.
type EntryInfo struct {
	Seq       uint64        `json:"seq"`
	EventHash common.Hash   `json:"eventHash"`
	StateHash common.Hash   `json:"stateHash"`
	Entry     channel.Entry `json:"entry"`
}

// OpenArgs is what channels_open takes.
type OpenArgs struct {
	OpenRequest
	GenesisHex hexutil.Bytes `json:"genesis"`
	NoWait     bool          `json:"noWait"` // answer when proposed instead of when open
}

// Submitted is the answer of channels_submit.
type Submitted struct {
	Seq uint64 `json:"seq"` // where the event stands, supported by everybody
}

// rpcError is a Refusal as JSON-RPC wants it: code -38000 and the word in data.
type rpcError struct{ r *channel.Refusal }

func (e rpcError) Error() string          { return e.r.Detail }
func (e rpcError) ErrorCode() int         { return refusalRPCCode }
func (e rpcError) ErrorData() interface{} { return map[string]string{"code": string(e.r.Code)} }

const refusalRPCCode = -38000

// ErrorCode finds the code in an error of an RPC client.
func ErrorCode(err error) channel.Code {
	var de rpc.DataError
	if errors.As(err, &de) {
		switch m := de.ErrorData().(type) {
		case map[string]string: // in this process
			return channel.Code(m["code"])
		case map[string]any: // over the wire
			if s, ok := m["code"].(string); ok {
				return channel.Code(s)
			}
		}
	}
	var r *channel.Refusal
	if errors.As(err, &r) {
		return r.Code
	}
	return ""
}

func coded(err error) error {
	var r *channel.Refusal
	switch {
	case err == nil:
		return nil
	case errors.As(err, &r):
		return rpcError{r}
	case errors.Is(err, eventstore.ErrNotFound):
		return rpcError{channel.Refuse(channel.CodeUnknownChannel, "%v", err)}
	case errors.Is(err, ErrStopped), errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return rpcError{channel.Refuse(channel.CodeNotReady, "%v", err)}
	}
	return rpcError{channel.Refuse(channel.CodeInternal, "%v", err)}
}

// maxWait bounds how long a request waits for its answer.
const maxWait = 10 * time.Minute

// request runs start in the loop and waits for the answer.
func (a *API) request(ctx context.Context, start func(e *Engine, ch chan<- Answer)) (Answer, error) {
	e, _, err := a.at()
	if err != nil {
		return Answer{}, err
	}
	ch := make(chan Answer, 1)
	ctx, cancel := context.WithTimeout(ctx, maxWait)
	defer cancel()
	if err := e.do(ctx, func() { start(e, ch) }); err != nil {
		return Answer{}, coded(err)
	}
	select {
	case ans := <-ch:
		return ans, coded(ans.Err)
	case <-e.done:
		return Answer{}, coded(ErrStopped)
	case <-ctx.Done():
		e.forgetLater(ch)
		return Answer{}, coded(ctx.Err())
	}
}

// Open proposes a channel and answers when it is open (or, with noWait, when it is proposed).
func (a *API) Open(ctx context.Context, args OpenArgs) (id common.Hash, err error) {
	args.OpenRequest.Genesis = args.GenesisHex
	_, err = a.request(ctx, func(e *Engine, ch chan<- Answer) {
		var refused *channel.Refusal
		if id, refused = e.open(args.OpenRequest, args.NoWait, ch); refused != nil {
			ch <- Answer{Err: refused}
		}
	})
	return id, err
}

// Approve accepts a proposal that policy leaves to the owner; it answers when the channel is open.
func (a *API) Approve(ctx context.Context, id common.Hash) error {
	_, err := a.request(ctx, func(e *Engine, ch chan<- Answer) { e.ask(id, protocols.AskApprove{}, ch) })
	return err
}

// Reject refuses a proposal.
func (a *API) Reject(ctx context.Context, id common.Hash, reason string) error {
	_, err := a.request(ctx, func(e *Engine, ch chan<- Answer) { e.ask(id, protocols.AskReject{Reason: reason}, ch) })
	return err
}

// SubmitOptions are the rarer fields of an event.
type SubmitOptions struct {
	NotAfter uint64 `json:"notAfter"` // the event is void above this seq; 0: no limit
	Nonce    uint64 `json:"nonce"`    // sparse modules only
}

// Submit authors an event and answers when everybody signed it: it is final then.
func (a *API) Submit(ctx context.Context, id common.Hash, payload hexutil.Bytes, opts *SubmitOptions) (*Submitted, error) {
	ask := protocols.AskAuthor{Payload: payload}
	if opts != nil {
		ask.NotAfter, ask.Nonce = opts.NotAfter, opts.Nonce
	}
	start := time.Now()
	var by *Engine
	ans, err := a.request(ctx, func(e *Engine, ch chan<- Answer) {
		by = e
		e.ask(id, ask, ch)
	})
	if err != nil {
		return nil, err
	}
	by.cfg.Metrics.FinalSeconds.Observe(time.Since(start).Seconds())
	by.traces.answered(id, ans.Seq, start, len(payload))
	return &Submitted{ans.Seq}, nil
}

// Close consents to end the channel, or concludes it when its state is terminal; it answers when the chain is final.
func (a *API) Close(ctx context.Context, id common.Hash) (uint64, error) {
	ans, err := a.request(ctx, func(e *Engine, ch chan<- Answer) { e.ask(id, protocols.AskClose{}, ch) })
	return ans.Seq, err
}

// List gives all channels, oldest first.
func (a *API) List(ctx context.Context) (out []ChannelInfo, err error) {
	out = []ChannelInfo{}
	e, _, err := a.at()
	if err != nil {
		return nil, err
	}
	err = e.do(ctx, func() { out = append(out, e.list()...) })
	return out, coded(err)
}

// Get gives one channel.
func (a *API) Get(ctx context.Context, id common.Hash) (*ChannelInfo, error) {
	e, _, err := a.at()
	if err != nil {
		return nil, err
	}
	var info *ChannelInfo
	err = e.do(ctx, func() {
		if c := e.channels[id]; c != nil {
			info = e.info(c)
		}
	})
	if err == nil && info == nil {
		err = unknownChannel(id)
	}
	return info, coded(err)
}

// State gives the newest supported state, or the state at seq, derived again from the journal.
func (a *API) State(ctx context.Context, id common.Hash, seq *uint64) (*StateInfo, error) {
	e, _, err := a.at()
	if err != nil {
		return nil, err
	}
	if seq != nil {
		rep, err := Replay(e.cfg.Store, e.cfg.Modules, id, seq, nil)
		if err != nil {
			return nil, coded(err)
		}
		rec, err := e.cfg.Store.Channel(id)
		if err != nil {
			return nil, coded(err)
		}
		return StateInfoOf(rep.State, channel.ShapeOf(&rec.Params, rec.Funding), rep.Seq), nil
	}
	var info *StateInfo
	var refused error = unknownChannel(id)
	err = e.do(ctx, func() {
		c := e.channels[id]
		if c == nil {
			return
		}
		p, ok := c.Play()
		if !ok {
			refused = channel.Refuse(channel.CodePhase, "channel %s is %s: it has no supported state yet", id, c.Status())
			return
		}
		s := p.Supported()
		info, refused = StateInfoOf(s.State, c.Rules().Shape(), s.Update.Seq), nil
	})
	if err == nil {
		err = refused
	}
	return info, coded(err)
}

// StateInfoOf shows a state.
func StateInfoOf(s *channel.State, shape channel.Shape, seq uint64) *StateInfo {
	info := &StateInfo{Seq: seq, StateHash: s.Hash(), Header: s.Header, App: s.App, Bytes: s.Bytes(), Funds: make([][]string, shape.Assets)}
	for asset := range info.Funds {
		for p := 0; p < shape.Holders(); p++ {
			v := s.Amount(shape, asset, p)
			info.Funds[asset] = append(info.Funds[asset], v.Dec())
		}
	}
	return info
}

const maxEntriesPage = 1000

// Entries gives journal entries from seq `from` (at least 1), at most limit of them.
func (a *API) Entries(_ context.Context, id common.Hash, from uint64, limit int) ([]EntryInfo, error) {
	e, _, err := a.at()
	if err != nil {
		return nil, err
	}
	if _, err := e.cfg.Store.Channel(id); err != nil {
		return nil, coded(err)
	}
	stored, err := e.cfg.Store.Entries(id, max(1, from), max(1, min(limit, maxEntriesPage)))
	if err != nil {
		return nil, coded(err)
	}
	out := make([]EntryInfo, len(stored))
	for i, s := range stored {
		out[i] = EntryInfo{s.Seq, s.Entry.Hash(id), s.StateHash, s.Entry}
	}
	return out, nil
}

// Verify derives the whole journal again from the store.
func (a *API) Verify(_ context.Context, id common.Hash) (*ReplayReport, error) {
	e, _, err := a.at()
	if err != nil {
		return nil, err
	}
	rep, err := Replay(e.cfg.Store, e.cfg.Modules, id, nil, nil)
	return rep, coded(err)
}

// NodeInfo says who this node is.
func (a *API) NodeInfo(ctx context.Context) (NodeInfo, error) {
	e, node, err := a.at()
	if err != nil {
		return NodeInfo{}, err
	}
	info := node.Info()
	err = e.do(ctx, func() { info.Head = hexutil.Uint64(e.chain.head.Number) })
	return info, coded(err)
}

// Peers gives the known peers; AddPeer makes one known by its multiaddr with /p2p/<id>.
func (a *API) Peers(context.Context) ([]Peer, error) {
	_, node, err := a.at()
	if err != nil {
		return nil, err
	}
	return node.Peers(), nil
}
func (a *API) AddPeer(_ context.Context, multiaddr string) (common.Address, error) {
	_, node, err := a.at()
	if err != nil {
		return common.Address{}, err
	}
	addr, err := node.AddPeer(multiaddr)
	if err != nil {
		err = channel.Refuse(channel.CodeMalformed, "%v", err)
	}
	return addr, coded(err)
}

// Modules gives the installed modules.
func (a *API) Modules(context.Context) ([]ModuleInfo, error) {
	_, node, err := a.at()
	if err != nil {
		return nil, err
	}
	return node.ModuleList(), nil
}

// Events is the subscription channels_subscribe("events", channelId?): what happens to one channel, or to all.
func (a *API) Events(ctx context.Context, id *common.Hash) (*rpc.Subscription, error) {
	notifier, ok := rpc.NotifierFromContext(ctx)
	if !ok {
		return nil, rpc.ErrNotificationsUnsupported
	}
	e, _, err := a.at()
	if err != nil {
		return nil, err
	}
	var which common.Hash
	if id != nil {
		which = *id
	}
	sub := notifier.CreateSubscription()
	out, cancel := e.Subscribe(which)
	go func() {
		defer cancel()
		for {
			select {
			case n, ok := <-out:
				if !ok || notifier.Notify(sub.ID, n) != nil {
					return
				}
			case <-sub.Err():
				return
			case <-e.done:
				return
			}
		}
	}()
	return sub, nil
}

func (e *Engine) forgetLater(ch chan<- Answer) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = e.do(ctx, func() { e.forget(ch) }) // a loop that is gone has forgotten already
}

func (e *Engine) list() []ChannelInfo {
	out := make([]ChannelInfo, 0, len(e.channels))
	for _, c := range e.channels {
		out = append(out, *e.info(c))
	}
	sortInfos(out)
	return out
}

func (e *Engine) info(c *running) *ChannelInfo {
	info := &ChannelInfo{
		ID: c.id, Status: c.Status(), WaitingFor: e.waitingFor(c), Me: c.Me(), Params: c.Rules().Params, Funding: c.Rules().Funding,
		Genesis: c.Genesis(), Transactions: append([]TxInfo{}, c.gas...), Facts: []FactInfo{},
	}
	for _, f := range c.facts {
		info.Facts = append(info.Facts, FactInfo{f.Kind, f.Block, f.BlockHash, f.TxHash, e.chain.level(f.Block), e.cfg.Trust.Needs(f.Kind, info.Funding)})
	}
	if p, ok := c.Play(); ok {
		s := p.Supported()
		info.HeadSeq, info.Supported, info.Signatures = p.Head().Seq, &s.Update, s.Signatures
		info.Terminal, info.InFlight = s.State.Header.Terminal, p.InFlight()
	}
	return info
}

// waitingFor adds to what the objectives wait for what is on chain already and does not count yet.
func (e *Engine) waitingFor(c *running) string {
	out, funding := string(c.WaitingFor()), c.Rules().Funding
	if out == "" {
		return out
	}
	newest := make(map[FactKind]chainFact)
	for _, f := range c.facts {
		if !e.counts(f, funding) {
			newest[f.Kind] = f
		}
	}
	for _, kind := range slices.Sorted(maps.Keys(newest)) {
		f := newest[kind]
		out += fmt.Sprintf("; %s is seen, newest in block %d, which is %s: it counts when it is %s", kind, f.Block, e.chain.level(f.Block), e.cfg.Trust.Needs(kind, funding))
	}
	return out
}
