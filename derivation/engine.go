package derivation

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"

	"github.com/ethereum/go-ethereum/common"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/evmts/channels/channel"
	"github.com/evmts/channels/derivation/evm"
	"github.com/evmts/channels/derivation/lower"
	"github.com/evmts/channels/derivation/machine"
	"github.com/evmts/channels/derivation/meter"
	"github.com/evmts/channels/derivation/wasm"
)

var (
	// ErrModule means that a binary was refused; the wrapped error says where and why.
	ErrModule = errors.New("derivation: the module is refused")
	// ErrOptions means that the limits asked for are outside of what a module may have.
	ErrOptions = errors.New("derivation: bad options")
	// ErrClosed means that the engine has been closed.
	ErrClosed = errors.New("derivation: the engine is closed")
	// ErrEntry means that a module has no such entry, or that it takes other arguments.
	ErrEntry = errors.New("derivation: no such entry with such arguments")
	// ErrFull means that the engine holds MaxPrograms compiled modules.
	ErrFull = errors.New("derivation: too many modules are loaded")
)

// features pins what wazero itself accepts, so that a later version cannot widen the language.
const features = api.CoreFeatureMutableGlobal | api.CoreFeatureSignExtensionOps | api.CoreFeatureMultiValue | api.CoreFeatureBulkMemoryOperations

// Config chooses how an Engine runs. The zero value is ready to use; each With… returns a changed copy.
type Config struct {
	interpreter bool
	machine     bool
	instances   int
}

// WithInterpreter selects wazero's interpreter instead of its compiler. Results are the same, 30 to 60 times slower.
func (c Config) WithInterpreter() Config {
	c.interpreter = true
	return c
}

// WithMachine selects the reference machine (package machine). Results are the same; it is as fast as an interpreter is.
func (c Config) WithMachine() Config {
	c.machine = true
	return c
}

// WithInstances sets how many calls of one module run at a time, each in an instance of its own; further calls wait.
// The default is GOMAXPROCS: calls do nothing but compute. Values below 1 mean the default.
func (c Config) WithInstances(n int) Config {
	c.instances = n
	return c
}

// Engine compiles modules and runs them. It is safe for concurrent use.
type Engine struct {
	config  Config
	runtime wazero.Runtime

	life     sync.RWMutex // held for reading while a module is compiled, for writing by Close
	mu       sync.Mutex   // for the map only: a module that takes long to compile holds up nobody else
	closed   bool         // guarded by life
	programs map[programKey]*building
}

// building is a program that is there or being made.
type building struct {
	once    sync.Once
	program *program
	err     error
}

type programKey struct {
	binary    common.Hash
	pageLimit uint32
}

// NewEngine starts an engine; Close frees its compiled code.
func NewEngine(config Config) (*Engine, error) {
	if config.instances < 1 {
		config.instances = runtime.GOMAXPROCS(0)
	}
	rc := wazero.NewRuntimeConfigCompiler()
	if config.interpreter {
		rc = wazero.NewRuntimeConfigInterpreter()
	}
	rc = rc.WithCoreFeatures(features).WithMemoryLimitPages(wasm.MaxPages).WithDebugInfoEnabled(false).WithCloseOnContextDone(false)
	ctx := context.Background()
	e := &Engine{config: config, runtime: wazero.NewRuntimeWithConfig(ctx, rc), programs: make(map[programKey]*building)}
	if err := e.installHost(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("derivation: installing the host functions: %w", err), e.runtime.Close(ctx))
	}
	return e, nil
}

// Close waits for the calls that are running and frees everything. Calls made afterwards trap with ErrClosed's text:
// close the engine last.
func (e *Engine) Close() error {
	e.life.Lock()
	defer e.life.Unlock()
	if e.closed {
		return nil
	}
	e.closed = true
	for _, b := range e.programs {
		if b.program != nil {
			b.program.close()
		}
	}
	return e.runtime.Close(context.Background())
}

// Options are the parts of a module's manifest that its binary does not contain. Zero limits mean the defaults;
// a module that is too large for the default fuel limit (see DefaultTransactionGas) has to choose one.
type Options struct {
	FuelLimit   uint64 // of one call, at most MaxFuelLimit
	PageLimit   uint32 // pages of 64 KiB, at most MaxPageLimit
	MaxEvents   uint32 // per author over the channel's life, 0 = unknown
	Sparse      bool   // nonces may have gaps, the newest wins
	Independent bool   // an event may be authored before the previous one is supported
}

func (o Options) withDefaults() (Options, error) {
	if o.FuelLimit == 0 {
		o.FuelLimit = DefaultFuelLimit
	}
	if o.PageLimit == 0 {
		o.PageLimit = DefaultPageLimit
	}
	if o.FuelLimit > MaxFuelLimit {
		return o, fmt.Errorf("%w: the fuel limit %d is above %d, the most that one transaction can execute", ErrOptions, o.FuelLimit, MaxFuelLimit)
	}
	if o.PageLimit > MaxPageLimit {
		return o, fmt.Errorf("%w: the page limit %d is above %d pages of 64 KiB", ErrOptions, o.PageLimit, MaxPageLimit)
	}
	return o, nil
}

