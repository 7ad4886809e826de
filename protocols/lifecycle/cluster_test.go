package lifecycle_test

import (
	"crypto/ecdsa"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/evmts/channels/channel"
	"github.com/evmts/channels/protocols"
	"github.com/evmts/channels/protocols/lifecycle"
	"github.com/evmts/channels/protocols/play"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"
)

const fundingDeadline = 1_000_000

type node struct {
	me    uint8
	key   *ecdsa.PrivateKey
	owner *ecdsa.PrivateKey
	cfg   *lifecycle.Config
	life  lifecycle.Lifecycle
	disk  *disk
	up    bool
	known bool
	fuse  func(protocols.Action) bool // the process dies before the action for which this is true

	remote bool             // owner's and attestor's keys are elsewhere
	unsaid []protocols.Sign // what their signer was asked and has not answered

	// What the oracle remembers, across crashes.
	ever       map[uint64]channel.Update // every Update ever signed
	seen       protocols.ChainView       // newest picture of the chain that the node was given
	asked      bool                      // its owner wants to close
	halted     bool
	signatures int
	crashes    int
	drops      []protocols.Drop
	answers    []string
	answered   map[uint64]answer
	requested  map[uint64]int // crashes of the sequencer before the request
	notes      []string
}

// answer to a request. A sequencer that crashes forgets what it refused.
type answer struct {
	refused *channel.Refusal
	crashed bool // the sequencer, between request and answer
	crashes int  // of the sequencer, before the answer
}

type envelope struct {
	from, to uint8
	msg      []byte
}

// pooled is a transaction on its way; what it was built from is fixed when it is sent.
type pooled struct {
	from   uint8
	tx     protocols.Tx
	update channel.Update
	sigs   []channel.Signature
	closes []channel.Signature
}

// cluster runs the lifecycles of all participants, a network that obeys the script, and a chain.
type cluster struct {
	t     testing.TB
	nodes []*node
	net   []envelope
	view  protocols.ChainView // at the newest block
	// late: what is mined counts only when the runner says so, and until then it is just seen.
	late    bool
	counted protocols.ChainView
	pool    []pooled
	now     uint64
	trace   strings.Builder
	quiet   bool
	ask     bool // proposals wait for the owner
	final   *channel.Update
	// dishonest: participants may have signed what they should not have.
	dishonest bool
	supported map[uint64]channel.Update // by anybody, ever
	watch     *watch
	payers    int
}

// options of a cluster; the zero value is two honest participants, the first of whom orders.
type options struct {
	n, sequencer        int
	independent, sparse bool
	odd                 []int // participants whose module derives something else
	free                []int // participants who pay nothing and join by their owner's signature
	ask                 bool
	late                bool // see cluster.late
}

func newCluster(t testing.TB, opt options) *cluster {
	c := &cluster{t: t, now: 1000, ask: opt.ask, late: opt.late, supported: make(map[uint64]channel.Update)}
	c.view.Time = c.now
	c.counted = c.view
	m := tally{n: opt.n, free: opt.free, independent: opt.independent, sparse: opt.sparse}
	params := &channel.Params{
		Adjudicator: common.Address{0xad}, Nonce: 1, Window: 60, ForceQuota: 64, FundingDeadline: fundingDeadline,
		GenesisHash: channel.GenesisHash([]byte("genesis")), ModuleHash: m.Manifest().Hash(), Sequencer: uint8(opt.sequencer),
	}
	params.ChainID.SetUint64(901)
	stake := channel.Stake{}
	var keys, owners []*ecdsa.PrivateKey
	for i := range opt.n {
		key, err := crypto.ToECDSA(crypto.Keccak256([]byte{byte(i)}))
		require.NoError(t, err)
		owner, err := crypto.ToECDSA(crypto.Keccak256([]byte{byte(i), 1}))
		require.NoError(t, err)
		keys, owners = append(keys, key), append(owners, owner)
		params.Participants = append(params.Participants, channel.Participant{
			Signer: crypto.PubkeyToAddress(key.PublicKey), Owner: crypto.PubkeyToAddress(owner.PublicKey),
		})
		amount := uint64(10)
		if slices.Contains(opt.free, i) {
			amount = 0
		} else {
			c.payers++
		}
		stake.Amounts = append(stake.Amounts, *uint256.NewInt(amount))
	}
	funding := channel.Funding{stake}
	params.FundingHash = funding.Hash()
	for i := range opt.n {
		mod := m
		mod.odd = slices.Contains(opt.odd, i)
		rules, err := channel.NewRules(params, funding, mod)
		require.NoError(t, err)
		start, err := lifecycle.StartOf(rules, []byte("genesis"))
		require.NoError(t, err)
		cfg := &lifecycle.Config{
			Rules: rules, Genesis: []byte("genesis"), Start: start, Me: uint8(i), Attest: i == 0, Margin: 60, Skew: 30, Stall: 5, Turn: 10,
		}
		c.nodes = append(c.nodes, &node{
			me: uint8(i), key: keys[i], owner: owners[i], cfg: cfg, up: true, disk: newDisk(start.Journal.Peaks()[0]),
			ever: make(map[uint64]channel.Update), answered: make(map[uint64]answer), requested: make(map[uint64]int),
		})
	}
	return c
}

