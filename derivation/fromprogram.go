package derivation

import (
	"bytes"
	"fmt"
	"runtime"

	"github.com/evmts/channels/channel"
	"github.com/evmts/channels/derivation/lower"
)

// FromProgram makes a module of an encoded lowered program and its manifest, as the chain's registry keeps them: whoever verifies
// needs no binary. It runs on the reference machine, so it needs no Engine and nothing has to be closed. encoded is copied.
//
// Nobody has checked what stands in a registry. A program that its manifest does not name is ErrOtherModule; bytes that are no
// program, one without the entries of a module, or one that charges too little, are ErrModule; a fuel limit that no machine counts to is ErrOptions. A program
// that begins with more pages than its manifest allows is one that traps in every call, as it does on chain.
func FromProgram(encoded []byte, manifest channel.Manifest) (*Module, error) {
	if have := keccak(encoded); have != manifest.ProgramHash {
		return nil, fmt.Errorf("%w: the program hashes to %s, its manifest says %s", ErrOtherModule, have, manifest.ProgramHash)
	}
	if manifest.FuelLimit >= 1<<63 {
		return nil, fmt.Errorf("%w: the fuel limit %d is above 2^63", ErrOptions, manifest.FuelLimit)
	}
	l, err := lower.Decode(bytes.Clone(encoded))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrModule, err)
	}
	for i, f := range l.Entries {
		if f == lower.None {
			return nil, fmt.Errorf("%w: the program has no entry %s", ErrModule, lower.EntryNames[i])
		}
	}
	if pc := undercharged(l); pc >= 0 {
		return nil, fmt.Errorf("%w: the Fuel at instruction %d charges less than what follows is worth; no lowering gives that", ErrModule, pc)
	}
	p := &program{lowered: l, hash: manifest.ProgramHash, bytes: len(encoded), functions: len(l.Functions), maxPages: min(l.MaxPages, manifest.PageLimit)}
	if l.Pages() > manifest.PageLimit {
		p.executor = tooManyPages{}
	} else {
		p.executor = newReference(l, manifest.PageLimit, runtime.GOMAXPROCS(0))
	}
	return &Module{program: p, manifest: manifest, hash: manifest.Hash()}, nil
}

// leastFuel is what an instruction is worth at the very least. The weights are some times as much; this is not to check them, but so
// that a fuel limit bounds the time of a call of any program: a block of all instructions that a program may have would otherwise
// be run for the price of one, hundreds of thousands of times.
const leastFuel = 8

// undercharged is a Fuel that charges too little for the longest way to the next charges, -1 when there is none. Ways without a Fuel
// lead forwards only: lower.Decode sees to that.
func undercharged(p *lower.Program) int {
	length := make([]uint32, len(p.Code)+1) // instructions from here to where the next Fuel charges; of a Fuel 0
	to := func(pc uint32) uint32 { return length[min(int(pc), len(p.Code))] }
	for pc := len(p.Code) - 1; pc >= 0; pc-- {
		next := uint32(pc + 1)
		switch in := p.Code[pc]; in.Op {
		case lower.Fuel:
			if uint64(in.C) < leastFuel*uint64(to(next)) {
				return pc
			}
		case lower.Unreachable, lower.Return:
			length[pc] = 1
		case lower.Jump:
			length[pc] = 1 + forwards(pc, in.C, to)
		case lower.JumpIf, lower.JumpUnless:
			length[pc] = 1 + max(to(next), forwards(pc, in.C, to))
		case lower.Table:
			for i := range uint32(in.B) + 1 {
				length[pc] = max(length[pc], 1+to(next+i))
			}
		default:
			length[pc] = 1 + to(next)
		}
	}
	return -1
}

// forwards is the way behind a jump; one backwards leads to a Fuel.
func forwards(pc int, target uint32, to func(uint32) uint32) uint32 {
	if int(target) <= pc {
		return 0
	}
	return to(target)
}

// tooManyPages runs a program whose snapshot does not fit its manifest's page limit. Engines refuse to load one.
type tooManyPages struct{}

func (tooManyPages) run(entry, [][]byte, uint64, *[][]byte) channel.Result {
	return channel.Result{Status: channel.RejectedTrap, Reason: TrapMemory}
}

func (tooManyPages) close() {}
