package eventstore

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/vmihailenco/msgpack/v5"

	"github.com/evmts/channels/channel"
)

// MaxNodeEvent bounds an encoded node event, in bytes.
const MaxNodeEvent = 16 << 10

// EventKind names one of the 20 kinds of the node's own log.
type EventKind string

// EventBody is what a node event says. Each kind has one struct below. On disk it is
//
//	MessagePack map {"body": {…}, "kind": "chain.concluded", "time": UNIX milliseconds, "v": schema version}
//
// with keys in ascending order at every level, integers in their shortest form, hashes and addresses as bin. Another
// encoding of the same values is refused. The bytes of a kind and version never change; a change makes a new version, and
// a function that lifts the old one.
type EventBody interface {
	// Kind is the word that the event is stored and shown under.
	Kind() EventKind
	// ChannelID is the channel the event is about, zero when it is about none.
	ChannelID() common.Hash
}

// NodeEvent is one record of the node's own log.
type NodeEvent struct {
	Index uint64 // in the log, gap-free from 0; assigned when the batch is committed
	Time  uint64 // UNIX milliseconds of the local clock; no part of the id
	// ID is H(kind ‖ 0x00 ‖ version(2) ‖ body): two honest nodes that log one fact agree on it.
	ID   common.Hash
	Body EventBody
}

// NewNodeEvent is an event to be given to Batch.Log; time is in UNIX milliseconds.
func NewNodeEvent(time uint64, body EventBody) NodeEvent { return NodeEvent{Time: time, Body: body} }

// MarshalJSON shows the event with its kind.
func (e NodeEvent) MarshalJSON() ([]byte, error) {
	if e.Body == nil {
		return nil, invalid("a node event without a body")
	}
	return json.Marshal(struct {
		Index uint64      `json:"index"`
		Time  uint64      `json:"time"`
		ID    common.Hash `json:"id"`
		Kind  EventKind   `json:"kind"`
		Body  EventBody   `json:"body"`
	}{e.Index, e.Time, e.ID, e.Body.Kind(), e.Body})
}

// EventID is the id that a body gets when it is logged.
func EventID(body EventBody) (common.Hash, error) {
	_, id, err := nodeSchemas.encode(NodeEvent{Body: body})
	return id, err
}

// schema is how one version of a kind is read.
type schema struct {
	empty func() EventBody
	// lift makes the next version of it; nil in the newest.
	lift func(EventBody) EventBody
}

// schemas maps each kind to its versions; versions count from 1, so the newest is the last.
type schemas map[EventKind][]schema

type envelope struct {
	Body    msgpack.RawMessage `msgpack:"body"`
	Kind    string             `msgpack:"kind"`
	Time    uint64             `msgpack:"time"`
	Version uint16             `msgpack:"v"`
}

func packBody(v any) ([]byte, error) {
	var buf bytes.Buffer
	enc := msgpack.GetEncoder()
	defer msgpack.PutEncoder(enc)
	enc.Reset(&buf)
	enc.UseCompactInts(true)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}

// unpack reads exactly what packBody writes.
func unpack(b []byte, v any) error {
	dec := msgpack.GetDecoder()
	defer msgpack.PutDecoder(dec)
	dec.Reset(bytes.NewReader(b))
	dec.DisallowUnknownFields(true)
	if err := dec.Decode(v); err != nil {
		return malformed("%v", err)
	}
	again, err := packBody(v)
	if err != nil {
		return malformed("%v", err)
	}
	if !bytes.Equal(again, b) {
		return malformed("not in the canonical MessagePack encoding")
	}
	return nil
}

func eventID(kind EventKind, version uint16, body []byte) common.Hash {
	var v [3]byte
	binary.BigEndian.PutUint16(v[1:], version)
	return crypto.Keccak256Hash([]byte(kind), v[:], body)
}

// encode gives the record and the id.
func (s schemas) encode(e NodeEvent) ([]byte, common.Hash, error) {
	if e.Body == nil {
		return nil, common.Hash{}, invalid("a node event without a body")
	}
	kind := e.Body.Kind()
	versions := s[kind]
	if len(versions) == 0 {
		return nil, common.Hash{}, invalid("node event kind %q is not one of this program's", kind)
	}
	body, err := packBody(e.Body)
	if err != nil {
		return nil, common.Hash{}, invalid("node event %s: %v", kind, err)
	}
	version := uint16(len(versions))
	b, err := packBody(&envelope{body, string(kind), e.Time, version})
	if err != nil {
		return nil, common.Hash{}, invalid("node event %s: %v", kind, err)
	}
	if len(b) >= MaxNodeEvent {
		return nil, common.Hash{}, invalid("node event %s has %d bytes, at most %d", kind, len(b), MaxNodeEvent-1)
	}
	return append([]byte{recordVersion}, b...), eventID(kind, version, body), nil
}

// decode reads a record of any version and lifts its body to the newest.
func (s schemas) decode(b []byte) (e NodeEvent, err error) {
	if len(b) > MaxNodeEvent {
		return e, malformed("node event of %d bytes, at most %d", len(b), MaxNodeEvent)
	}
	r := newReader(b)
	if r.err != nil {
		return e, r.err
	}
	var env envelope
	if err := unpack(r.b, &env); err != nil {
		return e, err
	}
	kind := EventKind(env.Kind)
	versions := s[kind]
	if len(versions) == 0 || env.Version == 0 || int(env.Version) > len(versions) {
		return e, channel.Refuse(channel.CodeVersion, "node event %q version %d is unknown to this program", env.Kind, env.Version)
	}
	body := versions[env.Version-1].empty()
	if err := unpack(env.Body, body); err != nil {
		return e, fmt.Errorf("node event %s version %d: %w", kind, env.Version, err)
	}
	for _, v := range versions[env.Version-1 : len(versions)-1] {
		body = v.lift(body)
	}
	return NodeEvent{Time: env.Time, ID: eventID(kind, env.Version, env.Body), Body: body}, nil
}
