// Package protocols holds what the objectives share: the messages between participants, the inputs an objective takes and
// the actions it asks for. The objectives themselves are in the packages below it.
//
// An objective is a pure state machine in the manner of etcd's raft:
//
//	Crank(input) → (objective', actions)      WaitingFor() → what it cannot go on without
//
// It has no I/O, clock, goroutine, logger or key. Whoever runs it carries the actions out in this order, which is the
// safety rule of the whole system (docs/protocol.md §3, S1):
//
//  1. every Record of the actions, durably (fsync);
//  2. then every Sign, whose result comes back as the input Signed;
//  3. then everything else: Send, SubmitTx, Notify, Respond.
//
// # Messages
//
// A message is the RLP list [kind, channelId, body]; body is the RLP list of the fields of the type with that kind, in
// the order of its declaration. A signature is 65 bytes, an entry [signedEvent] or [topUpIndex]:
//
//	1 proposal     params, funding, genesis           7 sync        seq, root, supported
//	2 accept       signature, join, want               8 catch_up    from, entries, heads, proof
//	3 refusal      ref, code, text                     9 close       close, signature
//	4 submit       event                              10 diverged    seq, eventHash, stateHash
//	5 append       from, entries, update, signature
//	6 countersign  seq, signature
package protocols

import (
	"slices"

	"github.com/ethereum/go-ethereum/common"
	"github.com/evmts/channels/channel"
)

// Input is something that happened.
type Input interface{ input() }

// Action is something the objective wants done.
type Action interface{ action() }

// WaitingFor names what an objective cannot go on without; empty when it is done.
type WaitingFor string

// Received is a message from another participant, authenticated by the transport.
type Received struct {
	From uint8 // participant
	Body Body
	Now  uint64 // UNIX seconds of the receiver's clock
}

// Connected says that the stream to a participant is (again) up.
type Connected struct{ Peer uint8 }

// Signed gives back the signature that Sign asked for.
type Signed struct {
	Message   channel.Message
	Signature channel.Signature
}

// Unsigned says that there is no signature that Sign asked for: the key is elsewhere and cannot be used for now. Nothing was
// sent. Objectives that sign with such keys ask again after a while.
type Unsigned struct {
	Message channel.Message
	Code    channel.Code
	Err     string
}

// Tick is the passing of time, in UNIX seconds.
type Tick struct{ Now uint64 }

// Flush says that everything at hand has been delivered: what can be done for many events at once is done now.
type Flush struct{ Now uint64 }

// Hold tells play that the channel is closing: no event is authored or ordered any more, and with Sign false no Update is
// signed either.
type Hold struct{ Sign bool }

// Progress tells directdefund where play stands.
type Progress struct {
	Supported  channel.Update
	Signatures []channel.Signature
	Terminal   bool   // the supported state
	SignedSeq  uint64 // newest Update signed by us
}

// ChainView is what the chain says about a channel, each kind of fact at the level of trust that policy demands of it. It is a whole picture, not
// a change: after a reorg the next view simply differs.
type ChainView struct {
	Time      uint64 // of the newest block up to which facts of every kind count, UNIX seconds; 0: there is none yet
	Deposited []Deposit
	Funded    bool
	Refunded  bool
	Final     bool
	FinalSeq  uint64
	FinalHash common.Hash // stateHash
	Settled   bool
	// Proven says that the journal is on chain: executed there, or published. Deadline is when a publication stands, UNIX
	// seconds, 0 when it was executed. Void: disproved or vetoed.
	Proven   bool
	Deadline uint64
	Void     bool
	Seen     Seen
}

// Seen is what the newest block shows, also what does not count yet. Nothing is derived from it: what it shows need not be sent, and
// what it showed and shows no longer, because a reorg took it away before it counted, has to be sent again.
type Seen struct {
	Time      uint64 // of the newest block, which the contracts compare deadlines with
	Deposited []Deposit
	Refunded  bool
	Final     bool
	Settled   bool
	Proven    bool
}

