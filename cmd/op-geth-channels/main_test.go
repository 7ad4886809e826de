package main

import (
	"bytes"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/core"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/node"
	"github.com/ethereum/go-ethereum/params"
	"github.com/stretchr/testify/require"
	"github.com/urfave/cli/v2"
)

// omitted are flags of op-geth that op-geth-channels has not, by what their declarations' names start with, and why.
var omitted = map[string]string{
	"configFileFlag":          "the type of op-geth's TOML file is its own",
	"RPCTelemetry":            "op-geth sets its traces up in a package that only it can import",
	"Beacon":                  "an op-stack chain has no light client of a beacon chain",
	"Developer":               "a chain without op-node needs no sequencer's sidecar",
	"KeyStoreDirFlag":         "accounts are not the node's business on an op-stack",
	"ExternalSignerFlag":      "accounts",
	"PasswordFileFlag":        "accounts",
	"USBFlag":                 "accounts",
	"SmartCardDaemonPathFlag": "accounts",
	"LightKDFFlag":            "accounts",
}

// TestFlagsAreOpGeths: all flags of `geth` are there under their names, but those that are deprecated or omitted for a reason.
func TestFlagsAreOpGeths(t *testing.T) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/ethereum/go-ethereum").Output()
	require.NoError(t, err)
	dir := strings.TrimSpace(string(out))
	names := flagNames(t, filepath.Join(dir, "cmd", "utils", "flags.go"))
	deprecated := flagNames(t, filepath.Join(dir, "cmd", "utils", "flags_legacy.go"))
	ours := make(map[string]bool)
	for _, f := range allFlags() {
		require.False(t, ours[f.Names()[0]], "twice: --%s", f.Names()[0])
		ours[f.Names()[0]] = true
	}
	used := make(map[string]bool)
	compared := 0
	for _, declared := range nodeFlagsOf(t, filepath.Join(dir, "cmd", "geth", "main.go")) {
		if _, old := deprecated[declared]; old {
			continue
		}
		why := ""
		for prefix := range omitted {
			if strings.HasPrefix(declared, prefix) {
				why, used[prefix] = omitted[prefix], true
			}
		}
		if why != "" {
			continue
		}
		name, known := names[declared]
		require.True(t, known, declared)
		require.True(t, ours[name], "--%s (%s) is missing: add it, or say why not", name, declared)
		compared++
	}
	require.GreaterOrEqual(t, compared, 150)
	require.Len(t, used, len(omitted), "a reason that nothing needs: %v of %v", used, omitted)
}

// flagNames are the flags' names by the names of their declarations.
func flagNames(t *testing.T, path string) map[string]string {
	f, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
	require.NoError(t, err)
	out := make(map[string]string)
	ast.Inspect(f, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Names) != 1 || len(spec.Values) != 1 {
			return true
		}
		ast.Inspect(spec.Values[0], func(n ast.Node) bool {
			if kv, ok := n.(*ast.KeyValueExpr); ok {
				if key, ok := kv.Key.(*ast.Ident); ok && key.Name == "Name" {
					if lit, ok := kv.Value.(*ast.BasicLit); ok {
						out[spec.Names[0].Name] = strings.Trim(lit.Value, `"`)
					}
				}
			}
			return true
		})
		return true
	})
	return out
}

// nodeFlagsOf are the declarations that op-geth's main program lists for the node, its RPC and its metrics.
func nodeFlagsOf(t *testing.T, path string) (out []string) {
	f, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
	require.NoError(t, err)
	ast.Inspect(f, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || !slices.Contains([]string{"nodeFlags", "rpcFlags", "metricsFlags"}, spec.Names[0].Name) {
			return true
		}
		ast.Inspect(spec, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.SelectorExpr:
				if n.Sel.Name != "Flag" && strings.HasSuffix(n.Sel.Name, "Flags") || n.Sel.Name == "Concat" || n.Sel.Name == "Flag" {
					return false // groups, which are taken whole, and types
				}
				out = append(out, n.Sel.Name)
				return false
			case *ast.Ident:
				if n.Name == "configFileFlag" {
					out = append(out, n.Name)
				}
			}
			return true
		})
		return false
	})
	return out
}

