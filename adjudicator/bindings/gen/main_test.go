package main

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestBindingsAreCurrent compares what is checked in with the artefacts. Where the contracts were never built there is
// nothing to compare with.
func TestBindingsAreCurrent(t *testing.T) {
	top, err := root()
	require.NoError(t, err)
	have, err := os.ReadFile(filepath.Join(top, target))
	require.NoError(t, err)
	want, err := Generate(filepath.Join(top, artefacts))
	if errors.Is(err, errNotBuilt) {
		t.Log(err)
		return
	}
	require.NoError(t, err)
	require.True(t, string(want) == string(have), "%s is not what the contracts give: run `make bindings`", target)
}

func TestGenerateSaysWhatToDo(t *testing.T) {
	_, err := Generate(t.TempDir())
	require.ErrorIs(t, err, errNotBuilt)
	require.ErrorContains(t, err, "forge build")

	dir := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "Adjudicator.sol"), 0o755))
	path := filepath.Join(dir, "Adjudicator.sol", "Adjudicator.json")
	for _, broken := range []string{``, `{"abi":[],"bytecode":{"object":"0x"}}`, `{"abi":[],"bytecode":{"object":"0x60__$ab$__"}}`} {
		require.NoError(t, os.WriteFile(path, []byte(broken), 0o644))
		_, err = Generate(dir)
		require.Error(t, err)
	}
}
