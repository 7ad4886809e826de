package devnet

import (
	"context"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"math"
	"math/big"
	"os"
	"path/filepath"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/ethereum/go-ethereum/rpc"
	"github.com/evmts/channels/adjudicator"
	"github.com/evmts/channels/channel"
	"github.com/evmts/channels/derivation"
	"github.com/evmts/channels/e2e/opdevnet"
	"github.com/evmts/channels/examples/raid"
	"github.com/evmts/channels/mudbridge"
	"github.com/evmts/channels/mudbridge/worlddeploy"
	"github.com/evmts/channels/plugin/anvil"
	"github.com/holiman/uint256"
)

// minWindow is the shortest challenge window that the development chain's Adjudicator allows, in seconds.
const minWindow = 1

// worldSalt fixes the World's address on a fresh chain, so that documentation and bookmarks stay true.
var worldSalt = common.HexToHash("0x7261696400000000000000000000000000000000000000000000000000000001")

// Node is what runs a chain: anvil, or an op-stack.
type Node interface {
	URL() string          // JSON-RPC over HTTP
	WebSocketURL() string // and over WebSocket, with subscriptions
	Client() *rpc.Client
	Done() <-chan struct{} // closed when it has ended
	Close() error
}

// Chain is the development chain with what is deployed on it.
type Chain struct {
	Node      Node
	OpStack   *opdevnet.Stack // the same as Node; nil: the chain is anvil
	Eth       *ethclient.Client
	ID        uint64
	Contracts adjudicator.Contracts
	World     worlddeploy.Deployment

	deployer *ecdsa.PrivateKey
}

// startChain runs the chain that the options ask for.
func startChain(ctx context.Context, o *Options) (*Chain, error) {
	c := &Chain{ID: o.ChainID, deployer: anvil.Keys()[0]}
	port := 0
	if o.Ports && isFree(chainPort) {
		port = chainPort
	}
	if o.OpStack {
		stack, err := startOpStack(ctx, o, port)
		if err != nil {
			return nil, err
		}
		c.Node, c.OpStack = stack, stack
	} else {
		node, err := startAnvil(context.WithoutCancel(ctx), o, port)
		if err != nil {
			return nil, err
		}
		c.Node = node
	}
	c.Eth = ethclient.NewClient(c.Node.Client())
	return c, nil
}

// anvilBinary is the one of the repository, unless the environment names another.
func anvilBinary(o *Options) string {
	if os.Getenv(anvil.BinaryEnv) != "" {
		return ""
	}
	return anvilIn(o.Root)
}

func startOpStack(ctx context.Context, o *Options, port int) (*opdevnet.Stack, error) {
	binaries, err := opdevnet.FindBinaries(o.Root)
	if err != nil {
		return nil, err
	}
	var geth []string
	if o.Inside {
		if binaries.Geth, err = opdevnet.FindGethWithChannels(o.Root); err != nil {
			return nil, err
		}
		geth = []string{"--channels", "--channels.config", insideFile(o)}
	}
	return opdevnet.Start(ctx, opdevnet.Options{
		Dir: filepath.Join(o.Dir, "chain"), Logs: filepath.Join(o.Dir, "logs"), Binaries: binaries, Anvil: anvilBinary(o),
		ChainID: o.ChainID, BlockTime: o.BlockTime, Port: port, GethArgs: geth, Progress: o.Progress,
	})
}

// startAnvil runs anvil with a block per transaction; setBlockTime changes that once everything is deployed.
func startAnvil(ctx context.Context, o *Options, port int) (*anvil.Node, error) {
	log, err := os.OpenFile(filepath.Join(o.Dir, "logs", "anvil.log"), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open the chain's log: %w", err)
	}
	node, err := anvil.Start(ctx, anvil.Options{Binary: anvilBinary(o), Port: port, ChainID: o.ChainID, Output: log})
	if err != nil {
		return nil, errors.Join(err, log.Close())
	}
	go func() {
		<-node.Done()
		_ = log.Close() // nothing is written to it any more
	}()
	return node, nil
}

// send sends a call from the deployer.
func (c *Chain) send(ctx context.Context, call adjudicator.Call) (*types.Receipt, error) {
	return c.Send(ctx, c.deployer, call)
}

