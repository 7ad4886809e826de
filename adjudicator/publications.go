package adjudicator

import (
	"fmt"

	"github.com/ethereum/go-ethereum/common"

	"github.com/evmts/channels/adjudicator/bindings"
	"github.com/evmts/channels/adjudicator/proof"
	"github.com/evmts/channels/channel"
)

// Publication names the journal of a channel that is Final: what every call about its leaves needs.
type Publication struct {
	Params       *channel.Params
	Funding      channel.Funding
	GenesisInput []byte
	GenesisState common.Hash // stateHash of leaf 0
}

func chunk(c proof.Chunk) bindings.Chunk {
	return bindings.Chunk{First: c.First, Range: words(c.Range), Entries: c.Entries}
}

// Publish publishes a chunk of a journal for the optimistic mode. The bond, the policy's, goes with the last chunk; it is zero for
// the others. Anyone may send it; the sender is the publisher.
func Publish(publications common.Address, p Publication, c proof.Chunk, bond channel.Amount) (Call, error) {
	data, err := publicationsABI.TryPackPublish(params(p.Params), funding(p.Funding), p.GenesisInput, p.GenesisState, chunk(c))
	out, err := call(publications, data, err)
	if err == nil {
		out.Value = bond.ToBig()
	}
	return out, err
}

// PublishAll are the calls that publish a journal, in their order, each after the one before is mined.
func PublishAll(publications common.Address, p *channel.Params, f channel.Funding, j *proof.Journal, budget proof.Budget, bond channel.Amount) ([]Call, error) {
	chunks, err := j.Split(p, budget)
	if err != nil {
		return nil, err
	}
	about := Publication{p, f, j.Genesis, j.Leaves[0].StateHash}
	calls := make([]Call, len(chunks))
	for i, c := range chunks {
		var value channel.Amount
		if i == len(chunks)-1 {
			value = bond
		}
		if calls[i], err = Publish(publications, about, c, value); err != nil {
			return nil, fmt.Errorf("chunk %d: %w", i, err)
		}
	}
	return calls, nil
}

// Execute runs a chunk of a journal on chain for the executed mode.
func Execute(publications common.Address, p Publication, e proof.Execution) (Call, error) {
	data, err := publicationsABI.TryPackExecute(params(p.Params), funding(p.Funding), p.GenesisInput, e.State, chunk(e.Chunk))
	return call(publications, data, err)
}

// Disprove proves that a leaf is wrong. Anyone may send it and gets half of the bond, if there is one.
func Disprove(publications common.Address, p *channel.Params, f channel.Funding, w *proof.Witness) (Call, error) {
	data, err := publicationsABI.TryPackDisprove(params(p), funding(f), bindings.Witness{
		Index: w.Index, Entry: w.Entry, StateHash: w.StateHash, Proof: words(w.Proof), PreviousEventHash: w.PreviousEventHash,
		PreviousProof: words(w.PreviousProof), PreviousState: w.PreviousState,
	})
	return call(publications, data, err)
}

// Veto takes a publication back. Only the policy's guardian may send it, inside the window.
func Veto(publications common.Address, p *channel.Params, genesisInput []byte) (Call, error) {
	data, err := publicationsABI.TryPackVeto(params(p), genesisInput)
	return call(publications, data, err)
}

// ReleaseBond credits the bond of a publication that stands past its deadline to its publisher. Anyone may send it.
func ReleaseBond(publications common.Address, channelID common.Hash) (Call, error) {
	data, err := publicationsABI.TryPackReleaseBond(channelID)
	return call(publications, data, err)
}

// WithdrawBond sends the sender's credit in the publications contract, released bonds and rewards that could not be paid, to an
// address.
func WithdrawBond(publications, to common.Address) (Call, error) {
	data, err := publicationsABI.TryPackWithdraw(to)
	return call(publications, data, err)
}
