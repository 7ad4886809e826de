package adjudicator

import (
	"errors"
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/evmts/channels/adjudicator/bindings"
	"github.com/evmts/channels/channel"
)

var (
	adjudicatorABI  = bindings.NewAdjudicator()
	registryABI     = bindings.NewModuleRegistry()
	derivationABI   = bindings.NewDerivation()
	policiesABI     = bindings.NewPolicies()
	ticketsABI      = bindings.NewTickets()
	publicationsABI = bindings.NewPublications()
	settlementABI   = bindings.NewMudSettlement()
)

// Call is a transaction to send.
type Call struct {
	To    common.Address
	Value *big.Int // in the coin's smallest unit, never nil
	Data  []byte
}

// ErrCall is returned for arguments that no call can be made of.
var ErrCall = errors.New("no such call")

func call(to common.Address, data []byte, err error) (Call, error) {
	if err != nil {
		return Call{}, fmt.Errorf("%w: encode: %w", ErrCall, err)
	}
	return Call{To: to, Value: new(big.Int), Data: data}, nil
}

// Deposit pays the entry of a participant in one asset, from the wallet of its owner. A token wants an Approve of the same amount
// for p.Adjudicator first.
func Deposit(p *channel.Params, f channel.Funding, participant, asset int) (Call, error) {
	if asset < 0 || asset >= len(f) || participant < 0 || participant >= len(f[asset].Amounts) {
		return Call{}, fmt.Errorf("%w: deposit of participant %d in asset %d", ErrCall, participant, asset)
	}
	data, err := adjudicatorABI.TryPackDeposit(params(p), funding(f), uint8(participant), uint8(asset))
	c, err := call(p.Adjudicator, data, err)
	if err == nil && f[asset].Asset == (common.Address{}) {
		c.Value = f[asset].Amounts[participant].ToBig()
	}
	return c, err
}

var erc20 = func() abi.ABI {
	typ := func(t string) abi.Type {
		parsed, err := abi.NewType(t, "", nil)
		if err != nil {
			panic(err) // a constant of this package is misspelt
		}
		return parsed
	}
	address, amount := abi.Argument{Type: typ("address")}, abi.Argument{Type: typ("uint256")}
	view := func(name string, in ...abi.Argument) abi.Method {
		return abi.NewMethod(name, name, abi.Function, "view", false, false, in, abi.Arguments{amount})
	}
	return abi.ABI{Methods: map[string]abi.Method{
		"approve":   abi.NewMethod("approve", "approve", abi.Function, "", false, false, abi.Arguments{address, amount}, nil),
		"allowance": view("allowance", address, address),
		"balanceOf": view("balanceOf", address),
	}}
}()

// Approve lets spender take amount of an ERC-20 token from the sender.
func Approve(token, spender common.Address, amount channel.Amount) (Call, error) {
	data, err := erc20.Pack("approve", spender, amount.ToBig())
	return call(token, data, err)
}

// Refund gives every depositor of a channel that stayed underfunded its deposit back. Anyone may send it.
func Refund(p *channel.Params, f channel.Funding) (Call, error) {
	data, err := adjudicatorABI.TryPackRefund(params(p), funding(f))
	return call(p.Adjudicator, data, err)
}

// Conclude ends a channel by agreement and pays everyone. signatures are the participants' on the update, in order; closes are
// empty when the state is terminal, otherwise the signatures of participants and then guarantors on the Close. Anyone may send it.
func Conclude(p *channel.Params, f channel.Funding, u channel.Update, signatures, closes []channel.Signature, s *channel.State) (Call, error) {
	data, err := adjudicatorABI.TryPackConclude(params(p), funding(f), bindings.Update{
		ChannelId: u.ChannelID, Seq: u.Seq, JournalRoot: u.JournalRoot, StateHash: u.StateHash,
	}, signatureList(signatures), signatureList(closes), stateView(s))
	return call(p.Adjudicator, data, err)
}

// Payout pays one payee of a Final channel what is still due to it: slots are the participants, then the beneficiaries. Anyone may
// send it.
func Payout(p *channel.Params, f channel.Funding, s *channel.State, slot int) (Call, error) {
	if slot < 0 || slot >= len(p.Participants)+len(p.Beneficiaries) {
		return Call{}, fmt.Errorf("%w: payout of slot %d of %d", ErrCall, slot, len(p.Participants)+len(p.Beneficiaries))
	}
	data, err := adjudicatorABI.TryPackPayout(params(p), funding(f), stateView(s), uint8(slot))
	return call(p.Adjudicator, data, err)
}

// Withdraw takes the sender's credits in an asset out to an address.
func Withdraw(adjudicator, asset, to common.Address) (Call, error) {
	data, err := adjudicatorABI.TryPackWithdraw(asset, to)
	return call(adjudicator, data, err)
}

func params(p *channel.Params) bindings.Params {
	participants := make([]bindings.Participant, len(p.Participants))
	for i, part := range p.Participants {
		participants[i] = bindings.Participant{Signer: part.Signer, Owner: part.Owner}
	}
	return bindings.Params{
		ChainId: p.ChainID.ToBig(), Adjudicator: p.Adjudicator, Participants: participants, Beneficiaries: p.Beneficiaries,
		Guarantors: p.Guarantors, Nonce: p.Nonce, Window: p.Window, ForceQuota: p.ForceQuota, Sequencer: p.Sequencer,
		ModuleHash: p.ModuleHash, GenesisHash: p.GenesisHash, FundingHash: p.FundingHash, FundingDeadline: p.FundingDeadline,
		IsVirtual: p.IsVirtual,
	}
}

func paramsOf(w bindings.Params) channel.Params {
	p := channel.Params{
		ChainID: amount(w.ChainId), Adjudicator: w.Adjudicator, Participants: make([]channel.Participant, len(w.Participants)),
		Beneficiaries: w.Beneficiaries, Guarantors: w.Guarantors, Nonce: w.Nonce, Window: w.Window, ForceQuota: w.ForceQuota,
		Sequencer: w.Sequencer, ModuleHash: w.ModuleHash, GenesisHash: w.GenesisHash, FundingHash: w.FundingHash,
		FundingDeadline: w.FundingDeadline, IsVirtual: w.IsVirtual,
	}
	for i, x := range w.Participants {
		p.Participants[i] = channel.Participant{Signer: x.Signer, Owner: x.Owner}
	}
	return p
}

func fundingOf(w []bindings.Funding) channel.Funding {
	f := make(channel.Funding, len(w))
	for i, s := range w {
		f[i] = channel.Stake{Asset: s.Asset, Amounts: make([]channel.Amount, len(s.Amounts))}
		for j := range s.Amounts {
			f[i].Amounts[j] = amount(s.Amounts[j])
		}
	}
	return f
}

func funding(f channel.Funding) []bindings.Funding {
	out := make([]bindings.Funding, len(f))
	for i, s := range f {
		out[i] = bindings.Funding{Asset: s.Asset, Amounts: make([]*big.Int, len(s.Amounts))}
		for j := range s.Amounts {
			out[i].Amounts[j] = s.Amounts[j].ToBig()
		}
	}
	return out
}

func stateView(s *channel.State) bindings.StateView {
	return bindings.StateView{Header: s.Header.Encode(), Funds: s.Funds, AppHash: crypto.Keccak256Hash(s.App)}
}

func signatureList(list []channel.Signature) [][]byte {
	out := make([][]byte, len(list))
	for i := range list {
		out[i] = list[i][:]
	}
	return out
}
