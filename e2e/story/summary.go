package story

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/ethereum/go-ethereum/common"
)

// ErrCheck is that something is not as it was promised.
var ErrCheck = errors.New("check failed")

// Summary is what a raid came to. Amounts are decimal, in the coin's smallest unit.
type Summary struct {
	OK           bool               `json:"ok"`
	Error        string             `json:"error,omitempty"` // why the story ended early, or which checks failed
	Checks       Checks             `json:"checks"`
	ChannelID    common.Hash        `json:"channelId"`
	ModuleHash   common.Hash        `json:"moduleHash"`
	World        common.Address     `json:"world"`
	Events       uint64             `json:"events"`
	Outcome      string             `json:"outcome"`
	JournalRoot  common.Hash        `json:"journalRoot"`
	StateHash    common.Hash        `json:"stateHash"`
	Transactions []Transaction      `json:"transactions"`
	Payouts      []Payout           `json:"payouts"`
	Records      []Record           `json:"records"`
	Journals     []Journal          `json:"journals"`
	Latency      Latency            `json:"latency"`
	Seconds      map[string]float64 `json:"seconds"` // by part of the story, and "total"
}

// Check is one promise.
type Check struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail,omitempty"` // what is wrong
}

// Transaction is one that a sidecar sent.
type Transaction struct {
	Kind    string      `json:"kind"`
	By      string      `json:"by"`
	TxHash  common.Hash `json:"txHash"`
	Block   uint64      `json:"block"`
	GasUsed uint64      `json:"gasUsed"`
}

// Payout is what a participant put in and got out.
type Payout struct {
	Name  string         `json:"name"`
	Owner common.Address `json:"owner"`
	Stake string         `json:"stake"`
	Final string         `json:"final"` // by the last state
	Paid  string         `json:"paid"`  // by the chain
	Fees  string         `json:"fees"`  // of the owner's transactions
}

// Record is a record of the World, read back after the settlement.
type Record struct {
	Table  string         `json:"table"`
	Player string         `json:"player"`
	Fields map[string]any `json:"fields"` // key and values by name
	Text   string         `json:"text"`
}

// Journal is what a fresh process found in a sidecar's data folder.
type Journal struct {
	Name        string      `json:"name"`
	ChannelID   common.Hash `json:"channelId"`
	Seq         uint64      `json:"seq"`
	JournalRoot common.Hash `json:"journalRoot"`
	StateHash   common.Hash `json:"stateHash"`
	Supported   bool        `json:"supported"`
	Terminal    bool        `json:"terminal"`
}

// Latency is the time from submitting an event until everybody had signed it, in milliseconds.
type Latency struct {
	Samples int     `json:"samples"`
	P50     float64 `json:"p50Ms"`
	P99     float64 `json:"p99Ms"`
	Max     float64 `json:"maxMs"`
}

func latencyOf(samples []time.Duration) Latency {
	if len(samples) == 0 {
		return Latency{}
	}
	slices.Sort(samples)
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	at := func(q float64) float64 { return ms(samples[int(q*float64(len(samples)-1)+0.5)]) }
	return Latency{len(samples), at(0.50), at(0.99), ms(samples[len(samples)-1])}
}

// Checks are the promises of a story, in the order in which they were looked at.
type Checks []Check

// check notes whether a promise was kept.
func (cs *Checks) check(name string, err error) {
	c := Check{Name: name, OK: err == nil}
	if err != nil {
		c.Detail = err.Error()
	}
	*cs = append(*cs, c)
}

// Verdict is nil when every check passed; otherwise it names those that did not.
func (cs Checks) Verdict() error {
	var failed []string
	for _, c := range cs {
		if !c.OK {
			failed = append(failed, fmt.Sprintf("%s (%s)", c.Name, c.Detail))
		}
	}
	if len(failed) > 0 {
		return fmt.Errorf("%w: %s", ErrCheck, strings.Join(failed, "; "))
	}
	return nil
}

// Write writes the summary as JSON.
func (s *Summary) Write(path string) error { return writeJSON(path, s) }

func writeJSON(path string, summary any) error {
	b, err := json.MarshalIndent(summary, "", "  ")
	if err != nil {
		return fmt.Errorf("encode the summary: %w", err)
	}
	if err := os.WriteFile(path, append(b, '\n'), 0o644); err != nil {
		return fmt.Errorf("write the summary: %w", err)
	}
	return nil
}
