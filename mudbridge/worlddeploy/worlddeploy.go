// Package worlddeploy runs the deployer of a MUD project (examples/raid/world/deploy.mjs), so that devnets and tests
// have a real World with its tables. It needs Node.js and the npm packages of the repository, and is not for
// production, where a World exists before channels do.
package worlddeploy

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/evmts/channels/mudbridge"
)

// ErrDeploy is that the deployer failed or printed something else than a deployment; the error has its last words.
var ErrDeploy = errors.New("the MUD World was not deployed")

// The deployer prints a few kilobytes; what it says beyond these limits is dropped.
const (
	maxOutput = 1 << 20
	maxErrors = 4 << 10
)

// Config says what to deploy, where, and by whom.
type Config struct {
	Script string            // path of the project's deploy.mjs
	RPC    string            // URL of the Ethereum node
	Key    *ecdsa.PrivateKey // pays, and becomes the owner of the World and of the project's namespaces
	Salt   *common.Hash      // fixes the World's address on a fresh chain; nil: a new World every time
	Node   string            // the node binary; "": the one on PATH
}

// Deployment is what the deployer printed.
type Deployment struct {
	ChainID     uint64               `json:"chainId"`
	Deployer    common.Address       `json:"deployer"`
	World       common.Address       `json:"world"`
	WorldBlock  uint64               `json:"worldBlock"` // in which the World was created: no log of it is older
	Namespace   string               `json:"namespace"`
	NamespaceID mudbridge.ResourceID `json:"namespaceId"`
	Tables      map[string]Table     `json:"tables"` // by label without the namespace
}

// Table is a table as it was registered.
type Table struct {
	TableID     mudbridge.ResourceID `json:"tableId"`
	FieldLayout common.Hash          `json:"fieldLayout"`
	KeySchema   common.Hash          `json:"keySchema"`
	ValueSchema common.Hash          `json:"valueSchema"`
	KeyNames    []string             `json:"keyNames"`
	FieldNames  []string             `json:"fieldNames"`
}

// Schema is the table with its schemas decoded; the World has the same.
func (t Table) Schema() (mudbridge.Table, error) {
	key, err := mudbridge.DecodeSchema(t.KeySchema)
	if err != nil {
		return mudbridge.Table{}, err
	}
	value, err := mudbridge.DecodeSchema(t.ValueSchema)
	if err != nil {
		return mudbridge.Table{}, err
	}
	return mudbridge.NewTable(t.TableID, key, value, t.KeyNames, t.FieldNames)
}

// Run deploys a World and waits until its tables are registered and its first records written. It takes about two seconds
// on a chain that mines at once, and five blocks on one that does not.
func Run(ctx context.Context, c Config) (Deployment, error) {
	node := c.Node
	if node == "" {
		node = "node"
	}
	args := []string{c.Script, "--rpc", c.RPC}
	if c.Salt != nil {
		args = append(args, "--salt", c.Salt.Hex())
	}
	cmd := exec.CommandContext(ctx, node, args...)
	cmd.WaitDelay = time.Second
	// In the environment the key is readable by this user only; arguments are readable by everyone.
	cmd.Env = append(os.Environ(), "PRIVATE_KEY="+hexutil.Encode(crypto.FromECDSA(c.Key)))
	stdout, stderr := &limited{max: maxOutput}, &limited{max: maxErrors}
	cmd.Stdout, cmd.Stderr = stdout, stderr
	if err := cmd.Run(); err != nil {
		if errors.Is(err, exec.ErrNotFound) {
			return Deployment{}, fmt.Errorf("%w: %q is not installed: install Node.js 20 or newer", ErrDeploy, node)
		}
		if ctx.Err() != nil {
			return Deployment{}, fmt.Errorf("%w: %w", ErrDeploy, ctx.Err())
		}
		text := strings.TrimSpace(stderr.String())
		if strings.Contains(text, "ERR_MODULE_NOT_FOUND") {
			text += " (npm packages are missing: run `make deps`)"
		}
		return Deployment{}, fmt.Errorf("%w: %s: %w: %s", ErrDeploy, c.Script, err, text)
	}
	var d Deployment
	if err := json.Unmarshal(stdout.Bytes(), &d); err != nil {
		return Deployment{}, fmt.Errorf("%w: reading what %s printed: %w", ErrDeploy, c.Script, err)
	}
	if d.World == (common.Address{}) || len(d.Tables) == 0 {
		return Deployment{}, fmt.Errorf("%w: %s printed no World or no tables", ErrDeploy, c.Script)
	}
	return d, nil
}

// limited keeps the first max bytes and takes the rest without keeping them, so that the writer never blocks.
type limited struct {
	bytes.Buffer
	max int
}

func (l *limited) Write(p []byte) (int, error) {
	if room := l.max - l.Len(); room > 0 {
		l.Buffer.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}
