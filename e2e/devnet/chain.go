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
	"github.com/evmts/channels/adjudicator"
	"github.com/evmts/channels/channel"
	"github.com/evmts/channels/derivation"
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

// Chain is the development chain with what is deployed on it.
type Chain struct {
	Node      *anvil.Node
	Eth       *ethclient.Client
	ID        uint64
	Contracts adjudicator.Contracts
	World     worlddeploy.Deployment

	deployer *ecdsa.PrivateKey
}

// startChain runs anvil with a block per transaction; setBlockTime changes that once everything is deployed.
func startChain(ctx context.Context, o *Options) (*Chain, error) {
	log, err := os.OpenFile(filepath.Join(o.Dir, "logs", "anvil.log"), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open the chain's log: %w", err)
	}
	binary := ""
	if os.Getenv(anvil.BinaryEnv) == "" {
		binary = anvilIn(o.Root)
	}
	port := 0
	if o.Ports && isFree(chainPort) {
		port = chainPort
	}
	node, err := anvil.Start(ctx, anvil.Options{Binary: binary, Port: port, ChainID: o.ChainID, Output: log})
	if err != nil {
		return nil, errors.Join(err, log.Close())
	}
	go func() {
		<-node.Done()
		_ = log.Close() // nothing is written to it any more
	}()
	return &Chain{Node: node, Eth: ethclient.NewClient(node.Client()), ID: o.ChainID, deployer: anvil.Keys()[0]}, nil
}

// send sends a call from the deployer and waits for its receipt.
func (c *Chain) send(ctx context.Context, call adjudicator.Call) (*types.Receipt, error) {
	receipt, err := c.Node.Send(ctx, c.deployer, &call.To, call.Value, call.Data)
	if err != nil {
		return nil, err
	}
	if receipt.Status != types.ReceiptStatusSuccessful {
		return nil, fmt.Errorf("transaction %s reverted", receipt.TxHash)
	}
	return receipt, nil
}

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

// setBlockTime makes the chain mine a block per interval, as an L2 does.
func (c *Chain) setBlockTime(ctx context.Context, every time.Duration) error {
	if every < time.Second || every%time.Second != 0 {
		return fmt.Errorf("a block time of %s is not in whole seconds", every)
	}
	if err := c.Node.Client().CallContext(ctx, nil, "evm_setIntervalMining", uint64(every/time.Second)); err != nil {
		return fmt.Errorf("set the block time: %w", err)
	}
	return nil
}