// Lower gives the lowered program of a module, the form that everybody compares and the chain executes. It depends on
// the binary only. The error wraps ErrModule.
func Lower(binary []byte) (*lower.Lowered, error) {
	decoded, err := decode(binary, MaxPageLimit)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrModule, err)
	}
	l, err := machine.Lower(decoded, StartFuel)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrModule, err)
	}
	return l, nil
}

// ProgramHash is the hash of a module's program that its manifest commits to: keccak256 of the lowered program
// (docs/encoding.md 16). The error wraps ErrModule.
func ProgramHash(binary []byte) (common.Hash, error) {
	l, err := Lower(binary)
	if err != nil {
		return common.Hash{}, err
	}
	return l.Program.Hash(), nil
}

func decode(binary []byte, pageLimit uint32) (*wasm.Module, error) {
	decoded, err := wasm.Decode(bytes.Clone(binary)) // the caller may reuse its bytes
	if err != nil {
		return nil, err
	}
	return decoded, decoded.CheckABI(pageLimit)
}

// Load checks, lowers, meters and compiles a module. The error wraps ErrModule with the place and reason (see wasm.Error), or
// ErrOptions. Loading the same binary again is cheap: compiled code and instances are shared between all Modules that
// have the binary and the page limit in common. The bytes of binary are not kept.
func (e *Engine) Load(binary []byte, options Options) (*Module, error) {
	chosen := options.FuelLimit != 0
	options, err := options.withDefaults()
	if err != nil {
		return nil, err
	}
	p, err := e.program(programKey{keccak(binary), options.PageLimit}, binary)
	if err != nil {
		return nil, err
	}
	gas := evm.GasBound(options.FuelLimit, p.maxPages, p.bytes)
	if !chosen && gas+ShellGas > DefaultTransactionGas {
		return nil, fmt.Errorf("%w: with the default fuel limit of %d a transaction may cost %d gas, and %d is what fits through L1: %d pages of 64 KiB, a program of %d bytes; "+
			"choose a fuel limit in the manifest, a lower one to stay below, or make the module smaller", ErrOptions, options.FuelLimit, gas+ShellGas, DefaultTransactionGas, p.maxPages, p.bytes)
	}
	if gas > MaxMachineGas {
		return nil, fmt.Errorf("%w: on chain a call may cost %d gas, allowed are %d: %d fuel, %d pages of 64 KiB, a program of %d bytes; lower the fuel or page limit, or make "+
			"the module smaller", ErrOptions, gas, MaxMachineGas, options.FuelLimit, p.maxPages, p.bytes)
	}
	m := &Module{program: p, manifest: channel.Manifest{
		ProgramHash: p.hash, FuelLimit: options.FuelLimit, PageLimit: options.PageLimit,
		MaxEvents: options.MaxEvents, Sparse: options.Sparse, Independent: options.Independent,
	}}
	m.hash = m.manifest.Hash()
	return m, nil
}

func (e *Engine) program(key programKey, binary []byte) (*program, error) {
	e.life.RLock()
	defer e.life.RUnlock()
	if e.closed {
		return nil, ErrClosed
	}
	e.mu.Lock()
	b := e.programs[key]
	if b == nil {
		if len(e.programs) >= MaxPrograms {
			e.mu.Unlock()
			return nil, fmt.Errorf("%w: the limit is %d; restart with the modules that are needed", ErrFull, MaxPrograms)
		}
		b = &building{}
		e.programs[key] = b
	}
	e.mu.Unlock()
	b.once.Do(func() { b.program, b.err = e.build(key, binary) })
	if b.err != nil {
		e.mu.Lock()
		delete(e.programs, key) // refused modules take no place
		e.mu.Unlock()
		return nil, fmt.Errorf("%w: %w", ErrModule, b.err)
	}
	return b.program, nil
}

func (e *Engine) build(key programKey, binary []byte) (*program, error) {
	decoded, err := decode(binary, key.pageLimit)
	if err != nil {
		return nil, err
	}
	lowered, err := machine.Lower(decoded, StartFuel)
	if err != nil {
		return nil, err
	}
	l := lowered.Program
	if l.Pages() > key.pageLimit {
		return nil, fmt.Errorf("the start function grows the memory to %d pages of 64 KiB, the page limit is %d; raise the limit or grow later", l.Pages(), key.pageLimit)
	}
	encoded := l.Encode()
	p := &program{lowered: l, hash: keccak(encoded), size: len(binary), bytes: len(encoded), functions: len(decoded.Functions), maxPages: min(l.MaxPages, key.pageLimit)}
	if e.config.machine {
		p.executor = newReference(l, key.pageLimit, e.config.instances)
		return p, nil
	}
	metered, err := meter.Rewrite(decoded, key.pageLimit, StartFuel)
	if err != nil {
		return nil, err
	}
	p.executor, err = e.compile(metered, l)
	if err != nil {
		return nil, err
	}
	return p, nil
}
