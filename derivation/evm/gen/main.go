// Command gen writes what is generated from package evm: the machine's listing, its code for Solidity, and the table of
// what its instructions cost. It runs at the root of the repository.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/evmts/channels/derivation/evm"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	files, err := evm.Files()
	if err != nil {
		return err
	}
	for name, b := range files {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(name, b, 0o644); err != nil {
			return fmt.Errorf("writing what was generated, at the root of the repository: %w", err)
		}
	}
	return nil
}
