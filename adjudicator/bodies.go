package adjudicator

import (
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/evmts/channels/channel"
)

// Facts of the adjudicator.
type (
	// Deposited: a participant's owner paid its entry of an asset.
	Deposited struct {
		ChannelID   common.Hash    `json:"channelId"`
		Participant uint8          `json:"participant"`
		Asset       common.Address `json:"asset"`
		Amount      channel.Amount `json:"amount"`
	}
	// Funded: the last missing entry arrived.
	Funded struct {
		ChannelID common.Hash `json:"channelId"`
	}
	// Refunded: the funding stayed incomplete and every deposit went back.
	Refunded struct {
		ChannelID common.Hash `json:"channelId"`
	}
	// Concluded: the channel is Final by agreement.
	Concluded struct {
		ChannelID   common.Hash `json:"channelId"`
		Seq         uint64      `json:"seq"`
		JournalRoot common.Hash `json:"journalRoot"`
		StateHash   common.Hash `json:"stateHash"`
	}
	// Paid: an amount left the channel and arrived.
	Paid struct {
		ChannelID common.Hash    `json:"channelId"`
		Asset     common.Address `json:"asset"`
		To        common.Address `json:"to"`
		Amount    channel.Amount `json:"amount"`
	}
	// Credited: an amount left the channel but its transfer failed; To can withdraw it.
	Credited struct {
		ChannelID common.Hash    `json:"channelId"`
		Asset     common.Address `json:"asset"`
		To        common.Address `json:"to"`
		Amount    channel.Amount `json:"amount"`
	}
	// Withdrawn: an account took its credit out.
	Withdrawn struct {
		Account common.Address `json:"account"`
		Asset   common.Address `json:"asset"`
		To      common.Address `json:"to"`
		Amount  channel.Amount `json:"amount"`
	}
)

// Facts of the registry.
type (
	// ChunkStored: a piece of a program is stored.
	ChunkStored struct {
		Chunk common.Address `json:"chunk"`
		Size  channel.Amount `json:"size"` // bytes
	}
	// ProgramRegistered: the chunks, one after the other, are a lowered program.
	ProgramRegistered struct {
		ProgramHash common.Hash      `json:"programHash"`
		Size        channel.Amount   `json:"size"` // bytes
		Chunks      []common.Address `json:"chunks"`
	}
	// ModuleRegistered: a registered program with its limits.
	ModuleRegistered struct {
		ModuleHash common.Hash      `json:"moduleHash"`
		Manifest   channel.Manifest `json:"manifest"`
	}
)

// Facts of policies and tickets.
type (
	// PolicySet: the owner of a namespace replaced its policy for a pair.
	PolicySet struct {
		World       common.Address `json:"world"`
		NamespaceID common.Hash    `json:"namespaceId"`
		ModuleHash  common.Hash    `json:"moduleHash"`
		ConfigHash  common.Hash    `json:"configHash"`
		Revision    uint64         `json:"revision"`
		Policy      Policy         `json:"policy"`
	}
	// Entered: a ticket was bought, with a snapshot of these records.
	Entered struct {
		Number      channel.Amount `json:"number"`
		World       common.Address `json:"world"`
		NamespaceID common.Hash    `json:"namespaceId"`
		SeedBlock   channel.Amount `json:"seedBlock"` // it can be sealed after this block, and within the 256 behind it
		Ticket      Ticket         `json:"ticket"`    // its seed is still zero
		Records     []Record       `json:"records"`
	}
	// Sealed: a ticket has its seed.
	Sealed struct {
		Number     channel.Amount `json:"number"`
		TicketHash common.Hash    `json:"ticketHash"` // the fifth word of the genesis input
		Ticket     Ticket         `json:"ticket"`
	}
	// TicketsWithdrawn: an account took out what it earned by tickets.
	TicketsWithdrawn struct {
		Account common.Address `json:"account"`
		Amount  channel.Amount `json:"amount"`
	}
)

