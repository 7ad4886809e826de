package anvil

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
)

// ErrNotInstalled is returned when no anvil binary is found.
var ErrNotInstalled = errors.New("anvil is not installed: run `make deps` at the root of the repository, or give the path of an anvil binary")

// BinaryEnv is the environment variable that names the anvil binary, before any search.
const BinaryEnv = "ANVIL"

// Find is the path of the anvil binary: $ANVIL, then node_modules of the working directory and of the folders above it,
// then $PATH.
//
// The native binary of the npm package is preferred to the launcher in node_modules/.bin: the launcher starts a second
// process, which would survive a launcher that is killed.
func Find() (string, error) {
	if p := os.Getenv(BinaryEnv); p != "" {
		if _, err := exec.LookPath(p); err != nil {
			return "", fmt.Errorf("%s=%s: %w: %w", BinaryEnv, p, err, ErrNotInstalled)
		}
		return p, nil
	}
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("find anvil: %w", err)
	}
	native := filepath.Join("node_modules", "@foundry-rs", "anvil-"+runtime.GOOS+"-"+runtime.GOARCH, "bin", "anvil")
	for {
		for _, rel := range []string{native, filepath.Join("node_modules", ".bin", "anvil")} {
			if p, err := exec.LookPath(filepath.Join(dir, rel)); err == nil {
				return p, nil
			}
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			break
		}
		dir = parent
	}
	if p, err := exec.LookPath("anvil"); err == nil {
		return p, nil
	}
	return "", ErrNotInstalled
}
