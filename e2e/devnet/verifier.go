package devnet

import (
	"context"
	"crypto/ecdsa"
	"fmt"
	"os"
	"path/filepath"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/evmts/channels/e2e/child"
	"github.com/evmts/channels/plugin/anvil"
	"github.com/evmts/channels/sidecar/flags"
)

// Verifier is one `op-channels verify`, a process of its own with a key that no channel knows.
type Verifier struct {
	LogFile string

	key  *ecdsa.PrivateKey
	proc *child.Process
}

// StartVerifier starts a verifier for all Worlds of the devnet's settlement. It is told the contracts and a node, nothing else.
func (d *Devnet) StartVerifier(ctx context.Context) (*Verifier, error) {
	keys := anvil.Keys()
	v := &Verifier{LogFile: filepath.Join(d.Options.Dir, "logs", "verifier.log"), key: keys[len(keys)-2]} // the last one is the batcher's on L1
	log, err := os.OpenFile(v.LogFile, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open the log of the verifier: %w", err)
	}
	defer log.Close() // the child has its own descriptor
	at, err := d.attach("verifier")
	if err != nil {
		return nil, err
	}
	args := []string{
		"verify", flag(flags.L2EthRPC), at.L2EthRPC, flag(flags.ChainID), fmt.Sprint(d.Chain.ID),
		flag(flags.Settlement), d.Chain.Contracts.Settlement.Hex(), "--txmgr.receipt-query-interval", "100ms", "--log.color=false",
	}
	v.proc, err = child.Start(log, []string{flags.EnvVarPrefix + "_PRIVATE_KEY=" + hexutil.Encode(crypto.FromECDSA(v.key))}, d.Options.Binary, append(args, at.Args...)...)
	return v, err
}

// Log is the file that it writes to.
func (v *Verifier) Log() string { return v.LogFile }

// Address is the verifier's account.
func (v *Verifier) Address() common.Address { return crypto.PubkeyToAddress(v.key.PublicKey) }

// Exited is closed when the process has ended.
func (v *Verifier) Exited() <-chan struct{} { return v.proc.Exited() }

// Stop ends the process with SIGTERM and waits.
func (v *Verifier) Stop(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, stopTimeout)
	defer cancel()
	if err := v.proc.Terminate(ctx); err != nil {
		return fmt.Errorf("stop the verifier: %w", err)
	}
	return nil
}
