package derivation

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/ethereum/go-ethereum/common"

	"github.com/evmts/channels/derivation/wasm"
)

var (
	// ErrUnknownModule means that no loaded module has the hash asked for.
	ErrUnknownModule = errors.New("derivation: unknown module")
	// ErrOtherModule means that a module was found under a name, but its hash is not the one asked for.
	ErrOtherModule = errors.New("derivation: the module has another hash")
)

// ManifestSuffix is put behind a module's file name, without .wasm, to find its options: raid.wasm, raid.manifest.json.
const ManifestSuffix = ".manifest.json"

// manifestFile is the JSON form of Options.
type manifestFile struct {
	FuelLimit   uint64 `json:"fuelLimit"`
	PageLimit   uint32 `json:"pageLimit"`
	MaxEvents   uint32 `json:"maxEvents"`
	Sparse      bool   `json:"sparse"`
	Independent bool   `json:"independent"`
}

// Library finds loaded modules by moduleHash. It is safe for concurrent use.
type Library struct {
	engine *Engine

	mu      sync.RWMutex
	modules map[common.Hash]*Module
	names   map[common.Hash]string
}

// NewLibrary is an empty library over an engine, which the caller closes.
func NewLibrary(engine *Engine) *Library {
	return &Library{engine: engine, modules: make(map[common.Hash]*Module), names: make(map[common.Hash]string)}
}

// Add loads a binary under a name, which is for people only. Adding the same module again changes nothing.
func (l *Library) Add(name string, binary []byte, options Options) (*Module, error) {
	m, err := l.engine.Load(binary, options)
	if err != nil {
		return nil, fmt.Errorf("module %s: %w", name, err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if have, ok := l.modules[m.hash]; ok {
		return have, nil
	}
	l.modules[m.hash], l.names[m.hash] = m, name
	return m, nil
}

// AddFile loads a .wasm file with the options of the manifest beside it, or the defaults when there is none.
func (l *Library) AddFile(path string) (*Module, error) {
	binary, err := readFile(path, wasm.MaxBinaryBytes)
	if err != nil {
		return nil, fmt.Errorf("derivation: reading the module: %w", err)
	}
	options, err := readOptions(strings.TrimSuffix(path, ".wasm") + ManifestSuffix)
	if err != nil {
		return nil, err
	}
	return l.Add(filepath.Base(path), binary, options)
}

// AddDir loads every .wasm file of a directory and gives how many. The first that is refused ends it with an error.
func (l *Library) AddDir(dir string) (int, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return 0, fmt.Errorf("derivation: reading the modules: %w", err)
	}
	n := 0
	for _, e := range entries {
		if e.IsDir() || filepath.Ext(e.Name()) != ".wasm" {
			continue
		}
		if _, err := l.AddFile(filepath.Join(dir, e.Name())); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// readFile reads a file that must not be larger than a limit, even while it grows.
func readFile(path string, limit int64) (b []byte, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if b, err = io.ReadAll(io.LimitReader(f, limit+1)); err == nil && int64(len(b)) > limit {
		err = fmt.Errorf("%s has more than %d bytes", path, limit)
	}
	return b, err
}

func readOptions(path string) (Options, error) {
	b, err := readFile(path, 4<<10)
	if errors.Is(err, os.ErrNotExist) {
		return Options{}, nil
	}
	if err != nil {
		return Options{}, fmt.Errorf("derivation: reading the manifest: %w", err)
	}
	var f manifestFile
	d := json.NewDecoder(strings.NewReader(string(b)))
	d.DisallowUnknownFields()
	if err := d.Decode(&f); err != nil {
		return Options{}, fmt.Errorf("%w: %s: %w (known are fuelLimit, pageLimit, maxEvents, sparse, independent)", ErrOptions, path, err)
	}
	return Options(f), nil
}

// Named is a module and the name it was added under.
type Named struct {
	Name   string
	Module *Module
}

// Modules are all loaded modules in the order of their names.
func (l *Library) Modules() []Named {
	l.mu.RLock()
	defer l.mu.RUnlock()
	out := make([]Named, 0, len(l.modules))
	for h, m := range l.modules {
		out = append(out, Named{l.names[h], m})
	}
	slices.SortFunc(out, func(a, b Named) int {
		if c := strings.Compare(a.Name, b.Name); c != 0 {
			return c
		}
		return a.Module.hash.Cmp(b.Module.hash)
	})
	return out
}

// listed bounds how many modules an error names.
const listed = 8

// Get is the module with a moduleHash. The error, ErrUnknownModule, names the hash and those that are loaded.
func (l *Library) Get(hash common.Hash) (*Module, error) {
	l.mu.RLock()
	m := l.modules[hash]
	l.mu.RUnlock()
	if m != nil {
		return m, nil
	}
	var have []string
	all := l.Modules()
	for _, n := range all[:min(len(all), listed)] {
		have = append(have, n.Name+" "+n.Module.hash.Hex())
	}
	if len(all) > listed {
		have = append(have, fmt.Sprintf("and %d more", len(all)-listed))
	}
	if len(have) == 0 {
		have = append(have, "none")
	}
	return nil, fmt.Errorf("%w: %s (loaded: %s); ask for the .wasm file and its manifest, check the source, and add both to the modules of this node. "+
		"A manifest that differs in one limit gives another hash", ErrUnknownModule, hash, strings.Join(have, ", "))
}

// Expect checks that a module is the one that somebody names, such as the Params of a channel that is proposed.
func Expect(name string, m *Module, want common.Hash) error {
	if m.hash == want {
		return nil
	}
	man := m.manifest
	return fmt.Errorf("%w: %s has %s, expected %s; compare the file (program %s) and the manifest (fuelLimit %d, pageLimit %d, maxEvents %d, sparse %t, independent %t) "+
		"with those of whoever expects it, and use the same build", ErrOtherModule, name, m.hash, want, man.ProgramHash, man.FuelLimit, man.PageLimit, man.MaxEvents, man.Sparse, man.Independent)
}
