// Package architecture holds the tree to its rules: which way imports point, what the pure core may touch, how long a file
// may get, what a package may be called.
package architecture

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
)

const module = "github.com/evmts/channels/"

const maxLines = 600

// below says what the packages under each top-level folder may import beside their own: arrows point down.
var below = map[string][]string{
	"channel":     {},
	"protocols":   {"channel"},
	"derivation":  {"channel"},
	"eventstore":  {"channel"},
	"adjudicator": {"channel"},
	"mudbridge":   {"channel"},
	"plugin":      {"channel"},
	"examples":    {"channel", "derivation"}, // an example is a module to load, with its payloads in Go
	"sidecar":     {"channel", "protocols", "derivation", "eventstore", "adjudicator", "mudbridge", "plugin"},
	"ops":         {"sidecar", "adjudicator", "derivation", "plugin", "examples"}, // tests run a sidecar
	"e2e":         {"channel", "protocols", "derivation", "eventstore", "adjudicator", "mudbridge", "plugin", "examples", "sidecar"},
	"cmd":         {"channel", "protocols", "derivation", "eventstore", "adjudicator", "mudbridge", "plugin", "examples", "sidecar", "e2e", "sdk"},
	"contracts":   {},
	"sdk":         {"channel"},
	"tools":       {"channel"},
	"internal":    {},
}

// beside are imports that single packages may make beside those of their folder.
var beside = map[string][]string{
	"adjudicator":          {"derivation/evm"},       // the machine is one of the contracts to deploy
	"adjudicator/verifier": {"derivation", "plugin"}, // replays what a chain shows
	"plugin/opgeth":        {"sidecar"},              // puts a whole one into op-geth
}

// only names the folders that alone may import what is, or leads to, all of op-geth: the ordinary binary has none of it.
var only = map[string][]string{
	module + "plugin/opgeth":              {"plugin/opgeth", "cmd/op-geth-channels"},
	"github.com/ethereum/go-ethereum/eth": {"plugin/opgeth", "cmd/op-geth-channels"},
	"github.com/ethereum/go-ethereum/cmd": {"cmd/op-geth-channels"},
}

// inTests are imports that only tests of a folder may make beside those.
var inTests = map[string][]string{
	"adjudicator": {"plugin/anvil", "derivation", "examples", "mudbridge/worlddeploy"}, // a real chain, modules, a World
	"mudbridge":   {"plugin/anvil"},                                                    // a real World
	"derivation":  {"examples"},                                                        // real modules
	"sidecar":     {"examples"},                                                        // real modules
	"sdk":         {"derivation", "examples"},                                          // what is built is run
	"contracts":   {"channel", "e2e"},                                                  // vectors
	"examples":    {"plugin/anvil", "mudbridge"},                                       // a real World
	"plugin":      {"adjudicator", "derivation", "examples/counter"},                   // a whole sidecar in a node
}

// pure are the folders without I/O, clock, goroutine and logger, and calm is all that they may import from elsewhere.
var (
	pure = []string{"channel", "protocols"}
	calm = []string{
		"bytes", "cmp", "crypto/ecdsa", "encoding/binary", "encoding/hex", "encoding/json", "errors", "fmt", "maps", "math",
		"math/big", "math/bits", "slices", "strconv", "strings",
		"github.com/ethereum/go-ethereum/accounts/abi", "github.com/ethereum/go-ethereum/common",
		"github.com/ethereum/go-ethereum/common/hexutil", "github.com/ethereum/go-ethereum/crypto",
		"github.com/ethereum/go-ethereum/rlp", "github.com/holiman/uint256",
		"github.com/transparency-dev/merkle/compact", "github.com/transparency-dev/merkle/proof",
	}
)

var (
	vague     = []string{"utils", "util", "common", "helpers", "helper", "types", "misc"}
	generated = regexp.MustCompile(`(?m)^// Code generated .* DO NOT EDIT\.$`)
	skipped   = []string{"node_modules", "build", "bin", "cache", "testdata"}
)

