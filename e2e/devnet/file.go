package devnet

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/evmts/channels/adjudicator"
	"github.com/evmts/channels/plugin/anvil"
)

// File is devnet.json: everything that a program needs to use the environment.
type File struct {
	RPC         string                 `json:"rpc"` // of the chain
	WS          string                 `json:"ws"`
	ChainID     uint64                 `json:"chainId"`
	OpStack     *FileOpStack           `json:"opStack,omitempty"` // what else an op-stack has; nil: the chain is anvil
	Adjudicator common.Address         `json:"adjudicator"`
	Settlement  common.Address         `json:"settlement"`
	Contracts   adjudicator.Contracts  `json:"contracts"` // all of them
	World       common.Address         `json:"world"`
	WorldBlock  uint64                 `json:"worldBlock"`
	NamespaceID common.Hash            `json:"namespaceId"`
	Tables      map[string]common.Hash `json:"tables"` // resource ids by label
	Module      FileModule             `json:"module"`
	Accounts    []FileKey              `json:"accounts"` // all funded keys of the chain; the first deployed everything
	Sidecars    []FileSidecar          `json:"sidecars"`
}

// FileOpStack is what an op-stack has beside op-geth.
type FileOpStack struct {
	Node      string         `json:"node"` // RPC of op-node
	L1        string         `json:"l1"`   // RPC of L1
	L1ChainID uint64         `json:"l1ChainId"`
	Portal    common.Address `json:"portal"` // OptimismPortal on L1, where deposits are made
}

// FileModule is the raid's module.
type FileModule struct {
	Hash common.Hash `json:"moduleHash"`
	File string      `json:"file"`
}

// FileKey is a key with its address.
type FileKey struct {
	Address common.Address `json:"address"`
	Key     hexutil.Bytes  `json:"key"`
}

// FileSidecar is one sidecar.
type FileSidecar struct {
	Name       string         `json:"name"`
	RPC        string         `json:"rpc"` // WebSocket; the same port speaks HTTP
	Metrics    string         `json:"metrics"`
	Multiaddr  string         `json:"multiaddr"`
	Session    common.Address `json:"session"`
	SessionKey string         `json:"sessionKeyFile"`
	Owner      FileKey        `json:"owner"`
	Attestor   common.Address `json:"attestor"` // zero: none
	DataDir    string         `json:"dataDir"`
	Log        string         `json:"log"`
	PID        int            `json:"pid"`
}

// FileName is the file's name in the devnet's folder.
const FileName = "devnet.json"

// ReadFile reads what a running devnet wrote into its folder.
func ReadFile(dir string) (f File, err error) {
	b, err := os.ReadFile(filepath.Join(dir, FileName))
	if err != nil {
		return f, fmt.Errorf("no devnet has written %s there: start one with `op-channels devnet`: %w", FileName, err)
	}
	if err := json.Unmarshal(b, &f); err != nil {
		return f, fmt.Errorf("read %s: %w", FileName, err)
	}
	return f, nil
}

// Player is the bot that plays seat i of a raid of this devnet's sidecars.
func (f File) Player(i int) (*Player, error) {
	s := f.Sidecars[i]
	key, err := crypto.LoadECDSA(s.SessionKey)
	if err != nil {
		return nil, fmt.Errorf("read the session key of %s: %w", s.Name, err)
	}
	return &Player{Name: s.Name, URL: s.RPC, Seat: uint8(i), Key: crypto.FromECDSA(key)}, nil
}

// Path is where devnet.json is.
func (d *Devnet) Path() string { return filepath.Join(d.Options.Dir, FileName) }

// File describes the environment.
func (d *Devnet) File() File {
	c := d.Chain
	f := File{
		RPC: c.Node.URL(), WS: c.Node.WebSocketURL(), ChainID: c.ID, Adjudicator: c.Contracts.Adjudicator, Settlement: c.Contracts.Settlement, Contracts: c.Contracts,
		World: c.World.World, WorldBlock: c.World.WorldBlock, NamespaceID: c.World.NamespaceID.Hash(), Tables: make(map[string]common.Hash),
		Module: FileModule{d.Module, d.ModuleFile()},
	}
	if s := c.OpStack; s != nil {
		f.OpStack = &FileOpStack{s.NodeURL(), s.L1.URL(), s.Rollup.L1ChainID.Uint64(), s.Rollup.DepositContractAddress}
	}
	for _, t := range c.World.Tables {
		f.Tables[t.TableID.Label()] = t.TableID.Hash()
	}
	for _, k := range anvil.Keys() {
		f.Accounts = append(f.Accounts, FileKey{crypto.PubkeyToAddress(k.PublicKey), crypto.FromECDSA(k)})
	}
	for _, s := range d.Sidecars {
		f.Sidecars = append(f.Sidecars, FileSidecar{
			Name: s.Name, RPC: s.URL(), Metrics: s.MetricsURL(), Multiaddr: s.Multiaddr, Session: s.Session(), SessionKey: s.sessionFile,
			Owner: FileKey{s.Owner(), crypto.FromECDSA(s.OwnerKey)}, Attestor: s.Attestor(), DataDir: s.DataDir, Log: s.LogFile,
			PID: s.proc.PID(),
		})
	}
	return f
}

// WriteFile writes devnet.json: Start does, and whoever restarts sidecars, because their process ids change.
func (d *Devnet) WriteFile() error {
	b, err := json.MarshalIndent(d.File(), "", "  ")
	if err != nil {
		return fmt.Errorf("encode devnet.json: %w", err)
	}
	if err := os.WriteFile(d.Path(), append(b, '\n'), 0o600); err != nil {
		return fmt.Errorf("write devnet.json: %w", err)
	}
	return nil
}
