package lifecycle_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/cockroachdb/datadriven"
	"github.com/evmts/channels/channel"
	"github.com/evmts/channels/protocols"
)

// TestTranscripts plays the scripts in testdata against the objectives of all participants (F3, F5, R1-R4).
func TestTranscripts(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		var c *cluster
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			if d.Cmd == "cluster" {
				opt := options{n: 2, independent: d.HasArg("independent"), sparse: d.HasArg("sparse"), ask: d.HasArg("ask"), late: d.HasArg("late")}
				d.MaybeScanArgs(t, "n", &opt.n)
				d.MaybeScanArgs(t, "sequencer", &opt.sequencer)
				odd := -1
				d.MaybeScanArgs(t, "odd", &odd)
				free := -1
				d.MaybeScanArgs(t, "free", &free)
				opt.odd, opt.free = []int{odd}, []int{free}
				c = newCluster(t, opt)
				return "ok\n"
			}
			c.t = t
			c.trace.Reset()
			c.quiet = d.HasArg("quiet")
			c.command(t, d)
			if c.trace.Len() == 0 {
				return "ok\n"
			}
			return c.trace.String()
		})
	})
}

func (c *cluster) command(t *testing.T, d *datadriven.TestData) {
	who := func() (i int) {
		_, err := fmt.Sscan(d.CmdArgs[0].Key, &i)
		if err != nil {
			d.Fatalf(t, "%s needs a participant: %v", d.Cmd, err)
		}
		return i
	}
	switch d.Cmd {
	case "propose":
		c.propose(who())
	case "open":
		c.quiet = true
		c.propose(0)
		c.stabilize()
		c.mine()
		c.stabilize()
	case "lose": // a reorg takes the refund away
		c.view.Refunded, c.counted.Refunded = false, false
		c.show()
	case "count":
		c.count()
	case "author":
		ask := protocols.AskAuthor{Payload: []byte(d.Input)}
		id := uint64(100)
		d.MaybeScanArgs(t, "id", &id)
		d.MaybeScanArgs(t, "notafter", &ask.NotAfter)
		d.MaybeScanArgs(t, "nonce", &ask.Nonce)
		repeat := 1
		d.MaybeScanArgs(t, "repeat", &repeat)
		for i := range repeat {
			c.input(c.nodes[who()], protocols.Request{ID: id + uint64(i), Ask: ask, Now: c.now})
		}
	case "inject":
		c.inject(t, d, who())
	case "approve":
		c.input(c.nodes[who()], protocols.Request{ID: 2, Ask: protocols.AskApprove{}, Now: c.now})
	case "reject":
		c.input(c.nodes[who()], protocols.Request{ID: 3, Ask: protocols.AskReject{Reason: d.Input}, Now: c.now})
	case "remote": // the keys of owner and attestor are with a signer
		c.nodes[who()].remote = true
	case "signs", "refuses":
		c.signer(c.nodes[who()], d.Cmd == "signs")
	case "close":
		c.close(who(), 200)
	case "stabilize":
		c.stabilize()
	case "deliver", "drop", "dup":
		c.messages(t, d)
	case "mine":
		c.mine()
	case "forget": // what it submitted never reaches a block
		i := who()
		c.pool = slices.DeleteFunc(slices.Clone(c.pool), func(p pooled) bool { return int(p.from) == i })
	case "fail": // what is submitted reverts
		pool := c.pool
		c.pool = nil
		for _, p := range pool {
			c.input(c.nodes[p.from], protocols.Submitted{Tx: p.tx, Err: "execution reverted"})
		}
	case "reorg":
		c.reorg(d.HasArg("deposits"))
	case "dies": // before=Sign, Send, …; count=2: before the second
		var before string
		count := 1
		d.ScanArgs(t, "before", &before)
		d.MaybeScanArgs(t, "count", &count)
		c.nodes[who()].fuse = func(a protocols.Action) bool {
			if fmt.Sprintf("%T", a) == "protocols."+before {
				count--
			}
			return count == 0
		}
	case "crash":
		c.crash(who())
	case "restart":
		c.restart(who())
	case "tick":
		var s uint64
		d.ScanArgs(t, "s", &s)
		c.tick(s)
	case "status":
		c.trace.WriteString(c.status())
	default:
		d.Fatalf(t, "unknown command %s", d.Cmd)
	}
}

// inject makes an event that the participant's own node would not make and brings it to the sequencer.
func (c *cluster) inject(t *testing.T, d *datadriven.TestData, i int) {
	n := c.nodes[i]
	e := channel.Event{ChannelID: n.cfg.Rules.ID(), Author: n.me, Nonce: 1, Timestamp: c.now, Payload: []byte(d.Input)}
	d.MaybeScanArgs(t, "nonce", &e.Nonce)
	d.MaybeScanArgs(t, "notafter", &e.NotAfter)
	ahead := uint64(0)
	d.MaybeScanArgs(t, "ahead", &ahead)
	e.Timestamp += ahead
	sig, err := channel.Sign(n.cfg.Rules.Params.Domain().Digest(e), n.key)
	if err != nil {
		d.Fatalf(t, "%v", err)
	}
	c.send(n, n.cfg.Rules.Params.Sequencer, protocols.Submit{Event: channel.SignedEvent{Event: e, Signature: sig}})
}

// messages selects by from= and to= what is delivered, dropped or delivered twice.
func (c *cluster) messages(t *testing.T, d *datadriven.TestData) {
	from, to, max, kind := -1, -1, 1<<20, ""
	d.MaybeScanArgs(t, "from", &from)
	d.MaybeScanArgs(t, "to", &to)
	d.MaybeScanArgs(t, "max", &max)
	d.MaybeScanArgs(t, "kind", &kind)
	var picked []envelope
	c.net = slices.DeleteFunc(slices.Clone(c.net), func(e envelope) bool {
		m, err := protocols.DecodeMessage(e.msg)
		if err != nil {
			d.Fatalf(t, "%v", err)
		}
		hit := (kind == "" || m.Kind().String() == kind) && (from < 0 || int(e.from) == from) && (to < 0 || int(e.to) == to) && len(picked) < max
		if hit {
			picked = append(picked, e)
		}
		return hit
	})
	if d.HasArg("reverse") {
		slices.Reverse(picked)
	}
	for _, e := range picked {
		switch d.Cmd {
		case "drop":
			m, _ := protocols.DecodeMessage(e.msg)
			c.printf("dropped %d→%d %s", e.from, e.to, describe(m.Body))
		case "dup":
			c.handOver(e)
			c.handOver(e)
		default:
			c.handOver(e)
		}
	}
}