// TestEnvironmentIsOpGeths: images of op-geth are configured by GETH_… variables.
func TestEnvironmentIsOpGeths(t *testing.T) {
	t.Setenv("GETH_ROLLUP_SEQUENCERHTTP", "http://sequencer")
	t.Setenv("GETH_HTTP_PORT", "1234")
	t.Setenv("GETH_DATADIR", "/somewhere")
	app := newApp()
	app.Before, app.Action = nil, func(ctx *cli.Context) error {
		require.Equal(t, "http://sequencer", ctx.String("rollup.sequencerhttp"))
		require.Equal(t, 1234, ctx.Int("http.port"))
		require.Equal(t, "/somewhere", ctx.String("datadir"))
		require.False(t, ctx.Bool("channels"), "the sidecar is wanted explicitly")
		return nil
	}
	require.NoError(t, app.Run([]string{"op-geth-channels"}))
}

// TestInit writes the first block into a folder, where the node would find it.
func TestInit(t *testing.T) {
	dir := t.TempDir()
	genesis := &core.Genesis{Config: params.AllDevChainProtocolChanges, GasLimit: 30_000_000, Difficulty: new(big.Int), BaseFee: big.NewInt(1), Alloc: types.GenesisAlloc{{1}: {Balance: big.NewInt(7)}}}
	text, err := json.Marshal(genesis)
	require.NoError(t, err)
	file := filepath.Join(dir, "genesis.json")
	require.NoError(t, os.WriteFile(file, text, 0o600))
	require.NoError(t, newApp().Run([]string{"op-geth-channels", "init", "--state.scheme", "hash", "--datadir", dir, file}))

	c := node.DefaultConfig
	c.Name, c.DataDir = instance, dir
	stack, err := node.New(&c)
	require.NoError(t, err)
	defer stack.Close()
	db, err := stack.OpenDatabaseWithOptions("chaindata", node.DatabaseOptions{ReadOnly: true})
	require.NoError(t, err)
	got, err := core.ReadGenesis(db)
	require.NoError(t, err)
	require.Equal(t, genesis.ToBlock().Hash(), got.ToBlock().Hash())

	for args, want := range map[string]string{
		"init":                        "give the file of the genesis",
		"init --datadir x missing":    "read the genesis",
		"exort chain.rlp":             `no command "exort"`,
		"--log.format yaml":           "use json, logfmt or terminal",
		"--channels.no-such-option 1": "not defined",
	} {
		app := newApp()
		app.Writer, app.ErrWriter = new(bytes.Buffer), new(bytes.Buffer)
		require.ErrorContains(t, app.Run(append([]string{"op-geth-channels"}, strings.Fields(args)...)), want, args)
	}
}

// TestDocsCommandsExist: every flag of op-geth-channels in a shell block of the documentation.
func TestDocsCommandsExist(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "operators.md"))
	require.NoError(t, err)
	have := make(map[string]bool)
	for _, f := range allFlags() {
		for _, n := range f.Names() {
			have["--"+n] = true
		}
	}
	seen := 0
	for _, line := range strings.Split(string(text), "\n") {
		words := strings.Fields(line)
		if len(words) == 0 || words[0] != "op-geth-channels" {
			continue
		}
		seen++
		for _, w := range words[1:] {
			name, _, _ := strings.Cut(w, "=")
			require.True(t, !strings.HasPrefix(w, "--") || have[name], "%s in %s", w, line)
		}
	}
	require.Positive(t, seen)
}

func TestVersionNamesOpGeth(t *testing.T) {
	require.Contains(t, fullVersion(), version)
}
