package lifecycle_test

import (
	"fmt"
	"math/rand"
	"slices"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/evmts/channels/protocols"
	"github.com/stretchr/testify/require"
)

// TestA13_RandomSchedules crashes, drops, duplicates and reorders at random. The cluster checks at every step that nothing
// signed is contradicted; in the end everything must come to rest at one head that everybody supports, and close.
func TestA13_RandomSchedules(t *testing.T) {
	seeds := 60
	if testing.Short() {
		seeds = 15
	}
	for _, independent := range []bool{false, true} {
		for _, n := range []int{2, 3, 5} {
			t.Run(fmt.Sprintf("n=%d independent=%v", n, independent), func(t *testing.T) {
				for seed := range seeds {
					randomSchedule(t, n, independent, int64(seed))
				}
			})
		}
	}
}

func randomSchedule(t *testing.T, n int, independent bool, seed int64) {
	r := rand.New(rand.NewSource(seed))
	c := newCluster(t, n, independent)
	c.quiet = true
	defer func() {
		if t.Failed() {
			t.Logf("seed %d", seed)
		}
	}()
	c.propose(0)
	answered := uint64(1000)
	for range 150 {
		i := r.Intn(n)
		switch k := r.Intn(100); {
		case k < 50 && len(c.net) > 0:
			at := 0
			if r.Intn(4) == 0 {
				at = r.Intn(len(c.net)) // out of order
			}
			c.deliver(at)
		case k < 55 && len(c.net) > 0:
			c.net = slices.Delete(slices.Clone(c.net), 0, 1)
		case k < 60 && len(c.net) > 0:
			c.net = append(slices.Clone(c.net), c.net[r.Intn(len(c.net))])
		case k < 64:
			c.crash(i)
		case k < 72:
			if !c.nodes[i].up {
				c.restart(i)
			}
		case k < 78:
			c.mine()
		case k < 82:
			c.tick(6)
		default:
			answered++
			payload := fmt.Sprintf("m%d", answered)
			if r.Intn(12) == 0 {
				payload = "no"
			}
			c.input(c.nodes[i], protocols.Request{ID: answered, Ask: protocols.AskAuthor{Payload: []byte(payload)}, Now: c.now})
		}
	}
	heal(t, c, seed)
	for _, node := range c.nodes { // everybody consents to end
		c.input(node, protocols.Request{ID: 7, Ask: protocols.AskClose{}, Now: c.now})
	}
	for range 12 {
		c.stabilize()
		c.tick(11)
		c.mine()
	}
	c.stabilize()
	require.NotNil(t, c.final, "seed %d: the channel did not close\n%s", seed, c.status())
	p, _ := c.nodes[0].life.Play()
	require.Equal(t, p.Head().Seq, c.final.Seq, "seed %d: closed at another head than the last", seed)
	for _, node := range c.nodes {
		require.Contains(t, []string{"final", "settled"}, node.life.Status(), "seed %d", seed)
	}
	assertSameJournal(t, c, seed)
}

// heal brings everybody up and lets time pass until nothing moves.
func heal(t *testing.T, c *cluster, seed int64) {
	for i, n := range c.nodes {
		if !n.up {
			c.restart(i)
		}
	}
	for range 12 {
		c.stabilize()
		c.tick(6)
		c.mine()
	}
	c.stabilize()
	for _, n := range c.nodes {
		require.True(t, n.known, "seed %d: %d never learnt of the channel", seed, n.me)
		p, ok := n.life.Play()
		require.True(t, ok, "seed %d: %d did not open\n%s", seed, n.me, c.status())
		require.Equal(t, p.Head().Seq, p.Supported().Update.Seq, "seed %d: not everything is supported\n%s", seed, c.status())
		require.Zero(t, p.InFlight(), "seed %d\n%s", seed, c.status())
		require.Equal(t, "open", n.life.Status(), "seed %d\n%s", seed, strings.Join(n.notes, "\n"))
	}
	assertSameJournal(t, c, seed)
}

func assertSameJournal(t *testing.T, c *cluster, seed int64) {
	first, _ := c.nodes[0].life.Play()
	var hashes []common.Hash = c.nodes[0].disk.hashes
	for _, n := range c.nodes[1:] {
		p, _ := n.life.Play()
		require.Equal(t, first.Head().Journal.Root(), p.Head().Journal.Root(), "seed %d\n%s", seed, c.status())
		require.Equal(t, hashes, n.disk.hashes, "seed %d", seed)
	}
}
