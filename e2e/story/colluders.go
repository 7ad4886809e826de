package story

import (
	"context"
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/evmts/channels/adjudicator"
	"github.com/evmts/channels/adjudicator/proof"
	"github.com/evmts/channels/channel"
	"github.com/evmts/channels/e2e/devnet"
	"github.com/evmts/channels/examples/raid"
	"github.com/evmts/channels/sidecar"
)

// colluders are all participants of a raid in one hand. They need no sidecar: an honest one would not sign what they sign.
type colluders struct {
	d       *devnet.Devnet
	rules   *channel.Rules
	request sidecar.OpenArgs

	journal *proof.Journal
	head    channel.Journal
	state   *channel.State
	before  *channel.State // of the forged leaf: what the rules give instead
	forged  uint64         // which leaf
}

// gather makes a raid of everybody whose owner the devnet has, and finds one that is won.
func gather(ctx context.Context, d *devnet.Devnet) (*colluders, error) {
	c := &colluders{d: d}
	var err error
	if c.request, err = d.RaidRequest(ctx); err != nil {
		return nil, err
	}
	if err := d.Foresee(&c.request, func(end *raid.State, events uint64) bool {
		return end.Outcome == raid.Won && events >= defaultMinEvents
	}); err != nil {
		return nil, err
	}
	if c.rules, err = d.Rules(d.Params(c.request), c.request.Funding); err != nil {
		return nil, err
	}
	state, verdict := c.rules.Genesis(c.request.GenesisHex)
	if err := verdict.Err(); err != nil {
		return nil, fmt.Errorf("derive the genesis: %w", err)
	}
	c.state, c.journal = state, &proof.Journal{Genesis: c.request.GenesisHex}
	c.append(channel.Entry{}, c.rules.Params.GenesisHash)
	return c, nil
}

func (c *colluders) append(e channel.Entry, hash common.Hash) {
	leaf := proof.Leaf{Entry: e, StateHash: c.state.Hash()}
	c.journal.Leaves = append(c.journal.Leaves, leaf)
	c.head = c.head.Append(channel.LeafHash(hash, leaf.StateHash))
}

// update is the head that everybody signs.
func (c *colluders) update() channel.Update {
	seq := uint64(len(c.journal.Leaves) - 1)
	return channel.Update{ChannelID: c.rules.ID(), Seq: seq, JournalRoot: c.head.Root(), StateHash: c.journal.Leaves[seq].StateHash}
}

// play plays the raid by its rules, but for one step: forge changes the state behind it. From there on everything follows the
// rules again, so that one leaf in the journal is wrong and no other.
func (c *colluders) play(forge func(seq uint64, s *raid.State, state []byte) ([]byte, error), told func(seq uint64, e *channel.Event, before, after *channel.State)) error {
	id := c.rules.ID()
	for !c.state.Header.Terminal {
		moved := false
		for i := range c.d.Sidecars {
			payload, ok := c.d.Player(i).Bot(id).Next(c.state.Bytes())
			if !ok {
				continue
			}
			seq := uint64(len(c.journal.Leaves))
			event := channel.Event{ChannelID: id, Author: uint8(i), Nonce: c.state.Header.Nonces[i] + 1, Timestamp: seq, Payload: payload}
			next, verdict := c.rules.Apply(c.state, seq, &event)
			if err := verdict.Err(); err != nil {
				return fmt.Errorf("event %d: %w", seq, err)
			}
			told(seq, &event, c.state, next)
			if c.forged == 0 && !next.Header.Terminal {
				at, err := raid.Decode(next.Bytes())
				if err != nil {
					return err
				}
				changed, err := forge(seq, at, next.Bytes())
				if err != nil {
					return err
				}
				if changed != nil {
					c.before, c.forged = next, seq
					if next, err = channel.DecodeState(changed, c.rules.Shape()); err != nil {
						return fmt.Errorf("the forged state: %w", err)
					}
				}
			}
			signed := channel.SignedEvent{Event: event}
			if sig, err := channel.Sign(c.rules.Params.Domain().Digest(event), c.d.Sidecars[i].SessionKey); err != nil {
				return err
			} else {
				signed.Signature = sig
			}
			c.state, moved = next, true
			c.append(channel.Entry{Event: &signed}, event.StructHash())
		}
		if !moved {
			return fmt.Errorf("nobody moves at %d", len(c.journal.Leaves))
		}
	}
	return nil
}

// signAll is everybody's signature on a message.
func (c *colluders) signAll(m channel.Message) ([]channel.Signature, error) {
	out := make([]channel.Signature, len(c.d.Sidecars))
	for i, s := range c.d.Sidecars {
		sig, err := channel.Sign(c.rules.Params.Domain().Digest(m), s.SessionKey)
		if err != nil {
			return nil, err
		}
		out[i] = sig
	}
	return out, nil
}

// fund pays everybody's stake.
func (c *colluders) fund(ctx context.Context) error {
	for i, s := range c.d.Sidecars {
		call, err := adjudicator.Deposit(c.rules.Params, c.rules.Funding, i, 0)
		if err != nil {
			return err
		}
		if _, err := c.d.Chain.Send(ctx, s.OwnerKey, call); err != nil {
			return fmt.Errorf("deposit of %s: %w", s.Name, err)
		}
	}
	return nil
}

// conclude ends the channel with everybody's signatures: as far as money is concerned, whatever they agree on is right.
func (c *colluders) conclude(ctx context.Context) (*types.Receipt, error) {
	u := c.update()
	sigs, err := c.signAll(u)
	if err != nil {
		return nil, err
	}
	call, err := adjudicator.Conclude(c.rules.Params, c.rules.Funding, u, sigs, nil, c.state)
	if err != nil {
		return nil, err
	}
	return c.d.Chain.Send(ctx, c.d.Sidecars[0].OwnerKey, call)
}

// publish puts the whole journal on chain, with the World's bond.
func (c *colluders) publish(ctx context.Context, bond channel.Amount) (receipts []*types.Receipt, err error) {
	calls, err := adjudicator.PublishAll(c.d.Chain.Contracts.Publications, c.rules.Params, c.rules.Funding, c.journal, proof.Budget{Bytes: 32 << 10}, bond)
	if err != nil {
		return nil, err
	}
	for _, call := range calls {
		r, err := c.d.Chain.Send(ctx, c.d.Sidecars[0].OwnerKey, call)
		if err != nil {
			return receipts, fmt.Errorf("publish: %w", err)
		}
		receipts = append(receipts, r)
	}
	return receipts, nil
}

// claim is what they would settle.
func (c *colluders) claim() (adjudicator.Claim, error) {
	game, err := raid.DecodeGenesis(c.request.GenesisHex)
	if err != nil {
		return adjudicator.Claim{}, err
	}
	return adjudicator.Claim{
		Params: c.rules.Params, Funding: c.rules.Funding, State: c.state, GenesisInput: c.request.GenesisHex,
		Joins: make([][]byte, len(c.d.Sidecars)), Ticket: adjudicator.Ticket(*game.Ticket),
	}, nil
}

func balance(ctx context.Context, d *devnet.Devnet, who common.Address) (*big.Int, error) {
	b, err := d.Chain.Eth.BalanceAt(ctx, who, nil)
	if err != nil {
		return nil, fmt.Errorf("balance of %s: %w", who, err)
	}
	return b, nil
}