// check lists what breaks the rules in a tree.
func check(tree fs.FS) (faults []string, files int, err error) {
	documented, seen := make(map[string]bool), make(map[string]string)
	err = fs.WalkDir(tree, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir():
			if name != "." && (slices.Contains(skipped, d.Name()) || strings.HasPrefix(d.Name(), ".") || strings.HasPrefix(d.Name(), "_")) {
				return fs.SkipDir
			}
			return nil
		case !strings.HasSuffix(name, ".go"):
			return nil
		}
		src, err := fs.ReadFile(tree, name)
		if err != nil {
			return err
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, src, parser.ParseComments)
		if err != nil {
			return err
		}
		files++
		dir := path.Dir(name)
		seen[dir] = f.Name.Name
		if f.Doc != nil && regexp.MustCompile(`^(Package|Command) \S+ .`).MatchString(f.Doc.Text()) {
			documented[dir] = true
		}
		for _, fault := range checkFile(name, src, f) {
			faults = append(faults, name+": "+fault)
		}
		return nil
	})
	for dir, pkg := range seen {
		if !documented[dir] {
			faults = append(faults, fmt.Sprintf("%s: package %s has no doc comment that says why it exists", dir, pkg))
		}
		if slices.Contains(vague, pkg) || slices.Contains(vague, path.Base(dir)) {
			faults = append(faults, fmt.Sprintf("%s: a package needs a reason to exist, %q is none", dir, path.Base(dir)))
		}
	}
	slices.Sort(faults)
	return faults, files, err
}

func checkFile(name string, src []byte, f *ast.File) (faults []string) {
	top, _, _ := strings.Cut(name, "/")
	test := strings.HasSuffix(name, "_test.go")
	allowed, known := below[top]
	if !known {
		return []string{"nobody says what this folder may import: add it to the rules"}
	}
	if lines := bytes.Count(src, []byte("\n")); !test && lines > maxLines && !generated.Match(src) {
		faults = append(faults, fmt.Sprintf("%d lines, at most %d", lines, maxLines))
	}
	still := slices.Contains(pure, top) && !test
	for _, spec := range f.Imports {
		imported := strings.Trim(spec.Path.Value, `"`)
		for guarded, by := range only {
			if (imported == guarded || strings.HasPrefix(imported, guarded+"/")) && !slices.Contains(by, path.Dir(name)) {
				faults = append(faults, fmt.Sprintf("only %s may import %s", strings.Join(by, ", "), imported))
			}
		}
		rest, ours := strings.CutPrefix(imported, module)
		if !ours {
			if still && !slices.Contains(calm, imported) {
				faults = append(faults, "the pure core imports "+imported)
			}
			continue
		}
		to, _, _ := strings.Cut(rest, "/")
		within := func(p string) bool { return rest == p || strings.HasPrefix(rest, p+"/") }
		if to != top && !slices.Contains(allowed, to) && !slices.ContainsFunc(beside[path.Dir(name)], within) && !(test && slices.ContainsFunc(inTests[top], within)) {
			faults = append(faults, fmt.Sprintf("%s may not import %s", top, rest))
		}
	}
	if still {
		ast.Inspect(f, func(n ast.Node) bool {
			switch n.(type) {
			case *ast.GoStmt, *ast.SelectStmt, *ast.ChanType:
				faults = append(faults, fmt.Sprintf("the pure core has a %T", n))
			}
			return true
		})
	}
	return faults
}

func TestR1_TheTreeKeepsItsRules(t *testing.T) {
	faults, files, err := check(os.DirFS("../.."))
	require.NoError(t, err)
	require.Empty(t, faults, strings.Join(faults, "\n"))
	require.Greater(t, files, 50, "the tree was not found")
}

