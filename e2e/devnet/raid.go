package devnet

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/rpc"
	"github.com/evmts/channels/channel"
	"github.com/evmts/channels/examples/raid"
	"github.com/evmts/channels/sidecar"
	"github.com/holiman/uint256"
)

const (
	raidWindow  = 60          // seconds of a challenge window
	raidFunding = time.Hour   // time to deposit
	heroStake   = 100_000_000 // gwei: 0.1 ether
	keeperPrize = 300_000_000 // gwei
)

// RaidRequest buys a ticket and is what channels_open takes for a raid of all sidecars: the first one keeps the dungeon,
// orders the events and puts up the prize.
func (d *Devnet) RaidRequest(ctx context.Context) (sidecar.OpenArgs, error) {
	requests, err := d.RaidRequests(ctx, 1)
	if err != nil {
		return sidecar.OpenArgs{}, err
	}
	return requests[0], nil
}

// RaidRequests is RaidRequest for several raids, whose tickets are bought together: at most MaxTickets.
func (d *Devnet) RaidRequests(ctx context.Context, count int) ([]sidecar.OpenArgs, error) {
	var participants []channel.Participant
	for _, s := range d.Sidecars {
		participants = append(participants, channel.Participant{Signer: s.Session(), Owner: s.Owner()})
	}
	return d.entrance().requests(ctx, participants, count)
}

func (d *Devnet) entrance() *entrance {
	c := d.Chain
	return &entrance{c.Node.Client(), c.Contracts, c.World.World, c.World.NamespaceID.Hash(), d.Module, c.deployer}
}

// RaidRequest buys a ticket on a running devnet, for a raid of all of its sidecars.
func (f File) RaidRequest(ctx context.Context) (sidecar.OpenArgs, error) {
	client, err := rpc.DialContext(ctx, f.RPC)
	if err != nil {
		return sidecar.OpenArgs{}, fmt.Errorf("the devnet's chain does not run: %w", err)
	}
	defer client.Close()
	var participants []channel.Participant
	for _, s := range f.Sidecars {
		participants = append(participants, channel.Participant{Signer: s.Session, Owner: s.Owner.Address})
	}
	buyer, err := crypto.ToECDSA(f.Accounts[0].Key)
	if err != nil {
		return sidecar.OpenArgs{}, fmt.Errorf("read the key that pays for tickets: %w", err)
	}
	requests, err := (&entrance{client, f.Contracts, f.World, f.NamespaceID, f.Module.Hash, buyer}).requests(ctx, participants, 1)
	if err != nil {
		return sidecar.OpenArgs{}, err
	}
	return requests[0], nil
}

