package sidecar

import (
	"fmt"
	"os"

	"github.com/ethereum/go-ethereum/common"
	"github.com/evmts/channels/channel"
	"github.com/evmts/channels/derivation"
)

// InstallModules loads module files and folders of them.
func InstallModules(l *derivation.Library, paths []string) error {
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			return fmt.Errorf("install module: %w", err)
		}
		if info.IsDir() {
			_, err = l.AddDir(path)
		} else {
			_, err = l.AddFile(path)
		}
		if err != nil {
			return fmt.Errorf("install module %s: %w", path, err)
		}
	}
	return nil
}

type installed struct{ *derivation.Library }

// ModulesOf makes Modules of a library.
func ModulesOf(l *derivation.Library) Modules { return installed{l} }

// Get implements Modules.
func (i installed) Get(hash common.Hash) (channel.Module, error) { return i.Library.Get(hash) }

// ModuleInfos describes what is installed.
func ModuleInfos(l *derivation.Library) []ModuleInfo {
	out := []ModuleInfo{}
	for _, n := range l.Modules() {
		m := n.Module.Manifest()
		out = append(out, ModuleInfo{
			Name: n.Name, Hash: m.Hash(), ProgramHash: m.ProgramHash, Bytes: n.Module.Info().Bytes, FuelLimit: m.FuelLimit, PageLimit: m.PageLimit,
			MaxEvents: m.MaxEvents, Sparse: m.Sparse, Independent: m.Independent,
		})
	}
	return out
}
