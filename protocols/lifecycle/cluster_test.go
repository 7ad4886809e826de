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

// tally is a module whose app is a log of author and payload. The payload "end" is terminal and gives everything to the
// author; "no" is rejected.
type tally struct{ independent bool }

func (m tally) Manifest() channel.Manifest {
	return channel.Manifest{ProgramHash: crypto.Keccak256Hash([]byte("tally")), FuelLimit: 1, PageLimit: 1, Independent: m.independent}
}

func (m tally) Init(input []byte) channel.Result {
	// The funding is what the harness always uses: one asset, ten from everybody.
	n := int(input[32*3+31]) // not read: the harness fixes n through shape below
	_ = n
	return channel.Result{}
}

func (m tally) Reduce(state, event []byte) channel.Result {
	n, assets, holders := int(event[2]), int(event[3]), int(event[4])
	header := 32 * (n + 3)
	funds := slices.Clone(state[header : header+32*assets*holders])
	app := slices.Clone(state[header+len(funds):])
	author, payload := int(event[1]), event[32:]
	terminal := byte(0)
	switch string(payload) {
	case "no":
		return channel.Result{Status: channel.RejectedByModule, Reason: "tally: no"}
	case "end":
		terminal = 1
		var total, v uint256.Int
		for p := 0; p < holders; p++ {
			v.SetBytes32(funds[32*p : 32*p+32])
			total.Add(&total, &v)
			clear(funds[32*p : 32*p+32])
		}
		w := total.Bytes32()
		copy(funds[32*author:], w[:])
	}
	app = append(append(app, byte('0'+author), ':'), payload...)
	app = append(app, ' ')
	return channel.Result{Output: append(append([]byte{terminal}, funds...), app...)}
}

func (tally) Effects([]byte) channel.Result {
	return channel.Result{Output: channel.EncodeEffects([]channel.Effect{{Op: channel.EffectIncrement, Key: []common.Hash{}, Data: []byte{1}}})}
}

// stakes gives tally's Init the funding of its cluster.
type stakes struct {
	tally
	n int
}

func (m stakes) Init([]byte) channel.Result {
	out := []byte{0}
	for range m.n {
		w := uint256.NewInt(10).Bytes32()
		out = append(out, w[:]...)
	}
	return channel.Result{Output: out}
}

// disk is what survives a crash.
type disk struct {
	objectives map[string][]byte
	entries    []channel.Entry
	hashes     []common.Hash
	signed     *channel.Update
	supported  *channel.Update
	sigs       []channel.Signature
	pending    map[uint64]channel.SignedEvent
	close      *channel.Close
}

type node struct {
	me      uint8
	key     *ecdsa.PrivateKey
	cfg     *lifecycle.Config
	life    lifecycle.Lifecycle
	disk    *disk
	up      bool
	known   bool
	ever    map[uint64]channel.Update // every Update ever signed, across crashes
	answers []string
	notes   []string
}

type envelope struct {
	from, to uint8
	msg      []byte
}

// cluster runs the lifecycles of all participants, a network that obeys the script, and a chain.
type cluster struct {
	t     testing.TB
	nodes []*node
	net   []envelope
	view  protocols.ChainView
	txs   []protocols.Tx
	froms []uint8
	now   uint64
	trace strings.Builder
	quiet bool
	// concludes are what was submitted, for the oracle.
	final *channel.Update
}

func newCluster(t testing.TB, n int, independent bool) *cluster {
	c := &cluster{t: t, now: 1000}
	c.view.Time = 1000
	params := &channel.Params{
		Adjudicator: common.Address{0xad}, Nonce: 1, Window: 60, ForceQuota: 64, FundingDeadline: 1_000_000,
		GenesisHash: channel.GenesisHash([]byte("genesis")),
	}
	params.ChainID.SetUint64(901)
	m := stakes{tally{independent}, n}
	params.ModuleHash = m.Manifest().Hash()
	stake := channel.Stake{}
	var keys []*ecdsa.PrivateKey
	for i := range n {
		key, err := crypto.ToECDSA(crypto.Keccak256([]byte{byte(i)}))
		require.NoError(t, err)
		keys = append(keys, key)
		addr := crypto.PubkeyToAddress(key.PublicKey)
		params.Participants = append(params.Participants, channel.Participant{Signer: addr, Owner: addr})
		stake.Amounts = append(stake.Amounts, *uint256.NewInt(10))
	}
	funding := channel.Funding{stake}
	params.FundingHash = funding.Hash()
	rules, err := channel.NewRules(params, funding, m)
	require.NoError(t, err)
	start, err := lifecycle.StartOf(rules, []byte("genesis"))
	require.NoError(t, err)
	for i := range n {
		cfg := &lifecycle.Config{
			Rules: rules, Genesis: []byte("genesis"), Start: start, Me: uint8(i), Attest: i == 0, Margin: 60, Skew: 30, Stall: 5, Turn: 10,
		}
		c.nodes = append(c.nodes, &node{me: uint8(i), key: keys[i], cfg: cfg, up: true, disk: newDisk(), ever: make(map[uint64]channel.Update)})
	}
	return c
}

