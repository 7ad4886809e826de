package adjudicator

import (
	"context"
	"math/big"

	"github.com/ethereum/go-ethereum/common"

	"github.com/evmts/channels/adjudicator/bindings"
	"github.com/evmts/channels/channel"
)

// IsSettled tells whether the effects of a channel have been written.
func (r Reader) IsSettled(ctx context.Context, id common.Hash) (bool, error) {
	data, err := settlementABI.TryPackIsSettled(id)
	return read(ctx, r, "isSettled", r.Settlement, data, err, settlementABI.UnpackIsSettled)
}

// SettlementAdjudicator is the adjudicator whose channels the settlement settles.
func (r Reader) SettlementAdjudicator(ctx context.Context) (common.Address, error) {
	data, err := settlementABI.TryPackAdjudicator()
	return read(ctx, r, "adjudicator", r.Settlement, data, err, settlementABI.UnpackAdjudicator)
}

// UsedBy is the channel that a ticket has settled, zero for none.
func (r Reader) UsedBy(ctx context.Context, ticketHash common.Hash) (common.Hash, error) {
	data, err := settlementABI.TryPackUsedBy(ticketHash)
	return read(ctx, r, "usedBy", r.Settlement, data, err, func(b []byte) (common.Hash, error) { return settlementABI.UnpackUsedBy(b) })
}

// PolicyOf is the newest policy of a pair and the revision that set it; ModeNone and 0 when there is none.
func (r Reader) PolicyOf(ctx context.Context, world common.Address, namespaceID, moduleHash, configHash common.Hash) (Policy, uint64, error) {
	data, err := policiesABI.TryPackPolicyOf(world, namespaceID, moduleHash, configHash)
	v, err := read(ctx, r, "policyOf", r.Policies, data, err, policiesABI.UnpackPolicyOf)
	return policyOf(v.Policy), v.Revision, err
}

// InForce is the policy of a pair as a revision set it (0: the newest) and that revision, with the newest attestors. A pair that is
// not allowed is a Refusal, NotAllowed.
func (r Reader) InForce(ctx context.Context, world common.Address, namespaceID, moduleHash, configHash common.Hash, revision uint64) (Policy, uint64, error) {
	data, err := policiesABI.TryPackInForce(world, namespaceID, moduleHash, configHash, revision)
	v, err := read(ctx, r, "inForce", r.Policies, data, err, policiesABI.UnpackInForce)
	return policyOf(v.Policy), v.At, err
}

// PolicyRevision is how often policies of a namespace were set.
func (r Reader) PolicyRevision(ctx context.Context, world common.Address, namespaceID common.Hash) (uint64, error) {
	data, err := policiesABI.TryPackPolicyRevision(world, namespaceID)
	return read(ctx, r, "policyRevision", r.Policies, data, err, policiesABI.UnpackPolicyRevision)
}

// IsSealed tells whether this is the hash of a sealed ticket.
func (r Reader) IsSealed(ctx context.Context, ticketHash common.Hash) (bool, error) {
	data, err := ticketsABI.TryPackIsSealed(ticketHash)
	return read(ctx, r, "isSealed", r.Tickets, data, err, ticketsABI.UnpackIsSealed)
}

// TicketCredits are what an account earned by tickets and has not withdrawn.
func (r Reader) TicketCredits(ctx context.Context, account common.Address) (channel.Amount, error) {
	data, err := ticketsABI.TryPackCredits(account)
	v, err := read(ctx, r, "credits", r.Tickets, data, err, ticketsABI.UnpackCredits)
	return amount(v), err
}

// IsRegistered tells whether a module is registered.
func (r Reader) IsRegistered(ctx context.Context, moduleHash common.Hash) (bool, error) {
	data, err := registryABI.TryPackIsRegistered(moduleHash)
	return read(ctx, r, "isRegistered", r.Registry, data, err, registryABI.UnpackIsRegistered)
}