// Send sends a call and waits for its receipt, which there is when the call reverted too. One caller per key at a time.
func (c *Chain) Send(ctx context.Context, from *ecdsa.PrivateKey, call adjudicator.Call) (*types.Receipt, error) {
	return send(ctx, c.Node.Client(), from, call)
}

func send(ctx context.Context, client *rpc.Client, from *ecdsa.PrivateKey, call adjudicator.Call) (*types.Receipt, error) {
	receipt, err := anvil.Send(ctx, client, from, &call.To, call.Value, call.Data)
	if err != nil {
		return nil, err
	}
	if receipt.Status != types.ReceiptStatusSuccessful {
		return receipt, fmt.Errorf("transaction %s reverted", receipt.TxHash)
	}
	return receipt, nil
}

// Fees are what a transaction cost its sender: gas, and on an op-stack the L1 fee. The operator fee is off on ours.
func Fees(r *types.Receipt) *big.Int {
	fees := new(big.Int).Mul(new(big.Int).SetUint64(r.GasUsed), r.EffectiveGasPrice)
	if r.L1Fee != nil {
		fees.Add(fees, r.L1Fee)
	}
	return fees
}

// Pass lets the time of the chain go on by d in whole seconds: anvil's clock is set, that of an op-stack is waited for.
func (c *Chain) Pass(ctx context.Context, d time.Duration) error {
	if node, ok := c.Node.(*anvil.Node); ok {
		return node.Advance(ctx, d)
	}
	head, err := c.Eth.HeaderByNumber(ctx, nil)
	if err != nil {
		return fmt.Errorf("read the chain's head: %w", err)
	}
	until := head.Time + uint64(d/time.Second)
	tick := time.NewTicker(headPoll)
	defer tick.Stop()
	for head.Time < until {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("wait for the chain's time: %w", ctx.Err())
		}
		if head, err = c.Eth.HeaderByNumber(ctx, nil); err != nil {
			return fmt.Errorf("read the chain's head: %w", err)
		}
	}
	return nil
}

const headPoll = 200 * time.Millisecond

func (c *Chain) deployContracts(ctx context.Context) (err error) {
	c.Contracts, _, err = adjudicator.Deploy(ctx, c.Eth, c.send, minWindow, common.Hash{})
	if err != nil {
		return fmt.Errorf("deploy the contracts: %w", err)
	}
	return nil
}

func (c *Chain) deployWorld(ctx context.Context, root string) (err error) {
	c.World, err = worlddeploy.Run(ctx, worlddeploy.Config{
		Script: filepath.Join(root, "examples", "raid", "world", "deploy.mjs"), RPC: c.Node.URL(), Key: c.deployer, Salt: &worldSalt,
	})
	return err
}

// Table is the id of one of the raid's tables in the World, by its name.
func (c *Chain) Table(name string) (mudbridge.ResourceID, error) {
	t, ok := c.World.Tables[name]
	if !ok {
		return mudbridge.ResourceID{}, fmt.Errorf("the World has no table %s", name)
	}
	return t.TableID, nil
}

// register puts the raid's program on chain, so that anybody can execute it there.
func (c *Chain) register(ctx context.Context, m *derivation.Module) error {
	if _, _, err := adjudicator.Register(ctx, c.Eth, c.send, c.Contracts.Registry, m.Program().Encode(), m.Manifest()); err != nil {
		return fmt.Errorf("register the module: %w", err)
	}
	return nil
}

// allow grants the settlement contract the two tables, one by one (least privilege), and sets what raids may write.
func (c *Chain) allow(ctx context.Context, moduleHash common.Hash, o *Options, attestor common.Address) error {
	for _, name := range []string{"RaidResult", "Loot"} {
		table, err := c.Table(name)
		if err != nil {
			return err
		}
		grant := adjudicator.Call{To: c.World.World, Value: new(big.Int), Data: mudbridge.GrantAccessCall(table, c.Contracts.Settlement)}
		if _, err := c.send(ctx, grant); err != nil {
			return fmt.Errorf("grant the settlement access to %s: %w", table, err)
		}
	}
	policy, err := c.raidPolicy(attestor, o)
	if err != nil {
		return err
	}
	call, err := adjudicator.SetPolicy(c.Contracts.Policies, c.World.World, c.World.NamespaceID.Hash(), moduleHash,
		raid.DungeonConfigHash(raid.DefaultDungeon), policy)
	if err != nil {
		return err
	}
	if _, err := c.send(ctx, call); err != nil {
		return fmt.Errorf("set the World's policy for raids: %w", err)
	}
	return nil
}

