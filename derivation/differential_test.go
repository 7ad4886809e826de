package derivation_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/evmts/channels/channel"
	"github.com/evmts/channels/derivation"
	"github.com/evmts/channels/derivation/lower"
	"github.com/evmts/channels/derivation/modgen"
)

// seen is everything that one call shows.
type seen struct {
	channel.Result
	memory  []byte
	globals []uint64
	height  int // of the stack, looked at when the call returned
}

func inspect(m *derivation.Module, state, event []byte, into *seen) {
	into.Result = m.Inspect(state, event, func(memory []byte, globals []uint64, height int) {
		into.height = height
		into.memory = append(into.memory[:0], memory...)
		into.globals = append(into.globals[:0], globals...)
	})
}

// differs says what is not the same, empty when all is.
func (s *seen) differs(o *seen) string {
	switch {
	case s.Status != o.Status || s.Reason != o.Reason:
		return fmt.Sprintf("status: %v %q, %v %q", s.Status, s.Reason, o.Status, o.Reason)
	case (s.Status == channel.Accepted || s.Status == channel.RejectedOutput) && (s.height != 0 || o.height != 0):
		return fmt.Sprintf("frames are left: %d, %d slots", s.height, o.height)
	case s.Fuel != o.Fuel:
		return fmt.Sprintf("fuel: %d, %d", s.Fuel, o.Fuel)
	case !bytes.Equal(s.Output, o.Output):
		return fmt.Sprintf("output: %x, %x", s.Output, o.Output)
	case fmt.Sprint(s.Log) != fmt.Sprint(o.Log):
		return fmt.Sprintf("log: %q, %q", s.Log, o.Log)
	case !bytes.Equal(s.memory, o.memory):
		return "memory"
	case fmt.Sprint(s.globals) != fmt.Sprint(o.globals):
		return fmt.Sprintf("globals: %x, %x", s.globals, o.globals)
	}
	return ""
}

// versus is a module on the engines that are compared.
type versus struct {
	reference *derivation.Module
	others    []*derivation.Module
	close     func() error
}

// face loads a module into fresh engines: compiled code is freed with its engine. nil when all of them refuse it, which
// only a start function may cause.
func face(t testing.TB, m modgen.Module, interpreter bool) *versus {
	configs := []derivation.Config{derivation.Config{}.WithMachine(), {}}
	if interpreter {
		configs = append(configs, derivation.Config{}.WithInterpreter())
	}
	var engines []*derivation.Engine
	v := &versus{close: func() error {
		for _, e := range engines {
			if err := e.Close(); err != nil {
				return err
			}
		}
		return nil
	}}
	refused := 0
	for i, c := range configs {
		e, err := derivation.NewEngine(c.WithInstances(1))
		require.NoError(t, err)
		engines = append(engines, e)
		loaded, err := e.Load(m.Binary, derivation.Options{FuelLimit: m.FuelLimit, PageLimit: m.PageLimit})
		if err != nil {
			require.ErrorContains(t, err, "start function")
			refused++
			continue
		}
		if i == 0 {
			v.reference = loaded
		} else {
			v.others = append(v.others, loaded)
		}
	}
	if refused > 0 {
		require.Equal(t, len(configs), refused)
		require.NoError(t, v.close())
		return nil
	}
	return v
}

// call compares one call on all engines.
func (v *versus) call(t testing.TB, state, event []byte, scratch *[2]seen) channel.Status {
	inspect(v.reference, state, event, &scratch[0])
	for _, m := range v.others {
		inspect(m, state, event, &scratch[1])
		if d := scratch[0].differs(&scratch[1]); d != "" {
			require.Failf(t, "the engines differ", "%s\nevent %x", d, event)
		}
	}
	return scratch[0].Status
}

// FuzzEngines compares the reference machine with compiled and interpreted code over result, log, memory, globals,
// status and fuel, and the program with what its encoding gives back.
func FuzzEngines(f *testing.F) {
	for seed := range uint64(12) {
		f.Add(randomBytes(seed, 200+300*int(seed)), randomBytes(seed+100, 64))
	}
	f.Fuzz(func(t *testing.T, choices, event []byte) {
		if len(event) > 4096 {
			return
		}
		m := modgen.Generate(choices)
		v := face(t, m, true)
		if v == nil {
			return
		}
		encoded := v.reference.Program().Encode()
		again, err := lower.Decode(encoded)
		require.NoError(t, err)
		require.Equal(t, encoded, again.Encode())
		var scratch [2]seen
		v.call(t, []byte("state"), event, &scratch)
		v.call(t, nil, nil, &scratch)
		require.NoError(t, v.close())
	})
}

func randomBytes(seed uint64, n int) []byte {
	rng, b := rand.New(rand.NewPCG(seed, 11)), make([]byte, n)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return b
}

// TestDifferentialEngines_A9 compares the engines on many calls of random modules: 16,000 by default, with CHANNELS_LONG
// a million, or as many as CHANNELS_CASES says. Each module serves 64 calls, so that compiling does not dominate; the
// interpreter joins for every eighth module. CHANNELS_SEED continues somewhere else.
func TestDifferentialEngines_A9(t *testing.T) {
	cases, seed := uint64(16_000), uint64(1)
	if os.Getenv("CHANNELS_LONG") != "" {
		cases = 1_000_000
	}
	for name, into := range map[string]*uint64{"CHANNELS_CASES": &cases, "CHANNELS_SEED": &seed} {
		if s := os.Getenv(name); s != "" {
			n, err := strconv.ParseUint(s, 10, 64)
			require.NoError(t, err, name)
			*into = n
		}
	}
	const perModule = 64
	statuses, modules, refused, reasons := map[channel.Status]uint64{}, 0, 0, map[string]int{}
	var scratch [2]seen
	for done := uint64(0); done < cases; seed++ {
		rng := rand.New(rand.NewPCG(seed, 13))
		m := modgen.Generate(randomBytes(seed, 64+rng.IntN(4000)))
		v := face(t, m, seed%8 == 0)
		if v == nil {
			refused++
			continue
		}
		modules++
		for i := range perModule {
			event := randomBytes(seed<<16|uint64(i), rng.IntN(96))
			if i%4 == 0 { // small numbers take other paths
				for k := range event {
					event[k] &= event[(k*7+3)%len(event)] & 7
				}
			}
			status := v.call(t, []byte("state"), event, &scratch)
			if t.Failed() {
				t.Fatalf("seed %d, call %d", seed, i)
			}
			statuses[status]++
			if status == channel.RejectedTrap {
				reasons[scratch[0].Reason]++
			}
			done++
		}
		require.NoError(t, v.close())
		if modules%500 == 0 {
			t.Logf("%d cases, %d modules, seed %d: %v", done, modules, seed, statuses)
		}
	}
	t.Logf("%d modules (%d refused for their start function): %v; traps %v", modules, refused, statuses, reasons)
	for _, s := range []channel.Status{channel.Accepted, channel.RejectedTrap, channel.RejectedOutOfFuel} {
		require.Greater(t, statuses[s], cases/100, "the modules must be of every kind: %v", s)
	}
}
