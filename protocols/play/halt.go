package play

import (
	"fmt"

	"github.com/ethereum/go-ethereum/rlp"
	"github.com/evmts/channels/channel"
	"github.com/evmts/channels/protocols"
)

// Name of the objective, in records. Its only record is its Halt: everything else follows from the journal.
const Name = "play"

// Halt is why a node signs nothing any more, whatever is restarted. Evidence are Updates with the signatures that show
// it: two of the sequencer at one seq, or one that this node cannot have signed or derived.
type Halt struct {
	Kind     protocols.NoteKind
	Seq      uint64
	Code     channel.Code
	Text     string
	Evidence []protocols.Head
}

// Encode is what DecodeHalt reads.
func (h Halt) Encode() []byte {
	data, err := rlp.EncodeToBytes(h)
	if err != nil {
		panic(err) // the type is fixed and encodable
	}
	return data
}

// DecodeHalt is the inverse of what RecordObjective stored under Name.
func DecodeHalt(data []byte) (*Halt, error) {
	h := new(Halt)
	if err := rlp.DecodeBytes(data, h); err != nil {
		return nil, fmt.Errorf("restore play: the record is malformed (%w)", err)
	}
	return h, nil
}

// Halt is why play stopped for good; ok is false when it did not.
func (o Objective) Halt() (h Halt, ok bool) { return o.halted, o.phase == Halted }

// halt stops for good: what we know is kept with the evidence, nothing more is signed, before or after a restart.
func (o *Objective) halt(kind protocols.NoteKind, seq uint64, code channel.Code, text string, evidence ...protocols.Head) []protocols.Action {
	o.phase, o.halted = Halted, Halt{kind, seq, code, text, evidence}
	acts := []protocols.Action{
		protocols.RecordObjective{Name: Name, Data: o.halted.Encode()},
		protocols.Notify{Event: protocols.Notification{Kind: kind, Seq: seq, Code: code, Text: text}},
	}
	why := channel.Refuse(code, "%s", text)
	acts = append(acts, o.refuseWaiting(why)...)
	for _, a := range o.mine { // not forgotten: a dispute may still force them
		acts = append(acts, o.failure(a, why)...)
	}
	o.mine = nil
	return acts
}