func (e *entrance) requests(ctx context.Context, participants []channel.Participant, count int) (out []sidecar.OpenArgs, err error) {
	owners := make([]common.Address, len(participants))
	for i, p := range participants {
		owners[i] = p.Owner
	}
	games, err := e.geneses(ctx, owners, count)
	if err != nil {
		return nil, err
	}
	for _, game := range games {
		r, err := e.request(game, participants)
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, nil
}

func (e *entrance) request(game raid.Genesis, participants []channel.Participant) (sidecar.OpenArgs, error) {
	genesis, err := game.Input()
	if err != nil {
		return sidecar.OpenArgs{}, err
	}
	stake := channel.Stake{Amounts: make([]uint256.Int, len(participants))}
	for i := range participants {
		gwei := uint64(heroStake)
		if i == 0 {
			gwei = keeperPrize
		}
		stake.Amounts[i].Mul(uint256.NewInt(gwei), uint256.NewInt(1e9))
	}
	return sidecar.OpenArgs{
		OpenRequest: sidecar.OpenRequest{
			Participants: participants, Funding: channel.Funding{stake}, ModuleHash: e.module, Nonce: uint64(time.Now().UnixNano()),
			Window: raidWindow, ForceQuota: raid.MaxEvents, FundingDeadline: uint64(time.Now().Add(raidFunding).Unix()),
		},
		GenesisHex: genesis,
	}, nil
}

// Params are those of the channel that a sidecar of this devnet makes of a request.
func (d *Devnet) Params(r sidecar.OpenArgs) *channel.Params {
	p := &channel.Params{
		Adjudicator: d.Chain.Contracts.Adjudicator, Participants: r.Participants, Beneficiaries: r.Beneficiaries, Nonce: r.Nonce,
		Window: r.Window, ForceQuota: r.ForceQuota, Sequencer: r.Sequencer, ModuleHash: r.ModuleHash,
		GenesisHash: channel.GenesisHash(r.GenesisHex), FundingHash: r.Funding.Hash(), FundingDeadline: r.FundingDeadline,
	}
	p.ChainID.SetUint64(d.Chain.ID)
	return p
}

// Rules derives a channel of this devnet outside of any sidecar.
func (d *Devnet) Rules(p *channel.Params, f channel.Funding) (*channel.Rules, error) {
	m, err := d.Modules.Get(p.ModuleHash)
	if err != nil {
		return nil, err
	}
	return channel.NewRules(p, f, m)
}

// Player is the bot that plays seat i of a raid through its sidecar.
func (d *Devnet) Player(i int) *Player {
	s := d.Sidecars[i]
	return &Player{Name: s.Name, URL: s.URL(), Seat: uint8(i), Key: crypto.FromECDSA(s.SessionKey)}
}

// Wish says of a finished raid whether it is the one that somebody wants to see.
type Wish func(end *raid.State, events uint64) bool

// ErrNoRaid means that no raid of the wished kind was found.
var ErrNoRaid = errors.New("no raid of the wished kind was found")

const maxForesight = 500

// Foresee changes the nonce of a request until the raid that the bots will play with it is as wished. That is possible
// only here, where all dice secrets are in one hand: a player knows its own, and learns the others' too late.
func (d *Devnet) Foresee(r *sidecar.OpenArgs, wish Wish) error {
	for range maxForesight {
		end, events, err := d.foretell(*r)
		if err != nil {
			return err
		}
		if wish(end, events) {
			return nil
		}
		r.Nonce++
	}
	return fmt.Errorf("%w among %d", ErrNoRaid, maxForesight)
}

// foretell plays a raid with the bots' secrets and without signatures.
func (d *Devnet) foretell(r sidecar.OpenArgs) (*raid.State, uint64, error) {
	params := d.Params(r)
	rules, err := d.Rules(params, r.Funding)
	if err != nil {
		return nil, 0, err
	}
	state, verdict := rules.Genesis(r.GenesisHex)
	if err := verdict.Err(); err != nil {
		return nil, 0, fmt.Errorf("genesis of the raid: %w", err)
	}
	id := params.ID()
	bots := make([]*raid.Bot, len(d.Sidecars))
	for i := range bots {
		bots[i] = d.Player(i).Bot(id)
	}
	seq := uint64(0)
	for !state.Header.Terminal {
		moved := false
		for i, b := range bots {
			payload, ok := b.Next(state.Bytes())
			if !ok {
				continue
			}
			next, verdict := rules.Apply(state, seq+1, &channel.Event{
				ChannelID: id, Author: uint8(i), Nonce: state.Header.Nonces[i] + 1, Timestamp: 1, Payload: payload,
			})
			if err := verdict.Err(); err != nil {
				return nil, 0, fmt.Errorf("bot %d at %d: %w", i, seq+1, err)
			}
			state, seq, moved = next, seq+1, true
		}
		if !moved {
			return nil, 0, fmt.Errorf("nobody moves at %d", seq)
		}
	}
	end, err := raid.Decode(state.Bytes())
	return end, seq, err
}

// Bot chooses the seat's events of one channel, with its dice.
func (p *Player) Bot(id common.Hash) *raid.Bot {
	b := raid.NewBot(p.Seat, raid.ChannelSecret(p.Key, id))
	if p.Pack != nil {
		b.Pack = *p.Pack
	}
	return b
}
