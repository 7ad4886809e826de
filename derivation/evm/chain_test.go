package evm_test

import (
	"encoding/binary"
	"math/big"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/state"
	"github.com/ethereum/go-ethereum/core/tracing"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/core/vm"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/params"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/evmts/channels/derivation/evm"
	"github.com/evmts/channels/derivation/lower"
	"github.com/evmts/channels/derivation/machine"
)

// chain is an EVM in this process, Cancun, with the machine deployed.
type chain struct {
	state *state.StateDB
	evm   *vm.EVM
	rules params.Rules
	next  uint64 // address of the next chunk
}

var (
	caller  = common.Address{19: 1, 0: 0xca}
	atCode  = common.Address{19: 2, 0: 0xca}
	atProbe = common.Address{19: 3, 0: 0xca}
)

func newChain(t testing.TB) *chain {
	config := *params.MergedTestChainConfig
	config.PragueTime, config.OsakaTime, config.AmsterdamTime, config.VerkleTime = nil, nil, nil, nil
	db, err := state.New(types.EmptyRootHash, state.NewDatabaseForTesting())
	require.NoError(t, err)
	block := vm.BlockContext{
		CanTransfer: func(vm.StateDB, common.Address, *uint256.Int) bool { return true }, Transfer: func(vm.StateDB, common.Address, common.Address, *uint256.Int, *params.Rules) {},
		GetHash: func(uint64) common.Hash { return common.Hash{} }, BlockNumber: big.NewInt(1), Time: 1, GasLimit: 1 << 62, BaseFee: new(big.Int), BlobBaseFee: new(big.Int), Random: &common.Hash{},
	}
	c := &chain{state: db, evm: vm.NewEVM(block, db, &config, vm.Config{})}
	c.rules = config.Rules(block.BlockNumber, true, block.Time)
	require.True(t, c.rules.IsCancun && !c.rules.IsPrague)
	p, err := evm.Machine()
	require.NoError(t, err)
	c.put(atCode, p.Code)
	return c
}

func (c *chain) put(at common.Address, code []byte) {
	c.state.CreateAccount(at)
	c.state.SetCode(at, code, tracing.CodeChangeUnspecified)
}

// store puts data contracts, as SSTORE2 makes them, with at most size bytes each.
func (c *chain) store(program []byte, size int) (chunks []common.Address) {
	for len(program) > 0 {
		n := min(size, len(program))
		c.next++
		var at common.Address
		at[0] = 0xda
		binary.BigEndian.PutUint64(at[12:], c.next)
		c.put(at, append([]byte{0}, program[:n]...))
		chunks = append(chunks, at)
		program = program[n:]
	}
	return chunks
}

const chunkBytes = 24_575

// call is a STATICCALL with nothing warm but the callee, as at the beginning of a transaction. err is the EVM's.
func (c *chain) call(to common.Address, input []byte, gas uint64) (out []byte, used uint64, err error) {
	snapshot := c.state.Snapshot()
	c.state.Prepare(c.rules, caller, common.Address{}, &to, nil, nil)
	out, left, err := c.evm.StaticCall(caller, to, input, gas)
	c.state.RevertToSnapshot(snapshot)
	return out, gas - left, err
}

func word(v uint64) []byte { return binary.BigEndian.AppendUint64(make([]byte, 24), v) }

// request is a call of the machine.
type request struct {
	fuel      uint64
	pages     uint32
	entry     int
	maxOutput uint64
	chunks    []common.Address
	arguments [][]byte
}

// calldata is the convention of the package doc.
func (r *request) calldata() []byte {
	b := word(r.fuel)
	for _, v := range []uint64{uint64(r.pages), uint64(r.entry), r.maxOutput, uint64(len(r.chunks)), uint64(len(r.arguments))} {
		b = append(b, word(v)...)
	}
	for _, a := range r.chunks {
		b = append(b, common.LeftPadBytes(a[:], 32)...)
	}
	for _, a := range r.arguments {
		b = append(b, word(uint64(len(a)))...)
	}
	for _, a := range r.arguments {
		b = append(b, a...)
	}
	return b
}

// verdict is what the machine says.
type verdict struct {
	status uint8
	fuel   uint64
	output []byte
}

const plenty = 1 << 50

// run calls the machine and reads its answer strictly.
func (c *chain) run(t testing.TB, r *request) (v verdict, gas uint64) {
	out, gas, err := c.call(atCode, r.calldata(), plenty)
	require.NoError(t, err)
	return read(t, out), gas
}

func read(t testing.TB, out []byte) (v verdict) {
	require.GreaterOrEqual(t, len(out), 96)
	n := func(i int) uint64 {
		w := new(big.Int).SetBytes(out[32*i : 32*i+32])
		require.True(t, w.IsUint64())
		return w.Uint64()
	}
	v = verdict{uint8(n(0)), n(1), nil}
	size := int(n(2))
	require.Equal(t, 96+(size+31)/32*32, len(out))
	if size > 0 {
		v.output = out[96 : 96+size]
	}
	require.Equal(t, make([]byte, len(out)-96-size), out[96+size:])
	return v
}

// expected is what the reference machine says.
func expected(t testing.TB, p *lower.Program, r *request) (v verdict) {
	m, err := machine.New(p, r.pages)
	require.NoError(t, err)
	m.Begin(r.entry, r.arguments, r.fuel)
	m.Finish()
	return verdictOf(m, r.maxOutput)
}

func verdictOf(m *machine.Machine, maxOutput uint64) (v verdict) {
	v.fuel = m.FuelUsed()
	switch m.Status() {
	case machine.OutOfFuel:
		v.status = 9
	case machine.Rejected:
		v.status = 7
	case machine.Trapped:
		v.status = 8
	default:
		if n := uint64(len(m.Output())); n == 0 || n > maxOutput {
			v.status = 10
		} else {
			v.output = m.Output()
		}
	}
	return v
}

var _ = crypto.Keccak256