// openCluster is a cluster whose channel is open.
func openCluster(t testing.TB, opt options) *cluster {
	c := newCluster(t, opt)
	c.quiet = true
	c.propose(0)
	c.stabilize()
	c.mine()
	c.stabilize()
	for _, n := range c.nodes {
		require.Equal(t, "open", n.life.Status())
	}
	return c
}

func (c *cluster) printf(format string, args ...any) {
	if !c.quiet {
		c.trace.WriteString(strings.TrimRight(fmt.Sprintf(format, args...), " ") + "\n")
	}
}

func (c *cluster) propose(i int) {
	n := c.nodes[i]
	n.life, n.known = lifecycle.Propose(n.cfg), true
	c.input(n, c.picture())
	c.input(n, protocols.Request{ID: 1, Ask: protocols.AskApprove{}, Now: c.now})
}

func (c *cluster) author(i int, id uint64, payload string) {
	c.input(c.nodes[i], protocols.Request{ID: id, Ask: protocols.AskAuthor{Payload: []byte(payload)}, Now: c.now})
}

func (c *cluster) close(i int, id uint64) {
	c.input(c.nodes[i], protocols.Request{ID: id, Ask: protocols.AskClose{}, Now: c.now})
}

// input is the engine: crank, flush, records, then signatures, then the rest.
func (c *cluster) input(n *node, in protocols.Input) {
	if !n.up || !n.known {
		return
	}
	switch in := in.(type) {
	case protocols.ChainView:
		n.seen = in
	case protocols.Request:
		n.requested[in.ID] = c.sequencer().crashes
		if _, ok := in.Ask.(protocols.AskClose); ok {
			n.asked = true
		}
	}
	c.run(n, c.crank(n, in))
}

// crank gives one input to the node's lifecycle.
func (c *cluster) crank(n *node, in protocols.Input) []protocols.Action {
	before := c.watch.before(n)
	next, acts := n.life.Crank(in)
	c.watch.after(c.t, n, before, acts, in)
	n.life = next
	return acts
}

func (c *cluster) run(n *node, acts []protocols.Action) {
	for flushed := false; ; {
		var later []protocols.Action
		for _, a := range acts {
			if r, ok := a.(protocols.Record); ok {
				c.record(n, r)
			} else {
				later = append(later, a)
			}
		}
		acts = nil
		for _, a := range later {
			if n.fuse != nil && n.fuse(a) {
				c.printf("  %d dies before %s", n.me, strings.TrimPrefix(fmt.Sprintf("%T", a), "protocols."))
				c.crash(int(n.me))
				return
			}
			acts = append(acts, c.act(n, a)...)
		}
		if len(acts) > 0 {
			flushed = false
			continue
		}
		if flushed {
			return
		}
		acts = c.crank(n, protocols.Flush{Now: c.now})
		flushed = true
	}
}