func TestTheRulesCatch(t *testing.T) {
	const doc = "// Package x is here to be caught.\npackage x\n"
	for name, c := range map[string]struct{ file, src, fault string }{
		"upwards":              {"channel/a.go", doc + `import _ "github.com/evmts/channels/protocols"`, "may not import protocols"},
		"sideways":             {"eventstore/a.go", doc + `import _ "github.com/evmts/channels/derivation/wasm"`, "may not import derivation/wasm"},
		"sidecar to cmd":       {"sidecar/a.go", doc + `import _ "github.com/evmts/channels/cmd/op-channels"`, "may not import cmd"},
		"only in tests":        {"adjudicator/a.go", doc + `import _ "github.com/evmts/channels/plugin/anvil"`, "may not import plugin/anvil"},
		"not even in tests":    {"adjudicator/a_test.go", doc + `import _ "github.com/evmts/channels/plugin"`, "may not import plugin"},
		"only beside":          {"adjudicator/proof/a.go", doc + `import _ "github.com/evmts/channels/plugin"`, "may not import plugin"},
		"all of op-geth":       {"cmd/op-channels/a.go", doc + `import _ "github.com/evmts/channels/plugin/opgeth"`, "only plugin/opgeth, cmd/op-geth-channels may"},
		"op-geth's service":    {"sidecar/a.go", doc + `import _ "github.com/ethereum/go-ethereum/eth/filters"`, "only plugin/opgeth, cmd/op-geth-channels may"},
		"a plugin to sidecar":  {"plugin/a.go", doc + `import _ "github.com/evmts/channels/sidecar"`, "may not import sidecar"},
		"unknown folder":       {"gadgets/a.go", doc, "nobody says"},
		"clock":                {"protocols/play/a.go", doc + `import _ "time"`, "imports time"},
		"lock":                 {"channel/a.go", doc + `import _ "sync/atomic"`, "imports sync/atomic"},
		"disk":                 {"channel/a.go", doc + `import _ "os"`, "imports os"},
		"network":              {"channel/a.go", doc + `import _ "net/http"`, "imports net/http"},
		"context":              {"channel/a.go", doc + `import _ "context"`, "imports context"},
		"logger":               {"protocols/a.go", doc + `import _ "github.com/ethereum/go-ethereum/log"`, "go-ethereum/log"},
		"chance":               {"protocols/a.go", doc + `import _ "math/rand"`, "imports math/rand"},
		"goroutine":            {"protocols/a.go", doc + "func f() { go f() }", "GoStmt"},
		"channel":              {"channel/a.go", doc + "var c chan int", "ChanType"},
		"long":                 {"plugin/a.go", doc + strings.Repeat("\n", maxLines), "602 lines"},
		"vague":                {"sidecar/utils/a.go", "// Package utils is here to be caught.\npackage utils\n", `"utils" is none`},
		"undocumented":         {"plugin/a.go", "package x\n", "no doc comment"},
		"comment of no use":    {"plugin/a.go", "// Stuff.\npackage x\n", "no doc comment"},
		"fine: downwards":      {"sidecar/a.go", doc + `import _ "github.com/evmts/channels/protocols/play"`, ""},
		"fine: in tests":       {"adjudicator/a_test.go", doc + `import _ "github.com/evmts/channels/plugin/anvil"`, ""},
		"fine: beside":         {"adjudicator/verifier/a.go", doc + `import _ "github.com/evmts/channels/plugin"`, ""},
		"fine: inside op-geth": {"plugin/opgeth/a.go", doc + `import _ "github.com/evmts/channels/sidecar"`, ""},
		"fine: tests wait":     {"protocols/a_test.go", doc + `import _ "time"`, ""},
		"fine: generated":      {"adjudicator/a.go", "// Code generated by hand. DO NOT EDIT.\n\n" + doc + strings.Repeat("\n", maxLines), ""},
		"fine: somebody else":  {"node_modules/a.go", "package utils\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			faults, _, err := check(fstest.MapFS{c.file: {Data: []byte(c.src)}})
			require.NoError(t, err)
			if c.fault == "" {
				require.Empty(t, faults)
				return
			}
			require.Len(t, faults, 1)
			require.Contains(t, faults[0], c.fault)
		})
	}
}
