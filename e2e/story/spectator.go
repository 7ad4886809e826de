package story

import (
	"context"
	"fmt"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/rpc"
	"github.com/evmts/channels/channel"
	"github.com/evmts/channels/sidecar"
)

// spectator follows a channel through a sidecar's RPC and believes nothing: it derives every state by itself.
type spectator struct {
	client *rpc.Client
	id     common.Hash
	rules  *channel.Rules

	seq     uint64
	state   *channel.State
	journal channel.Journal
	// told sees every event with the states around it, in order.
	told func(seq uint64, e *channel.Event, before, after *channel.State)
}

const (
	pageSize   = 200
	noteBuffer = 1024
	// nudge bounds how long to trust that changes are told.
	nudge = 200 * time.Millisecond
)

func newSpectator(client *rpc.Client, rules *channel.Rules, genesis []byte) (*spectator, error) {
	state, verdict := rules.Genesis(genesis)
	if err := verdict.Err(); err != nil {
		return nil, fmt.Errorf("derive the genesis: %w", err)
	}
	leaf := channel.LeafHash(rules.Params.GenesisHash, state.Hash())
	return &spectator{client: client, id: rules.ID(), rules: rules, state: state, journal: channel.Journal{}.Append(leaf)}, nil
}

// follow goes on until the terminal state is supported.
func (s *spectator) follow(ctx context.Context) error {
	return watch(ctx, s.client, s.id, func(info *sidecar.ChannelInfo) (bool, error) {
		if info.Supported == nil {
			return false, nil
		}
		if err := s.catchUp(ctx, info.Supported.Seq); err != nil {
			return false, err
		}
		if at := s.update(); s.seq == info.Supported.Seq && at != *info.Supported {
			return false, fmt.Errorf("%w: the spectator derives %+v, everybody signed %+v", ErrCheck, at, *info.Supported)
		}
		return s.state.Header.Terminal, nil
	})
}

func (s *spectator) update() channel.Update {
	return channel.Update{ChannelID: s.id, Seq: s.seq, JournalRoot: s.journal.Root(), StateHash: s.state.Hash()}
}

func (s *spectator) catchUp(ctx context.Context, to uint64) error {
	for s.seq < to {
		var page []sidecar.EntryInfo
		limit := min(pageSize, to-s.seq)
		if err := s.client.CallContext(ctx, &page, "channels_entries", s.id, s.seq+1, limit); err != nil {
			return fmt.Errorf("read the journal from %d: %w", s.seq+1, err)
		}
		if len(page) == 0 {
			return fmt.Errorf("%w: the journal ends at %d, but %d is supported", ErrCheck, s.seq, to)
		}
		for i := range page {
			if err := s.apply(&page[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *spectator) apply(e *sidecar.EntryInfo) error {
	seq := s.seq + 1
	ev := e.Entry.Event
	if e.Seq != seq || ev == nil || int(ev.Author) >= len(s.rules.Params.Participants) {
		return fmt.Errorf("%w: entry %d is no event of a participant", ErrCheck, seq)
	}
	digest := s.rules.Params.Domain().Digest(ev.Event)
	if err := ev.Signature.Verify(digest, s.rules.Params.Participants[ev.Author].Signer); err != nil {
		return fmt.Errorf("%w: event %d is not signed by its author: %w", ErrCheck, seq, err)
	}
	next, verdict := s.rules.Apply(s.state, seq, &ev.Event)
	if err := verdict.Err(); err != nil {
		return fmt.Errorf("%w: event %d: %w", ErrCheck, seq, err)
	}
	if next.Hash() != e.StateHash {
		return fmt.Errorf("%w: event %d derives to %s, the journal says %s", ErrCheck, seq, next.Hash(), e.StateHash)
	}
	before := s.state
	s.seq, s.state = seq, next
	s.journal = s.journal.Append(channel.LeafHash(e.Entry.Hash(s.id), next.Hash()))
	if s.told != nil {
		s.told(seq, &ev.Event, before, next)
	}
	return nil
}

// watch looks at a channel whenever something happens to it, until done says so.
func watch(ctx context.Context, client *rpc.Client, id common.Hash, done func(*sidecar.ChannelInfo) (bool, error)) error {
	notes := make(chan sidecar.Notification, noteBuffer)
	sub, err := client.Subscribe(ctx, "channels", notes, "events", id)
	if err != nil {
		return fmt.Errorf("subscribe: %w", err)
	}
	defer sub.Unsubscribe()
	for {
		var info sidecar.ChannelInfo
		if err := client.CallContext(ctx, &info, "channels_get", id); err != nil {
			return fmt.Errorf("read the channel: %w", err)
		}
		if over, err := done(&info); over || err != nil {
			return err
		}
		select {
		case <-notes:
		drained:
			for {
				select {
				case <-notes: // only the newest picture matters
				default:
					break drained
				}
			}
		case <-time.After(nudge):
		case err := <-sub.Err():
			return fmt.Errorf("the sidecar went away: %w", err)
		case <-ctx.Done():
			return fmt.Errorf("the channel is %s, waiting for %q: %w", info.Status, info.WaitingFor, ctx.Err())
		}
	}
}

// waitFor waits until a channel has one of the statuses.
func waitFor(ctx context.Context, client *rpc.Client, id common.Hash, wanted ...string) error {
	return watch(ctx, client, id, func(info *sidecar.ChannelInfo) (bool, error) {
		for _, w := range wanted {
			if info.Status == w {
				return true, nil
			}
		}
		return false, nil
	})
}