func (c *cluster) act(n *node, a protocols.Action) []protocols.Action {
	switch a := a.(type) {
	case protocols.Sign:
		c.checkSign(n, a)
		if n.remote && a.Key != protocols.SessionKey {
			c.printf("  %d asks its signer for %s", n.me, strings.TrimPrefix(fmt.Sprintf("%T", a.Message), "channel."))
			n.unsaid = append(n.unsaid, a)
			return nil
		}
		key := n.key
		if a.Key == protocols.OwnerKey {
			key = n.owner
		}
		sig, err := channel.Sign(n.cfg.Rules.Params.Domain().Digest(a.Message), key)
		require.NoError(c.t, err)
		return c.crank(n, protocols.Signed{Message: a.Message, Signature: sig})
	case protocols.Send:
		c.send(n, a.To, a.Body)
	case protocols.SendEntries:
		c.sendEntries(n, a)
	case protocols.SubmitTx:
		c.printf("  %d submits %s", n.me, a.Tx.Kind)
		u, sigs, closes := n.life.Defund().Conclusion()
		c.pool = append(c.pool, pooled{n.me, a.Tx, u, sigs, closes})
	case protocols.Replay:
		p, _ := n.life.Play()
		effects, verdict := n.cfg.Rules.Effects(p.Head().State)
		require.NoError(c.t, verdict.Err())
		return c.crank(n, protocols.Replayed{Update: p.Head().Update(n.cfg.Rules.ID()), Effects: effects})
	case protocols.Recall:
		at := n.cfg.Start
		for _, e := range n.disk.entries[:a.Update.Seq] {
			at, _ = c.extend(at, *e.Event)
		}
		require.Equal(c.t, a.Update, at.Update(c.id()), "all signatures are on our own journal")
		return c.crank(n, protocols.Recalled{Update: a.Update, Signatures: a.Signatures, State: at.State})
	case protocols.Notify:
		text := fmt.Sprintf("%s %d %s %s", a.Event.Kind, a.Event.Seq, a.Event.Code, a.Event.Text)
		if a.Event.Kind == protocols.NoteHalted || a.Event.Kind == protocols.NoteDiverged && strings.HasPrefix(a.Event.Text, "our ") {
			n.halted = true
		}
		n.notes = append(n.notes, text)
		c.printf("  %d: %s", n.me, strings.TrimSpace(text))
	case protocols.Respond:
		text := fmt.Sprintf("answer %d: ", a.ID)
		if a.Err != nil {
			text += a.Err.Error()
		} else {
			text += fmt.Sprintf("ok at %d", a.Seq)
		}
		n.answers, n.answered[a.ID] = append(n.answers, text), answer{a.Err, n.requested[a.ID] != c.sequencer().crashes, c.sequencer().crashes}
		c.printf("  %d %s", n.me, text)
	case protocols.Drop:
		n.drops = append(n.drops, a)
		c.printf("  %d drops a message of %d: %s %s", n.me, a.From, a.Code, a.Text)
	case protocols.HoldPlay:
		c.t.Fatal("HoldPlay must not leave the lifecycle")
	}
	return nil
}

func (c *cluster) send(n *node, to uint8, body protocols.Body) {
	b, err := protocols.Message{Channel: n.cfg.Rules.ID(), Body: body}.Encode()
	require.NoError(c.t, err)
	c.net = append(c.net, envelope{n.me, to, b})
}

func (c *cluster) sendEntries(n *node, a protocols.SendEntries) {
	c.send(n, a.To, c.catchUp(n, a.From, a.Heads))
}

// catchUp is what the runner makes of SendEntries: three entries at a time, so that parts and proofs are seen.
func (c *cluster) catchUp(n *node, from uint64, heads []protocols.Head) protocols.CatchUp {
	m := protocols.CatchUp{From: from, Heads: heads}
	last := heads[len(heads)-1].Update.Seq
	if from <= last {
		m.Entries = n.disk.entries[from-1 : min(last, from-1+3)]
		if end := from + uint64(len(m.Entries)) - 1; end < last {
			var err error
			m.Proof, err = n.disk.tree.ConsistencyProof(end+1, last+1)
			require.NoError(c.t, err)
		}
	}
	return m
}

// signer answers everything that a node's signer was asked.
func (c *cluster) signer(n *node, signs bool) {
	asked := n.unsaid
	n.unsaid = nil
	for _, a := range asked {
		if !signs {
			c.input(n, protocols.Unsigned{Message: a.Message, Code: channel.CodeSigner, Err: "it is asleep"})
			continue
		}
		sig, err := channel.Sign(n.cfg.Rules.Params.Domain().Digest(a.Message), n.owner)
		require.NoError(c.t, err)
		c.input(n, protocols.Signed{Message: a.Message, Signature: sig})
	}
}

// deliver hands over the i-th message in the network.
func (c *cluster) deliver(i int) {
	e := c.net[i]
	c.net = slices.Delete(slices.Clone(c.net), i, i+1)
	c.handOver(e)
}

