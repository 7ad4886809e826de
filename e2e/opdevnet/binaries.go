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

// ErrBinaries means that the op-stack's programs are not built.
var ErrBinaries = errors.New("the op-stack's programs are not built")

// FindBinaries looks for what `make op-binaries` builds in a checkout of the repository.
func FindBinaries(root string) (b Binaries, err error) {
	for _, p := range []struct {
		name string
		at   *string
	}{{"op-geth", &b.Geth}, {"op-node", &b.Node}, {"op-batcher", &b.Batcher}} {
		*p.at = filepath.Join(root, "build", "bin", p.name)
		if _, err := exec.LookPath(*p.at); err != nil {
			return Binaries{}, fmt.Errorf("%w: no %s: run `make op-binaries` in %s (some minutes, once)", ErrBinaries, p.name, root)
		}
	}
	return b, nil
}
