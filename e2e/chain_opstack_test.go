//go:build opstack

package e2e

// onOpStack runs the scenarios on op-geth, op-node and op-batcher: see `make test-op`.
const onOpStack = true

// slowness stretches the time that a scenario may take: every transaction waits for its block here.
const slowness = 3
