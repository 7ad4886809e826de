package eventstore

import (
	"crypto/ecdsa"
	"encoding/binary"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/evmts/channels/channel"
)

// script is a channel whose states are made up: the store does not derive, so any bytes of the right shape will do.
type script struct {
	id      common.Hash
	record  ChannelRecord
	keys    []*ecdsa.PrivateKey
	domain  channel.Domain
	signing bool // real signatures instead of marked bytes

	entries  []channel.Entry // by seq, none at 0
	states   []*channel.State
	hashes   []common.Hash
	journals []channel.Journal
}

func testKey(i int) *ecdsa.PrivateKey {
	var seed [32]byte
	binary.BigEndian.PutUint64(seed[24:], uint64(i)+1)
	key, err := crypto.ToECDSA(seed[:])
	if err != nil {
		panic(err)
	}
	return key
}

func fakeSignature(tag uint64) (s channel.Signature) {
	binary.BigEndian.PutUint64(s[8:], tag+1)
	s[40], s[64] = 1, 27
	return s
}

// newScript makes a channel of n participants; nonce makes it distinct.
func newScript(nonce uint64, n int) *script {
	s := &script{}
	amounts := make([]uint256.Int, n)
	parts := make([]channel.Participant, n)
	for i := range parts {
		s.keys = append(s.keys, testKey(i))
		addr := crypto.PubkeyToAddress(s.keys[i].PublicKey)
		parts[i] = channel.Participant{Signer: addr, Owner: addr}
		amounts[i].SetUint64(100)
	}
	input := binary.BigEndian.AppendUint64([]byte("genesis"), nonce)
	funding := channel.Funding{{Amounts: amounts}}
	s.record = ChannelRecord{
		Params: channel.Params{
			ChainID: *uint256.NewInt(901), Adjudicator: common.Address{1}, Participants: parts, Nonce: nonce, Window: 60,
			ForceQuota: 8, ModuleHash: common.Hash{7}, GenesisHash: crypto.Keccak256Hash(input), FundingHash: funding.Hash(),
			FundingDeadline: 1 << 40,
		},
		Funding: funding, GenesisInput: input, Me: 0, CreatedAt: 1_700_000_000, Status: "open",
	}
	s.id, s.domain = s.record.Params.ID(), s.record.Params.Domain()
	s.record.ID = s.id
	s.addState(channel.Entry{}, s.record.Params.GenesisHash)
	s.record.StateHash = s.hashes[0]
	return s
}

func (s *script) addState(e channel.Entry, eventHash common.Hash) {
	seq := uint64(len(s.states))
	shape := channel.ShapeOf(&s.record.Params, s.record.Funding)
	st := &channel.State{
		Header: channel.Header{LastTimestamp: seq, Nonces: make([]uint64, shape.Participants)},
		Funds:  make([]byte, shape.FundsLen()),
		App:    binary.BigEndian.AppendUint64([]byte("app"), seq),
	}
	s.entries, s.states, s.hashes = append(s.entries, e), append(s.states, st), append(s.hashes, st.Hash())
	var j channel.Journal
	if seq > 0 {
		j = s.journals[seq-1]
	}
	s.journals = append(s.journals, j.Append(channel.LeafHash(eventHash, s.hashes[seq])))
}

// event is the scripted event of a seq; every seventh entry is a top-up.
func (s *script) grow(upTo uint64) {
	for seq := uint64(len(s.states)); seq <= upTo; seq++ {
		e := channel.Entry{TopUp: uint32(seq)}
		if seq%7 != 0 {
			e = channel.Entry{Event: s.event(seq, seq)}
		}
		s.addState(e, e.Hash(s.id))
	}
}

func (s *script) event(nonce, tag uint64) *channel.SignedEvent {
	author := nonce % uint64(len(s.keys))
	e := &channel.SignedEvent{Event: channel.Event{
		ChannelID: s.id, Author: uint8(author), Nonce: nonce, NotAfter: tag % 3, Timestamp: 1_700_000_000 + tag,
		Payload: binary.BigEndian.AppendUint64([]byte{0x81}, tag),
	}}
	e.Signature = s.sign(e.Event, int(author), tag)
	return e
}

func (s *script) sign(m channel.Message, seat int, tag uint64) channel.Signature {
	if !s.signing {
		return fakeSignature(tag)
	}
	sig, err := channel.Sign(s.domain.Digest(m), s.keys[seat])
	if err != nil {
		panic(err)
	}
	return sig
}

func (s *script) update(seq uint64) channel.Update {
	s.grow(seq)
	return channel.Update{ChannelID: s.id, Seq: seq, JournalRoot: s.journals[seq].Root(), StateHash: s.hashes[seq]}
}

func (s *script) signatures(u channel.Update) (sigs []channel.Signature) {
	for i := range s.keys {
		sigs = append(sigs, s.sign(u, i, u.Seq*16+uint64(i)))
	}
	return sigs
}

// append puts the entries first..last.
func (s *script) append(b *Batch, first, last uint64) {
	s.grow(last)
	for seq := first; seq <= last; seq++ {
		b.AppendEntry(s.id, seq, s.entries[seq], s.hashes[seq])
	}
}

func (s *script) snapshot(b *Batch, seq uint64) {
	s.grow(seq)
	b.PutSnapshot(s.id, seq, s.states[seq].Bytes(), s.journals[seq].Peaks())
}

func open(t testing.TB, fs vfs.FS, opts ...Option) *Store {
	t.Helper()
	s, err := Open("db", append([]Option{WithFS(fs), WithCacheSize(1 << 20)}, opts...)...)
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// commit commits what fill puts, with sync.
func commit(s *Store, fill func(*Batch)) error {
	b := s.NewBatch()
	fill(b)
	return s.Commit(b, true)
}
