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
// program, or one without the entries of a module, are ErrModule; a fuel limit that no machine counts to is ErrOptions. A program
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
	p := &program{lowered: l, hash: manifest.ProgramHash, bytes: len(encoded), functions: len(l.Functions), maxPages: min(l.MaxPages, manifest.PageLimit)}
	if l.Pages() > manifest.PageLimit {
		p.executor = tooManyPages{}
	} else {
		p.executor = newReference(l, manifest.PageLimit, runtime.GOMAXPROCS(0))
	}
	return &Module{program: p, manifest: manifest, hash: manifest.Hash()}, nil
}

// tooManyPages runs a program whose snapshot does not fit its manifest's page limit. Engines refuse to load one.
type tooManyPages struct{}

func (tooManyPages) run(entry, [][]byte, uint64, *[][]byte) channel.Result {
	return channel.Result{Status: channel.RejectedTrap, Reason: TrapMemory}
}

func (tooManyPages) close() {}
