package proof

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common"

	"github.com/evmts/channels/channel"
)

// ErrNoFault is returned when a witness is asked for and no leaf is known to be wrong.
var ErrNoFault = errors.New("no leaf is known to be wrong: there is nothing to prove")

// Witness is everything that `disprove` needs to know about one leaf, as IPublications.Witness says (docs/encoding.md 28).
type Witness struct {
	Index             uint64
	Entry             []byte // kind (1) ‖ abi.encode(Event), or kind (1) ‖ the top-up's index (4); leaf 0: the genesis input
	StateHash         common.Hash
	Proof             []common.Hash // inclusion of the leaf
	PreviousEventHash common.Hash   // leaf 0: zero
	PreviousProof     []common.Hash // leaf 0: none
	PreviousState     []byte        // header ‖ funds ‖ app of leaf Index − 1; leaf 0: none
}

var eventArgs = func() abi.Arguments {
	t, err := abi.NewType("tuple", "", []abi.ArgumentMarshaling{
		{Name: "channelId", Type: "bytes32"}, {Name: "author", Type: "uint8"}, {Name: "nonce", Type: "uint64"},
		{Name: "notAfter", Type: "uint64"}, {Name: "timestamp", Type: "uint64"}, {Name: "payload", Type: "bytes"},
	})
	if err != nil {
		panic(err) // a constant of this package is misspelt
	}
	return abi.Arguments{{Type: t}}
}()

type wireEvent struct {
	ChannelId [32]byte
	Author    uint8
	Nonce     uint64
	NotAfter  uint64
	Timestamp uint64
	Payload   []byte
}

// EncodeEntry is an entry as a Witness carries it.
func EncodeEntry(e channel.Entry) ([]byte, error) {
	if e.Event == nil {
		return binary.BigEndian.AppendUint32([]byte{kindTopUp}, e.TopUp), nil
	}
	v := &e.Event.Event
	b, err := eventArgs.Pack(wireEvent{v.ChannelID, v.Author, v.Nonce, v.NotAfter, v.Timestamp, v.Payload})
	if err != nil {
		return nil, fmt.Errorf("encode an event: %w", err)
	}
	return append([]byte{kindEvent}, b...), nil
}

// Witness proves the first wrong leaf.
func (c *Checker) Witness() (*Witness, error) {
	if c.fault == nil {
		return nil, ErrNoFault
	}
	return c.journal.Witness(c.rules, c.fault.Seq, c.fault.Previous)
}

// Witness is of any leaf, right or not. previous is the state before it, nil for leaf 0.
func (j *Journal) Witness(r *channel.Rules, index uint64, previous *channel.State) (*Witness, error) {
	size, tree := uint64(len(j.Leaves)), j.Tree(r.Params)
	path, err := tree.InclusionProof(index, size)
	if err != nil {
		return nil, err
	}
	w := &Witness{Index: index, StateHash: j.Leaves[index].StateHash, Proof: path}
	if index == 0 {
		w.Entry = j.Genesis
		return w, nil
	}
	if w.Entry, err = EncodeEntry(j.Leaves[index].Entry); err != nil {
		return nil, err
	}
	if w.PreviousProof, err = tree.InclusionProof(index-1, size); err != nil {
		return nil, err
	}
	w.PreviousEventHash, w.PreviousState = j.eventHash(r.Params, r.ID(), int(index-1)), previous.Bytes()
	return w, nil
}