func newDisk() *disk {
	return &disk{objectives: make(map[string][]byte), pending: make(map[uint64]channel.SignedEvent)}
}

func (c *cluster) printf(format string, args ...any) {
	if !c.quiet {
		fmt.Fprintf(&c.trace, format+"\n", args...)
	}
}

func (c *cluster) propose(i int) {
	n := c.nodes[i]
	n.life, n.known = lifecycle.Propose(n.cfg), true
	c.input(n, c.view)
	c.input(n, protocols.Request{ID: 1, Ask: protocols.AskApprove{}, Now: c.now})
}

// input is the engine: crank, flush, records, then signatures, then the rest.
func (c *cluster) input(n *node, in protocols.Input) {
	if !n.up || !n.known {
		return
	}
	var acts []protocols.Action
	n.life, acts = n.life.Crank(in)
	c.run(n, acts)
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
			acts = append(acts, c.act(n, a)...)
		}
		if len(acts) > 0 {
			flushed = false
			continue
		}
		if flushed {
			return
		}
		n.life, acts = n.life.Crank(protocols.Flush{Now: c.now})
		flushed = true
	}
}

func (c *cluster) record(n *node, r protocols.Record) {
	d := n.disk
	switch r := r.(type) {
	case protocols.RecordEntry:
		require.EqualValues(c.t, len(d.entries)+1, r.Seq, "entries are appended in order")
		d.entries, d.hashes = append(d.entries, r.Entry), append(d.hashes, r.StateHash)
	case protocols.RecordSigned:
		if d.signed != nil && d.signed.Seq >= r.Update.Seq {
			require.Equal(c.t, *d.signed, r.Update, "S1: one Update per seq, ever")
		}
		require.Nil(c.t, d.close, "S5: nothing is signed after Close")
		u := r.Update
		d.signed = &u
	case protocols.RecordSupported:
		u := r.Update
		if d.supported == nil || u.Seq >= d.supported.Seq {
			d.supported, d.sigs = &u, r.Signatures
		}
		for i, s := range r.Signatures {
			require.NoError(c.t, s.Verify(n.cfg.Rules.Params.Domain().Digest(u), n.cfg.Rules.Params.Participants[i].Signer), "R3: supported means all")
		}
	case protocols.RecordPending:
		d.pending[r.Event.Nonce] = r.Event
	case protocols.RecordPlaced:
		delete(d.pending, r.Nonce)
	case protocols.RecordClose:
		if d.close != nil {
			require.Equal(c.t, *d.close, r.Close, "S5: at most one Close")
		}
		cl := r.Close
		d.close = &cl
	case protocols.RecordObjective:
		d.objectives[r.Name] = r.Data
	}
}

func (c *cluster) act(n *node, a protocols.Action) []protocols.Action {
	var acts []protocols.Action
	switch a := a.(type) {
	case protocols.Sign:
		if u, ok := a.Message.(channel.Update); ok {
			require.NotNil(c.t, n.disk.signed)
			require.Equal(c.t, *n.disk.signed, *n.disk.signed)
			require.LessOrEqual(c.t, u.Seq, n.disk.signed.Seq, "recorded before it is signed")
			if was, ok := n.ever[u.Seq]; ok {
				require.Equal(c.t, was, u, "S1 across crashes")
			}
			n.ever[u.Seq] = u
		}
		sig, err := channel.Sign(n.cfg.Rules.Params.Domain().Digest(a.Message), n.key)
		require.NoError(c.t, err)
		n.life, acts = n.life.Crank(protocols.Signed{Message: a.Message, Signature: sig})
	case protocols.Send:
		c.send(n, a.To, a.Body)
	case protocols.SendEntries:
		c.sendEntries(n, a)
	case protocols.SubmitTx:
		c.printf("  %d submits %s", n.me, a.Tx.Kind)
		c.txs, c.froms = append(c.txs, a.Tx), append(c.froms, n.me)
	case protocols.Replay:
		p, _ := n.life.Play()
		effects, verdict := n.cfg.Rules.Effects(p.Head().State)
		require.NoError(c.t, verdict.Err())
		n.life, acts = n.life.Crank(protocols.Replayed{Update: p.Head().Update(n.cfg.Rules.ID()), Effects: effects})
	case protocols.Notify:
		text := fmt.Sprintf("%s %d %s %s", a.Event.Kind, a.Event.Seq, a.Event.Code, a.Event.Text)
		n.notes = append(n.notes, text)
		c.printf("  %d: %s", n.me, strings.TrimSpace(text))
	case protocols.Respond:
		text := fmt.Sprintf("answer %d: ", a.ID)
		if a.Err != nil {
			text += a.Err.Error()
		} else {
			text += fmt.Sprintf("ok at %d", a.Seq)
		}
		n.answers = append(n.answers, text)
		c.printf("  %d %s", n.me, text)
	case protocols.Drop:
		c.printf("  %d drops a message of %d: %s %s", n.me, a.From, a.Code, a.Text)
	case protocols.HoldPlay:
		c.t.Fatal("HoldPlay must not leave the lifecycle")
	}
	return acts
}

