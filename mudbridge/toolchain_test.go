package mudbridge_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

const root = ".." // of the repository

// requireToolchain fails, and does not skip, without the npm packages: what these tests show is not shown without them.
func requireToolchain(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("node"); err != nil {
		t.Fatal("node is not installed: install Node.js 20 or newer, then run `make deps`")
	}
	for _, file := range []string{".bin/anvil", "@latticexyz/world", "@latticexyz/protocol-parser"} {
		if _, err := os.Stat(filepath.Join(root, "node_modules", file)); err != nil {
			t.Fatalf("the npm package of %s is missing: run `make deps`", file)
		}
	}
}
