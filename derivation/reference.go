package derivation

import (
	"fmt"

	"github.com/evmts/channels/channel"
	"github.com/evmts/channels/derivation/lower"
	"github.com/evmts/channels/derivation/machine"
)

// reference runs a program on the reference machine.
type reference struct {
	pool *pool[*referenceInstance]
}

type referenceInstance struct {
	machine *machine.Machine
	call    call
}

// lowerEntry gives the number that the lowered program has for an entry.
var lowerEntry = [...]int{entryInit: lower.Init, entryReduce: lower.Reduce, entryEffects: lower.Effects}

func newReference(p *lower.Program, pageLimit uint32, calls int) *reference {
	return &reference{newPool(calls, func() (*referenceInstance, error) {
		m, err := machine.New(p, pageLimit)
		if err != nil {
			return nil, err
		}
		in := &referenceInstance{machine: m}
		m.Host = &in.call
		return in, nil
	})}
}

func (r *reference) close() { r.pool.close() }

func (r *reference) run(entry entry, args [][]byte, limit uint64, emitted *[][]byte) channel.Result {
	in, err := r.pool.acquire()
	if err != nil {
		return unavailable(err)
	}
	defer r.pool.put(in) // Begin restores the snapshot
	in.call.reset(emitted)
	in.machine.Begin(lowerEntry[entry], args, limit)
	in.machine.Finish()
	result := outcome(entry, in.machine, &in.call)
	result.Log = in.call.log
	return result
}

// outcome is the result of a call that a machine ended.
func outcome(entry entry, m *machine.Machine, c *call) channel.Result {
	used := m.FuelUsed()
	switch m.Status() {
	case machine.OutOfFuel:
		return channel.Result{Status: channel.RejectedOutOfFuel, Fuel: used}
	case machine.Rejected:
		return channel.Result{Status: channel.RejectedByModule, Fuel: used, Reason: c.reason}
	case machine.Trapped:
		return channel.Result{Status: channel.RejectedTrap, Fuel: used, Reason: m.Trap().String()}
	}
	return checked(entry, m.Output(), used)
}

// Machine gives a reference machine that is about to carry out a call of this module: for debuggers, profilers and
// proofs. The entry is lower.Init, lower.Reduce or lower.Effects.
func (m *Module) Machine(entry int, args ...[]byte) (*machine.Machine, error) {
	x, err := machine.New(m.program.lowered, m.manifest.PageLimit)
	if err != nil {
		return nil, err
	}
	if want := map[int]int{lower.Init: 1, lower.Reduce: 2, lower.Effects: 1}[entry]; want == 0 || want != len(args) {
		return nil, ErrEntry
	}
	for _, a := range args {
		if len(a) > MaxInputBytes {
			return nil, fmt.Errorf("%w: %d bytes are too many, the limit is %d", ErrEntry, len(a), MaxInputBytes)
		}
	}
	x.Begin(entry, args, m.manifest.FuelLimit)
	return x, nil
}
