// Package bindings is the contracts as Go sees them: ABI, creation bytecode, and typed packing and unpacking, generated
// from Foundry's artefacts by gen.
//
// It is checked in, so that building the Go programs needs no Solidity compiler. `make bindings` renews it.
package bindings

//go:generate go run ./gen
