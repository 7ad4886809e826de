package machine

import (
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/evmts/channels/derivation/lower"
	"github.com/evmts/channels/derivation/meter"
	"github.com/evmts/channels/derivation/wasm"
)

// hasher is made when it is first needed; each use resets it.
type hasher struct{ crypto.KeccakState }

// Numbers of the host functions, as in lower.HostNames.
const (
	hostKeccak = iota
	hostEmit
	hostLog
	hostReject
)

// host carries out host function n on the topmost operands. It gives false when the call ends.
func (m *Machine) host(n uint16) bool {
	params := len(wasm.Host[lower.HostNames[n]].Params)
	m.sp -= params
	ptr, size := uint64(uint32(m.stack[m.sp])), uint64(uint32(m.stack[m.sp+1]))
	base, rate := uint64(meter.HostCall), uint64(meter.NoticeWord)
	if n == hostKeccak {
		base, rate = meter.HashCall, meter.HashWord
	}
	if !m.charge(base + rate*((size+31)/32)) {
		return false
	}
	if ptr+size > uint64(len(m.memory)) {
		m.stop(TrapHostPointer)
		return false
	}
	b := m.memory[ptr : ptr+size : ptr+size]
	switch n {
	case hostKeccak:
		out := uint64(uint32(m.stack[m.sp+2]))
		if out+32 > uint64(len(m.memory)) {
			m.stop(TrapHostPointer)
			return false
		}
		if m.hasher.KeccakState == nil {
			m.hasher.KeccakState = crypto.NewKeccakState()
		}
		digest := crypto.HashData(m.hasher, b)
		copy(m.memory[out:], digest[:])
	case hostEmit:
		if m.Host != nil {
			m.Host.Emit(b)
		}
	case hostLog:
		if m.Host != nil {
			m.Host.Log(b)
		}
	case hostReject:
		m.status = Rejected
		if m.Host != nil {
			m.Host.Reject(b)
		}
		return false
	}
	return true
}

// element calls element i of the table. It gives false when the call ends.
func (m *Machine) element(i uint32, typ uint16, back int) bool {
	if uint64(i) >= uint64(len(m.program.Table)) || m.program.Table[i].Kind == lower.ElementNull {
		m.stop(TrapTable)
		return false
	}
	e := m.program.Table[i]
	if e.Type != typ {
		m.stop(TrapIndirectType)
		return false
	}
	if e.Kind == lower.ElementFunction {
		return m.enter(m.program.Functions[e.Function].Entry, back)
	}
	m.pc = back
	return m.host(e.Kind - lower.ElementHost)
}

// copyBytes is memory.copy, fillBytes memory.fill: charged before they look at the range.
func (m *Machine) copyBytes(to, from, size uint64) bool {
	if !m.charge(meter.BulkWord * ((size + 31) / 32)) {
		return false
	}
	if max(to, from)+size > uint64(len(m.memory)) {
		m.stop(TrapMemory)
		return false
	}
	copy(m.memory[to:to+size], m.memory[from:from+size])
	return true
}

func (m *Machine) fillBytes(to uint64, value byte, size uint64) bool {
	if !m.charge(meter.BulkWord * ((size + 31) / 32)) {
		return false
	}
	if to+size > uint64(len(m.memory)) {
		m.stop(TrapMemory)
		return false
	}
	b := m.memory[to : to+size]
	for i := range b {
		b[i] = value
	}
	return true
}

// grow is memory.grow: -1 without a charge when the limit is in the way.
func (m *Machine) grow(pages uint64) (old uint64, ok bool) {
	old = uint64(len(m.memory) / wasm.PageSize)
	if old+pages > uint64(m.maxPages) {
		return 0xffffffff, true
	}
	if !m.charge(meter.GrowPage * (old + pages)) {
		return 0, false
	}
	if pages > 0 {
		grown := make([]byte, (old+pages)*wasm.PageSize)
		copy(grown, m.memory)
		m.memory = grown
	}
	return old, true
}
