package channel

import (
	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
)

// Limits of what a module may be given and may return, in bytes (docs/protocol.md §1, inclusive).
const (
	MaxPayload     = 4 << 10
	MaxApp         = 16 << 10
	MaxGenesis     = 16 << 10
	MaxEffects     = 32
	MaxEffectBytes = 8 << 10
)

// Status is why an event was or was not accepted. Only "0 or not 0" enters the protocol;
// the number and the text are shown to people (docs/encoding.md 18). The order is the order of the checks.
type Status uint8

const (
	Accepted Status = iota
	RejectedChannel
	RejectedTerminal
	RejectedAuthor
	RejectedNonce
	RejectedNotAfter
	RejectedOversize
	RejectedByModule
	RejectedTrap
	RejectedOutOfFuel
	RejectedOutput
	RejectedSums
)

var statusText = [...]string{
	"accepted", "wrong channel", "state is terminal", "unknown author", "wrong nonce", "past notAfter", "payload too large",
	"rejected by the module", "module trapped", "out of fuel", "malformed or too large output", "funds do not sum to the pot",
}

func (s Status) String() string {
	if int(s) < len(statusText) {
		return statusText[s]
	}
	return "unknown status"
}

// Manifest is the part of a module's description that its hash commits to (docs/encoding.md 16).
type Manifest struct {
	ProgramHash common.Hash // keccak256 of the program
	FuelLimit   uint64      // fuel of one call
	PageLimit   uint32      // pages of 64 KiB that the memory may reach
	MaxEvents   uint32      // events per author over the channel's life, 0 = unknown
	Sparse      bool        // nonces may have gaps, the newest wins
	Independent bool        // an event may be authored before the previous one is supported
}

const (
	flagSparse      = 1 << 0
	flagIndependent = 1 << 1
)

var manifestArgs = arguments("bytes32", "uint64", "uint32", "uint32", "uint8")

// Hash is moduleHash = H(abi.encode(programHash, fuelLimit, pageLimit, maxEvents, flags)).
func (m Manifest) Hash() common.Hash {
	var flags uint8
	if m.Sparse {
		flags |= flagSparse
	}
	if m.Independent {
		flags |= flagIndependent
	}
	return crypto.Keccak256Hash(pack(manifestArgs, m.ProgramHash, m.FuelLimit, m.PageLimit, m.MaxEvents, flags))
}

// Result is what one call of a module gave. Output is set only when Status is Accepted.
type Result struct {
	Status Status
	Output []byte   // init, reduce: terminal (1 byte) ‖ funds ‖ app; effects: abi.encode(Effect[])
	Fuel   uint64   // fuel used
	Reason string   // what the module said in reject, or the kind of trap; at most 256 bytes, valid UTF-8
	Log    []string // what the module logged, bounded; never part of the result
}

// Module is the deterministic reducer of an application. Every call starts from the same snapshot of the
// instance, so calls are independent of each other and may run concurrently. Implementations never panic and
// never return a Status below RejectedByModule other than Accepted; the checks of the shell are Transition's.
type Module interface {
	Manifest() Manifest
	// Init gets abi.encode(Params, Funding[], bytes genesisInput) and returns the first state's result.
	Init(input []byte) Result
	// Reduce gets the bytes of a State and the event in the encoding of docs/encoding.md 21.
	Reduce(state, event []byte) Result
	// Effects gets the bytes of a terminal State.
	Effects(state []byte) Result
}

func arguments(types ...string) abi.Arguments {
	args := make(abi.Arguments, len(types))
	for i, t := range types {
		typ, err := abi.NewType(t, "", nil)
		if err != nil {
			panic(err) // a constant of this package is misspelt
		}
		args[i] = abi.Argument{Type: typ}
	}
	return args
}

// pack encodes values of the right Go types, which callers in this package guarantee.
func pack(args abi.Arguments, values ...any) []byte {
	b, err := args.Pack(values...)
	if err != nil {
		panic(err)
	}
	return b
}
