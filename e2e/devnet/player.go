package devnet

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/rpc"
	"github.com/evmts/channels/channel"
	"github.com/evmts/channels/examples/raid"
	"github.com/evmts/channels/sidecar"
)

// Player plays one seat of a raid over a sidecar's RPC. It keeps nothing: a sidecar that is killed and restarted, or a
// Player that is, goes on where the journal stands.
type Player struct {
	Name string
	URL  string // of the sidecar, over WebSocket
	Seat uint8
	Key  []byte // what the dice are made of, for each channel afresh
	// Pace is the time to think before an event; zero: none.
	Pace time.Duration
	// Think replaces Pace when it is set: the time to think before an event on this state.
	Think func(state []byte) time.Duration
	// Patience is how long a submitted event is waited for when the play is cut short; zero: not at all.
	Patience time.Duration
	// Pack is what the hero brings; nil: a potion, if its owner has one.
	Pack *raid.Pack
	// ByHand leaves the choice of actions to somebody else, who submits them to the same sidecar; the dice are still ours.
	ByHand bool

	mu    sync.Mutex
	final []Final
}

// Final is an event of which the sidecar said that everybody had signed it.
type Final struct {
	Seq     uint64 // where it stands in the journal
	Payload []byte
	Took    time.Duration // since it was submitted
	At      time.Time     // when the sidecar said so
}

// Caller is a connection to a sidecar; *rpc.Client is one.
type Caller interface {
	CallContext(ctx context.Context, result any, method string, args ...any) error
}

// ErrPlayer means that a raid cannot go on for a reason that trying again does not mend.
var ErrPlayer = errors.New("the player gives up")

// ErrLost means that the connection to the sidecar ended.
var ErrLost = errors.New("the sidecar is away")

const (
	// nudge bounds how long a Player trusts that it will be told of changes.
	nudge      = 2 * time.Second
	minBackoff = 20 * time.Millisecond
	maxBackoff = time.Second
	noteBuffer = 256
	// maxAway is how long a sidecar may be away before the Player gives up.
	maxAway = time.Minute
)

// Final are the events that became final while the Player waited for it. One that a sidecar's end cut off may stand in
// the journal without being among them.
func (p *Player) Final() []Final {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.final)
}

// Play plays until the raid is over: its terminal state is supported by everybody.
func (p *Player) Play(ctx context.Context, id common.Hash) error {
	pause, seen := minBackoff, time.Now()
	for {
		began := time.Now()
		met, err := p.connected(ctx, id)
		if met {
			seen = time.Now()
		}
		switch {
		case err == nil || ctx.Err() != nil:
			return errors.Join(err, ctx.Err())
		case !errors.Is(err, ErrLost):
			return fmt.Errorf("%s: %w", p.Name, err)
		case time.Since(seen) > maxAway:
			return fmt.Errorf("%s: %w: %w", p.Name, ErrPlayer, err)
		}
		if time.Since(began) > maxBackoff {
			pause = minBackoff
		}
		select {
		case <-time.After(pause):
			pause = min(2*pause, maxBackoff)
		case <-ctx.Done():
			return fmt.Errorf("%s: %w", p.Name, ctx.Err())
		}
	}
}

// connected plays over one connection; met tells that there was one.
func (p *Player) connected(ctx context.Context, id common.Hash) (met bool, err error) {
	c, err := rpc.DialContext(ctx, p.URL)
	if err != nil {
		return false, fmt.Errorf("%w: %w", ErrLost, err)
	}
	defer c.Close()
	notes := make(chan sidecar.Notification, noteBuffer)
	sub, err := c.Subscribe(ctx, "channels", notes, "events", id)
	if err != nil {
		return false, fmt.Errorf("%w: subscribe: %w", ErrLost, err)
	}
	defer sub.Unsubscribe()
	bot := p.Bot(id)
	for {
		over, err := p.Turn(ctx, c, id, bot)
		if over || err != nil {
			return true, err
		}
		select {
		case <-notes:
			drain(notes) // only the newest state matters
		case <-time.After(nudge):
		case err := <-sub.Err():
			return true, fmt.Errorf("%w: %v", ErrLost, err)
		case <-ctx.Done():
			return true, ctx.Err()
		}
	}
}

func drain(notes <-chan sidecar.Notification) {
	for {
		select {
		case <-notes:
		default:
			return
		}
	}
}

// Turn does what the seat owes on the newest supported state, if anything. It is for who has a connection already.
func (p *Player) Turn(ctx context.Context, c Caller, id common.Hash, bot *raid.Bot) (over bool, err error) {
	for {
		var state sidecar.StateInfo
		if err := c.CallContext(ctx, &state, "channels_state", id, nil); err != nil {
			return false, p.judge(err)
		}
		if state.Header.Terminal {
			return true, nil
		}
		payload, ok := bot.Next(state.Bytes)
		if !ok || p.ByHand && IsChoice(state.Bytes) {
			return false, nil
		}
		if pause := p.pause(state.Bytes); pause > 0 {
			select {
			case <-time.After(pause):
			case <-ctx.Done():
				return false, ctx.Err()
			}
		}
		began := time.Now()
		done, err := p.submit(ctx, c, id, payload)
		if err != nil {
			if sidecar.ErrorCode(err) == channel.CodeRejected && p.moved(ctx, c, id, state.Seq) {
				continue
			}
			return false, p.judge(err)
		}
		p.Remember(Final{done.Seq, payload, time.Since(began), time.Now()})
	}
}

// Remember puts an event among those that became final, for who submits in the player's name.
func (p *Player) Remember(f Final) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.final = append(p.final, f)
}

func (p *Player) pause(state []byte) time.Duration {
	if p.Think != nil {
		return p.Think(state)
	}
	return p.Pace
}

func (p *Player) submit(ctx context.Context, c Caller, id common.Hash, payload []byte) (done sidecar.Submitted, err error) {
	if p.Patience > 0 {
		patient, cancel := context.WithCancel(context.WithoutCancel(ctx))
		defer cancel()
		defer context.AfterFunc(ctx, func() { time.AfterFunc(p.Patience, cancel) })()
		ctx = patient
	}
	return done, c.CallContext(ctx, &done, "channels_submit", id, hexutil.Bytes(payload), nil)
}

// moved tells whether the channel is further than seq: what was rejected may have been meant for a state that is gone, as
// when an event of before a restart found its place in between.
func (p *Player) moved(ctx context.Context, c Caller, id common.Hash, seq uint64) bool {
	var state sidecar.StateInfo
	return c.CallContext(ctx, &state, "channels_state", id, nil) == nil && state.Seq > seq
}

// IsChoice tells whether the heroes choose on this state; everything else a seat does by itself.
func IsChoice(state []byte) bool {
	s, err := raid.Decode(state)
	return err == nil && s.Phase == raid.PhaseAct
}

// judge tells errors that pass by themselves (nil: wait for the next notification) from those that end the play.
func (p *Player) judge(err error) error {
	switch code := sidecar.ErrorCode(err); code {
	case channel.CodeNotReady, channel.CodeBusy:
		return nil
	case channel.CodeUnknownChannel, channel.CodePhase:
		return nil // the proposal has not come yet; the channel is not open yet; the raid ended a moment ago
	case channel.CodeConflict, channel.CodeStale:
		return nil // the event of before a restart stands
	case "":
		return fmt.Errorf("%w: %w", ErrLost, err)
	default:
		return fmt.Errorf("%w: %s: %w", ErrPlayer, code, err)
	}
}
