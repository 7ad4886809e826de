// Package evmrun executes the machine of package evm in go-ethereum's EVM, in this process and without a chain: for
// tests, for gas figures, and to see what a call will cost before it is sent.
package evmrun

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/state"
	"github.com/ethereum/go-ethereum/core/tracing"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/core/vm"
	"github.com/ethereum/go-ethereum/params"
	"github.com/holiman/uint256"

	"github.com/evmts/channels/derivation/evm"
)

// ErrAnswer means that the machine returned what is no verdict; it cannot be, for a verified program.
var ErrAnswer = errors.New("derivation/evm: the machine's answer is malformed")

// Plenty is more gas than any call with a fuel limit takes.
const Plenty = 1 << 50

// Chain is an EVM with a machine deployed. It serves one goroutine.
type Chain struct {
	state *state.StateDB
	evm   *vm.EVM
	rules params.Rules
	next  uint64 // number of the next data contract
}

var (
	caller  = common.Address{0: 0xca, 19: 1}
	machine = common.Address{0: 0xca, 19: 2}
)

// New deploys code as the machine on a chain at the Cancun fork, which has all that it needs.
func New(code []byte) (*Chain, error) { return newChain(code, false) }

// NewAtOsaka is New with the forks Prague and Osaka.
func NewAtOsaka(code []byte) (*Chain, error) { return newChain(code, true) }

func newChain(code []byte, osaka bool) (*Chain, error) {
	config := *params.MergedTestChainConfig
	config.AmsterdamTime, config.VerkleTime = nil, nil
	if !osaka {
		config.PragueTime, config.OsakaTime = nil, nil
	}
	db, err := state.New(types.EmptyRootHash, state.NewDatabaseForTesting())
	if err != nil {
		return nil, fmt.Errorf("derivation/evm: an empty state: %w", err)
	}
	block := vm.BlockContext{
		CanTransfer: func(vm.StateDB, common.Address, *uint256.Int) bool { return true },
		Transfer:    func(vm.StateDB, common.Address, common.Address, *uint256.Int, *params.Rules) {},
		GetHash:     func(uint64) common.Hash { return common.Hash{} },
		BlockNumber: big.NewInt(1), Time: 1, GasLimit: 1 << 62, BaseFee: new(big.Int), BlobBaseFee: new(big.Int), Random: &common.Hash{},
	}
	c := &Chain{state: db, evm: vm.NewEVM(block, db, &config, vm.Config{}), rules: config.Rules(block.BlockNumber, true, block.Time)}
	if !c.rules.IsCancun || c.rules.IsOsaka != osaka {
		return nil, errors.New("derivation/evm: go-ethereum's test configuration has not the forks that are meant")
	}
	c.put(machine, code)
	return c, nil
}

func (c *Chain) put(at common.Address, code []byte) {
	c.state.CreateAccount(at)
	c.state.SetCode(at, code, tracing.CodeChangeUnspecified)
}

// Store puts a program into data contracts of at most size bytes of program each, evm.ChunkBytes if it is 0.
func (c *Chain) Store(program []byte, size int) (chunks []common.Address) {
	if size <= 0 {
		size = evm.ChunkBytes
	}
	for len(program) > 0 {
		n := min(size, len(program))
		c.next++
		at := common.Address{0: 0xda}
		binary.BigEndian.PutUint64(at[12:], c.next)
		c.put(at, append([]byte{0}, program[:n]...))
		chunks, program = append(chunks, at), program[n:]
	}
	return chunks
}

// Call is a STATICCALL of the machine with nothing warm but the machine, as at the beginning of a transaction. gas is what
// it used; the error is the EVM's.
func (c *Chain) Call(input []byte, limit uint64) (out []byte, gas uint64, err error) {
	snapshot, to := c.state.Snapshot(), machine
	c.state.Prepare(c.rules, caller, common.Address{}, &to, nil, nil)
	out, left, err := c.evm.StaticCall(caller, to, input, limit)
	c.state.RevertToSnapshot(snapshot)
	return out, limit - left, err
}

// Request is a call of the machine.
type Request struct {
	Fuel      uint64
	Pages     uint32
	Entry     int // lower.Init, lower.Reduce, lower.Effects
	MaxOutput uint64
	Chunks    []common.Address
	Arguments [][]byte
}

func word(v uint64) []byte { return binary.BigEndian.AppendUint64(make([]byte, 24), v) }

// Calldata is the request in the convention of package evm.
func (r *Request) Calldata() []byte {
	var b []byte
	for _, v := range []uint64{r.Fuel, uint64(r.Pages), uint64(r.Entry), r.MaxOutput, uint64(len(r.Chunks)), uint64(len(r.Arguments))} {
		b = append(b, word(v)...)
	}
	for _, a := range r.Chunks {
		b = append(b, common.LeftPadBytes(a[:], 32)...)
	}
	for _, a := range r.Arguments {
		b = append(b, word(uint64(len(a)))...)
	}
	for _, a := range r.Arguments {
		b = append(b, a...)
	}
	return b
}

// Verdict is what the machine says.
type Verdict struct {
	Status uint8 // docs/encoding.md 18: 0 returned, 7 rejected, 8 trap, 9 out of fuel, 10 output
	Fuel   uint64
	Output []byte
}

// Run calls the machine with gas to spare.
func (c *Chain) Run(r *Request) (Verdict, uint64, error) {
	out, gas, err := c.Call(r.Calldata(), Plenty)
	if err != nil {
		return Verdict{}, gas, fmt.Errorf("derivation/evm: the call failed: %w", err)
	}
	v, err := Read(out)
	return v, gas, err
}

// Read reads an answer: status, fuel, length in words, then the output, padded with zeros.
func Read(out []byte) (v Verdict, err error) {
	if len(out) < 96 {
		return v, fmt.Errorf("%w: %d bytes", ErrAnswer, len(out))
	}
	var n [3]uint64
	for i := range n {
		w := new(uint256.Int).SetBytes(out[32*i : 32*i+32])
		if !w.IsUint64() {
			return v, fmt.Errorf("%w: word %d is %s", ErrAnswer, i, w)
		}
		n[i] = w.Uint64()
	}
	size := n[2]
	if n[0] > 10 || size > uint64(len(out)) || uint64(len(out)) != 96+(size+31)/32*32 || (n[0] == 0) != (size > 0) {
		return v, fmt.Errorf("%w: status %d, %d bytes of output, %d bytes in all", ErrAnswer, n[0], size, len(out))
	}
	for _, b := range out[96+size:] {
		if b != 0 {
			return v, fmt.Errorf("%w: the padding is not zero", ErrAnswer)
		}
	}
	v = Verdict{Status: uint8(n[0]), Fuel: n[1]}
	if size > 0 {
		v.Output = out[96 : 96+size]
	}
	return v, nil
}
