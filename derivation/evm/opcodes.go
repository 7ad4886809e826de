package evm

import "strconv"

// opcode is an instruction of the EVM and its gas without what depends on operands: words that are copied or hashed, a
// first access to an address, more memory.
type opcode struct {
	code byte
	gas  uint64
}

const (
	opJumpdest = 0x5b
	opPush0    = 0x5f
	opInvalid  = 0xfe
)

// opcodes are the instructions that the machine is made of, as of the Cancun fork (yellow paper, EIP-3855, EIP-5656).
var opcodes = func() map[string]opcode {
	m := map[string]opcode{
		"stop": {0x0, 0}, "add": {0x1, 3}, "mul": {0x2, 5}, "sub": {0x3, 3}, "div": {0x4, 5}, "sdiv": {0x5, 5},
		"mod": {0x6, 5}, "smod": {0x7, 5}, "signextend": {0xb, 5}, "lt": {0x10, 3}, "gt": {0x11, 3}, "slt": {0x12, 3},
		"sgt": {0x13, 3}, "eq": {0x14, 3}, "iszero": {0x15, 3}, "and": {0x16, 3}, "or": {0x17, 3}, "xor": {0x18, 3},
		"not": {0x19, 3}, "byte": {0x1a, 3}, "shl": {0x1b, 3}, "shr": {0x1c, 3}, "sar": {0x1d, 3}, "keccak256": {0x20, 30},
		"calldataload": {0x35, 3}, "calldatasize": {0x36, 2}, "calldatacopy": {0x37, 3}, "extcodesize": {0x3b, 100}, "extcodecopy": {0x3c, 100}, "pop": {0x50, 2},
		"mload": {0x51, 3}, "mstore": {0x52, 3}, "mstore8": {0x53, 3}, "jump": {0x56, 8}, "jumpi": {0x57, 10}, "mcopy": {0x5e, 3},
		"return": {0xf3, 0}, "revert": {0xfd, 0},
	}
	for n := range byte(16) {
		m["dup"+strconv.Itoa(int(n)+1)] = opcode{0x80 + n, 3}
		m["swap"+strconv.Itoa(int(n)+1)] = opcode{0x90 + n, 3}
	}
	return m
}()

// gasOf is the gas of each byte of code that is an instruction.
var gasOf = func() (g [256]uint64) {
	for _, op := range opcodes {
		g[op.code] = op.gas
	}
	g[opJumpdest], g[opPush0] = 1, 2
	for n := range 32 {
		g[opPush0+1+n] = 3
	}
	return g
}()