// What the World's owner asks for: a ticket, and of who publishes a journal a bond. Limits are of one raid, for one player and
// for the party; the owner sizes them by what it would lose to a stolen attestor key: a raid of the default dungeon stays
// well below.
const (
	maxXP          = 2_000
	maxDamage      = 2_000
	maxLoot        = 1_000 // gold is the most numerous item
	partyOf        = 2
	minFundingGwei = 1_000_000
	ticketGwei     = 1_000_000   // 0.001 ether
	bondGwei       = 500_000_000 // 0.5 ether
	journalBytes   = 256 << 10
)

func ether(gwei uint64) (wei uint256.Int) {
	wei.Mul(uint256.NewInt(gwei), uint256.NewInt(1e9))
	return wei
}

// Bond is what the World wants of who publishes a journal.
func Bond() uint256.Int { return ether(bondGwei) }

func ticketPrice() uint256.Int { return ether(ticketGwei) }

func (c *Chain) raidPolicy(attestor common.Address, o *Options) (p adjudicator.Policy, err error) {
	p = adjudicator.Policy{
		Modes: o.Modes, NeedsTicket: true, TicketPrice: ticketPrice(), MinFunding: ether(minFundingGwei),
	}
	if o.Modes&adjudicator.ModeOptimistic != 0 {
		p.Window, p.Guardian, p.Bond = uint32(o.Window/time.Second), crypto.PubkeyToAddress(c.deployer.PublicKey), Bond()
	}
	if o.Modes&(adjudicator.ModeOptimistic|adjudicator.ModeExecuted) != 0 {
		p.MaxJournalBytes = journalBytes
	}
	loots := uint64(maxLoot)
	if o.Modes&adjudicator.ModeAttested != 0 {
		p.Threshold, p.Attestors = 1, []common.Address{attestor}
	} else {
		loots = math.MaxUint32 // the rules decide, nobody's word
	}
	result, err := c.Table("RaidResult")
	if err != nil {
		return p, err
	}
	loot, err := c.Table("Loot")
	if err != nil {
		return p, err
	}
	for _, limit := range []struct {
		table  mudbridge.ResourceID
		field  string
		each   uint64
		used   uint64 // largest decrease: items that a hero brought
		effort uint64 // how many effects of this size one channel may have
	}{
		{result, "raids", 1, 0, partyOf}, {result, "wins", 1, 0, partyOf}, {result, "xp", maxXP, 0, partyOf}, {result, "damage", maxDamage, 0, partyOf},
		{loot, "amount", loots, uint64(raid.MaxPack.Potions), partyOf},
	} {
		schema, err := c.World.Tables[limit.table.Name()].Schema()
		if err != nil {
			return p, fmt.Errorf("schema of %s: %w", limit.table, err)
		}
		field, err := schema.FieldIndex(limit.field)
		if err != nil {
			return p, err
		}
		p.Permissions = append(p.Permissions, adjudicator.Permission{
			ResourceID: limit.table.Hash(), Op: channel.EffectIncrement, Field: uint8(field),
			MaxIncrease: *uint256.NewInt(limit.each), MaxDecrease: *uint256.NewInt(limit.used), PerChannel: *uint256.NewInt(limit.each * limit.effort),
		})
	}
	return p, nil
}

// setBlockTime makes anvil mine a block per interval, as an L2 does; an op-stack has its pace from the beginning.
func (c *Chain) setBlockTime(ctx context.Context, every time.Duration) error {
	if c.OpStack != nil {
		return nil
	}
	if every < time.Second || every%time.Second != 0 {
		return fmt.Errorf("a block time of %s is not in whole seconds", every)
	}
	if err := c.Node.Client().CallContext(ctx, nil, "evm_setIntervalMining", uint64(every/time.Second)); err != nil {
		return fmt.Errorf("set the block time: %w", err)
	}
	return nil
}
