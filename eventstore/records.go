package eventstore

import (
	"bytes"
	"encoding/binary"
	"math/bits"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/rlp"

	"github.com/evmts/channels/channel"
)

// Bounds of what is stored, in bytes unless said otherwise.
const (
	MaxStatus        = 64
	MaxName          = 256 // objective ids, cursor names, meta keys, kinds
	MaxObjectiveData = 1 << 20
	MaxFactData      = 64 << 10
	MaxMeta          = 1 << 20
	MaxPending       = 256 // own unplaced events per channel
	// maxState is the largest State there is: 16 participants, 8 beneficiaries, 8 assets, 16 KiB of app.
	maxState = 32*(channel.MaxParticipants+3) +
		32*channel.MaxAssets*(channel.MaxParticipants+channel.MaxBeneficiaries) + channel.MaxApp
	maxSignatures = channel.MaxParticipants + channel.MaxGuarantors
)

// NoSeat is the Me of a node that has no key in the channel: a tower, a spectator, an attestor.
const NoSeat = 0xff

const recordVersion = 1

// ChannelRecord is what never changes about a channel, and its status. Leaf 0 is (Params.GenesisHash, StateHash).
type ChannelRecord struct {
	ID           common.Hash // set when read; when written, zero or the channel's id
	Params       channel.Params
	Funding      channel.Funding
	GenesisInput []byte
	StateHash    common.Hash // of state 0
	Me           uint8       // this node's place among participants, then guarantors; NoSeat when it has none
	CreatedAt    uint64      // UNIX seconds
	Status       string      // the engine's word; the only field that may change
}

// JournalEntry is an entry with its place.
type JournalEntry struct {
	Seq       uint64
	Entry     channel.Entry
	StateHash common.Hash // after the entry
}

// Snapshot is a state of a channel with the journal's head there.
type Snapshot struct {
	Seq   uint64
	State []byte        // channel.State.Bytes
	Peaks []common.Hash // channel.Journal.Peaks of the first Seq + 1 leaves
}

// ObjectiveRecord is a protocol in progress. The store does not look into Data.
type ObjectiveRecord struct {
	ID      string // set when read
	Kind    string
	Channel common.Hash
	Status  string
	Data    []byte
	Version uint64 // of Data, the writer's business
}

// Fact is something that a contract logged, keyed by block and log index. Facts of one block number share one hash.
type Fact struct {
	Block     uint64
	BlockHash common.Hash
	LogIndex  uint32
	TxHash    common.Hash
	Channel   common.Hash // zero: of no channel
	Kind      string
	Data      []byte
}

// Cursor is how far something was read on a chain.
type Cursor struct {
	Number uint64
	Hash   common.Hash
}

// reader takes fixed fields off a record and remembers the first failure.
type reader struct {
	b   []byte
	err error
}

func newReader(b []byte) *reader {
	r := &reader{b: b}
	if v := r.byte(); r.err == nil && v != recordVersion {
		r.err = channel.Refuse(channel.CodeVersion, "record version %d, this program reads %d", v, recordVersion)
	}
	return r
}

func (r *reader) take(n int) []byte {
	if r.err == nil && len(r.b) < n {
		r.err = malformed("record ends %d bytes early", n-len(r.b))
	}
	if r.err != nil {
		return nil
	}
	out := r.b[:n]
	r.b = r.b[n:]
	return out
}

