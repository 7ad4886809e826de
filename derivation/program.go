package derivation

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/evmts/channels/channel"
	"github.com/evmts/channels/derivation/lower"
	"github.com/evmts/channels/derivation/meter"
	"github.com/evmts/channels/derivation/wasm"
)

// executor runs the calls of one program.
type executor interface {
	// run carries out one call. What the module emits is appended to emitted when it is not nil.
	run(entry entry, args [][]byte, limit uint64, emitted *[][]byte) channel.Result
	// close waits until no call runs and lets none start.
	close()
}

// program is a module as an engine has it: lowered, and ready to run.
type program struct {
	executor
	lowered   *lower.Program
	hash      common.Hash // programHash
	size      int         // of the binary
	bytes     int         // of the lowered program
	functions int
	maxPages  uint32
}

// compiled is the code of a module in wazero and the instances that are free.
type compiled struct {
	runtime wazero.Runtime
	code    wazero.CompiledModule
	metered *meter.Metered
	memory  []byte   // after the start function
	globals []uint64 // values of metered.Globals after the start function
	pool    *pool[*instance]
}

// compile runs the start function once to see that it leaves the snapshot that the lowered program begins with.
func (e *Engine) compile(metered *meter.Metered, lowered *lower.Program) (*compiled, error) {
	ctx := context.Background()
	code, err := e.runtime.CompileModule(ctx, metered.Binary)
	if err != nil {
		return nil, fmt.Errorf("compiling: %w", err)
	}
	p := &compiled{runtime: e.runtime, code: code, metered: metered, memory: lowered.Memory}
	for _, i := range metered.Globals {
		p.globals = append(p.globals, lowered.Globals[i])
	}
	p.pool = newPool(e.config.instances, p.instantiate)
	first, err := p.pool.acquire()
	if err != nil {
		return nil, errors.Join(err, code.Close(ctx))
	}
	view, _ := first.memory.Read(0, first.memory.Size())
	same := bytes.Equal(view, p.memory)
	for i, g := range first.globals {
		same = same && first.value(g) == p.globals[i]
	}
	if !same { // cannot be, the engines agree
		return nil, errors.Join(errors.New("the start function gives another snapshot when it is compiled; report this module"), code.Close(ctx))
	}
	p.pool.put(first)
	return p, nil
}

func (p *compiled) close() { p.pool.close() }

func (p *compiled) run(entry entry, args [][]byte, limit uint64, emitted *[][]byte) channel.Result {
	in, err := p.pool.acquire()
	if err != nil {
		return unavailable(err)
	}
	defer p.release(in)
	in.call.reset(emitted)
	r := in.run(entry, args, limit)
	r.Log = in.call.log
	return r
}

// unavailable is no verdict about the event: but a node never signs what it sees rejected, so it is the safe answer.
func unavailable(err error) channel.Result {
	return channel.Result{Status: channel.RejectedTrap, Reason: trapEngineFailure + err.Error()}
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

func (p *compiled) instantiate() (*instance, error) {
	in := &instance{}
	in.call.reset(nil)
	// No name: any number of instances may exist. No start functions: only the start section runs, not what is called _start.
	module, err := p.runtime.InstantiateModule(&in.call, p.code, wazero.NewModuleConfig().WithName("").WithStartFunctions())
	if err != nil {
		return nil, fmt.Errorf("the start function failed when it was compiled: %s", in.call.explain(err))
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

// value of a global as the lowered program has it: wazero leaves the upper half of an i32 open.
func (*instance) value(g api.MutableGlobal) uint64 {
	if g.Type() == api.ValueTypeI32 {
		return uint64(uint32(g.Get()))
	}
	return g.Get()
}

// release restores the snapshot and makes the instance available again. Memory cannot shrink, so an instance that
// grew is dropped; tables cannot change in the accepted subset.
func (p *compiled) release(in *instance) {
	in.call.reset(nil)
	if int(in.memory.Size()) != len(p.memory) {
		// Close frees the instance only; its error would be that of a listener, of which there are none.
		_ = in.module.Close(context.Background())
		p.pool.drop()
		return
	}
	view, _ := in.memory.Read(0, uint32(len(p.memory)))
	copy(view, p.memory)
	in.height.Set(0)
	for i, g := range in.globals {
		g.Set(p.globals[i])
	}
	p.pool.put(in)
}
