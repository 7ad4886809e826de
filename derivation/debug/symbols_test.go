package debug

import (
	"bytes"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/evmts/channels/derivation"
	"github.com/evmts/channels/derivation/wasm"
	"github.com/evmts/channels/examples/counter"
)

func text(s string) []byte { return append(wasm.AppendU32(nil, uint32(len(s))), s...) }

// named adds a name section with the names of functions, which are taken as they stand.
func named(binary []byte, names map[uint32]string, order ...uint32) []byte {
	list := wasm.AppendU32(nil, uint32(len(order)))
	for _, i := range order {
		list = append(wasm.AppendU32(list, i), text(names[i])...)
	}
	content := append(text("name"), 1)
	content = append(wasm.AppendU32(content, uint32(len(list))), list...)
	return append(wasm.AppendU32(append(bytes.Clone(binary), 0), uint32(len(content))), content...)
}

// TestNames: names come from the name section, from exports, or are numbers; a module cannot confuse who reads them, and
// names do not change what it is.
func TestNames(t *testing.T) {
	plain, err := ReadSymbols(counter.Wasm)
	require.NoError(t, err)
	f, ok := plain.Find("reduce")
	require.True(t, ok)
	require.Equal(t, "reduce", plain.Name(f))

	binary := named(counter.Wasm, map[uint32]string{0: "game/reduce", 1: "game/reduce", 2: "a\x1b[31m\nb\xff"}, 0, 1, 2)
	s, err := ReadSymbols(binary)
	require.NoError(t, err)
	require.Equal(t, "game/reduce", s.Name(0))
	require.Equal(t, "game/reduce#1", s.Name(1))
	require.Equal(t, "a?[31m?b?", s.Name(2))
	f, ok = s.Find("game/reduce#1")
	require.True(t, ok)
	require.Equal(t, 1, f)
	f, ok = s.Find("reduce")
	require.True(t, ok)
	require.Equal(t, 0, f)
	_, ok = s.Find("nothing")
	require.False(t, ok)
	require.Equal(t, "of", Short("crate::a/b::of"))
	require.Equal(t, "a/", Short("a/"))
	before, err := derivation.ProgramHash(counter.Wasm)
	require.NoError(t, err)
	after, err := derivation.ProgramHash(binary)
	require.NoError(t, err)
	require.Equal(t, before, after)

	_, err = ReadSymbols([]byte("no module"))
	require.ErrorIs(t, err, derivation.ErrModule)
}

// FuzzFunctionNames: a name section may say anything.
func FuzzFunctionNames(f *testing.F) {
	f.Add(counter.Wasm)
	f.Add(named(counter.Wasm, map[uint32]string{0: "a", 1: "b"}, 1, 0))
	f.Add(append(bytes.Clone(counter.Wasm[:8]), 0, 9, 4, 'n', 'a', 'm', 'e', 1, 0xff, 0xff, 0xff))
	f.Fuzz(func(t *testing.T, binary []byte) {
		for _, name := range functionNames(binary) {
			require.True(t, utf8.ValidString(name))
			require.LessOrEqual(t, utf8.RuneCountInString(name), maxNameRunes)
			require.NotContains(t, name, "\x1b")
			require.NotContains(t, name, "\n")
		}
	})
}
