package channel

import "fmt"

// Code says in one stable word why something was refused. Codes appear in RPC errors, in messages between peers, in
// metrics and in the docs.
type Code string

const (
	CodeMalformed      Code = "malformed"       // bytes that do not decode, or fields out of bounds
	CodeVersion        Code = "version"         // another protocol version or network
	CodeSignature      Code = "signature"       // a signature that is malformed or by somebody else
	CodeNotParticipant Code = "not_participant" // the sender or author has no place in this channel
	CodeUnknownChannel Code = "unknown_channel"
	CodeUnknownModule  Code = "unknown_module" // no module with this hash is installed here
	CodeModuleHash     Code = "module_hash"    // a module whose bytes give another hash
	CodeParams         Code = "params"         // parameters out of the protocol's bounds
	CodePolicy         Code = "policy"         // this node's policy does not allow it
	CodeStale          Code = "stale"          // a seq or nonce that is already settled
	CodeGap            Code = "gap"            // a seq that skips what is not known yet
	CodeRejected       Code = "rejected"       // the rules of the channel reject the event
	CodeDiverged       Code = "diverged"       // derived another state from the same events
	CodeConflict       Code = "conflict"       // contradicts what was signed before
	CodePhase          Code = "phase"          // the channel is not in a phase that allows it
	CodeNotReady       Code = "not_ready"      // try again: the previous event is not supported yet
	CodeBusy           Code = "busy"           // a bounded queue is full
	CodeTooLarge       Code = "too_large"
	CodeExists         Code = "exists"
	CodeChain          Code = "chain"    // the chain refused, or could not be reached
	CodeSigner         Code = "signer"   // a remote signer refused, or could not be reached
	CodeInternal       Code = "internal" // a fault of this node
)

// Refusal is an error with a Code and with what to do next in its text.
type Refusal struct {
	Code   Code
	Detail string
}

func (r *Refusal) Error() string { return string(r.Code) + ": " + r.Detail }

// Is makes errors.Is(err, &Refusal{Code: c}) true for any refusal with that code.
func (r *Refusal) Is(target error) bool {
	t, ok := target.(*Refusal)
	return ok && t.Code == r.Code && (t.Detail == "" || t.Detail == r.Detail)
}

// Refuse makes a Refusal.
func Refuse(code Code, format string, args ...any) *Refusal {
	return &Refusal{code, fmt.Sprintf(format, args...)}
}
