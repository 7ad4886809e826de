package derivation

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/evmts/channels/derivation/meter"
	"github.com/evmts/channels/derivation/wasm"
)

// program is compiled code, the snapshot that every call starts from, and the instances that are free.
type program struct {
	runtime   wazero.Runtime
	compiled  wazero.CompiledModule
	metered   *meter.Metered
	size      int // of the binary
	functions int

	memory  []byte   // after the start function
	globals []uint64 // values of metered.Globals after the start function

	slots chan struct{} // one token per call that may run
	mu    sync.Mutex
	idle  []*instance // the last one used is at the end: its memory is the one in the cache
	over  bool
}

// compile makes a program and runs the start function once to take the snapshot.
func (e *Engine) compile(metered *meter.Metered) (*program, error) {
	ctx := context.Background()
	compiled, err := e.runtime.CompileModule(ctx, metered.Binary)
	if err != nil {
		return nil, fmt.Errorf("compiling: %w", err)
	}
	p := &program{runtime: e.runtime, compiled: compiled, metered: metered, slots: make(chan struct{}, e.config.instances)}
	first, err := p.instantiate()
	if err != nil {
		return nil, errors.Join(err, compiled.Close(ctx))
	}
	view, _ := first.memory.Read(0, first.memory.Size())
	p.memory = append([]byte(nil), view...)
	for _, g := range first.globals {
		p.globals = append(p.globals, g.Get())
	}
	p.idle = append(p.idle, first)
	for range e.config.instances {
		p.slots <- struct{}{}
	}
	return p, nil
}

// instance is an instantiated module. It serves one call at a time.
type instance struct {
	module   api.Module
	memory   api.Memory
	allocate api.Function
	entries  [3]api.Function // by entry
	fuel     api.MutableGlobal
	height   api.MutableGlobal
	globals  []api.MutableGlobal
	call     call
	stack    [4]uint64
}

// entry is one of the functions that a call may enter.
type entry int

const (
	entryInit entry = iota
	entryReduce
	entryEffects
)

var entryNames = [...]string{entryInit: "init", entryReduce: "reduce", entryEffects: "effects"}

func (p *program) instantiate() (*instance, error) {
	in := &instance{}
	in.call.reset(nil)
	// No name: any number of instances may exist. No start functions: only the start section runs, not what is called _start.
	module, err := p.runtime.InstantiateModule(&in.call, p.compiled, wazero.NewModuleConfig().WithName("").WithStartFunctions())
	if err != nil {
		return nil, fmt.Errorf("the start function failed (it may use %d fuel and must not trap or reject): %s", StartFuel, in.call.explain(err))
	}
	in.module, in.memory = module, module.ExportedMemory(wasm.MemoryName)
	in.allocate = module.ExportedFunction("allocate")
	for i, name := range entryNames {
		in.entries[i] = module.ExportedFunction(name)
	}
	mutable := func(name string) api.MutableGlobal {
		g, _ := module.ExportedGlobal(name).(api.MutableGlobal) // meter exports it as mutable
		return g
	}
	in.fuel, in.height = mutable(meter.FuelExport), mutable(meter.HeightExport)
	for _, i := range p.metered.Globals {
		in.globals = append(in.globals, mutable(meter.GlobalExport(i)))
	}
	return in, nil
}

// acquire waits for a slot and gives an instance in the state of the snapshot.
func (p *program) acquire() (*instance, error) {
	<-p.slots
	p.mu.Lock()
	if p.over {
		p.mu.Unlock()
		p.slots <- struct{}{}
		return nil, ErrClosed
	}
	if n := len(p.idle); n > 0 {
		in := p.idle[n-1]
		p.idle = p.idle[:n-1]
		p.mu.Unlock()
		return in, nil
	}
	p.mu.Unlock()
	in, err := p.instantiate()
	if err != nil {
		p.slots <- struct{}{}
		return nil, err
	}
	return in, nil
}

// release restores the snapshot and makes the instance available again. Memory cannot shrink, so an instance that
// grew is dropped; tables cannot change in the accepted subset.
func (p *program) release(in *instance) {
	in.call.reset(nil)
	if int(in.memory.Size()) == len(p.memory) {
		view, _ := in.memory.Read(0, uint32(len(p.memory)))
		copy(view, p.memory)
		in.height.Set(0)
		for i, g := range in.globals {
			g.Set(p.globals[i])
		}
		p.mu.Lock()
		p.idle = append(p.idle, in)
		p.mu.Unlock()
	} else {
		// Close frees the instance only; its error would be that of a listener, of which there are none.
		_ = in.module.Close(context.Background())
	}
	p.slots <- struct{}{}
}

// close waits until no call runs and lets none start.
func (p *program) close() {
	for range cap(p.slots) {
		<-p.slots
	}
	p.mu.Lock()
	p.over, p.idle = true, nil
	p.mu.Unlock()
	for range cap(p.slots) {
		p.slots <- struct{}{}
	}
}