// Paid tells whether the chain shows a deposit, whether it counts or not.
func (v ChainView) Paid(d Deposit) bool {
	return slices.Contains(v.Deposited, d) || slices.Contains(v.Seen.Deposited, d)
}

// Deposit names one entry of the Funding that was paid.
type Deposit struct{ Participant, Asset uint8 }

// Submitted is how a transaction that Submit asked for ended.
type Submitted struct {
	Tx  Tx
	Err string // empty: mined and successful
}

// Request is what an owner asks through the API. ID comes back in Respond.
type Request struct {
	ID  uint64
	Ask Ask
	Now uint64
}

// Ask is one of the things an owner can ask of an objective.
type Ask interface{ ask() }

// AskApprove and AskReject answer a proposal that policy leaves to the owner; AskClose consents to end the channel.
type (
	AskApprove struct{}
	AskReject  struct{ Reason string }
	AskClose   struct{}
	// AskAuthor makes and submits an event. Nonce counts only for sparse modules.
	AskAuthor struct {
		Payload  []byte
		NotAfter uint64
		Nonce    uint64
	}
)

func (AskApprove) ask() {}
func (AskReject) ask()  {}
func (AskClose) ask()   {}
func (AskAuthor) ask()  {}

func (Received) input()  {}
func (Connected) input() {}
func (Signed) input()    {}
func (Unsigned) input()  {}
func (Tick) input()      {}
func (Flush) input()     {}
func (Hold) input()      {}
func (Progress) input()  {}
func (Replayed) input()  {}
func (Recalled) input()  {}
func (ChainView) input() {}
func (Submitted) input() {}
func (Request) input()   {}

// Record is an Action that must be durable before any Sign, Send, SubmitTx, Notify or Respond of the same actions.
type Record interface {
	Action
	record()
}

// RecordEntry appends to the journal. State is what the entry leads to.
type RecordEntry struct {
	Seq       uint64
	Entry     channel.Entry
	State     *channel.State
	StateHash common.Hash
	Journal   channel.Journal
}

// RecordSigned fixes that this Update, and no other at its seq, is signed by us. Known are the others' signatures on it
// that are at hand, by participant; only those of the newest RecordSigned need to be kept.
type RecordSigned struct {
	Update channel.Update
	Known  []channel.Signature
}

// RecordSupported stores the newest supported Update with everyone's signatures. Derivable says that it follows from what
// is durable already: RecordSigned has all other signatures, and ours comes out the same when it is made again. Then
// nothing need wait for it to be durable.
type RecordSupported struct {
	Update     channel.Update
	Signatures []channel.Signature
	Derivable  bool
}

// RecordPending stores an event of ours that is not in the journal yet; RecordPlaced forgets it.
type (
	RecordPending struct{ Event channel.SignedEvent }
	RecordPlaced  struct{ Nonce uint64 }
)

// RecordClose fixes the one Close that we sign in this phase.
type RecordClose struct{ Close channel.Close }

// RecordObjective stores an objective's own state: what Encode of its package gave.
type RecordObjective struct {
	Name string
	Data []byte
}

// Key says whose key signs.
type Key uint8

const (
	SessionKey Key = iota
	OwnerKey
	AttestorKey
)

// Sign asks for a signature; the result comes back as Signed, or as Unsigned. That of the session key comes at once; that of another
// key may come at any time later, or, when the process ends before, never.
type Sign struct {
	Message channel.Message
	Key     Key
}

// Send gives a message to the transport, for one participant.
type Send struct {
	To   uint8
	Body Body
}

// SendEntries asks the runner to send a CatchUp with the journal's entries from From on, as many as fit, and these heads.
// Only the runner can read the journal.
type SendEntries struct {
	To    uint8
	From  uint64
	Heads []Head
}

// Tx is a transaction that the chain needs; the runner builds it from what it knows of the channel, and may find that nothing is left to
// do.
type Tx struct {
	Kind  TxKind
	Asset uint8 // deposits
}

