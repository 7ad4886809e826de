package sidecar

import (
	"sync"

	"github.com/ethereum/go-ethereum/common"
	"github.com/evmts/channels/channel"
	"github.com/evmts/channels/protocols"
)

// Notification is what subscribers get.
type Notification struct {
	Channel common.Hash        `json:"channelId"`
	Kind    protocols.NoteKind `json:"kind"`
	Seq     uint64             `json:"seq"`
	Status  string             `json:"status"` // of the channel
	Code    channel.Code       `json:"code,omitempty"`
	Text    string             `json:"text,omitempty"`
}

const subscriberBuffer = 1024

// subscriptions hands notifications to subscribers. One that is too slow is cut off, never waited for.
type subscriptions struct {
	mu   sync.Mutex
	next uint64
	subs map[uint64]*subscriber
}

type subscriber struct {
	channel common.Hash // zero: all
	out     chan Notification
}

// Subscribe gives notifications of one channel, or of all when id is zero. The channel is closed when the subscriber is
// too slow or cancels.
func (e *Engine) Subscribe(id common.Hash) (out <-chan Notification, cancel func()) {
	s := &e.subs
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.subs == nil {
		s.subs = make(map[uint64]*subscriber)
	}
	s.next++
	key := s.next
	sub := &subscriber{id, make(chan Notification, subscriberBuffer)}
	s.subs[key] = sub
	return sub.out, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if _, ok := s.subs[key]; ok {
			delete(s.subs, key)
			close(sub.out)
		}
	}
}

func (e *Engine) notify(c *running, n protocols.Notification) {
	out := Notification{Channel: c.id, Kind: n.Kind, Seq: n.Seq, Status: c.Status(), Code: n.Code, Text: n.Text}
	switch n.Kind {
	case protocols.NoteAppended, protocols.NoteSupported:
	case protocols.NoteDiverged, protocols.NoteHalted, protocols.NoteRefused:
		e.cfg.Log.Error("Channel", "channel", c.id, "event", n.Kind, "seq", n.Seq, "code", n.Code, "why", n.Text)
	default:
		e.cfg.Log.Info("Channel", "channel", c.id, "event", n.Kind, "seq", n.Seq, "why", n.Text)
	}
	s := &e.subs
	s.mu.Lock()
	defer s.mu.Unlock()
	for key, sub := range s.subs {
		if sub.channel != (common.Hash{}) && sub.channel != c.id {
			continue
		}
		select {
		case sub.out <- out:
		default:
			delete(s.subs, key)
			close(sub.out)
		}
	}
}
