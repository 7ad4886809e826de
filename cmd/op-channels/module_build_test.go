package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/ethereum/go-ethereum/crypto"
	"github.com/evmts/channels/sdk/modules"
	"github.com/stretchr/testify/require"
	"github.com/urfave/cli/v2"
)

// project makes a folder with a build script.
func project(t *testing.T, script string) string {
	dir := filepath.Join(t.TempDir(), "odd [name]")
	require.NoError(t, os.Mkdir(dir, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "build.sh"), []byte("#!/bin/sh\n"+script+"\n"), 0o755)) //nolint:gosec // a script
	return dir
}

// TestModuleBuild: what the script builds is checked; each way of failing says what to do.
func TestModuleBuild(t *testing.T) {
	counter, err := filepath.Abs("../../examples/counter/counter.wasm")
	require.NoError(t, err)
	out, err := tool(t, "module", "build", "--json", project(t, "cp "+counter+" game.wasm"))
	require.NoError(t, err)
	var reports []moduleReport
	require.NoError(t, json.Unmarshal([]byte(out), &reports))
	require.Len(t, reports, 1)
	require.Equal(t, "game.wasm", filepath.Base(reports[0].File))
	out, err = tool(t, "module", "check", "--json", counter)
	require.NoError(t, err)
	var check moduleReport
	require.NoError(t, json.Unmarshal([]byte(out), &check))
	check.File = reports[0].File
	require.Equal(t, check, reports[0])

	for name, c := range map[string]struct {
		script, said, why string
		code              int
	}{
		"compiler missing": {"echo 'install clang' >&2; exit 3", "install clang", "a compiler is missing", 3},
		"compiler fails":   {"echo 'line 7 is wrong'; exit 1", "line 7 is wrong", "exit status 1", 1},
		"nothing built":    {"true", "", "built nothing", 1},
		"not accepted":     {"echo no > game.wasm", "", "game.wasm", 1},
	} {
		out, err := tool(t, "module", "build", project(t, c.script))
		require.ErrorContains(t, err, c.why, name)
		require.Equal(t, c.code, exitCode(err), name)
		require.Contains(t, out, c.said, name)
	}
	_, err = tool(t, "module", "build", t.TempDir())
	require.ErrorContains(t, err, "there is no")
	dir := project(t, "true")
	require.NoError(t, os.Chmod(filepath.Join(dir, "build.sh"), 0o600))
	_, err = tool(t, "module", "build", dir)
	require.ErrorContains(t, err, "chmod +x")
}

// TestModuleNew: a module of each language begins where module build finds it.
func TestModuleNew(t *testing.T) {
	for _, lang := range modules.Languages {
		dir := filepath.Join(t.TempDir(), "my-game")
		out, err := tool(t, "module", "new", "--lang", lang, dir)
		require.NoError(t, err)
		require.Contains(t, out, "my-game is a module in "+lang)
		require.FileExists(t, filepath.Join(dir, "my-game.manifest.json"))
		info, err := os.Stat(filepath.Join(dir, "build.sh"))
		require.NoError(t, err)
		require.NotZero(t, info.Mode()&0o100)
		_, err = tool(t, "module", "new", "--lang", lang, dir)
		require.ErrorIs(t, err, modules.ErrExists)
	}
	dir := t.TempDir()
	_, err := tool(t, "module", "new", "--lang", "cobol", dir)
	require.ErrorIs(t, err, modules.ErrLanguage)
	_, err = tool(t, "module", "new", "--lang", "c", filepath.Join(dir, "Upper Case"))
	require.ErrorContains(t, err, "--name")
	_, err = tool(t, "module", "new", "--lang", "c", "--name", "fine", filepath.Join(dir, "Upper Case"))
	require.NoError(t, err)
	_, err = tool(t, "module", "new", "--lang", "c")
	require.ErrorContains(t, err, "DIR")
	var coder cli.ExitCoder
	require.NotErrorAs(t, err, &coder)
}

// TestModuleBuildOfATemplate builds what module new writes, with the compiler of the repository.
func TestModuleBuildOfATemplate(t *testing.T) {
	asc, err := filepath.Abs("../../node_modules/.bin/asc")
	require.NoError(t, err)
	if _, err := os.Stat(asc); err != nil {
		t.Skip("the AssemblyScript compiler is missing: make deps")
	}
	t.Setenv("CHANNELS_ASC", asc)
	dir := filepath.Join(t.TempDir(), "my-game")
	_, err = tool(t, "module", "new", "--lang", "assemblyscript", dir)
	require.NoError(t, err)
	out, err := tool(t, "module", "build", dir)
	require.NoError(t, err, out)
	require.Contains(t, out, "my-game.wasm")
	require.Contains(t, out, "module hash  0x")
}

// TestScriptGenesis: the config's hash stands in the genesis input and the config behind it.
func TestScriptGenesis(t *testing.T) {
	write := func(text string) string {
		path := filepath.Join(t.TempDir(), "game.json")
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	for text, config := range map[string][]byte{`{}`: nil, `{"config": {"a": 1}}`: {0x81, 0xa1, 'a', 1}} {
		g, err := readScript(write(text))
		require.NoError(t, err)
		require.Equal(t, make([]byte, 96), g.genesis[:96])
		require.Equal(t, crypto.Keccak256(config), g.genesis[96:128])
		require.Equal(t, make([]byte, 32), g.genesis[128:160])
		require.Equal(t, string(config), string(g.genesis[160:]))
	}
	g, err := readScript(write(`{"genesis": "0x0102"}`))
	require.NoError(t, err)
	require.Equal(t, []byte{1, 2}, g.genesis)
	_, err = readScript(write(`{"genesis": "0x", "config": 1}`))
	require.ErrorContains(t, err, "not both")
	_, err = readScript(write(`{"config": 1.5}`))
	require.Error(t, err)
}
