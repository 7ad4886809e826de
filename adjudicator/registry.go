package adjudicator

import (
	"context"
	"errors"
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/evmts/channels/adjudicator/bindings"
	"github.com/evmts/channels/channel"
)

// Limits of a registered program: pieces are contracts whose code is a zero byte and the piece.
const (
	ProgramChunkBytes = 24_575
	MaxProgramChunks  = 16
	MaxProgramBytes   = MaxProgramChunks * ProgramChunkBytes
)

const (
	manifestSparse      = 1 << 0
	manifestIndependent = 1 << 1
)

// ErrRegister is returned when a module cannot be registered.
var ErrRegister = errors.New("the module cannot be registered on chain")

func manifest(m channel.Manifest) bindings.Manifest {
	w := bindings.Manifest{ProgramHash: m.ProgramHash, FuelLimit: m.FuelLimit, PageLimit: m.PageLimit, MaxEvents: m.MaxEvents}
	if m.Sparse {
		w.Flags |= manifestSparse
	}
	if m.Independent {
		w.Flags |= manifestIndependent
	}
	return w
}

// manifestOf drops flags without a meaning, which the registry refuses: the hash tells.
func manifestOf(w bindings.Manifest) channel.Manifest {
	return channel.Manifest{
		ProgramHash: w.ProgramHash, FuelLimit: w.FuelLimit, PageLimit: w.PageLimit, MaxEvents: w.MaxEvents,
		Sparse: w.Flags&manifestSparse != 0, Independent: w.Flags&manifestIndependent != 0,
	}
}

// StoreProgramChunk stores a piece of a program.
func StoreProgramChunk(registry common.Address, piece []byte) (Call, error) {
	data, err := registryABI.TryPackStore(piece)
	return call(registry, data, err)
}

// RegisterProgram registers the program that the chunks are.
func RegisterProgram(registry common.Address, chunks []common.Address) (Call, error) {
	data, err := registryABI.TryPackRegisterProgram(chunks)
	return call(registry, data, err)
}

// RegisterModule registers a registered program with its limits.
func RegisterModule(registry common.Address, m channel.Manifest) (Call, error) {
	data, err := registryABI.TryPackRegisterModule(manifest(m))
	return call(registry, data, err)
}

// ProgramPieces cuts an encoded lowered program as the registry wants it.
func ProgramPieces(program []byte) ([][]byte, error) {
	if len(program) == 0 || len(program) > MaxProgramBytes {
		return nil, fmt.Errorf("%w: the lowered program has %d bytes, allowed are 1 to %d", ErrRegister, len(program), MaxProgramBytes)
	}
	var out [][]byte
	for ; len(program) > 0; program = program[min(len(program), ProgramChunkBytes):] {
		out = append(out, program[:min(len(program), ProgramChunkBytes)])
	}
	return out, nil
}

// Register puts a module on chain: the pieces of its encoded lowered program, the program, the manifest. What is there already
// stays, so it may be repeated after it was cut short, and may run at several places at once. receipts are those of the
// transactions that were needed.
func Register(ctx context.Context, backend DeployBackend, send Sender, registry common.Address, program []byte, m channel.Manifest) (moduleHash common.Hash, receipts []*types.Receipt, err error) {
	moduleHash = m.Hash()
	if have := crypto.Keccak256Hash(program); have != m.ProgramHash {
		return moduleHash, nil, fmt.Errorf("%w: the program hashes to %s, its manifest says %s", ErrRegister, have, m.ProgramHash)
	}
	r := NewReader(backend, Contracts{Registry: registry})
	registered, err := r.IsRegistered(ctx, moduleHash)
	if err != nil || registered {
		return moduleHash, nil, err
	}
	run := func(c Call, err error) error {
		if err != nil {
			return err
		}
		receipt, err := send(ctx, c)
		if err != nil {
			return err
		}
		receipts = append(receipts, receipt)
		if receipt.Status != types.ReceiptStatusSuccessful {
			return fmt.Errorf("%w: transaction %s failed", ErrRegister, receipt.TxHash)
		}
		return nil
	}
	chunks, _, err := r.ProgramOf(ctx, m.ProgramHash)
	if err != nil {
		return moduleHash, receipts, err
	}
	if len(chunks) == 0 {
		if chunks, err = storePieces(ctx, backend, run, registry, program); err != nil {
			return moduleHash, receipts, err
		}
		if err := run(RegisterProgram(registry, chunks)); err != nil {
			return moduleHash, receipts, err
		}
	}
	if err := run(RegisterModule(registry, m)); err != nil {
		return moduleHash, receipts, err
	}
	if registered, err = r.IsRegistered(ctx, moduleHash); err == nil && !registered {
		err = fmt.Errorf("%w: the registry does not know module %s after its registration", ErrRegister, moduleHash)
	}
	return moduleHash, receipts, err
}