// Facts of publications.
type (
	// ChunkPublished: entries First to Next − 1 of a journal, packed with their stateHashes (package proof). The chunk with First 0
	// is leaf 0 too.
	ChunkPublished struct {
		ChannelID    common.Hash    `json:"channelId"`
		Publisher    common.Address `json:"publisher"`
		First        uint64         `json:"first"`
		Next         uint64         `json:"next"`
		GenesisInput hexutil.Bytes  `json:"genesisInput"` // with First 0 only
		GenesisState common.Hash    `json:"genesisState"` // with First 0 only
		Entries      hexutil.Bytes  `json:"entries"`
	}
	// Published: a whole journal is there and can be disproved until Deadline, or until it is settled after that.
	Published struct {
		ChannelID common.Hash     `json:"channelId"`
		Publisher common.Address  `json:"publisher"`
		World     common.Address  `json:"world"`
		Deadline  uint64          `json:"deadline"` // UNIX seconds
		Bond      channel.Amount  `json:"bond"`
		Params    channel.Params  `json:"params"`
		Funding   channel.Funding `json:"funding"`
	}
	// Disproved: a leaf is wrong, the journal is void for good.
	Disproved struct {
		ChannelID common.Hash    `json:"channelId"`
		Prover    common.Address `json:"prover"`
		Index     uint64         `json:"index"`
		Status    uint8          `json:"status"`  // of δ, docs/encoding.md 18
		Derived   common.Hash    `json:"derived"` // what δ gives
		Claimed   common.Hash    `json:"claimed"` // what the leaf says
		Reward    channel.Amount `json:"reward"`
		Burnt     channel.Amount `json:"burnt"`
	}
	// Vetoed: the guardian took a publication back.
	Vetoed struct {
		ChannelID common.Hash    `json:"channelId"`
		Guardian  common.Address `json:"guardian"`
	}
	// Executed: the chain ran leaves First to Next − 1.
	Executed struct {
		ChannelID common.Hash `json:"channelId"`
		First     uint64      `json:"first"`
		Next      uint64      `json:"next"`
		StateHash common.Hash `json:"stateHash"`
		Complete  bool        `json:"complete"` // these were the last
	}
	// BondReleased: a publication stood, its publisher may withdraw the bond.
	BondReleased struct {
		ChannelID common.Hash    `json:"channelId"`
		Publisher common.Address `json:"publisher"`
		Bond      channel.Amount `json:"bond"`
	}
	// PublicationsWithdrawn: an account took out bonds or rewards.
	PublicationsWithdrawn struct {
		Account common.Address `json:"account"`
		Amount  channel.Amount `json:"amount"`
	}
)

// Settled: the effects of a channel were written.
type Settled struct {
	ChannelID   common.Hash    `json:"channelId"`
	World       common.Address `json:"world"`
	NamespaceID common.Hash    `json:"namespaceId"`
	Effects     channel.Amount `json:"effects"` // how many
	Revision    uint64         `json:"revision"`
	Mode        Mode           `json:"mode"`
}

func (Deposited) Kind() string             { return "Deposited" }
func (Funded) Kind() string                { return "Funded" }
func (Refunded) Kind() string              { return "Refunded" }
func (Concluded) Kind() string             { return "Concluded" }
func (Paid) Kind() string                  { return "Paid" }
func (Credited) Kind() string              { return "Credited" }
func (Withdrawn) Kind() string             { return "Withdrawn" }
func (ChunkStored) Kind() string           { return "ChunkStored" }
func (ProgramRegistered) Kind() string     { return "ProgramRegistered" }
func (ModuleRegistered) Kind() string      { return "ModuleRegistered" }
func (PolicySet) Kind() string             { return "PolicySet" }
func (Entered) Kind() string               { return "Entered" }
func (Sealed) Kind() string                { return "Sealed" }
func (TicketsWithdrawn) Kind() string      { return "TicketsWithdrawn" }
func (ChunkPublished) Kind() string        { return "ChunkPublished" }
func (Published) Kind() string             { return "Published" }
func (Disproved) Kind() string             { return "Disproved" }
func (Vetoed) Kind() string                { return "Vetoed" }
func (Executed) Kind() string              { return "Executed" }
func (BondReleased) Kind() string          { return "BondReleased" }
func (PublicationsWithdrawn) Kind() string { return "PublicationsWithdrawn" }
func (Settled) Kind() string               { return "Settled" }

func (f Deposited) Channel() (common.Hash, bool)           { return f.ChannelID, true }
func (f Funded) Channel() (common.Hash, bool)              { return f.ChannelID, true }
func (f Refunded) Channel() (common.Hash, bool)            { return f.ChannelID, true }
func (f Concluded) Channel() (common.Hash, bool)           { return f.ChannelID, true }
func (f Paid) Channel() (common.Hash, bool)                { return f.ChannelID, true }
func (f Credited) Channel() (common.Hash, bool)            { return f.ChannelID, true }
func (f ChunkPublished) Channel() (common.Hash, bool)      { return f.ChannelID, true }
func (f Published) Channel() (common.Hash, bool)           { return f.ChannelID, true }
func (f Disproved) Channel() (common.Hash, bool)           { return f.ChannelID, true }
func (f Vetoed) Channel() (common.Hash, bool)              { return f.ChannelID, true }
func (f Executed) Channel() (common.Hash, bool)            { return f.ChannelID, true }
func (f BondReleased) Channel() (common.Hash, bool)        { return f.ChannelID, true }
func (f Settled) Channel() (common.Hash, bool)             { return f.ChannelID, true }
func (Withdrawn) Channel() (common.Hash, bool)             { return common.Hash{}, false }
func (ChunkStored) Channel() (common.Hash, bool)           { return common.Hash{}, false }
func (ProgramRegistered) Channel() (common.Hash, bool)     { return common.Hash{}, false }
func (ModuleRegistered) Channel() (common.Hash, bool)      { return common.Hash{}, false }
func (PolicySet) Channel() (common.Hash, bool)             { return common.Hash{}, false }
func (Entered) Channel() (common.Hash, bool)               { return common.Hash{}, false }
func (Sealed) Channel() (common.Hash, bool)                { return common.Hash{}, false }
func (TicketsWithdrawn) Channel() (common.Hash, bool)      { return common.Hash{}, false }
func (PublicationsWithdrawn) Channel() (common.Hash, bool) { return common.Hash{}, false }
