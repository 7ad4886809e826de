package load

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/evmts/channels/e2e/story"
)

// Summary is what a load came to.
type Summary struct {
	OK       bool               `json:"ok"`
	Error    string             `json:"error,omitempty"` // why the load ended early, or what was not kept
	Checks   story.Checks       `json:"checks"`
	Settings Settings           `json:"settings"`
	Pace     Pace               `json:"pace"`
	Before   Chain              `json:"before"` // the chain alone
	Load     Chain              `json:"load"`
	After    Chain              `json:"after"`   // the chain alone again
	Control  Chain              `json:"control"` // the chain alone, with as much gas per block as in the load
	Alone    Blocks             `json:"alone"`   // before and after together
	Events   Events             `json:"events"`
	Empty    []Process          `json:"empty"` // sidecars without a channel
	Opening  Machine            `json:"opening"`
	Idle     Machine            `json:"idle"`   // all channels open, nothing happens but blocks
	Opened   []Process          `json:"opened"` // with all channels, before anything is played
	Loaded   []Process          `json:"loaded"` // at the end of the load
	Cost     []Cost             `json:"cost"`
	Restart  *Restart           `json:"restart,omitempty"`
	Audit    *Audit             `json:"audit,omitempty"`
	Logs     []Log              `json:"logs"`
	Seconds  map[string]float64 `json:"seconds"` // by part, and "total"
}

// Settings are those of the load, in words that the options have.
type Settings struct {
	Chain           string  `json:"chain"`
	Channels        int     `json:"channels"`
	Raids           int     `json:"raids"`
	Seconds         float64 `json:"seconds"`
	BaselineSeconds float64 `json:"baselineSeconds"`
	PaceSeconds     float64 `json:"paceSeconds"`
	HeartbeatSecs   float64 `json:"heartbeatSeconds"`
	BlockSeconds    float64 `json:"blockSeconds"`
}

func (s *Summary) describe(o *Options) {
	chain := "anvil"
	if o.OpStack {
		chain = "op-geth, op-node and op-batcher"
	}
	s.Settings = Settings{
		chain, o.Channels, o.Raids, o.Duration.Seconds(), o.Baseline.Seconds(), o.Pace.Seconds(), o.Heartbeat.Seconds(), blockTime.Seconds(),
	}
}

// Chain is how a chain worked in a phase.
type Chain struct {
	Blocks Blocks `json:"blocks"`
	// What op-node says of itself; zero on anvil. Times are milliseconds, quantiles lie within op-node's buckets.
	Sealing      Spread  `json:"sealingMs"`      // from the request for a payload to the sealed block
	BuildingDiff Spread  `json:"buildingDiffMs"` // how much longer than the block time a payload was being built
	Errors       float64 `json:"sequencingErrors"`
	Machine      Machine `json:"machine"`
}

// names of op-node's metrics.
const (
	sealingMetric  = "op_node_default_sequencer_sealing_seconds"
	buildingMetric = "op_node_default_sequencer_building_diff_seconds"
	errorsMetric   = "op_node_default_sequencing_errors_total"
)

func (c *Chain) sequencer(from, to series) {
	c.Sealing, c.BuildingDiff = histogramBetween(from, to, sealingMetric), histogramBetween(from, to, buildingMetric)
	c.Errors = to[errorsMetric] - from[errorsMetric]
}

// Events are those of the load.
type Events struct {
	Acknowledged int     `json:"acknowledged"`
	PerSecond    float64 `json:"perSecond"`
	FinalAfter   Spread  `json:"finalAfterMs"`  // from submitting to everybody's signature, while all sidecars run
	WithTheKill  Spread  `json:"withTheKillMs"` // all of them, also those that waited for the sidecar that was killed
	RaidsEnded   int     `json:"raidsEnded"`
	RaidsSettled int     `json:"raidsSettled"`
}

// Cost is what one sidecar took.
type Cost struct {
	Name           string  `json:"name"`
	HeapPerChannel float64 `json:"heapPerChannelBytes"` // live, of an open channel
	PSSPerChannel  float64 `json:"pssPerChannelBytes"`
	CPUPerChannel  float64 `json:"cpuPerChannelMicrosPerSecond"` // open, and nothing happens but blocks
	CPUPerEvent    float64 `json:"cpuPerEventMicros"`            // of the load, above that of idle channels: openings and settlements included
	DiskPerEvent   float64 `json:"diskPerEventBytes"`            // all that was written in the load
	CPUPerOpening  float64 `json:"cpuPerOpeningMicros"`
	Channels       int     `json:"channelsAtTheEnd"` // in memory: those of raids that ended stay there
}

func find(list []Process, name string) (p Process) {
	for _, q := range list {
		if q.Name == name {
			return q
		}
	}
	return p
}

