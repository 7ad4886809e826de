package lifecycle_test

import (
	"fmt"
	"math/rand"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/evmts/channels/protocols"
	"github.com/stretchr/testify/require"
)

// seeds scales the number of random runs: CHANNELS_LONG=1 plays a hundred times as many.
func seeds(n int) int {
	if os.Getenv("CHANNELS_LONG") != "" {
		return 100 * n
	}
	return n
}

// TestA13_RandomSchedules crashes at random instructions, drops, duplicates and reorders. The oracle checks at every step
// that nothing signed is contradicted; in the end everything must come to rest at one head that everybody supports, and
// close.
func TestA13_RandomSchedules(t *testing.T) {
	for _, independent := range []bool{false, true} {
		for _, n := range []int{2, 3, 5} {
			t.Run(fmt.Sprintf("n=%d independent=%v", n, independent), func(t *testing.T) {
				t.Parallel()
				for seed := range seeds(12) {
					randomSchedule(t, options{n: n, independent: independent, sequencer: seed % n, free: []int{seed % (n + 2)}}, int64(seed), nil)
				}
			})
		}
	}
}

// TestTrust_RandomSchedules is the same where what is mined counts later, and is often reorganised away before it does.
func TestTrust_RandomSchedules(t *testing.T) {
	for _, n := range []int{2, 3} {
		t.Run(fmt.Sprintf("n=%d", n), func(t *testing.T) {
			t.Parallel()
			for seed := range seeds(25) {
				randomSchedule(t, options{n: n, late: true, sequencer: seed % n, free: []int{seed % (n + 2)}}, int64(seed), nil)
			}
		})
	}
}

// TestA13_RandomCloses asks to close in the middle of it all: nothing is contradicted, and once everybody asks the channel
// concludes at a head that all agreed to.
func TestA13_RandomCloses(t *testing.T) {
	closed := 0
	total := seeds(40)
	for i := range total {
		seed := i
		if pinned := []int{
			1101, // ended on chain with an Update in flight, then restarted
			375,  // closed at an Update that a restart had made another forget
			3939, // the same, and who closed is behind for good
		}; i < len(pinned) {
			seed = pinned[i]
		}
		opt := options{n: 2 + seed%3, independent: seed%2 == 1, sequencer: seed % 2}
		c := chaos(t, opt, int64(seed), nil, true)
		for i := range c.nodes {
			if !c.nodes[i].up {
				c.restart(i)
			}
		}
		for range 4 {
			c.stabilize()
			c.tick(6)
			c.mine()
		}
		for _, n := range c.nodes {
			c.close(int(n.me), 8)
		}
		for range 12 {
			c.stabilize()
			c.tick(11)
			c.mine()
		}
		c.stabilize()
		if c.final == nil {
			t.Logf("seed %d stalls\n%s", seed, c.status())
			continue
		}
		closed++
		for _, n := range c.nodes {
			require.Contains(t, []string{"final", "settled"}, n.life.Status(), "seed %d\n%s", seed, c.status())
			if n.disk.close != nil && !terminal(n) {
				require.Equal(t, c.final.Seq, n.disk.close.Seq, "seed %d: closed at another head than was agreed", seed)
			}
		}
		checkAnswers(t, c, int64(seed))
	}
	t.Logf("%d of %d closed without a dispute", closed, total)
	require.Equal(t, total, closed, "honest participants who all ask to close need no dispute")
}

func terminal(n *node) bool {
	p, _ := n.life.Play()
	return p.Supported().State.Header.Terminal
}

// chaos runs 150 random steps.
func chaos(t *testing.T, opt options, seed int64, w *watch, closes bool) *cluster {
	r := rand.New(rand.NewSource(seed))
	c := newCluster(t, opt)
	c.quiet, c.watch = true, w
	defer func() {
		if t.Failed() {
			t.Logf("%+v seed %d", opt, seed)
		}
	}()
	c.propose(0)
	request := uint64(1000)
	for range 150 {
		i := r.Intn(opt.n)
		switch k := r.Intn(100); {
		case k < 50 && len(c.net) > 0:
			at := 0
			if r.Intn(4) == 0 {
				at = r.Intn(len(c.net)) // out of order
			}
			c.deliver(at)
		case k < 54 && len(c.net) > 0:
			c.net = slices.Delete(slices.Clone(c.net), 0, 1)
		case k < 58 && len(c.net) > 0:
			c.net = append(slices.Clone(c.net), c.net[r.Intn(len(c.net))])
		case k < 62: // die some actions from now, between a commit and what follows it
			left := r.Intn(6)
			c.nodes[i].fuse = func(protocols.Action) bool { left--; return left < 0 }
		case k < 64:
			c.crash(i)
		case k < 72:
			if !c.nodes[i].up {
				c.restart(i)
			}
		case k < 78:
			c.mine()
			if c.late && r.Intn(2) == 0 {
				c.count()
			}
		case k < 82:
			c.tick(6)
		case k < 83 && closes && r.Intn(2) == 0:
			c.close(i, 7)
		case k < 84 && r.Intn(3) == 0:
			c.reorg(r.Intn(2) == 0)
		default:
			request++
			payload := fmt.Sprintf("m%d", request)
			if r.Intn(12) == 0 {
				payload = "no"
			}
			c.author(i, request, payload)
		}
	}
	for _, n := range c.nodes {
		n.fuse = nil
	}
	c.late = false
	return c
}

func randomSchedule(t *testing.T, opt options, seed int64, w *watch) {
	c := chaos(t, opt, seed, w, false)
	heal(t, c, seed)
	for i := range c.nodes { // everybody consents to end
		c.close(i, 7)
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
	checkAnswers(t, c, seed)
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
		require.Empty(t, n.disk.pending, "seed %d: an event of %d is neither placed nor refused", seed, n.me)
	}
	assertSameJournal(t, c, seed)
}

func assertSameJournal(t *testing.T, c *cluster, seed int64) {
	first, _ := c.nodes[0].life.Play()
	for _, n := range c.nodes[1:] {
		p, _ := n.life.Play()
		require.Equal(t, first.Head().Journal.Root(), p.Head().Journal.Root(), "seed %d\n%s", seed, c.status())
		require.Equal(t, c.nodes[0].disk.hashes, n.disk.hashes, "seed %d", seed)
	}
}

// checkAnswers: what an author was told about an event is true of the journal that counts.
func checkAnswers(t *testing.T, c *cluster, seed int64) {
	placed := make(map[string]bool)
	for _, e := range c.nodes[0].disk.entries[:c.final.Seq] {
		placed[string(e.Event.Payload)] = true
	}
	for _, n := range c.nodes {
		for id, a := range n.answered {
			if id <= 1000 {
				continue
			}
			is := placed[fmt.Sprintf("m%d", id)]
			if a.refused == nil {
				require.True(t, is, "seed %d: %d was told that %d is final, but it is not in the journal", seed, n.me, id)
			} else if !a.crashed && a.crashes == c.sequencer().crashes {
				require.False(t, is, "seed %d: %d was told %q about %d, but it is in the journal", seed, n.me, a.refused, id)
			}
		}
	}
}