// storePieces stores what is not stored yet. Where a piece goes is asked by simulation: `store` gives the same address again.
func storePieces(ctx context.Context, backend DeployBackend, run func(Call, error) error, registry common.Address, program []byte) ([]common.Address, error) {
	pieces, err := ProgramPieces(program)
	if err != nil {
		return nil, err
	}
	chunks := make([]common.Address, len(pieces))
	for i, piece := range pieces {
		c, err := StoreProgramChunk(registry, piece)
		if err != nil {
			return nil, err
		}
		out, err := backend.CallContract(ctx, ethereum.CallMsg{To: &c.To, Data: c.Data}, nil)
		if err != nil {
			return nil, fmt.Errorf("where piece %d of the program goes: %w", i, err)
		}
		if chunks[i], err = registryABI.UnpackStore(out); err != nil {
			return nil, fmt.Errorf("where piece %d of the program goes: %w", i, err)
		}
		there, err := hasCode(ctx, backend, chunks[i])
		if err != nil {
			return nil, err
		}
		if !there {
			if err := run(c, nil); err != nil {
				return nil, err
			}
		}
	}
	return chunks, nil
}

// ErrProgram is returned when the chain does not hold the program that a manifest names.
var ErrProgram = errors.New("the registered program is not what its hash says: check that the node belongs to the right chain")

// CodeReader is the part of an Ethereum client that reads code; *ethclient.Client is one.
type CodeReader interface {
	CodeAt(ctx context.Context, account common.Address, blockNumber *big.Int) ([]byte, error)
}

// Program reads a module's manifest and its encoded lowered program from the chain, and checks their hashes: nothing but the
// moduleHash has to be trusted. Whether the bytes are a program is for lower.Decode to say.
func (r Reader) Program(ctx context.Context, code CodeReader, moduleHash common.Hash) (m channel.Manifest, program []byte, err error) {
	m, chunks, err := r.ModuleOf(ctx, moduleHash)
	if err != nil {
		return m, nil, err
	}
	if m.Hash() != moduleHash {
		return m, nil, fmt.Errorf("module %s has a manifest that hashes to %s: %w", moduleHash, m.Hash(), ErrProgram)
	}
	if len(chunks) > MaxProgramChunks {
		return m, nil, fmt.Errorf("module %s has %d chunks: %w", moduleHash, len(chunks), ErrProgram)
	}
	for _, at := range chunks {
		b, err := code.CodeAt(ctx, at, nil)
		if err != nil {
			return m, nil, fmt.Errorf("code of %s: %w", at, err)
		}
		if len(b) == 0 || len(b) > 1+ProgramChunkBytes || b[0] != 0 {
			return m, nil, fmt.Errorf("the chunk %s of module %s has %d bytes of code: %w", at, moduleHash, len(b), ErrProgram)
		}
		program = append(program, b[1:]...)
	}
	if have := crypto.Keccak256Hash(program); have != m.ProgramHash {
		return m, nil, fmt.Errorf("module %s: the chunks hash to %s, expected %s: %w", moduleHash, have, m.ProgramHash, ErrProgram)
	}
	return m, program, nil
}