func (c *cluster) handOver(e envelope) {
	n := c.nodes[e.to]
	m, err := protocols.DecodeMessage(e.msg)
	require.NoError(c.t, err)
	if !n.up {
		c.printf("  %d→%d %s lost: %d is down", e.from, e.to, m.Kind(), e.to)
		return
	}
	c.printf("%d→%d %s", e.from, e.to, describe(m.Body))
	if !n.known {
		if _, ok := m.Body.(protocols.Proposal); !ok {
			return
		}
		n.life, n.known = lifecycle.New(n.cfg), true
		n.disk.objectives["directfund"] = n.life.Fund().Encode()
		c.input(n, c.picture())
		if !c.ask {
			c.input(n, protocols.Request{Ask: protocols.AskApprove{}, Now: c.now})
		}
		return
	}
	c.input(n, protocols.Received{From: e.from, Body: m.Body, Now: c.now})
}

func describe(b protocols.Body) string {
	switch m := b.(type) {
	case protocols.Submit:
		return fmt.Sprintf("submit nonce %d %q", m.Event.Nonce, string(m.Event.Payload))
	case protocols.Append:
		return fmt.Sprintf("append %d..%d", m.From, m.Update.Seq)
	case protocols.Countersign:
		return fmt.Sprintf("countersign %d", m.Seq)
	case protocols.Sync:
		return fmt.Sprintf("sync head %d supported %d", m.Seq, m.Supported)
	case protocols.CatchUp:
		return fmt.Sprintf("catch_up from %d, %d entries, %d heads to %d, proof %d", m.From, len(m.Entries), len(m.Heads), m.Heads[len(m.Heads)-1].Update.Seq, len(m.Proof))
	case protocols.Refusal:
		return fmt.Sprintf("refusal %s: %s", m.Code, m.Text)
	case protocols.CloseConsent:
		return fmt.Sprintf("close at %d", m.Close.Seq)
	case protocols.Diverged:
		return fmt.Sprintf("diverged at %d", m.Seq)
	case protocols.Proposal:
		return "proposal"
	case protocols.Accept:
		if m.Want {
			return "accept, wants ours"
		}
		return "accept"
	}
	return fmt.Sprintf("%T", b)
}

func (c *cluster) stabilize() {
	for rounds := 0; len(c.net) > 0; rounds++ {
		require.Less(c.t, rounds, 100_000, "the network does not come to rest")
		c.deliver(0)
	}
}

// mine executes what was submitted, as the contracts would, and shows everybody the result.
func (c *cluster) mine() {
	pool := c.pool
	c.pool = nil
	for _, p := range pool {
		err := c.execute(p)
		c.printf("mined %s of %d %s", p.tx.Kind, p.from, err)
		c.input(c.nodes[p.from], protocols.Submitted{Tx: p.tx, Err: err})
	}
	c.view.Time = c.now
	c.show()
}

func (c *cluster) execute(p pooled) (revert string) {
	switch p.tx.Kind {
	case protocols.TxDeposit:
		d := protocols.Deposit{Participant: p.from, Asset: p.tx.Asset}
		if c.now >= fundingDeadline {
			return "too late"
		}
		if slices.Contains(c.view.Deposited, d) {
			return "already deposited"
		}
		c.view.Deposited = append(slices.Clone(c.view.Deposited), d)
		c.view.Funded = len(c.view.Deposited) == c.payers
	case protocols.TxConclude:
		if c.view.Final {
			return "final"
		}
		if !c.view.Funded {
			return "not funded"
		}
		c.checkConclusion(p.update, p.sigs, p.closes)
		u := p.update
		c.view.Final, c.view.FinalSeq, c.view.FinalHash, c.final = true, u.Seq, u.StateHash, &u
	case protocols.TxSettle:
		if !c.view.Final {
			return "not final"
		}
		c.view.Settled = true
	case protocols.TxRefund:
		if c.view.Funded || c.view.Refunded || c.now < fundingDeadline {
			return "no refund"
		}
		c.view.Refunded = true
	}
	return ""
}

// picture is what a node is shown of the chain.
func (c *cluster) picture() protocols.ChainView {
	v := c.view
	if c.late {
		v = c.counted
	}
	v.Seen = protocols.Seen{
		Time: c.view.Time, Deposited: c.view.Deposited, Refunded: c.view.Refunded, Final: c.view.Final, Settled: c.view.Settled, Proven: c.view.Proven,
	}
	return v
}