// perChannel divides.
func (s *Summary) perChannel() {
	n, events := float64(s.Settings.Channels), float64(max(1, s.Events.Acknowledged))
	for _, empty := range s.Empty {
		full, idle := find(s.Opened, empty.Name), find(s.Idle.Processes, empty.Name)
		load, opening := find(s.Load.Machine.Processes, empty.Name), find(s.Opening.Processes, empty.Name)
		s.Cost = append(s.Cost, Cost{
			Name: empty.Name, HeapPerChannel: (float64(full.LiveHeap) - float64(empty.LiveHeap)) / n, PSSPerChannel: (float64(full.PSS) - float64(empty.PSS)) / n,
			CPUPerChannel: (idle.Cores - empty.Cores) / n * 1e6, CPUPerEvent: (load.CPUSeconds - idle.Cores*s.Load.Machine.Seconds) / events * 1e6,
			DiskPerEvent: float64(load.Written) / events, CPUPerOpening: opening.CPUSeconds / n * 1e6, Channels: s.Settings.Channels + s.Events.RaidsEnded,
		})
	}
}

// Restart is the kill in the middle.
type Restart struct {
	Name            string  `json:"name"`
	Channels        int     `json:"channels"` // in its store, about
	AnsweredSeconds float64 `json:"answeredSeconds"`
	CaughtUpSeconds float64 `json:"caughtUpSeconds"`
}

// Pace is how the chain's pace with the load compares with that without sidecars, in percent; above zero is slower.
type Pace struct {
	OK    bool    `json:"ok"` // everything against the chain with the same gas, and blocks per second against the empty chain, is within the limit
	Limit float64 `json:"limitPercent"`
	// Control is against the chain alone with as much gas per block, Empty against that without transactions.
	Control Slower `json:"control"`
	Empty   Slower `json:"empty"`
	Text    string `json:"text"`
}

// Slower is by how many percent.
type Slower struct {
	PerSecond    float64 `json:"blocksPerSecond"`
	MeanInterval float64 `json:"meanInterval"`
	P99Interval  float64 `json:"p99Interval"`
	MeanDelay    float64 `json:"meanDelayOfBlockTime"` // a block is seen so much later after its time, as part of the block time
	MeanSealing  float64 `json:"meanSealingOfBlockTime"`
}

func slower(alone, load Blocks, sealing float64, blockSeconds float64) Slower {
	more := func(alone, load float64) float64 {
		if alone == 0 {
			return 0
		}
		return (load/alone - 1) * 100
	}
	part := func(ms float64) float64 { return ms / (blockSeconds * 1000) * 100 }
	rate := func(b Blocks) float64 { return float64(b.Built) / max(b.Seconds, 1) }
	return Slower{
		PerSecond: more(rate(load), rate(alone)), MeanInterval: more(alone.Interval.Mean, load.Interval.Mean), P99Interval: more(alone.Interval.P99, load.Interval.P99),
		MeanDelay: part(load.Delay.Mean - alone.Delay.Mean), MeanSealing: part(sealing),
	}
}

func (s Slower) within(limit float64) bool {
	return max(s.PerSecond, s.MeanInterval, s.P99Interval, s.MeanDelay, s.MeanSealing) <= limit
}

func paceOf(s *Summary) Pace {
	block := s.Settings.BlockSeconds
	p := Pace{
		Limit:   Limit,
		Control: slower(s.Control.Blocks, s.Load.Blocks, s.Load.Sealing.Mean-s.Control.Sealing.Mean, block),
		Empty:   slower(s.Alone, s.Load.Blocks, s.Load.Sealing.Mean-(s.Before.Sealing.Mean+s.After.Sealing.Mean)/2, block),
	}
	p.OK = p.Control.within(Limit) && p.Empty.PerSecond <= Limit && p.Empty.MeanInterval <= Limit
	p.Text = fmt.Sprintf("against the chain with the same gas and no sidecars: blocks per second %+.2f %% fewer, interval %+.2f %% in the mean and %+.2f %% at p99, "+
		"seen %+.2f %% of a block time later; against the empty chain: %+.2f %%, %+.2f %%, %+.2f %%, %+.2f %%; the limit is %.0f %%",
		p.Control.PerSecond, p.Control.MeanInterval, p.Control.P99Interval, p.Control.MeanDelay,
		p.Empty.PerSecond, p.Empty.MeanInterval, p.Empty.P99Interval, p.Empty.MeanDelay, Limit)
	return p
}

// Write writes the summary as JSON.
func (s *Summary) Write(path string) error {
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return fmt.Errorf("encode the summary: %w", err)
	}
	if err := os.WriteFile(path, append(b, '\n'), 0o644); err != nil {
		return fmt.Errorf("write the summary: %w", err)
	}
	return nil
}