// ProgramOf are the chunks of a program and its size, none when it is not registered.
func (r Reader) ProgramOf(ctx context.Context, programHash common.Hash) (chunks []common.Address, size uint64, err error) {
	data, err := registryABI.TryPackProgramOf(programHash)
	v, err := read(ctx, r, "programOf", r.Registry, data, err, registryABI.UnpackProgramOf)
	if err == nil && v.Size.IsUint64() {
		size = v.Size.Uint64()
	}
	return v.Chunks, size, err
}

// ModuleOf is what a module is and where its program's chunks are. An unknown module is a Refusal, UnknownModule.
func (r Reader) ModuleOf(ctx context.Context, moduleHash common.Hash) (channel.Manifest, []common.Address, error) {
	data, err := registryABI.TryPackModuleOf(moduleHash)
	v, err := read(ctx, r, "moduleOf", r.Registry, data, err, registryABI.UnpackModuleOf)
	return manifestOf(v.Manifest), v.Chunks, err
}

// GasBound is the most gas that one call of the machine may need with these limits, as the registry reckons.
func (r Reader) GasBound(ctx context.Context, fuelLimit uint64, pageLimit uint32, programBytes int) (uint64, error) {
	data, err := registryABI.TryPackGasBound(fuelLimit, pageLimit, big.NewInt(int64(programBytes)))
	v, err := read(ctx, r, "gasBound", r.Registry, data, err, registryABI.UnpackGasBound)
	if err != nil || !v.IsUint64() {
		return 0, err
	}
	return v.Uint64(), nil
}

// Standing is what is known about the journal of a channel. The zero value: nobody published it, nothing is proven.
type Standing struct {
	Voided    bool           `json:"voided"`    // a leaf is proven wrong
	Executed  bool           `json:"executed"`  // the chain ran every leaf
	Vetoed    bool           `json:"vetoed"`    // the guardian took it back
	Publisher common.Address `json:"publisher"` // of the whole journal, zero when nobody did
	Deadline  uint64         `json:"deadline"`  // UNIX seconds; from then on the publication stands
	Revision  uint64         `json:"revision"`  // of the policy that the publication began under
	Bond      channel.Amount `json:"bond"`      // what the publisher still has at stake
}

// Standing reads how the journal of a channel stands.
func (r Reader) Standing(ctx context.Context, id common.Hash) (Standing, error) {
	data, err := publicationsABI.TryPackStanding(id)
	v, err := read(ctx, r, "standing", r.Publications, data, err, publicationsABI.UnpackStanding)
	return standing(v), err
}

func standing(v bindings.Standing) Standing {
	return Standing{v.Voided, v.Executed, v.Vetoed, v.Publisher, v.Deadline, v.Revision, amount(v.Bond)}
}

// Progress is how many leaves of its journal a publisher has published, and the digest of where that is.
func (r Reader) Progress(ctx context.Context, id common.Hash, publisher common.Address) (next uint64, digest common.Hash, err error) {
	data, err := publicationsABI.TryPackProgress(id, publisher)
	v, err := read(ctx, r, "progress", r.Publications, data, err, publicationsABI.UnpackProgress)
	return v.Next, v.Digest, err
}

// Reached tells whether the chain ran the leaves that lead to a range of next leaves and a state.
func (r Reader) Reached(ctx context.Context, id common.Hash, next uint64, peaks []common.Hash, stateHash common.Hash) (bool, error) {
	data, err := publicationsABI.TryPackReached(id, next, words(peaks), stateHash)
	return read(ctx, r, "reached", r.Publications, data, err, publicationsABI.UnpackReached)
}

// BondCredits are what an account can withdraw from the publications contract, in the chain's coin.
func (r Reader) BondCredits(ctx context.Context, account common.Address) (channel.Amount, error) {
	data, err := publicationsABI.TryPackCredits(account)
	v, err := read(ctx, r, "credits", r.Publications, data, err, publicationsABI.UnpackCredits)
	return amount(v), err
}
