package verifier

import (
	"github.com/ethereum/go-ethereum/common"

	"github.com/evmts/channels/channel"
)

// What a Report tells.
const (
	ReportSeen      = "seen"      // a journal is published
	ReportProgress  = "progress"  // Leaves of Total are derived
	ReportRight     = "right"     // every leaf is right
	ReportWrong     = "wrong"     // Fault says which leaf and why
	ReportProof     = "proof"     // dry run: the proof works and would cost Gas
	ReportSending   = "sending"   // the proof is on its way
	ReportDisproved = "disproved" // the chain knows; By says who proved it
	ReportVetoed    = "vetoed"    // the guardian took it back
	ReportSettled   = "settled"   // its effects are written: nothing can be done any more
	ReportStuck     = "stuck"     // it cannot be checked, Error says why; it is tried again
	ReportFailed    = "failed"    // the proof did not get through, Error says why; it is tried again
	ReportGone      = "gone"      // the publication, or its proof, was reorganised away
)

// Report is one thing that happened to one publication.
type Report struct {
	Kind      string          `json:"kind"`
	ChannelID common.Hash     `json:"channelId"`
	World     common.Address  `json:"world"`
	Publisher common.Address  `json:"publisher"`
	Deadline  uint64          `json:"deadline"` // UNIX seconds
	Block     uint64          `json:"block"`    // of the publication
	Leaves    uint64          `json:"leaves,omitempty"`
	Total     uint64          `json:"total,omitempty"`
	Fault     *Fault          `json:"fault,omitempty"`
	By        *common.Address `json:"by,omitempty"`
	TxHash    *common.Hash    `json:"txHash,omitempty"`
	Gas       uint64          `json:"gas,omitempty"`
	Reward    *channel.Amount `json:"reward,omitempty"`
	Error     string          `json:"error,omitempty"`
}

// Fault is a wrong leaf, for people and programs.
type Fault struct {
	Seq     uint64      `json:"seq"`
	What    string      `json:"what"`
	Why     string      `json:"why"`
	Text    string      `json:"text"` // with what the rules would change
	Status  uint8       `json:"status"`
	Derived common.Hash `json:"derived"`
	Claimed common.Hash `json:"claimed"`
}

// Summary counts what a Run has done.
type Summary struct {
	Seen      int `json:"seen"`      // publications
	Right     int `json:"right"`     // every leaf derived and right
	Wrong     int `json:"wrong"`     // with a wrong leaf
	Disproved int `json:"disproved"` // of the wrong ones, void on chain, by whomever
	Closed    int `json:"closed"`    // not checked: settled, vetoed or disproved before their turn came
	Stuck     int `json:"stuck"`     // cannot be checked
	Unproven  int `json:"unproven"`  // wrong, and the chain does not know
	Provable  int `json:"provable"`  // of the unproven, those that a dry run could prove
}
