package machine

import (
	"encoding/binary"
	"math"
	"math/bits"

	"github.com/evmts/channels/derivation/lower"
)

// Run executes at most steps instructions and gives how many it did; fewer only when the call ended. Each is carried
// out as a whole: between two, the machine can be encoded.
func (m *Machine) Run(steps int) int {
	for n := 0; n < steps; {
		if m.status != Running {
			return n
		}
		n += m.run(steps - n)
	}
	return steps
}

// Finish runs the call to its end, which its fuel bounds.
func (m *Machine) Finish() Status {
	for m.status == Running {
		m.run(math.MaxInt)
	}
	return m.status
}

// save stores what run keeps in variables.
func (m *Machine) save(pc, sp int, fuel int64) { m.pc, m.sp, m.fuel = pc, sp, fuel }

func truth(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

// run executes instructions until steps are done, the call ends, or a function that was entered from outside returns.
// One case is one instruction; values of i32 are kept zero-extended.
func (m *Machine) run(steps int) (done int) {
	code, s, memory, globals := m.program.Code, m.stack, m.memory, m.globals
	pc, sp, base, fuel := m.pc, m.sp, m.base, m.fuel
	var trap Trap
	for done < steps {
		in := &code[pc]
		if m.Hook != nil {
			m.save(pc, sp, fuel)
			m.Hook(m)
		}
		done++
		pc++
		switch in.Op {
		case lower.Fuel:
			if fuel -= int64(in.C); fuel < 0 {
				m.save(pc, sp, fuel)
				m.status = OutOfFuel
				return done
			}
		case lower.Unreachable:
			trap = TrapUnreachable
		case lower.Jump:
			pc = int(in.C)
		case lower.JumpIf:
			if sp--; s[sp] != 0 {
				pc = int(in.C)
			}
		case lower.JumpUnless:
			if sp--; s[sp] == 0 {
				pc = int(in.C)
			}
		case lower.Table:
			sp--
			pc += int(min(s[sp], uint64(in.B)))
		case lower.Unwind:
			keep := sp - int(in.B)
			copy(s[keep-int(in.C):], s[keep:sp])
			sp -= int(in.C)
		case lower.Return:
			f := m.frames[len(m.frames)-1]
			m.frames = m.frames[:len(m.frames)-1]
			sp = base + copy(s[base:], s[sp-int(in.B):sp])
			m.height -= f.slots
			pc, base = int(f.back), int(f.base)
			m.base = base
			if len(m.frames) == 0 {
				m.save(pc, sp, fuel)
				m.returned()
				return done
			}
		case lower.Call:
			m.save(pc, sp, fuel)
			if !m.enter(in.C, pc) {
				return done
			}
			pc, sp, base = m.pc, m.sp, m.base
		case lower.CallHost:
			m.save(pc, sp, fuel)
			if !m.host(in.B) {
				return done
			}
			sp, fuel = m.sp, m.fuel
		case lower.CallIndirect:
			sp--
			m.save(pc, sp, fuel)
			if !m.element(uint32(s[sp]), in.B, pc) {
				return done
			}
			pc, sp, base, fuel = m.pc, m.sp, m.base, m.fuel
		case lower.Drop:
			sp--
		case lower.Select:
			if sp -= 2; s[sp+1] == 0 {
				s[sp-1] = s[sp]
			}
		case lower.LocalGet:
			s[sp] = s[base+int(in.C)]
			sp++
		case lower.LocalSet:
			sp--
			s[base+int(in.C)] = s[sp]
		case lower.LocalTee:
			s[base+int(in.C)] = s[sp-1]
		case lower.GlobalGet:
			s[sp] = globals[in.C]
			sp++
		case lower.GlobalSet:
			sp--
			globals[in.C] = s[sp]
		case lower.Const:
			s[sp] = uint64(in.C)
			sp++
		case lower.Constant:
			s[sp] = m.program.Constants[in.C]
			sp++
		case lower.I32Load:
			if at := uint64(uint32(s[sp-1])) + uint64(in.C); at+4 <= uint64(len(memory)) {
				s[sp-1] = uint64(binary.LittleEndian.Uint32(memory[at:]))
			} else {
				trap = TrapMemory
			}
		case lower.I64Load:
			if at := uint64(uint32(s[sp-1])) + uint64(in.C); at+8 <= uint64(len(memory)) {
				s[sp-1] = binary.LittleEndian.Uint64(memory[at:])
			} else {
				trap = TrapMemory
			}
		case lower.I32Load8S:
			if at := uint64(uint32(s[sp-1])) + uint64(in.C); at+1 <= uint64(len(memory)) {
				s[sp-1] = uint64(uint32(int8(memory[at])))
			} else {
				trap = TrapMemory
			}
		case lower.I32Load8U:
			if at := uint64(uint32(s[sp-1])) + uint64(in.C); at+1 <= uint64(len(memory)) {
				s[sp-1] = uint64(memory[at])
			} else {
				trap = TrapMemory
			}
		case lower.I32Load16S:
			if at := uint64(uint32(s[sp-1])) + uint64(in.C); at+2 <= uint64(len(memory)) {
				s[sp-1] = uint64(uint32(int16(binary.LittleEndian.Uint16(memory[at:]))))
			} else {
				trap = TrapMemory
			}
		case lower.I32Load16U:
			if at := uint64(uint32(s[sp-1])) + uint64(in.C); at+2 <= uint64(len(memory)) {
				s[sp-1] = uint64(binary.LittleEndian.Uint16(memory[at:]))
			} else {
				trap = TrapMemory
			}
		case lower.I64Load8S:
			if at := uint64(uint32(s[sp-1])) + uint64(in.C); at+1 <= uint64(len(memory)) {
				s[sp-1] = uint64(int8(memory[at]))
			} else {
				trap = TrapMemory
			}
		case lower.I64Load8U:
			if at := uint64(uint32(s[sp-1])) + uint64(in.C); at+1 <= uint64(len(memory)) {
				s[sp-1] = uint64(memory[at])
			} else {
				trap = TrapMemory
			}
		case lower.I64Load16S:
			if at := uint64(uint32(s[sp-1])) + uint64(in.C); at+2 <= uint64(len(memory)) {
				s[sp-1] = uint64(int16(binary.LittleEndian.Uint16(memory[at:])))
			} else {
				trap = TrapMemory
			}
		case lower.I64Load16U:
			if at := uint64(uint32(s[sp-1])) + uint64(in.C); at+2 <= uint64(len(memory)) {
				s[sp-1] = uint64(binary.LittleEndian.Uint16(memory[at:]))
			} else {
				trap = TrapMemory
			}
		case lower.I64Load32S:
			if at := uint64(uint32(s[sp-1])) + uint64(in.C); at+4 <= uint64(len(memory)) {
				s[sp-1] = uint64(int32(binary.LittleEndian.Uint32(memory[at:])))
			} else {
				trap = TrapMemory
			}
		case lower.I64Load32U:
			if at := uint64(uint32(s[sp-1])) + uint64(in.C); at+4 <= uint64(len(memory)) {
				s[sp-1] = uint64(binary.LittleEndian.Uint32(memory[at:]))
			} else {
				trap = TrapMemory
			}
		case lower.I64Store:
			sp -= 2
			if at := uint64(uint32(s[sp])) + uint64(in.C); at+8 <= uint64(len(memory)) {
				binary.LittleEndian.PutUint64(memory[at:], s[sp+1])
			} else {
				trap = TrapMemory
			}
		case lower.I32Store, lower.I64Store32:
			sp -= 2
			if at := uint64(uint32(s[sp])) + uint64(in.C); at+4 <= uint64(len(memory)) {
				binary.LittleEndian.PutUint32(memory[at:], uint32(s[sp+1]))
			} else {
				trap = TrapMemory
			}
		case lower.I32Store16, lower.I64Store16:
			sp -= 2
			if at := uint64(uint32(s[sp])) + uint64(in.C); at+2 <= uint64(len(memory)) {
				binary.LittleEndian.PutUint16(memory[at:], uint16(s[sp+1]))
			} else {
				trap = TrapMemory
			}
		case lower.I32Store8, lower.I64Store8:
			sp -= 2
			if at := uint64(uint32(s[sp])) + uint64(in.C); at+1 <= uint64(len(memory)) {
				memory[at] = byte(s[sp+1])
			} else {
				trap = TrapMemory
			}
		case lower.MemorySize:
			s[sp] = uint64(len(memory) >> 16)
			sp++
		case lower.MemoryGrow:
			m.save(pc, sp, fuel)
			old, ok := m.grow(uint64(uint32(s[sp-1])))
			if !ok {
				return done
			}
			s[sp-1], memory, fuel = old, m.memory, m.fuel
		case lower.MemoryCopy:
			sp -= 3
			m.save(pc, sp, fuel)
			if !m.copyBytes(uint64(uint32(s[sp])), uint64(uint32(s[sp+1])), uint64(uint32(s[sp+2]))) {
				return done
			}
			fuel = m.fuel
		case lower.MemoryFill:
			sp -= 3
			m.save(pc, sp, fuel)
			if !m.fillBytes(uint64(uint32(s[sp])), byte(s[sp+1]), uint64(uint32(s[sp+2]))) {
				return done
			}
			fuel = m.fuel
		case lower.I32Eqz:
			s[sp-1] = truth(uint32(s[sp-1]) == 0)
		case lower.I32Eq:
			sp--
			s[sp-1] = truth(uint32(s[sp-1]) == uint32(s[sp]))
		case lower.I32Ne:
			sp--
			s[sp-1] = truth(uint32(s[sp-1]) != uint32(s[sp]))
		case lower.I32LtS:
			sp--
			s[sp-1] = truth(int32(s[sp-1]) < int32(s[sp]))
		case lower.I32LtU:
			sp--
			s[sp-1] = truth(uint32(s[sp-1]) < uint32(s[sp]))
		case lower.I32GtS:
			sp--
			s[sp-1] = truth(int32(s[sp-1]) > int32(s[sp]))
		case lower.I32GtU:
			sp--
			s[sp-1] = truth(uint32(s[sp-1]) > uint32(s[sp]))
		case lower.I32LeS:
			sp--
			s[sp-1] = truth(int32(s[sp-1]) <= int32(s[sp]))
		case lower.I32LeU:
			sp--
			s[sp-1] = truth(uint32(s[sp-1]) <= uint32(s[sp]))
		case lower.I32GeS:
			sp--
			s[sp-1] = truth(int32(s[sp-1]) >= int32(s[sp]))
		case lower.I32GeU:
			sp--
			s[sp-1] = truth(uint32(s[sp-1]) >= uint32(s[sp]))
		case lower.I32Clz:
			s[sp-1] = uint64(bits.LeadingZeros32(uint32(s[sp-1])))
		case lower.I32Ctz:
			s[sp-1] = uint64(bits.TrailingZeros32(uint32(s[sp-1])))
		case lower.I32Popcnt:
			s[sp-1] = uint64(bits.OnesCount32(uint32(s[sp-1])))
		case lower.I32Add:
			sp--
			s[sp-1] = uint64(uint32(s[sp-1]) + uint32(s[sp]))
		case lower.I32Sub:
			sp--
			s[sp-1] = uint64(uint32(s[sp-1]) - uint32(s[sp]))
		case lower.I32Mul:
			sp--
			s[sp-1] = uint64(uint32(s[sp-1]) * uint32(s[sp]))
		case lower.I32And:
			sp--
			s[sp-1] = uint64(uint32(s[sp-1]) & uint32(s[sp]))
		case lower.I32Or:
			sp--
			s[sp-1] = uint64(uint32(s[sp-1]) | uint32(s[sp]))
		case lower.I32Xor:
			sp--
			s[sp-1] = uint64(uint32(s[sp-1]) ^ uint32(s[sp]))
		case lower.I32DivS:
			sp--
			switch x, y := int32(s[sp-1]), int32(s[sp]); {
			case y == 0:
				trap = TrapDivideByZero
			case x == math.MinInt32 && y == -1:
				trap = TrapOverflow
			default:
				s[sp-1] = uint64(uint32(x / y))
			}
		case lower.I32RemS:
			sp--
			switch x, y := int32(s[sp-1]), int32(s[sp]); {
			case y == 0:
				trap = TrapDivideByZero
			case y == -1:
				s[sp-1] = 0
			default:
				s[sp-1] = uint64(uint32(x % y))
			}
		case lower.I32DivU:
			if sp--; uint32(s[sp]) == 0 {
				trap = TrapDivideByZero
			} else {
				s[sp-1] = uint64(uint32(s[sp-1]) / uint32(s[sp]))
			}
		case lower.I32RemU:
			if sp--; uint32(s[sp]) == 0 {
				trap = TrapDivideByZero
			} else {
				s[sp-1] = uint64(uint32(s[sp-1]) % uint32(s[sp]))
			}
		case lower.I32Shl:
			sp--
			s[sp-1] = uint64(uint32(s[sp-1]) << (s[sp] & 31))
		case lower.I32ShrU:
			sp--
			s[sp-1] = uint64(uint32(s[sp-1]) >> (s[sp] & 31))
		case lower.I32ShrS:
			sp--
			s[sp-1] = uint64(uint32(int32(s[sp-1]) >> (s[sp] & 31)))
		case lower.I32Rotl:
			sp--
			s[sp-1] = uint64(bits.RotateLeft32(uint32(s[sp-1]), int(s[sp]&31)))
		case lower.I32Rotr:
			sp--
			s[sp-1] = uint64(bits.RotateLeft32(uint32(s[sp-1]), -int(s[sp]&31)))
		case lower.I64Eqz:
			s[sp-1] = truth(s[sp-1] == 0)
		case lower.I64Eq:
			sp--
			s[sp-1] = truth(s[sp-1] == s[sp])
		case lower.I64Ne:
			sp--
			s[sp-1] = truth(s[sp-1] != s[sp])
		case lower.I64LtS:
			sp--
			s[sp-1] = truth(int64(s[sp-1]) < int64(s[sp]))
		case lower.I64LtU:
			sp--
			s[sp-1] = truth(s[sp-1] < s[sp])
		case lower.I64GtS:
			sp--
			s[sp-1] = truth(int64(s[sp-1]) > int64(s[sp]))
		case lower.I64GtU:
			sp--
			s[sp-1] = truth(s[sp-1] > s[sp])
		case lower.I64LeS:
			sp--
			s[sp-1] = truth(int64(s[sp-1]) <= int64(s[sp]))
		case lower.I64LeU:
			sp--
			s[sp-1] = truth(s[sp-1] <= s[sp])
		case lower.I64GeS:
			sp--
			s[sp-1] = truth(int64(s[sp-1]) >= int64(s[sp]))
		case lower.I64GeU:
			sp--
			s[sp-1] = truth(s[sp-1] >= s[sp])
		case lower.I64Clz:
			s[sp-1] = uint64(bits.LeadingZeros64(s[sp-1]))
		case lower.I64Ctz:
			s[sp-1] = uint64(bits.TrailingZeros64(s[sp-1]))
		case lower.I64Popcnt:
			s[sp-1] = uint64(bits.OnesCount64(s[sp-1]))
		case lower.I64Add:
			sp--
			s[sp-1] = s[sp-1] + s[sp]
		case lower.I64Sub:
			sp--
			s[sp-1] = s[sp-1] - s[sp]
		case lower.I64Mul:
			sp--
			s[sp-1] = s[sp-1] * s[sp]
		case lower.I64And:
			sp--
			s[sp-1] = s[sp-1] & s[sp]
		case lower.I64Or:
			sp--
			s[sp-1] = s[sp-1] | s[sp]
		case lower.I64Xor:
			sp--
			s[sp-1] = s[sp-1] ^ s[sp]
		case lower.I64DivS:
			sp--
			switch x, y := int64(s[sp-1]), int64(s[sp]); {
			case y == 0:
				trap = TrapDivideByZero
			case x == math.MinInt64 && y == -1:
				trap = TrapOverflow
			default:
				s[sp-1] = uint64(x / y)
			}
		case lower.I64RemS:
			sp--
			switch x, y := int64(s[sp-1]), int64(s[sp]); {
			case y == 0:
				trap = TrapDivideByZero
			case y == -1:
				s[sp-1] = 0
			default:
				s[sp-1] = uint64(x % y)
			}
		case lower.I64DivU:
			if sp--; s[sp] == 0 {
				trap = TrapDivideByZero
			} else {
				s[sp-1] = s[sp-1] / s[sp]
			}
		case lower.I64RemU:
			if sp--; s[sp] == 0 {
				trap = TrapDivideByZero
			} else {
				s[sp-1] = s[sp-1] % s[sp]
			}
		case lower.I64Shl:
			sp--
			s[sp-1] = s[sp-1] << (s[sp] & 63)
		case lower.I64ShrU:
			sp--
			s[sp-1] = s[sp-1] >> (s[sp] & 63)
		case lower.I64ShrS:
			sp--
			s[sp-1] = uint64(int64(s[sp-1]) >> (s[sp] & 63))
		case lower.I64Rotl:
			sp--
			s[sp-1] = bits.RotateLeft64(s[sp-1], int(s[sp]&63))
		case lower.I64Rotr:
			sp--
			s[sp-1] = bits.RotateLeft64(s[sp-1], -int(s[sp]&63))
		case lower.I32WrapI64:
			s[sp-1] = uint64(uint32(s[sp-1]))
		case lower.I64ExtendI32S:
			s[sp-1] = uint64(int32(s[sp-1]))
		case lower.I32Extend8S:
			s[sp-1] = uint64(uint32(int8(s[sp-1])))
		case lower.I32Extend16S:
			s[sp-1] = uint64(uint32(int16(s[sp-1])))
		case lower.I64Extend8S:
			s[sp-1] = uint64(int8(s[sp-1]))
		case lower.I64Extend16S:
			s[sp-1] = uint64(int16(s[sp-1]))
		case lower.I64Extend32S:
			s[sp-1] = uint64(int32(s[sp-1]))
		}
		if trap != NoTrap {
			m.save(pc, sp, fuel)
			m.stop(trap)
			return done
		}
	}
	m.save(pc, sp, fuel)
	return done
}
