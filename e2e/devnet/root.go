package devnet

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

const modulePath = "github.com/evmts/channels"

var (
	// ErrRoot means that the repository was not found.
	ErrRoot = errors.New("the working directory is not inside the repository of " + modulePath + ": change into it")
	// ErrDeps means that something the environment needs is not installed.
	ErrDeps = errors.New("something that the development chain needs is missing")
)

// FindRoot is the repository's root: the nearest folder at or above dir (empty: the working directory) with our go.mod.
func FindRoot(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("find the repository: %w", err)
	}
	for {
		if isRoot(dir) {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", ErrRoot
		}
		dir = parent
	}
}

func isRoot(dir string) bool {
	f, err := os.Open(filepath.Join(dir, "go.mod"))
	if err != nil {
		return false
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	return lines.Scan() && strings.TrimSpace(lines.Text()) == "module "+modulePath
}

// CheckDeps says what is missing before anything is started. The error names the command that installs it.
func CheckDeps(root string) error {
	if _, err := exec.LookPath("node"); err != nil {
		return fmt.Errorf("%w: Node.js 20 or newer is not installed", ErrDeps)
	}
	for _, pkg := range []string{"@foundry-rs/anvil", "@latticexyz/world", "viem"} {
		if _, err := os.Stat(filepath.Join(root, "node_modules", pkg, "package.json")); err != nil {
			return fmt.Errorf("%w: the npm package %s is not installed: run `make deps` in %s", ErrDeps, pkg, root)
		}
	}
	return nil
}