// TxKind names a transaction.
type TxKind uint8

const (
	TxDeposit TxKind = iota + 1
	TxRefund
	TxConclude
	TxSettle
	TxPublish
	TxRelease // of the bond, if we risked one
)

func (k TxKind) String() string {
	return [...]string{"", "deposit", "refund", "conclude", "settle", "publish", "release"}[min(int(k), 6)]
}

// Replay asks the runner to derive the whole journal again, in a fresh instance and from the store, up to Seq, and the
// effects of the state there. The result comes back as Replayed.
type Replay struct{ Seq uint64 }

// Replayed is how a Replay ended.
type Replayed struct {
	Update  channel.Update // of the journal replayed
	Effects []channel.Effect
	Err     string
}

// Recall asks the runner for the state of the own journal at an Update that turned out to be supported, while only newer
// states are in memory: after a restart. The result comes back as Recalled, or not at all when the store does not have it.
type Recall struct {
	Update     channel.Update
	Signatures []channel.Signature // everyone's, verified
}

// Recalled gives back what Recall asked for, with the Update that the own journal gives at its seq.
type Recalled struct {
	Update     channel.Update
	Signatures []channel.Signature
	State      *channel.State
}

// HoldPlay asks the runner to give play the input Hold.
type HoldPlay struct{ Hold Hold }

// SubmitTx asks for a transaction; how it ended comes back as Submitted. It is idempotent: the runner does not send what
// the chain already shows.
type SubmitTx struct{ Tx Tx }

// Notify tells subscribers.
type Notify struct{ Event Notification }

// Notification is something subscribers see.
type Notification struct {
	Kind NoteKind
	Seq  uint64
	Code channel.Code
	Text string
}

// NoteKind names a notification.
type NoteKind string

const (
	NoteProposed  NoteKind = "proposed"
	NoteAccepted  NoteKind = "accepted" // somebody signed Update 0
	NoteOpen      NoteKind = "open"
	NoteAppended  NoteKind = "appended"
	NoteSupported NoteKind = "supported"
	NoteRefused   NoteKind = "refused"
	NoteDiverged  NoteKind = "diverged"
	NoteClosing   NoteKind = "closing"
	NoteFinal     NoteKind = "final"
	NoteSettled   NoteKind = "settled"
	NoteHalted    NoteKind = "halted"
	NoteAbandoned NoteKind = "abandoned"
)

// Respond answers a Request.
type Respond struct {
	ID  uint64
	Err *channel.Refusal
	Seq uint64 // AskAuthor: where the event stands
}

// Drop counts a message that was not acted upon.
type Drop struct {
	From uint8
	Code channel.Code
	Text string
}

func (RecordEntry) action()     {}
func (RecordSigned) action()    {}
func (RecordSupported) action() {}
func (RecordPending) action()   {}
func (RecordPlaced) action()    {}
func (RecordClose) action()     {}
func (RecordObjective) action() {}
func (Sign) action()            {}
func (Send) action()            {}
func (SendEntries) action()     {}
func (SubmitTx) action()        {}
func (HoldPlay) action()        {}
func (Replay) action()          {}
func (Recall) action()          {}
func (Notify) action()          {}
func (Respond) action()         {}
func (Drop) action()            {}

func (RecordEntry) record()     {}
func (RecordSigned) record()    {}
func (RecordSupported) record() {}
func (RecordPending) record()   {}
func (RecordPlaced) record()    {}
func (RecordClose) record()     {}
func (RecordObjective) record() {}

// Patience is after how many seconds a signature is asked for again that could not be had so many times before.
func Patience(stall uint64, before uint64) uint64 {
	const doublings = 4
	return stall << min(before, doublings)
}

// ToOthers is one Send per participant other than me.
func ToOthers(n, me uint8, body Body) []Action {
	out := make([]Action, 0, n)
	for i := uint8(0); i < n; i++ {
		if i != me {
			out = append(out, Send{i, body})
		}
	}
	return out
}
