package derivation

import "github.com/evmts/channels/channel"

// Inspect is Reduce that shows memory, mutable globals and the height of the stack as the call left them, before the
// snapshot is restored.
func (m *Module) Inspect(state, event []byte, look func(memory []byte, globals []uint64, height int)) channel.Result {
	args, limit := [][]byte{state, event}, m.manifest.FuelLimit
	switch p := m.program.executor.(type) {
	case *compiled:
		in, err := p.pool.acquire()
		if err != nil {
			return unavailable(err)
		}
		defer p.release(in)
		in.call.reset(nil)
		r := in.run(entryReduce, args, limit)
		r.Log = in.call.log
		view, _ := in.memory.Read(0, in.memory.Size())
		var globals []uint64
		for _, g := range in.globals {
			globals = append(globals, in.value(g))
		}
		look(view, globals, int(uint32(in.height.Get())))
		return r
	case *reference:
		in, err := p.pool.acquire()
		if err != nil {
			return unavailable(err)
		}
		defer p.pool.put(in)
		in.call.reset(nil)
		in.machine.Begin(lowerEntry[entryReduce], args, limit)
		in.machine.Finish()
		r := outcome(entryReduce, in.machine, &in.call)
		r.Log = in.call.log
		look(in.machine.Memory(), in.machine.Globals(), in.machine.Height())
		return r
	}
	return channel.Result{}
}

// Kept gives a function that calls reduce on one compiled instance which is never put back to the snapshot: what
// metering itself costs, without the isolation of calls. It starts over when the module fails, as the allocator will.
func (m *Module) Kept() func(state, event []byte) channel.Result {
	p := m.program.executor.(*compiled)
	in, err := p.instantiate()
	return func(state, event []byte) channel.Result {
		if err != nil {
			return unavailable(err)
		}
		in.call.reset(nil)
		r := in.run(entryReduce, [][]byte{state, event}, m.manifest.FuelLimit)
		if r.Status == channel.RejectedTrap {
			in, err = p.instantiate()
		}
		return r
	}
}
