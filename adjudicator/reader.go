package adjudicator

import (
	"context"
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"

	"github.com/evmts/channels/channel"
)

// Backend is the part of an Ethereum client that reading needs; *ethclient.Client is one.
type Backend interface {
	CallContract(ctx context.Context, msg ethereum.CallMsg, blockNumber *big.Int) ([]byte, error)
	CallContractAtHash(ctx context.Context, msg ethereum.CallMsg, blockHash common.Hash) ([]byte, error)
}

// Reader reads the contracts' state, at the newest block unless At says otherwise.
type Reader struct {
	Contracts
	backend Backend
	block   common.Hash // zero: the newest
}

// NewReader reads over backend.
func NewReader(backend Backend, c Contracts) Reader { return Reader{Contracts: c, backend: backend} }

// At reads at one block: what it says and the logs up to that block agree.
func (r Reader) At(block common.Hash) Reader {
	r.block = block
	return r
}

func read[T any](ctx context.Context, r Reader, what string, to common.Address, data []byte, packErr error, unpack func([]byte) (T, error)) (v T, err error) {
	if packErr != nil {
		return v, fmt.Errorf("read %s: %w: %w", what, ErrCall, packErr)
	}
	msg, out := ethereum.CallMsg{To: &to, Data: data}, []byte(nil)
	if r.block == (common.Hash{}) {
		out, err = r.backend.CallContract(ctx, msg, nil)
	} else {
		out, err = r.backend.CallContractAtHash(ctx, msg, r.block)
	}
	if err != nil {
		return v, fmt.Errorf("read %s: %w", what, err)
	}
	if len(out) == 0 {
		return v, fmt.Errorf("read %s: there is no contract at %s: check the chain and the addresses in the configuration", what, to)
	}
	if v, err = unpack(out); err != nil {
		return v, fmt.Errorf("read %s: the contract at %s is another one: %w", what, to, err)
	}
	return v, nil
}

// MinWindow is the shortest Params.Window that the adjudicator accepts, in seconds.
func (r Reader) MinWindow(ctx context.Context) (uint32, error) {
	data, err := adjudicatorABI.TryPackMinWindow()
	return read(ctx, r, "minWindow", r.Adjudicator, data, err, adjudicatorABI.UnpackMinWindow)
}

// DomainSeparator is the adjudicator's EIP-712 domain; it must be channel.Params.Domain.
func (r Reader) DomainSeparator(ctx context.Context) (channel.Domain, error) {
	data, err := adjudicatorABI.TryPackDomainSeparator()
	d, err := read(ctx, r, "domainSeparator", r.Adjudicator, data, err, adjudicatorABI.UnpackDomainSeparator)
	return channel.Domain(d), err
}

// ChannelID is the id as the chain computes it; it must be channel.Params.ID.
func (r Reader) ChannelID(ctx context.Context, p *channel.Params) (common.Hash, error) {
	data, err := adjudicatorABI.TryPackChannelId(params(p))
	id, err := read(ctx, r, "channelId", r.Adjudicator, data, err, adjudicatorABI.UnpackChannelId)
	return id, err
}

// Status of a channel on chain.
type Status uint8

// Statuses in the order that a channel can go through them.
const (
	StatusNone Status = iota
	StatusCollect
	StatusPlay
	StatusFinal
)

var statusNames = [...]string{"none", "collect", "play", "final"}

func (s Status) String() string {
	if int(s) < len(statusNames) {
		return statusNames[s]
	}
	return fmt.Sprintf("status(%d)", uint8(s))
}

// OnChain is what the adjudicator knows about a channel. An unknown channel is the zero value.
type OnChain struct {
	Status      Status
	Funded      bool
	Refunded    bool  // the deposits went back, the channel is dead
	Missing     uint8 // entries that have not arrived; means something after the first deposit only
	Seq         uint64
	StateHash   common.Hash
	JournalRoot common.Hash

	deposits, paid *big.Int
}

// HasDeposited tells whether a participant's entry of an asset has arrived.
func (c OnChain) HasDeposited(participant, asset int) bool {
	return c.deposits != nil && inBitmap(c.deposits, channel.MaxParticipants, asset, participant)
}

// HasPaid tells whether a slot's amount of an asset was paid or credited.
func (c OnChain) HasPaid(slot, asset int) bool {
	return c.paid != nil && inBitmap(c.paid, channel.MaxParticipants+channel.MaxBeneficiaries, asset, slot)
}

func inBitmap(bits *big.Int, width, asset, place int) bool {
	return asset >= 0 && place >= 0 && place < width && bits.Bit(width*asset+place) == 1
}

// Channel reads a channel.
func (r Reader) Channel(ctx context.Context, id common.Hash) (OnChain, error) {
	data, err := adjudicatorABI.TryPackChannel(id)
	v, err := read(ctx, r, "channel", r.Adjudicator, data, err, adjudicatorABI.UnpackChannel)
	if err != nil {
		return OnChain{}, err
	}
	return OnChain{
		Status: Status(v.Status), Funded: v.Funded, Refunded: v.Refunded, Missing: v.Missing, Seq: v.Seq, StateHash: v.StateHash,
		JournalRoot: v.JournalRoot, deposits: v.Deposits, paid: v.Paid,
	}, nil
}

// Held is how much of an asset the adjudicator still holds for a channel.
func (r Reader) Held(ctx context.Context, id common.Hash, asset common.Address) (channel.Amount, error) {
	data, err := adjudicatorABI.TryPackHeld(id, asset)
	v, err := read(ctx, r, "held", r.Adjudicator, data, err, adjudicatorABI.UnpackHeld)
	return amount(v), err
}

// Credits are what an account can withdraw in an asset.
func (r Reader) Credits(ctx context.Context, asset, account common.Address) (channel.Amount, error) {
	data, err := adjudicatorABI.TryPackCredits(asset, account)
	v, err := read(ctx, r, "credits", r.Adjudicator, data, err, adjudicatorABI.UnpackCredits)
	return amount(v), err
}

// Allowance is how much of an ERC-20 token spender may take from owner.
func (r Reader) Allowance(ctx context.Context, token, owner, spender common.Address) (channel.Amount, error) {
	data, err := erc20.Pack("allowance", owner, spender)
	return read(ctx, r, "allowance", token, data, err, unpackAmount("allowance"))
}

// TokenBalance is how much of an ERC-20 token an account has.
func (r Reader) TokenBalance(ctx context.Context, token, account common.Address) (channel.Amount, error) {
	data, err := erc20.Pack("balanceOf", account)
	return read(ctx, r, "balanceOf", token, data, err, unpackAmount("balanceOf"))
}

func unpackAmount(method string) func([]byte) (channel.Amount, error) {
	return func(b []byte) (channel.Amount, error) {
		values, err := erc20.Unpack(method, b)
		if err != nil {
			return channel.Amount{}, err
		}
		v, ok := values[0].(*big.Int)
		if !ok {
			return channel.Amount{}, fmt.Errorf("%s gave a %T", method, values[0])
		}
		return amount(v), nil
	}
}
