package lifecycle_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/cockroachdb/datadriven"
	"github.com/evmts/channels/protocols"
)

// TestTranscripts plays the scripts in testdata against the objectives of all participants (F3, F5, R1-R4).
func TestTranscripts(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		var c *cluster
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			if d.Cmd == "cluster" {
				var n int
				d.ScanArgs(t, "n", &n)
				c = newCluster(t, n, d.HasArg("independent"))
				return "ok\n"
			}
			c.t = t
			c.trace.Reset()
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
	case "author":
		n := c.nodes[who()]
		id := uint64(100)
		d.MaybeScanArgs(t, "id", &id)
		c.input(n, protocols.Request{ID: id, Ask: protocols.AskAuthor{Payload: []byte(d.Input)}, Now: c.now})
	case "close":
		c.input(c.nodes[who()], protocols.Request{ID: 200, Ask: protocols.AskClose{}, Now: c.now})
	case "stabilize":
		c.stabilize()
	case "deliver", "drop", "dup":
		c.messages(t, d)
	case "mine":
		c.mine()
	case "reorg":
		c.view.Funded, c.view.Final, c.view.Settled = false, false, false
		c.view.Deposited = nil
		for _, n := range c.nodes {
			c.input(n, c.view)
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

// messages selects by from= and to= what is delivered, dropped or delivered twice.
func (c *cluster) messages(t *testing.T, d *datadriven.TestData) {
	from, to, max := -1, -1, 1<<20
	d.MaybeScanArgs(t, "from", &from)
	d.MaybeScanArgs(t, "to", &to)
	d.MaybeScanArgs(t, "max", &max)
	var picked []envelope
	c.net = slices.DeleteFunc(slices.Clone(c.net), func(e envelope) bool {
		hit := (from < 0 || int(e.from) == from) && (to < 0 || int(e.to) == to) && len(picked) < max
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
