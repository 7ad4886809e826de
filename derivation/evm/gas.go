package evm

import (
	"slices"

	"github.com/evmts/channels/derivation/lower"
)

// stops are the labels at which a call ends: what they cost is part of every call, see overhead.
var stops = []string{"trap", "oof", "rejected", "wrongoutput", "malformed"}

// gas is the most that the code behind a label costs until a jump whose target is not written beside it: dispatch, a
// chain, the way back from a routine. What depends on sizes (words copied, cold accounts, memory) is not in it, a loop
// counts once, and ways to a stop or to a label of without are left out.
func (p *Program) gas(label string, without ...string) uint64 {
	left := map[int]bool{} // ways that do not count
	for _, name := range slices.Concat(stops, without) {
		left[p.labels[name]] = true
	}
	var walk func(pc int, path []int) uint64
	walk = func(pc int, path []int) (sum uint64) {
		if slices.Contains(path, pc) {
			return 0
		}
		path = append(path[:len(path):len(path)], pc)
		target, beside := uint16(0), false
		for pc < len(p.Code) {
			op := p.Code[pc]
			sum += gasOf[op]
			switch {
			case op == opcodes["jump"].code && beside:
				return sum + walk(int(target), path)
			case op == opcodes["jumpi"].code && beside:
				next := walk(pc+1, path)
				if left[int(target)] {
					return sum + next
				}
				return sum + max(next, walk(int(target), path))
			case op == opcodes["jump"].code, op == opcodes["return"].code, op == opcodes["revert"].code, op == opInvalid:
				return sum
			}
			if beside = op == opPush0+2; beside {
				target = uint16(p.Code[pc+1])<<8 | uint16(p.Code[pc+2])
			}
			if op > opPush0 && op <= opPush0+32 {
				pc += int(op - opPush0)
			}
			pc++
		}
		return sum
	}
	return walk(p.labels[label], nil)
}

// Gas is the most that one instruction costs: the dispatch that follows it and, for calls, the new frame included;
// without what depends on operands. Table, JumpUnless and Unwind do not include the jump or Return behind them.
func (p *Program) Gas(op lower.Op) uint64 {
	name := "do." + op.String()
	switch op {
	case lower.Unwind:
		return p.gas(name) + p.gas("saved") + p.gas("dropped") + p.gas("restored")
	case lower.Call, lower.CallIndirect: // what a host function costs beyond a call is charged inside of it
		return p.gas(name, "notfunction") + p.gas("moved")
	}
	return p.gas(name)
}
