package e2e

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/evmts/channels/adjudicator"
	"github.com/evmts/channels/e2e/devnet"
	"github.com/evmts/channels/e2e/story"
	"github.com/evmts/channels/eventstore"
	"github.com/evmts/channels/examples/raid"
	"github.com/evmts/channels/sidecar"
	"github.com/stretchr/testify/require"
)

// moment is when a sidecar is killed: as soon as another one sees the channel like this.
type moment struct {
	name   string
	victim int
	seen   func(*sidecar.ChannelInfo) bool
}

// Three raids, each of them with every sidecar killed while it opens, is played and closes. After each kill the raid goes
// on; in the end all journals derive to one root and nobody has signed two Updates at one seq.
func TestA13_KillAnyNodeAtAnyEvent(t *testing.T) {
	d := network(t)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 13))
	kills := 0
	var ids []common.Hash
	var players [][]*devnet.Player
	for round := range 3 {
		id, ps, n := killedRaid(t, d, round, random)
		ids, players, kills = append(ids, id), append(players, ps), kills+n
	}
	require.GreaterOrEqual(t, kills, 12)
	t.Logf("%d kills", kills)

	ctx := within(t, 2*time.Minute)
	require.NoError(t, d.StopSidecars(ctx))
	defer func() {
		for i := range d.Sidecars {
			require.NoError(t, d.Restart(ctx, i))
		}
	}()
	for i, id := range ids {
		checkJournals(ctx, t, d, id)
		checkFinal(t, d, id, players[i])
	}
	checkSignedOnce(t, d, ids)
}

// killedRaid opens, plays and closes a raid while sidecars are killed.
func killedRaid(t *testing.T, d *devnet.Devnet, round int, random *rand.Rand) (id common.Hash, players []*devnet.Player, kills int) {
	ctx := within(t, 90*time.Second)
	req, err := d.RaidRequest(ctx)
	require.NoError(t, err)
	// A raid long enough for all kills; whether it is won does not matter here.
	require.NoError(t, d.Foresee(&req, func(_ *raid.State, events uint64) bool { return events >= 60 }))
	req.NoWait = true
	require.NoError(t, dial(ctx, t, d.Sidecars[0]).CallContext(ctx, &id, "channels_open", req))
	require.Equal(t, d.Params(req).ID(), id)

	// While it opens: at the proposal, at the deposits, when it is funded.
	opening := []moment{
		{"known to another", round, func(*sidecar.ChannelInfo) bool { return true }},
		{"a deposit is on chain", (round + 1) % 3, func(i *sidecar.ChannelInfo) bool { return hasFact(i, sidecar.FactDeposited) }},
		{"open", (round + 2) % 3, hasStatus("open")},
	}
	for _, m := range opening {
		require.NoError(t, killAt(ctx, d, id, m))
		kills++
	}
	for _, s := range d.Sidecars {
		require.NoError(t, await(ctx, s, id, hasStatus("open")))
	}

	playing, stop := context.WithCancel(ctx)
	defer stop()
	errs := make([]error, len(d.Sidecars))
	var all sync.WaitGroup
	for i := range d.Sidecars {
		p := d.Player(i)
		players = append(players, p)
		all.Go(func() {
			if errs[i] = p.Play(playing, id); errs[i] != nil {
				stop()
			}
		})
	}
	moments := []moment{}
	for at := uint64(1); at < 50; at += 4 + random.Uint64N(8) {
		moments = append(moments, moment{fmt.Sprintf("event %d", at), random.IntN(3), headFrom(at)})
	}
	// While it closes: when the game is over, and when the chain has it.
	moments = append(moments, moment{"terminal", round, func(i *sidecar.ChannelInfo) bool { return i.Terminal }},
		moment{"final", (round + 1) % 3, hasStatus("final", "settled")})
	for _, m := range moments {
		if err = killAt(playing, d, id, m); err != nil {
			stop()
			break
		}
		kills++
	}
	all.Wait()
	if err = errors.Join(append(errs, err)...); err != nil {
		require.NoError(t, err, whereTheyAre(t, d, id))
	}
	for i, s := range d.Sidecars {
		wanted := []string{"final", "settled"}
		if i == 0 {
			wanted = wanted[1:] // the attestor's work is done when the World has the records
		}
		require.NoError(t, await(ctx, s, id, hasStatus(wanted...)))
	}
	return id, players, kills
}

func hasFact(info *sidecar.ChannelInfo, kind sidecar.FactKind) bool {
	for _, f := range info.Facts {
		if f.Kind == kind {
			return true
		}
	}
	return false
}

// whereTheyAre says for each sidecar how far it is, and for whom the raid waits there.
func whereTheyAre(t *testing.T, d *devnet.Devnet, id common.Hash) string {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 5*time.Second)
	defer cancel()
	out := ""
	for _, s := range d.Sidecars {
		var info sidecar.ChannelInfo
		var state sidecar.StateInfo
		c, err := s.Dial(ctx)
		if err == nil {
			err = errors.Join(c.CallContext(ctx, &info, "channels_get", id), c.CallContext(ctx, &state, "channels_state", id, nil))
			c.Close()
		}
		if err != nil {
			out += fmt.Sprintf("%s: %v\n", s.Name, err)
			continue
		}
		waiting := []int(nil)
		if r, err := raid.Decode(state.Bytes); err == nil {
			waiting = r.Waiting()
		}
		out += fmt.Sprintf("%s: %s, head %d, supported %d, %d in flight, waiting for %q, seats %v owe an event\n",
			s.Name, info.Status, info.HeadSeq, state.Seq, info.InFlight, info.WaitingFor, waiting)
	}
	return out
}