func (c *cluster) send(n *node, to uint8, body protocols.Body) {
	b, err := protocols.Message{Channel: n.cfg.Rules.ID(), Body: body}.Encode()
	require.NoError(c.t, err)
	c.net = append(c.net, envelope{n.me, to, b})
}

func (c *cluster) sendEntries(n *node, a protocols.SendEntries) {
	m := protocols.CatchUp{From: a.From, Heads: a.Heads}
	last := a.Heads[len(a.Heads)-1].Update.Seq
	if a.From <= last {
		m.Entries = n.disk.entries[a.From-1 : min(last, a.From-1+3)] // three at a time, so that parts and proofs are seen
		if end := a.From + uint64(len(m.Entries)) - 1; end < last {
			var tree channel.Tree
			tree.Append(channel.LeafHash(n.cfg.Rules.Params.GenesisHash, n.cfg.Start.Hash))
			for i, e := range n.disk.entries[:last] {
				tree.Append(channel.LeafHash(e.Hash(n.cfg.Rules.ID()), n.disk.hashes[i]))
			}
			var err error
			m.Proof, err = tree.ConsistencyProof(end+1, last+1)
			require.NoError(c.t, err)
		}
	}
	c.send(n, a.To, m)
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
		c.input(n, c.view)
		c.input(n, protocols.Request{Ask: protocols.AskApprove{}, Now: c.now})
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
		return fmt.Sprintf("catch_up from %d, %d entries, head %d, proof %d", m.From, len(m.Entries), m.Heads[len(m.Heads)-1].Update.Seq, len(m.Proof))
	case protocols.Refusal:
		return fmt.Sprintf("refusal %s: %s", m.Code, m.Text)
	case protocols.CloseConsent:
		return fmt.Sprintf("close at %d", m.Close.Seq)
	case protocols.Diverged:
		return fmt.Sprintf("diverged at %d", m.Seq)
	case protocols.Proposal:
		return "proposal"
	case protocols.Accept:
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
	for i, tx := range c.txs {
		n := c.nodes[c.froms[i]]
		err := ""
		switch tx.Kind {
		case protocols.TxDeposit:
			d := protocols.Deposit{Participant: n.me, Asset: tx.Asset}
			if slices.Contains(c.view.Deposited, d) {
				err = "already deposited"
				break
			}
			c.view.Deposited = append(slices.Clone(c.view.Deposited), d)
			c.view.Funded = len(c.view.Deposited) == len(c.nodes)
		case protocols.TxConclude:
			if c.view.Final {
				err = "final"
				break
			}
			u, sigs, closes := n.life.Defund().Conclusion()
			c.checkConclusion(u, sigs, closes)
			c.view.Final, c.view.FinalSeq, c.view.FinalHash = true, u.Seq, u.StateHash
			c.final = &u
		case protocols.TxSettle:
			c.view.Settled = true
		case protocols.TxRefund:
			c.view.Refunded = true
		}
		c.printf("mined %s of %d %s", tx.Kind, n.me, err)
		c.input(n, protocols.Submitted{Tx: tx, Err: err})
	}
	c.txs, c.froms = nil, nil
	c.view.Time = c.now
	for _, n := range c.nodes {
		c.input(n, c.view)
	}
}

func (c *cluster) checkConclusion(u channel.Update, sigs, closes []channel.Signature) {
	r := c.nodes[0].cfg.Rules
	for i, p := range r.Params.Participants {
		require.NoError(c.t, sigs[i].Verify(r.Params.Domain().Digest(u), p.Signer))
		if closes != nil {
			cl := channel.Close{ChannelID: u.ChannelID, Seq: u.Seq, StateHash: u.StateHash}
			require.NoError(c.t, closes[i].Verify(r.Params.Domain().Digest(cl), p.Signer))
		}
	}
}

func (c *cluster) crash(i int) {
	n := c.nodes[i]
	n.up, n.life = false, lifecycle.Lifecycle{}
	for k, f := range c.froms { // what it submitted is in the pool already; its answer is lost
		_ = k
		_ = f
	}
}

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
	n.life = life
	c.run(n, acts)
	c.input(n, c.view)
	for _, o := range c.nodes {
		if o != n && o.up {
			c.input(n, protocols.Connected{Peer: o.me})
			c.input(o, protocols.Connected{Peer: n.me})
		}
	}
}

func (c *cluster) restorePlay(n *node) *play.Restored {
	at := n.cfg.Start
	r := &play.Restored{Signed: *n.disk.signed, Supported: play.Supported{Update: *n.disk.supported, Signatures: n.disk.sigs}}
	if n.disk.supported.Seq == 0 {
		r.Supported.State = at.State
	}
	for i, e := range n.disk.entries {
		state, verdict := n.cfg.Rules.Apply(at.State, at.Seq+1, &e.Event.Event)
		require.NoError(c.t, verdict.Err())
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
