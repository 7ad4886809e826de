package opdevnet

import (
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
)

// Binaries are the programs of the L2.
type Binaries struct {
	Geth, Node, Batcher string
}

// FindGethWithChannels looks for op-geth-channels, which can stand in the place of Geth.
func FindGethWithChannels(root string) (string, error) {
	return find(root, "op-geth-channels", "op-geth-channels")
}

// ErrBinaries means that the op-stack's programs are not built.
var ErrBinaries = errors.New("the op-stack's programs are not built")

// FindBinaries looks for what `make op-binaries` builds in a checkout of the repository.
func FindBinaries(root string) (b Binaries, err error) {
	for _, p := range []struct {
		name string
		at   *string
	}{{"op-geth", &b.Geth}, {"op-node", &b.Node}, {"op-batcher", &b.Batcher}} {
		if *p.at, err = find(root, p.name, "op-binaries"); err != nil {
			return Binaries{}, err
		}
	}
	return b, nil
}

func find(root, name, target string) (string, error) {
	path := filepath.Join(root, "build", "bin", name)
	if _, err := exec.LookPath(path); err != nil {
		return "", fmt.Errorf("%w: no %s: run `make %s` in %s (some minutes, once)", ErrBinaries, name, target, root)
	}
	return path, nil
}
