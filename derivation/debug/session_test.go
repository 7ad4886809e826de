package debug

import (
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/evmts/channels/derivation"
	"github.com/evmts/channels/derivation/internal/asm"
	"github.com/evmts/channels/derivation/lower"
	"github.com/evmts/channels/derivation/machine"
	"github.com/evmts/channels/derivation/modgen"
)

func random(seed uint64, n int) []byte {
	rng, b := rand.New(rand.NewPCG(seed, 13)), make([]byte, n)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return b
}

// TestSessionIsTheCall: wherever random commands lead, the session is where a machine is that executed so many
// instructions; every end that a call can have is shown, and can be gone back from.
func TestSessionIsTheCall(t *testing.T) {
	e, err := derivation.NewEngine(derivation.Config{}.WithMachine())
	require.NoError(t, err)
	defer func() { require.NoError(t, e.Close()) }()
	ends := map[machine.Status]int{}
	for seed := range uint64(150) {
		g := modgen.Generate(random(seed, 300+int(seed)*6))
		switch {
		case seed == 1: // few random modules reject
			r := asm.Reducer(nil, asm.Cat(asm.Const32(64), asm.Const32(5), asm.Call(0), asm.Result(64, 1)))
			r.Imports = asm.Host("reject")
			g.Binary = r.Bytes()
		case seed%5 == 0:
			g.FuelLimit = 20 + seed*29
		}
		m, err := e.Load(g.Binary, derivation.Options{FuelLimit: g.FuelLimit, PageLimit: g.PageLimit})
		if err != nil {
			require.ErrorIs(t, err, derivation.ErrModule)
			continue
		}
		symbols, err := ReadSymbols(g.Binary)
		require.NoError(t, err)
		args := [][]byte{random(seed, 90), random(seed+1, 40)}
		open := func() *machine.Machine {
			x, err := m.Machine(lower.Reduce, args...)
			require.NoError(t, err)
			return x
		}
		s := New(open(), symbols, lower.Reduce, args, g.FuelLimit)
		rng := rand.New(rand.NewPCG(seed, 17))
		for range 12 {
			command := []string{"s", "n", "f", "u", "s 9", "u 4", "n 3", "b", "d", "m 0x40 32", "m", ""}[rng.IntN(12)]
			if rng.IntN(8) == 0 {
				command = "b " + strconv.Itoa(rng.IntN(len(symbols.Program().Code)))
			}
			same(t, s, open(), command)
		}
		same(t, s, open(), "d")
		same(t, s, open(), "c")
		require.NotNil(t, s.end, "seed %d", seed)
		ends[s.end.status]++
		_, _, err = s.Do("s")
		require.ErrorIs(t, err, ErrEnded)
		full := open()
		full.Finish()
		v := s.View(3, 3)
		require.True(t, v.Ended)
		require.Equal(t, full.FuelUsed(), v.Fuel)
		require.Equal(t, string(full.Output()), string(v.Output))
		same(t, s, open(), "u")
	}
	for _, status := range []machine.Status{machine.Done, machine.Trapped, machine.OutOfFuel, machine.Rejected} {
		require.Positive(t, ends[status], "no call ended: %s", status)
	}
}

// same carries out a command and compares the session with a machine.
func same(t *testing.T, s *Session, m *machine.Machine, command string) {
	_, quit, err := s.Do(command)
	require.False(t, quit)
	if err != nil && err != ErrEnded {
		require.ErrorIs(t, err, ErrCommand)
	}
	require.GreaterOrEqual(t, s.steps, s.start)
	steps := s.steps
	if s.end != nil {
		steps = max(steps-1, 0) // it stands before the last instruction
	}
	require.Equal(t, steps, m.Run(steps))
	require.Equal(t, m.Encode(), s.machine.Encode())
	v := s.View(5, 4)
	require.NotEmpty(t, v.Text())
	for _, size := range [][2]int{{100, 30}, {20, 5}, {1, 1}} {
		rows := v.Screen(size[0], size[1])
		require.Len(t, rows, size[1])
		for _, r := range rows {
			plain := strings.NewReplacer("\x1b[1m", "", "\x1b[7m", "", "\x1b[0m", "").Replace(r)
			require.LessOrEqual(t, utf8.RuneCountInString(plain), size[0])
		}
	}
}

// TestCommandsThatAreNone: mistakes change nothing and say what would be right.
func TestCommandsThatAreNone(t *testing.T) {
	g := modgen.Generate(random(3, 900))
	e, err := derivation.NewEngine(derivation.Config{}.WithMachine())
	require.NoError(t, err)
	defer func() { require.NoError(t, e.Close()) }()
	m, err := e.Load(g.Binary, derivation.Options{FuelLimit: g.FuelLimit, PageLimit: g.PageLimit})
	require.NoError(t, err)
	symbols, err := ReadSymbols(g.Binary)
	require.NoError(t, err)
	args := [][]byte{nil, nil}
	x, err := m.Machine(lower.Reduce, args...)
	require.NoError(t, err)
	s := New(x, symbols, lower.Reduce, args, g.FuelLimit)
	before := x.Encode()
	for _, command := range []string{"x", "s -1", "s 0", "s a", "n 99999999999", "u", "b nowhere", "b 0xfffffff", "b 0xzz", "b 99999999", "d reduce", "m x", "m 0 0", "m 0 5000", "m 0xfffffff0", "m 1 2 3"} {
		_, quit, err := s.Do(command)
		require.ErrorIs(t, err, ErrCommand, command)
		require.False(t, quit)
		require.Equal(t, before, x.Encode(), command)
	}
	_, quit, err := s.Do("q")
	require.NoError(t, err)
	require.True(t, quit)
}
