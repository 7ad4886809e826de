package lifecycle_test

import (
	"testing"

	"github.com/evmts/channels/channel"
	"github.com/evmts/channels/protocols"
	"github.com/stretchr/testify/require"
)

func TestA10_FloodsAreBounded(t *testing.T) {
	size := func(n *node) int { return len(dump(n.life)) }
	t.Run("early countersignatures", func(t *testing.T) {
		c := game(t, 0)
		honest := c.event(2, 2, "d")
		at, entries := c.extend(c.head(1), honest)
		u := at.Update(c.id())
		c.tell(2, 1, protocols.Countersign{Seq: 4, Signature: c.sign(2, u)}) // an honest one, early
		for seq := uint64(4); seq < 2*protocols.MaxInFlight; seq++ {
			c.tell(0, 1, protocols.Countersign{Seq: seq})
		}
		full := size(c.nodes[1])
		for seq := uint64(1 << 40); seq < 1<<40+500; seq++ {
			c.tell(0, 1, protocols.Countersign{Seq: seq})
		}
		require.Less(t, size(c.nodes[1]), full+full/4, "each participant has its own room")
		c.tell(0, 1, c.append(4, entries, u, 0))
		p, _ := c.nodes[1].life.Play()
		require.EqualValues(t, 4, p.Supported().Update.Seq, "the flood did not push out the honest signature")
	})
	t.Run("submitted events", func(t *testing.T) {
		c := game(t, 0)
		c.author(0, 600, "holds the order")
		c.net = nil
		for nonce := uint64(2); nonce < 600; nonce++ {
			c.tell(2, 0, protocols.Submit{Event: c.event(2, nonce, "flood")})
		}
		n := c.nodes[0]
		require.Equal(t, channel.CodeBusy, n.drops[len(n.drops)-1].Code)
		full := size(n)
		for nonce := uint64(600); nonce < 900; nonce++ {
			c.tell(2, 0, protocols.Submit{Event: c.event(2, nonce, "flood")})
		}
		require.LessOrEqual(t, size(n), full+64)
		c.net = nil
		c.tell(1, 0, protocols.Submit{Event: c.event(1, 2, "there is room for others")})
		require.Empty(t, c.net, "not refused")
	})
	t.Run("refused events", func(t *testing.T) {
		c := game(t, 0)
		refuse := func(from, to uint64) {
			for i := from; i < to; i++ {
				c.tell(2, 0, protocols.Submit{Event: c.event(2, 1000+i, "skips")})
			}
		}
		refuse(0, protocols.MaxInFlight)
		full := size(c.nodes[0])
		refuse(protocols.MaxInFlight, 400)
		require.LessOrEqual(t, size(c.nodes[0]), full+64)
	})
	t.Run("Updates that nobody supports", func(t *testing.T) {
		c := game(t, 0)
		at := c.head(1)
		for i := range protocols.MaxInFlight + 8 {
			next, entries := c.extend(at, c.event(0, uint64(2+i), "ahead"))
			if i < protocols.MaxInFlight {
				c.tell(0, 1, c.append(at.Seq+1, entries, next.Update(c.id()), 0))
			} else {
				c.refuses(0, 1, c.append(at.Seq+1, entries, next.Update(c.id()), 0), channel.CodeBusy)
			}
			at = next
		}
		p, _ := c.nodes[1].life.Play()
		require.Equal(t, protocols.MaxInFlight, p.InFlight())
	})
	t.Run("our own events that nobody acknowledges", func(t *testing.T) {
		c := openCluster(t, options{n: 2, independent: true})
		for i := range uint64(200) {
			c.author(1, 1000+i, "alone")
		}
		require.Len(t, c.nodes[1].disk.pending, protocols.MaxInFlight)
		require.Equal(t, channel.CodeNotReady, c.nodes[1].answered[1199].refused.Code)
		for i := range uint64(200) {
			c.author(0, 2000+i, "alone")
		}
		p, _ := c.nodes[0].life.Play()
		require.Equal(t, protocols.MaxInFlight, p.InFlight())
		require.Equal(t, channel.CodeNotReady, c.nodes[0].answered[2199].refused.Code)
	})
	t.Run("requests to close", func(t *testing.T) {
		c := openCluster(t, options{n: 2})
		for i := range uint64(100) {
			c.close(1, 1000+i)
		}
		require.Equal(t, channel.CodeBusy, c.nodes[1].answered[1099].refused.Code)
	})
}