// killAt waits until a sidecar that is not the victim sees the moment, kills, and starts the victim again.
func killAt(ctx context.Context, d *devnet.Devnet, id common.Hash, m moment) error {
	witness := d.Sidecars[(m.victim+1)%len(d.Sidecars)]
	err := await(ctx, witness, id, m.seen)
	if err == nil {
		err = d.Kill9(m.victim)
	}
	if err == nil {
		err = d.Restart(ctx, m.victim)
	}
	if err != nil {
		return fmt.Errorf("kill %s at %q: %w", d.Sidecars[m.victim].Name, m.name, err)
	}
	return nil
}

// checkJournals replays all journals in fresh processes and compares them with each other and with the chain.
func checkJournals(ctx context.Context, t *testing.T, d *devnet.Devnet, id common.Hash) {
	t.Helper()
	onChain, err := adjudicator.NewReader(d.Chain.Eth, d.Chain.Contracts).Channel(ctx, id)
	require.NoError(t, err)
	for _, s := range d.Sidecars {
		j, err := story.VerifyJournal(ctx, d, s, id)
		require.NoError(t, err)
		require.Equal(t, story.Journal{
			Name: s.Name, ChannelID: id, Seq: onChain.Seq, JournalRoot: onChain.JournalRoot, StateHash: onChain.StateHash, Supported: true, Terminal: true,
		}, j)
	}
}

func withStore(t *testing.T, s *devnet.Sidecar, use func(*eventstore.Store)) {
	t.Helper()
	store, err := eventstore.Open(filepath.Join(s.DataDir, "store"))
	require.NoError(t, err)
	defer func() { require.NoError(t, store.Close()) }()
	use(store)
}

// checkFinal: an event that a sidecar called final stands where it said, whatever was killed afterwards.
func checkFinal(t *testing.T, d *devnet.Devnet, id common.Hash, players []*devnet.Player) {
	t.Helper()
	for _, s := range d.Sidecars {
		withStore(t, s, func(store *eventstore.Store) {
			for _, p := range players {
				for _, f := range p.Final() {
					entry, _, err := store.Entry(id, f.Seq)
					require.NoError(t, err)
					require.NotNil(t, entry.Event)
					require.Equal(t, p.Seat, entry.Event.Author, "event %d", f.Seq)
					require.Equal(t, f.Payload, []byte(entry.Event.Payload), "event %d", f.Seq)
				}
			}
		})
	}
}

// signing is one seq of one channel.
type signing struct {
	id  common.Hash
	seq uint64
}

// checkSignedOnce reads every node's own log: what it signed, and what it holds everybody's signatures on. At one seq
// there is one Update in all of them together.
func checkSignedOnce(t *testing.T, d *devnet.Devnet, ids []common.Hash) {
	t.Helper()
	ours := make(map[common.Hash]bool)
	for _, id := range ids {
		ours[id] = true
	}
	seen := make(map[signing]eventstore.Head)
	signed := 0
	note := func(who string, id common.Hash, h eventstore.Head) {
		if !ours[id] {
			return
		}
		signed++
		at := signing{id, h.Seq}
		if first, ok := seen[at]; ok {
			require.Equal(t, first, h, "%s: two Updates at %d of %s", who, h.Seq, id)
		}
		seen[at] = h
	}
	for _, s := range d.Sidecars {
		withStore(t, s, func(store *eventstore.Store) {
			for from := uint64(0); ; {
				page, err := store.NodeEvents(from, 500)
				require.NoError(t, err)
				if len(page) == 0 {
					break
				}
				for _, e := range page {
					switch b := e.Body.(type) {
					case *eventstore.StateSigned:
						require.Equal(t, eventstore.Address(s.Session()), b.Signer)
						note(s.Name, common.Hash(b.Channel), b.Head)
					case *eventstore.SupportedUpdated:
						note(s.Name, common.Hash(b.Channel), b.Head)
					}
				}
				from = page[len(page)-1].Index + 1
			}
			for _, id := range ids {
				checkSupported(t, s, store, id)
			}
		})
	}
	require.Greater(t, signed, 3*60*len(ids), "the nodes' logs hold what they signed")
}

// checkSupported: the last Update that a node signed is the one that it holds everybody's signature on.
func checkSupported(t *testing.T, s *devnet.Sidecar, store *eventstore.Store, id common.Hash) {
	t.Helper()
	mine, err := store.Signed(id)
	require.NoError(t, err)
	supported, sigs, err := store.Supported(id)
	require.NoError(t, err)
	require.Equal(t, supported, mine, s.Name)
	rec, err := store.Channel(id)
	require.NoError(t, err)
	require.Len(t, sigs, len(rec.Params.Participants))
	digest := rec.Params.Domain().Digest(supported)
	for i, p := range rec.Params.Participants {
		require.NoError(t, sigs[i].Verify(digest, p.Signer), "%s holds the signature of %d", s.Name, i)
	}
	pending, err := store.Pending(id)
	require.NoError(t, err)
	require.Empty(t, pending, s.Name)
}