// count lets everything that is mined count.
func (c *cluster) count() {
	c.counted = c.view
	c.show()
}

// show gives everybody the newest picture of the chain.
func (c *cluster) show() {
	for _, n := range c.nodes {
		c.input(n, c.picture())
	}
}

// reorg takes away what was mined: the end of the channel, or its deposits too.
func (c *cluster) reorg(deposits bool) {
	for _, v := range []*protocols.ChainView{&c.view, &c.counted} {
		v.Final, v.FinalSeq, v.FinalHash, v.Settled = false, 0, common.Hash{}, false
		if deposits {
			v.Funded, v.Deposited = false, nil
		}
	}
	c.final = nil
	c.show()
}

// crash ends a process; what it sent and submitted is out, what it had in memory is gone.
func (c *cluster) crash(i int) {
	n := c.nodes[i]
	n.up, n.life, n.fuse, n.unsaid = false, lifecycle.Lifecycle{}, nil, nil
	n.crashes++
	if d := n.disk; d.durable != nil { // what was not waited for may be lost: here it always is
		d.supported, d.sigs, d.durable = d.durable.update, d.durable.sigs, nil
	}
}

func (c *cluster) sequencer() *node { return c.nodes[c.nodes[0].cfg.Rules.Params.Sequencer] }

func (c *cluster) restart(i int) {
	n := c.nodes[i]
	n.up = true
	if n.disk.objectives["directfund"] == nil {
		n.known = false
		return
	}
	r := lifecycle.Restored{Objectives: n.disk.objectives}
	if n.disk.supported != nil {
		r.Play = c.restorePlay(n)
	}
	life, acts, err := lifecycle.Restore(n.cfg, r)
	require.NoError(c.t, err)
	n.life, n.seen = life, protocols.ChainView{}
	c.run(n, acts)
	c.input(n, c.picture())
	for _, o := range c.nodes {
		if o != n && o.up {
			c.input(n, protocols.Connected{Peer: o.me})
			c.input(o, protocols.Connected{Peer: n.me})
		}
	}
}

func (c *cluster) restorePlay(n *node) *play.Restored {
	at := n.cfg.Start
	r := &play.Restored{Signed: *n.disk.signed, Known: n.disk.known, Supported: play.Supported{Update: *n.disk.supported, Signatures: n.disk.sigs}}
	if n.disk.supported.Seq == 0 {
		r.Supported.State = at.State
	}
	for i, e := range n.disk.entries {
		state, verdict := n.cfg.Rules.Apply(at.State, at.Seq+1, &e.Event.Event)
		require.NoError(c.t, verdict.Err(), "S4: a rejected event is in the journal")
		at = play.Point{Seq: at.Seq + 1, State: state, Hash: state.Hash(), Journal: at.Journal.Append(channel.LeafHash(e.Hash(n.cfg.Rules.ID()), state.Hash()))}
		require.Equal(c.t, n.disk.hashes[i], at.Hash)
		if at.Seq == n.disk.supported.Seq {
			r.Supported.State = at.State
		}
	}
	r.Head = at
	for _, nonce := range sortedKeys(n.disk.pending) {
		r.Pending = append(r.Pending, n.disk.pending[nonce])
	}
	return r
}

func sortedKeys(m map[uint64]channel.SignedEvent) (keys []uint64) {
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func (c *cluster) tick(seconds uint64) {
	c.now += seconds
	for _, n := range c.nodes {
		c.input(n, protocols.Tick{Now: c.now})
	}
}

func (c *cluster) status() string {
	var b strings.Builder
	for _, n := range c.nodes {
		if !n.up {
			fmt.Fprintf(&b, "%d: down\n", n.me)
			continue
		}
		if !n.known {
			fmt.Fprintf(&b, "%d: does not know the channel\n", n.me)
			continue
		}
		fmt.Fprintf(&b, "%d: %s", n.me, n.life.Status())
		if p, ok := n.life.Play(); ok {
			fmt.Fprintf(&b, ", %s, head %d, supported %d, in flight %d, app %q", p.Phase(), p.Head().Seq, p.Supported().Update.Seq, p.InFlight(), string(p.Head().State.App))
		}
		if w := n.life.WaitingFor(); w != "" {
			fmt.Fprintf(&b, ", waiting for %s", w)
		}
		b.WriteString("\n")
	}
	return b.String()
}
