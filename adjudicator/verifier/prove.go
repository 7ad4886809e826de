package verifier

import (
	"context"
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/rpc"

	"github.com/evmts/channels/adjudicator"
	"github.com/evmts/channels/plugin"
)

var (
	// ErrDisagreement means that the chain finds a leaf right that this node finds wrong: one of the two is broken.
	ErrDisagreement = errors.New("the chain finds the leaf right, this node finds it wrong: report this, with the channel and the version")
	// errVoid means that the chain knows already that the journal is wrong.
	errVoid = errors.New("the journal is void already")
)

// proofResult is what became of one attempt to disprove.
type proofResult struct {
	task    *task
	gas     uint64         // estimate, or used when receipt is set
	receipt *types.Receipt // nil: nothing was mined with effect
	err     error
}

// prove simulates a proof and sends it.
func (v *Verifier) prove(t *task, call adjudicator.Call, id string) proofResult {
	r := proofResult{task: t}
	gas, err := v.simulate(t.ctx, call)
	if r.gas = gas; err != nil || v.cfg.DryRun {
		r.err = err
		return r
	}
	v.log.Info("sending a proof of fraud", "channel", t.ChannelID, "gas", gas)
	v.metrics.proofs.WithLabelValues(proofSent).Inc()
	result, err := v.sender.Send(t.ctx, plugin.Request{ID: id, To: call.To, Data: call.Data, Value: call.Value})
	if err != nil {
		r.err = understand(err)
		return r
	}
	r.receipt, r.gas = result.Receipt, result.Receipt.GasUsed
	return r
}

func (v *Verifier) simulate(ctx context.Context, call adjudicator.Call) (gas uint64, err error) {
	ctx, cancel := context.WithTimeout(ctx, v.cfg.RequestTimeout)
	defer cancel()
	msg := ethereum.CallMsg{To: &call.To, Data: call.Data, Value: call.Value}
	if v.sender != nil {
		msg.From = v.sender.From()
	}
	gas, err = v.client.EstimateGas(ctx, msg)
	if err != nil {
		return 0, understand(fmt.Errorf("simulate the proof: %w", err))
	}
	return gas, nil
}

// understand puts a refusal of the contract in place of what the node says of it.
func understand(err error) error {
	var data []byte
	var reverted *plugin.RevertError
	var coded rpc.DataError
	if errors.As(err, &reverted) {
		data = reverted.Data
	} else if errors.As(err, &coded) {
		if text, ok := coded.ErrorData().(string); ok {
			data, _ = hexutil.Decode(text) // what is no hex is no refusal of ours
		}
	}
	refusal, ok := adjudicator.ParseRevert(data)
	switch {
	case !ok:
		return err
	case refusal.Name == "AlreadyVoid":
		return errVoid
	case refusal.Name == "LeafIsRight":
		return ErrDisagreement
	}
	return refusal
}
