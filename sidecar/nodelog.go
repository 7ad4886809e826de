package sidecar

import (
	"github.com/ethereum/go-ethereum/common"
	"github.com/evmts/channels/channel"
	"github.com/evmts/channels/eventstore"
	"github.com/evmts/channels/protocols"
)

// log writes the node's own log (F1) beside a record.
func (e *Engine) log(c *running, r protocols.Record) {
	id := eventstore.Hash(c.id)
	switch r := r.(type) {
	case protocols.RecordSigned:
		e.logEvent(&eventstore.StateSigned{Channel: id, Head: headOf(r.Update), Signer: eventstore.Address(e.session)})
	case protocols.RecordSupported:
		e.logEvent(&eventstore.SupportedUpdated{Channel: id, Head: headOf(r.Update)})
	case protocols.RecordObjective:
		e.logEvent(&eventstore.ObjectiveCranked{
			Channel: id, Objective: objectiveID(c.id, r.Name), Status: c.Status(), WaitingFor: string(c.WaitingFor()),
		})
	}
}

func (e *Engine) logEvent(body eventstore.EventBody) {
	e.batch.Log(eventstore.NodeEvent{Time: uint64(e.cfg.Now().UnixMilli()), Body: body})
}

func headOf(u channel.Update) eventstore.Head {
	return eventstore.Head{JournalRoot: eventstore.Hash(u.JournalRoot), Seq: u.Seq, StateHash: eventstore.Hash(u.StateHash)}
}

func (e *Engine) logCreated(c *running) {
	p := c.record.Params
	body := &eventstore.ChannelCreated{
		Channel: eventstore.Hash(c.id), GenesisHash: eventstore.Hash(p.GenesisHash), ModuleHash: eventstore.Hash(p.ModuleHash),
		StateHash: eventstore.Hash(c.record.StateHash),
	}
	for _, part := range p.Participants {
		body.Participants = append(body.Participants, eventstore.Address(part.Signer))
	}
	e.logEvent(body)
	e.logEvent(&eventstore.ObjectiveCreated{Channel: eventstore.Hash(c.id), Objective: objectiveID(c.id, "directfund"), Protocol: "directfund"})
}

func (e *Engine) logFact(c *running, f ChainFact) {
	place := eventstore.Place{Block: f.Block, BlockHash: eventstore.Hash(f.BlockHash), LogIndex: f.LogIndex, TxHash: eventstore.Hash(f.TxHash)}
	id := eventstore.Hash(c.id)
	switch f.Kind {
	case FactDeposited:
		e.logEvent(&eventstore.DepositDetected{
			Channel: id, Participant: f.Detail.Participant, Asset: eventstore.Address(f.Detail.Asset),
			Amount: eventstore.AmountOf(&f.Detail.Amount), Place: place,
		})
	case FactConcluded:
		e.logEvent(&eventstore.Concluded{Channel: id, Place: place, Seq: f.Detail.Seq, StateHash: eventstore.Hash(f.Detail.StateHash)})
		e.logEvent(&eventstore.ChannelFinalized{Channel: id, How: "concluded", Seq: f.Detail.Seq, StateHash: eventstore.Hash(f.Detail.StateHash)})
	case FactRefunded:
		e.logEvent(&eventstore.ChannelFinalized{Channel: id, How: "refunded", Seq: 0, StateHash: eventstore.Hash(common.Hash{})})
	}
}