func (r *reader) byte() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) uint64() uint64 {
	if b := r.take(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

func (r *reader) uint32() uint32 {
	if b := r.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (r *reader) hash() (h common.Hash) {
	copy(h[:], r.take(len(h)))
	return h
}

func (r *reader) signature() (s channel.Signature) {
	copy(s[:], r.take(len(s)))
	return s
}

// rest is what remains, copied, at most max bytes.
func (r *reader) rest(max int) []byte {
	if r.err == nil && len(r.b) > max {
		r.err = malformed("%d bytes where at most %d fit", len(r.b), max)
	}
	if r.err != nil {
		return nil
	}
	out := append([]byte{}, r.b...)
	r.b = nil
	return out
}

func (r *reader) end() error {
	if r.err == nil && len(r.b) != 0 {
		r.err = malformed("%d bytes after the record's end", len(r.b))
	}
	return r.err
}

func (r *reader) rlp(v any) error {
	if r.err != nil {
		return r.err
	}
	if err := rlp.DecodeBytes(r.b, v); err != nil {
		return malformed("%v", err)
	}
	return nil
}

// encodeRLP encodes values of types that RLP knows, which is what this package hands it.
func encodeRLP(v any) []byte {
	b, err := rlp.EncodeToBytes(v)
	if err != nil {
		panic(err)
	}
	return append([]byte{recordVersion}, b...)
}

type wireChannel struct {
	Params, Funding, Genesis []byte
	Me                       uint8
	CreatedAt                uint64
	Status                   string
	StateHash                common.Hash
}

func (c *ChannelRecord) validate(id common.Hash) error {
	p := &c.Params
	if err := p.Validate(); err != nil {
		return invalid("%v", err)
	}
	seats := len(p.Participants) + len(p.Guarantors)
	switch {
	case p.ID() != id:
		return invalid("params give channel %s", p.ID())
	case c.ID != (common.Hash{}) && c.ID != id:
		return invalid("the record names channel %s", c.ID)
	case len(c.GenesisInput) > channel.MaxGenesis:
		return invalid("genesis input of %d bytes, at most %d", len(c.GenesisInput), channel.MaxGenesis)
	case crypto.Keccak256Hash(c.GenesisInput) != p.GenesisHash:
		return invalid("the genesis input does not have the hash in params")
	case c.Me != NoSeat && int(c.Me) >= seats:
		return invalid("seat %d of %d", c.Me, seats)
	case len(c.Status) > MaxStatus:
		return invalid("status of %d bytes, at most %d", len(c.Status), MaxStatus)
	}
	if err := c.Funding.Validate(len(p.Participants)); err != nil {
		return invalid("%v", err)
	}
	if c.Funding.Hash() != p.FundingHash {
		return invalid("the funding does not have the hash in params")
	}
	return nil
}

func encodeChannel(c *ChannelRecord) []byte {
	return encodeRLP(&wireChannel{c.Params.Encode(), c.Funding.Encode(), c.GenesisInput, c.Me, c.CreatedAt, c.Status, c.StateHash})
}

func decodeChannel(id common.Hash, b []byte) (*ChannelRecord, error) {
	var w wireChannel
	if err := newReader(b).rlp(&w); err != nil {
		return nil, err
	}
	p, err := channel.DecodeParams(w.Params)
	if err != nil {
		return nil, err
	}
	f, err := channel.DecodeFunding(w.Funding)
	if err != nil {
		return nil, err
	}
	c := &ChannelRecord{id, *p, f, w.Genesis, w.StateHash, w.Me, w.CreatedAt, w.Status}
	return c, c.validate(id)
}

func encodeUpdate(u channel.Update) []byte {
	b := make([]byte, 0, 74+4*65)
	b = binary.BigEndian.AppendUint64(append(b, recordVersion), u.Seq)
	b = append(b, u.JournalRoot[:]...)
	return append(b, u.StateHash[:]...)
}

func (r *reader) update(id common.Hash) channel.Update {
	return channel.Update{ChannelID: id, Seq: r.uint64(), JournalRoot: r.hash(), StateHash: r.hash()}
}

func decodeSigned(id common.Hash, b []byte) (channel.Update, error) {
	r := newReader(b)
	u := r.update(id)
	return u, r.end()
}

func encodeSupported(u channel.Update, sigs []channel.Signature) []byte {
	b := append(encodeUpdate(u), byte(len(sigs)))
	for i := range sigs {
		b = append(b, sigs[i][:]...)
	}
	return b
}

func decodeSupported(id common.Hash, b []byte) (channel.Update, []channel.Signature, error) {
	r := newReader(b)
	u := r.update(id)
	n := int(r.byte())
	if r.err == nil && (n < channel.MinParticipants || n > maxSignatures) {
		return u, nil, malformed("%d signatures, possible are %d to %d", n, channel.MinParticipants, maxSignatures)
	}
	sigs := make([]channel.Signature, n)
	for i := range sigs {
		sigs[i] = r.signature()
	}
	return u, sigs, r.end()
}

func encodeClose(c channel.Close) []byte {
	b := binary.BigEndian.AppendUint64(append(make([]byte, 0, 41), recordVersion), c.Seq)
	return append(b, c.StateHash[:]...)
}

func decodeClose(id common.Hash, inDispute bool, b []byte) (channel.Close, error) {
	r := newReader(b)
	c := channel.Close{ChannelID: id, Seq: r.uint64(), StateHash: r.hash(), InDispute: inDispute}
	return c, r.end()
}

func encodePending(e channel.SignedEvent) []byte {
	b := make([]byte, 0, 83+len(e.Payload))
	b = append(b, recordVersion, e.Author)
	b = binary.BigEndian.AppendUint64(b, e.NotAfter)
	b = binary.BigEndian.AppendUint64(b, e.Timestamp)
	b = append(b, e.Signature[:]...)
	return append(b, e.Payload...)
}

func decodePending(id common.Hash, nonce uint64, b []byte) (channel.SignedEvent, error) {
	r := newReader(b)
	var e channel.SignedEvent
	e.ChannelID, e.Nonce = id, nonce
	e.Author, e.NotAfter, e.Timestamp, e.Signature = r.byte(), r.uint64(), r.uint64(), r.signature()
	e.Payload = r.rest(channel.MaxPayload)
	return e, r.end()
}

// Kinds of entries.
const (
	entryEvent = 0
	entryTopUp = 1
)

func encodeEntry(e channel.Entry, stateHash common.Hash) []byte {
	size := 2 + 32 + 4
	if e.Event != nil {
		size = 2 + 32 + 90 + len(e.Event.Payload)
	}
	b := make([]byte, 0, size)
	if e.Event == nil {
		b = append(append(b, recordVersion, entryTopUp), stateHash[:]...)
		return binary.BigEndian.AppendUint32(b, e.TopUp)
	}
	b = append(append(b, recordVersion, entryEvent), stateHash[:]...)
	b = append(b, e.Event.Author)
	b = binary.BigEndian.AppendUint64(b, e.Event.Nonce)
	b = binary.BigEndian.AppendUint64(b, e.Event.NotAfter)
	b = binary.BigEndian.AppendUint64(b, e.Event.Timestamp)
	b = append(b, e.Event.Signature[:]...)
	return append(b, e.Event.Payload...)
}

func decodeEntry(id common.Hash, b []byte) (channel.Entry, common.Hash, error) {
	r := newReader(b)
	kind, stateHash := r.byte(), r.hash()
	switch {
	case r.err != nil:
		return channel.Entry{}, stateHash, r.err
	case kind == entryTopUp:
		e := channel.Entry{TopUp: r.uint32()}
		return e, stateHash, r.end()
	case kind != entryEvent:
		return channel.Entry{}, stateHash, malformed("entry kind %d", kind)
	}
	e := new(channel.SignedEvent)
	e.ChannelID = id
	e.Author, e.Nonce, e.NotAfter, e.Timestamp = r.byte(), r.uint64(), r.uint64(), r.uint64()
	e.Signature = r.signature()
	e.Payload = r.rest(channel.MaxPayload)
	return channel.Entry{Event: e}, stateHash, r.end()
}

// entryStateHash reads no more of an entry than its stateHash.
func entryStateHash(b []byte) (common.Hash, error) {
	r := newReader(b)
	r.byte()
	return r.hash(), r.err
}

func encodeSnapshot(state []byte, peaks []common.Hash) []byte {
	b := make([]byte, 0, 2+32*len(peaks)+len(state))
	b = append(b, recordVersion, byte(len(peaks)))
	for i := range peaks {
		b = append(b, peaks[i][:]...)
	}
	return append(b, state...)
}

func decodeSnapshot(seq uint64, b []byte) (*Snapshot, error) {
	r := newReader(b)
	n := int(r.byte())
	if want := bits.OnesCount64(seq + 1); r.err == nil && n != want {
		return nil, malformed("%d peaks at seq %d, not %d", n, seq, want)
	}
	s := &Snapshot{Seq: seq, Peaks: make([]common.Hash, n)}
	for i := range s.Peaks {
		s.Peaks[i] = r.hash()
	}
	s.State = r.rest(maxState)
	return s, r.end()
}

type wireObjective struct {
	Kind    string
	Channel common.Hash
	Status  string
	Version uint64
	Data    []byte
}

func (o *ObjectiveRecord) validate(id string) error {
	switch {
	case id == "" || len(id) > MaxName:
		return invalid("an objective id has 1 to %d bytes, not %d", MaxName, len(id))
	case o.ID != "" && o.ID != id:
		return invalid("the record names objective %q", o.ID)
	case len(o.Kind) > MaxName || len(o.Status) > MaxStatus || len(o.Data) > MaxObjectiveData:
		return invalid("objective %q: kind, status or data too long (%d, %d, %d bytes)", id, len(o.Kind), len(o.Status), len(o.Data))
	}
	return nil
}

func encodeObjective(o *ObjectiveRecord) []byte {
	return encodeRLP(&wireObjective{o.Kind, o.Channel, o.Status, o.Version, o.Data})
}

func decodeObjective(id string, b []byte) (*ObjectiveRecord, error) {
	var w wireObjective
	if err := newReader(b).rlp(&w); err != nil {
		return nil, err
	}
	o := &ObjectiveRecord{id, w.Kind, w.Channel, w.Status, w.Data, w.Version}
	return o, o.validate(id)
}

type wireFact struct {
	BlockHash, TxHash, Channel common.Hash
	Kind                       string
	Data                       []byte
}

func (f *Fact) validate() error {
	if len(f.Kind) > MaxName || len(f.Data) > MaxFactData {
		return invalid("fact at block %d log %d: kind or data too long (%d, %d bytes)", f.Block, f.LogIndex, len(f.Kind), len(f.Data))
	}
	return nil
}

func encodeFact(f *Fact) []byte {
	return encodeRLP(&wireFact{f.BlockHash, f.TxHash, f.Channel, f.Kind, f.Data})
}

func decodeFact(block uint64, logIndex uint32, b []byte) (*Fact, error) {
	var w wireFact
	if err := newReader(b).rlp(&w); err != nil {
		return nil, err
	}
	f := &Fact{block, w.BlockHash, logIndex, w.TxHash, w.Channel, w.Kind, w.Data}
	return f, f.validate()
}

func encodeCursor(c Cursor) []byte {
	b := binary.BigEndian.AppendUint64(append(make([]byte, 0, 41), recordVersion), c.Number)
	return append(b, c.Hash[:]...)
}

func decodeCursor(b []byte) (Cursor, error) {
	r := newReader(b)
	c := Cursor{r.uint64(), r.hash()}
	return c, r.end()
}

// Kinds of feed records.
const (
	feedEntry = 0
	feedEvent = 1
)

// feedItem points at what was committed.
type feedItem struct {
	kind    byte
	channel common.Hash
	number  uint64 // seq, or index of the node event
}

func encodeFeed(f feedItem) []byte {
	b := append(make([]byte, 0, 42), recordVersion, f.kind)
	if f.kind == feedEntry {
		b = append(b, f.channel[:]...)
	}
	return binary.BigEndian.AppendUint64(b, f.number)
}

func decodeFeed(b []byte) (f feedItem, err error) {
	r := newReader(b)
	f.kind = r.byte()
	switch {
	case r.err == nil && f.kind > feedEvent:
		return f, malformed("feed kind %d", f.kind)
	case f.kind == feedEntry:
		f.channel = r.hash()
	}
	f.number = r.uint64()
	return f, r.end()
}

func encodeFrozen(at uint64) []byte { return binary.BigEndian.AppendUint64([]byte{recordVersion}, at) }

func decodeFrozen(b []byte) (uint64, error) {
	r := newReader(b)
	at := r.uint64()
	return at, r.end()
}

// sameChannel tells whether two records differ in nothing but the status.
func sameChannel(a, b *ChannelRecord) bool {
	x, y := *a, *b
	x.Status, y.Status = "", ""
	return bytes.Equal(encodeChannel(&x), encodeChannel(&y))
}
