package derivation_test

import (
	"context"
	"testing"

	"github.com/ethereum/go-ethereum/crypto"
	"github.com/stretchr/testify/require"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/evmts/channels/channel"
	"github.com/evmts/channels/derivation"
	"github.com/evmts/channels/examples/counter"
	"github.com/evmts/channels/examples/raid"
)

// bare runs a module as it is, without metering: the measure of what metering changes (nothing) and costs.
type bare struct {
	runtime  wazero.Runtime
	compiled wazero.CompiledModule
	rejected bool
}

func newBare(t testing.TB, binary []byte) *bare {
	ctx := context.Background()
	b := &bare{runtime: wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigCompiler().WithMemoryLimitPages(16))}
	t.Cleanup(func() { require.NoError(t, b.runtime.Close(ctx)) })
	builder := b.runtime.NewHostModuleBuilder("channels")
	define := func(name string, params int, f func(m api.Memory, stack []uint64)) {
		builder.NewFunctionBuilder().WithGoModuleFunction(api.GoModuleFunc(func(_ context.Context, m api.Module, stack []uint64) { f(m.Memory(), stack) }),
			[]api.ValueType{api.ValueTypeI32, api.ValueTypeI32, api.ValueTypeI32}[:params], nil).Export(name)
	}
	hasher := crypto.NewKeccakState()
	var digest [32]byte
	define("keccak256", 3, func(m api.Memory, stack []uint64) {
		in, ok := m.Read(uint32(stack[0]), uint32(stack[1]))
		hasher.Reset()
		_, _ = hasher.Write(in)
		_, _ = hasher.Read(digest[:])
		if !ok || !m.Write(uint32(stack[2]), digest[:]) {
			panic("outside of the memory")
		}
	})
	define("emit", 2, func(api.Memory, []uint64) {})
	define("log", 2, func(api.Memory, []uint64) {})
	define("reject", 2, func(api.Memory, []uint64) { b.rejected = true; panic("rejected") })
	_, err := builder.Instantiate(ctx)
	require.NoError(t, err)
	b.compiled, err = b.runtime.CompileModule(ctx, binary)
	require.NoError(t, err)
	return b
}

// bareInstance is one instance with the functions looked up.
type bareInstance struct {
	api.Module
	allocate, reduce api.Function
}

func (b *bare) instance(t testing.TB) bareInstance {
	m, err := b.runtime.InstantiateModule(context.Background(), b.compiled, wazero.NewModuleConfig().WithName("").WithStartFunctions())
	require.NoError(t, err)
	return bareInstance{m, m.ExportedFunction("allocate"), m.ExportedFunction("reduce")}
}

// call copies the arguments in and calls reduce; the output is a view.
func (i bareInstance) call(state, event []byte) ([]byte, error) {
	ctx := context.Background()
	var stack [4]uint64
	var params [4]uint64
	for k, arg := range [][]byte{state, event} {
		stack[0] = uint64(len(arg))
		if err := i.allocate.CallWithStack(ctx, stack[:1]); err != nil {
			return nil, err
		}
		params[2*k], params[2*k+1] = uint64(uint32(stack[0])), uint64(len(arg))
		i.Memory().Write(uint32(stack[0]), arg)
	}
	if err := i.reduce.CallWithStack(ctx, params[:]); err != nil {
		return nil, err
	}
	out, _ := i.Memory().Read(uint32(params[0]>>32), uint32(params[0]))
	return out, nil
}

// TestF11_A9_MeteringChangesNothing replays a raid, and each event once more on the state after it, on the module as
// it is: accepted and rejected alike, byte for byte.
func TestF11_A9_MeteringChangesNothing(t *testing.T) {
	m, err := newEngine(t, derivation.Config{}).Load(raid.Wasm, raidOptions())
	require.NoError(t, err)
	j, b := playRaid(t, m), newBare(t, raid.Wasm)
	check := func(state, event []byte) channel.Status {
		i := b.instance(t)
		defer func() { require.NoError(t, i.Close(context.Background())) }()
		b.rejected = false
		want, err := i.call(state, event)
		got := m.Reduce(state, event)
		if b.rejected {
			require.Equal(t, channel.RejectedByModule, got.Status)
			return got.Status
		}
		require.NoError(t, err)
		require.Equal(t, channel.Accepted, got.Status, got.Reason)
		require.Equal(t, want, got.Output)
		return got.Status
	}
	seen := map[channel.Status]int{}
	for i, event := range j.inputs {
		seen[check(j.states[i], event)]++
		seen[check(j.states[i+1], event)]++
	}
	require.Positive(t, seen[channel.Accepted])
	require.Positive(t, seen[channel.RejectedByModule])
}

// FuzzReduce gives any bytes to real modules on all engines: they must agree on everything, and a call in between must
// change nothing.
func FuzzReduce(f *testing.F) {
	all := engines(f)
	var modules []map[string]*derivation.Module
	for _, l := range []struct {
		binary  []byte
		options derivation.Options
	}{{counter.Wasm, counter.Options()}, {raid.Wasm, raidOptions()}, {leaky().Bytes(), limits}} {
		m := map[string]*derivation.Module{}
		for name, engine := range all {
			var err error
			m[name], err = engine.Load(l.binary, l.options)
			require.NoError(f, err)
		}
		modules = append(modules, m)
	}
	j := playRaid(f, modules[1]["compiler"])
	for i := range 12 {
		f.Add(byte(1), j.states[i*3], j.inputs[i*3])
	}
	f.Add(byte(0), make([]byte, 300), eventInput(0, counter.PayloadEnd))
	for kind := range byte(8) {
		f.Add(byte(2), []byte("state"), []byte{kind})
	}
	f.Fuzz(func(t *testing.T, which byte, state, event []byte) {
		p := modules[int(which)%len(modules)]
		m := p["compiler"]
		first, effects, begun := m.Reduce(state, event), m.Effects(state), m.Init(event)
		require.NotContains(t, first.Reason, "engine failed")
		for name, other := range p {
			require.Equal(t, first, other.Reduce(state, event), name)
			require.Equal(t, effects, other.Effects(state), name)
			require.Equal(t, begun, other.Init(event), name)
		}
		require.Equal(t, first, m.Reduce(state, event))
	})
}

// FuzzLoad changes bytes of valid modules: what loads must run the same on all engines and end within its fuel.
func FuzzLoad(f *testing.F) {
	f.Add(counter.Wasm, []byte("state"))
	f.Add(leaky().Bytes(), []byte{1})
	for _, c := range statusCases() {
		f.Add(c.module.Bytes(), []byte("state"))
	}
	f.Fuzz(func(t *testing.T, binary, input []byte) {
		if len(input) > 1000 {
			return
		}
		var results [3]channel.Result
		var errs [3]error
		for i, config := range []derivation.Config{{}, derivation.Config{}.WithInterpreter(), derivation.Config{}.WithMachine()} {
			engine, err := derivation.NewEngine(config.WithInstances(1))
			require.NoError(t, err)
			m, err := engine.Load(binary, limits)
			if errs[i] = err; err == nil {
				results[i] = m.Reduce(input, input)
				require.Equal(t, results[i], m.Reduce(input, input))
			} else {
				require.ErrorIs(t, err, derivation.ErrModule)
				require.NotContains(t, err.Error(), "compiling", "what the own validator accepts, wazero accepts")
			}
			require.NoError(t, engine.Close())
		}
		for i := range errs {
			require.Equal(t, errs[0] == nil, errs[i] == nil)
			require.Equal(t, results[0], results[i])
		}
	})
}
