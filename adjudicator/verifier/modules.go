package verifier

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/evmts/channels/adjudicator"
	"github.com/evmts/channels/derivation"
)

// modules keeps the modules that were used last.
type modules struct {
	reader  adjudicator.Reader
	code    adjudicator.CodeReader
	timeout time.Duration
	limit   int

	mu   sync.Mutex
	kept []*derivation.Module // the last one used is at the end
}

func (m *modules) find(hash common.Hash) *derivation.Module {
	m.mu.Lock()
	defer m.mu.Unlock()
	i := slices.IndexFunc(m.kept, func(k *derivation.Module) bool { return k.Hash() == hash })
	if i < 0 {
		return nil
	}
	found := m.kept[i]
	m.kept = append(slices.Delete(m.kept, i, i+1), found)
	return found
}

// get loads a module from the registry.
func (m *modules) get(ctx context.Context, hash common.Hash) (*derivation.Module, error) {
	if found := m.find(hash); found != nil {
		return found, nil
	}
	ctx, cancel := context.WithTimeout(ctx, m.timeout)
	defer cancel()
	manifest, program, err := m.reader.Program(ctx, m.code, hash)
	if err != nil {
		return nil, err
	}
	loaded, err := derivation.FromProgram(program, manifest)
	if err != nil {
		return nil, fmt.Errorf("module %s: %w: %w", hash, errProgram, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if !slices.ContainsFunc(m.kept, func(k *derivation.Module) bool { return k.Hash() == hash }) {
		m.kept = append(m.kept, loaded)
		m.kept = slices.Delete(m.kept, 0, max(0, len(m.kept)-m.limit))
	}
	return loaded, nil
}
