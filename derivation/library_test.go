package derivation_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/stretchr/testify/require"

	"github.com/evmts/channels/derivation"
	"github.com/evmts/channels/examples/counter"
)

func TestF11_Library(t *testing.T) {
	l := derivation.NewLibrary(newEngine(t, derivation.Config{}))
	dir := t.TempDir()
	write := func(name string, b []byte) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, b, 0o600))
		return path
	}
	_, err := l.Get(common.Hash{1})
	require.ErrorIs(t, err, derivation.ErrUnknownModule)
	require.ErrorContains(t, err, "loaded: none")

	write("plain.wasm", counter.Wasm)
	counting := write("counting.wasm", counter.Wasm)
	write("counting.manifest.json", []byte(`{"pageLimit": 1, "independent": true}`))
	write("notes.txt", nil)
	n, err := l.AddDir(dir)
	require.NoError(t, err)
	require.Equal(t, 2, n)
	all := l.Modules()
	require.Len(t, all, 2)
	require.Equal(t, "counting.wasm", all[0].Name)
	require.True(t, all[0].Module.Manifest().Independent)
	require.Equal(t, "plain.wasm", all[1].Name)
	require.EqualValues(t, derivation.DefaultPageLimit, all[1].Module.Manifest().PageLimit)
	for _, named := range all {
		got, err := l.Get(named.Module.Hash())
		require.NoError(t, err)
		require.Same(t, named.Module, got)
	}
	again, err := l.AddFile(counting)
	require.NoError(t, err)
	require.Same(t, all[0].Module, again)

	want := common.Hash{0xab}
	_, err = l.Get(want)
	require.ErrorIs(t, err, derivation.ErrUnknownModule)
	require.ErrorContains(t, err, want.Hex())
	require.ErrorContains(t, err, all[0].Module.Hash().Hex())
	require.ErrorContains(t, err, "add both")
	err = derivation.Expect("counting.wasm", again, want)
	require.ErrorIs(t, err, derivation.ErrOtherModule)
	require.ErrorContains(t, err, want.Hex())
	require.ErrorContains(t, err, again.Hash().Hex())
	require.NoError(t, derivation.Expect("counting.wasm", again, again.Hash()))

	_, err = l.AddFile(filepath.Join(dir, "missing.wasm"))
	require.ErrorIs(t, err, os.ErrNotExist)
	bad := write("bad.wasm", []byte("hello"))
	_, err = l.AddFile(bad)
	require.ErrorIs(t, err, derivation.ErrModule)
	require.ErrorContains(t, err, "module bad.wasm")
	_, err = l.AddDir(dir)
	require.ErrorIs(t, err, derivation.ErrModule)
	write("bad.wasm", make([]byte, 1<<20))
	_, err = l.AddFile(bad)
	require.ErrorContains(t, err, "more than")
	write("plain.manifest.json", []byte(`{"fuel": 7}`))
	_, err = l.AddFile(filepath.Join(dir, "plain.wasm"))
	require.ErrorIs(t, err, derivation.ErrOptions)
	require.ErrorContains(t, err, "fuelLimit, pageLimit")
}
