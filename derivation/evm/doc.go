// Package evm generates the contract that executes modules.
package evm
