package derivation

import (
	"github.com/ethereum/go-ethereum/common"

	"github.com/evmts/channels/channel"
	"github.com/evmts/channels/derivation/lower"
	"github.com/evmts/channels/derivation/meter"
)

// Module is a loaded reducer. It implements channel.Module and is safe for concurrent use.
type Module struct {
	program  *program
	manifest channel.Manifest
	hash     common.Hash
}

var _ channel.Module = (*Module)(nil)

// Manifest is what the module's hash commits to.
func (m *Module) Manifest() channel.Manifest { return m.manifest }

// Hash is the moduleHash that Params name.
func (m *Module) Hash() common.Hash { return m.hash }

// Program is the lowered form of the module, which its manifest's ProgramHash commits to. It must not be changed.
func (m *Module) Program() *lower.Program { return m.program.lowered }

// Info describes a loaded module for people.
type Info struct {
	Bytes     int    // of the binary
	Program   int    // bytes of the lowered program, which the chain stores
	Functions int    // that the module defines
	Pages     uint32 // of 64 KiB, after the start function
	MaxPages  uint32 // that memory.grow can reach
}

// Info describes the module.
func (m *Module) Info() Info {
	return Info{m.program.size, m.program.bytes, m.program.functions, m.program.lowered.Pages(), m.program.maxPages}
}

// Init derives the first state's result from abi.encode(Params, Funding[], bytes genesisInput).
func (m *Module) Init(input []byte) channel.Result {
	return m.run(entryInit, [2][]byte{input}, nil)
}

// Reduce derives what an event does to a State (docs/encoding.md 21).
func (m *Module) Reduce(state, event []byte) channel.Result {
	return m.run(entryReduce, [2][]byte{state, event}, nil)
}

// Effects derives abi.encode(Effect[]) from a terminal State.
func (m *Module) Effects(state []byte) channel.Result {
	return m.run(entryEffects, [2][]byte{state}, nil)
}

// ReduceEmitting is Reduce that also gives what the module emitted: notices for a user interface, at most MaxNotices
// of at most MaxNoticeBytes each, given whatever the status. They are no part of the result.
func (m *Module) ReduceEmitting(state, event []byte) (channel.Result, [][]byte) {
	var emitted [][]byte
	r := m.run(entryReduce, [2][]byte{state, event}, &emitted)
	return r, emitted
}

func (m *Module) run(entry entry, args [2][]byte, emitted *[][]byte) channel.Result {
	used := args[:1]
	if entry == entryReduce {
		used = args[:]
	}
	for _, a := range used {
		if len(a) > MaxInputBytes {
			return channel.Result{Status: channel.RejectedTrap, Reason: TrapInput}
		}
	}
	return m.program.run(entry, used, m.manifest.FuelLimit, emitted)
}

// run carries out one call in an instance that is in the state of the snapshot.
func (in *instance) run(entry entry, args [][]byte, limit uint64) channel.Result {
	left := limit
	var params [4]uint64
	for i, arg := range args {
		due := meter.InputWord * meter.Words(len(arg))
		if due > left {
			return channel.Result{Status: channel.RejectedOutOfFuel, Fuel: limit}
		}
		in.fuel.Set(left - due)
		in.stack[0] = uint64(len(arg))
		if err := in.allocate.CallWithStack(&in.call, in.stack[:1]); err != nil {
			return in.failed(err, limit)
		}
		left = in.fuel.Get()
		ptr := uint32(in.stack[0])
		if !in.memory.Write(ptr, arg) {
			return channel.Result{Status: channel.RejectedTrap, Fuel: limit - left, Reason: TrapAllocate}
		}
		params[2*i], params[2*i+1] = uint64(ptr), uint64(len(arg))
	}
	in.stack = params
	if err := in.entries[entry].CallWithStack(&in.call, in.stack[:]); err != nil {
		return in.failed(err, limit)
	}
	return in.output(entry, limit, in.fuel.Get())
}

// failed gives the result of a call that ended early.
func (in *instance) failed(err error, limit uint64) channel.Result {
	left := int64(in.fuel.Get())
	switch {
	case left < 0:
		return channel.Result{Status: channel.RejectedOutOfFuel, Fuel: limit}
	case in.call.rejected:
		return channel.Result{Status: channel.RejectedByModule, Fuel: limit - uint64(left), Reason: in.call.reason}
	}
	reason := in.call.explain(err)
	if uint32(in.height.Get()) > meter.StackLimit {
		reason = TrapStack
	}
	return channel.Result{Status: channel.RejectedTrap, Fuel: limit - uint64(left), Reason: reason}
}

// output reads, charges and checks what the call returned.
func (in *instance) output(entry entry, limit, left uint64) channel.Result {
	ptr, size := uint32(in.stack[0]>>32), uint32(in.stack[0])
	view, ok := in.memory.Read(ptr, size)
	if !ok {
		return channel.Result{Status: channel.RejectedTrap, Fuel: limit - left, Reason: TrapResult}
	}
	due := meter.OutputWord * meter.Words(len(view))
	if due > left {
		return channel.Result{Status: channel.RejectedOutOfFuel, Fuel: limit}
	}
	return checked(entry, view, limit-left+due)
}

// checked is the result of a call that returned the bytes in view.
func checked(entry entry, view []byte, fuel uint64) channel.Result {
	limit := uint32(MaxResultBytes)
	if entry == entryEffects {
		limit = channel.MaxEffectBytes
	}
	if reason := malformed(entry, view, limit); reason != "" {
		return channel.Result{Status: channel.RejectedOutput, Fuel: fuel, Reason: reason}
	}
	return channel.Result{Status: channel.Accepted, Output: append(make([]byte, 0, len(view)), view...), Fuel: fuel}
}

func malformed(entry entry, output []byte, limit uint32) string {
	switch {
	case uint32(len(output)) > limit:
		return "the output is too large"
	case len(output) == 0:
		return "the output is empty"
	case entry != entryEffects && output[0] > 1:
		return "the terminal byte of the output is neither 0 nor 1"
	}
	return ""
}
