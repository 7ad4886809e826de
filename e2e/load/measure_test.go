package load

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/evmts/channels/channel"
	"github.com/evmts/channels/e2e/devnet"
	"github.com/evmts/channels/eventstore"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"
)

func arrivals(numbers, times []uint64, gaps ...time.Duration) (out []arrival) {
	at := time.Unix(1000, 0)
	for i := range numbers {
		if i > 0 {
			at = at.Add(gaps[i-1])
		}
		out = append(out, arrival{at: at, number: numbers[i], time: times[i], gas: 10})
	}
	return out
}

func TestBlocksOfASteadyChain(t *testing.T) {
	b := blocksOf(time.Second, arrivals([]uint64{1, 2, 3}, []uint64{1000, 1001, 1002}, time.Second, time.Second))
	require.Equal(t, 2, b.Built)
	require.InDelta(t, 2, b.Expected, 1e-9)
	require.InDelta(t, 1000, b.Interval.Mean, 1e-9)
	require.InDelta(t, 0, b.Delay.Max, 1e-9)
	require.Zero(t, b.Late+b.Missed+b.Reordered)
	require.EqualValues(t, 20, b.GasUsed)
}

func TestBlocksThatAreLateMissedOrReordered(t *testing.T) {
	// A second too late; then two slots without a block; then the same number again.
	b := blocksOf(time.Second, arrivals([]uint64{1, 2, 3, 3}, []uint64{1000, 1001, 1004, 1004}, 2*time.Second, 3*time.Second, time.Second/2))
	require.Equal(t, 2, b.Late)
	require.Equal(t, 2, b.Missed)
	require.Equal(t, 1, b.Reordered)
	require.InDelta(t, 3000, b.Interval.Max, 1e-9)
}

// No interval goes from one span into the next.
func TestBlocksOfSeveralSpans(t *testing.T) {
	one := arrivals([]uint64{1, 2}, []uint64{1000, 1001}, time.Second)
	two := arrivals([]uint64{900, 901}, []uint64{1000, 1001}, time.Second)
	b := blocksOf(time.Second, one, two)
	require.Equal(t, 2, b.Built)
	require.Zero(t, b.Late+b.Missed+b.Reordered)
	require.Equal(t, Blocks{}, blocksOf(time.Second))
}

func TestPaceIsAgainstTheChainWithTheSameGas(t *testing.T) {
	s := &Summary{Settings: Settings{BlockSeconds: 1}}
	s.Alone = Blocks{Seconds: 100, Built: 100, Interval: Spread{Mean: 1000, P99: 1010}}
	s.Control.Blocks = Blocks{Seconds: 100, Built: 100, Interval: Spread{Mean: 1000, P99: 1060}}
	s.Load.Blocks = Blocks{Seconds: 100, Built: 99, Interval: Spread{Mean: 1010, P99: 1070}}
	require.True(t, paceOf(s).OK, "full blocks spread as much without sidecars")
	s.Load.Blocks = Blocks{Seconds: 100, Built: 94, Interval: Spread{Mean: 1064, P99: 1070}}
	p := paceOf(s)
	require.False(t, p.OK)
	require.InDelta(t, 6.4, p.Control.MeanInterval, 0.01)
	require.InDelta(t, 6.38, p.Control.PerSecond, 0.01)
	s.Load.Blocks = Blocks{Seconds: 100, Built: 100, Interval: Spread{Mean: 1000, P99: 1200}}
	require.False(t, paceOf(s).OK, "a tail that grew counts too")
	s.Load.Blocks = Blocks{Seconds: 100, Built: 100, Interval: Spread{Mean: 1000, P99: 1010}, Delay: Spread{Mean: 60}}
	require.False(t, paceOf(s).OK, "blocks that all come late have the same intervals")
	s.Load.Blocks.Delay = Spread{}
	s.Control.Blocks.Built = 80
	s.Load.Blocks.Built = 80
	require.False(t, paceOf(s).OK, "a chain whose transactions slow it is slowed")
}

func TestHistogramBetweenTwoReadings(t *testing.T) {
	from := series{`h_bucket{le="0.1"}`: 5, `h_bucket{le="1"}`: 5, `h_bucket{le="+Inf"}`: 5, "h_count": 5, "h_sum": 0.1}
	to := series{`h_bucket{le="0.1"}`: 5, `h_bucket{le="1"}`: 15, `h_bucket{le="+Inf"}`: 15, "h_count": 15, "h_sum": 5.1}
	s := histogramBetween(from, to, "h")
	require.Equal(t, 10, s.Samples)
	require.InDelta(t, 500, s.Mean, 1e-9)
	require.InDelta(t, 550, s.P50, 1e-9, "in the middle of the bucket")
	require.Equal(t, Spread{}, histogramBetween(to, to, "h"))
}

func TestLogCountsWhatIsNotGood(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	require.NoError(t, os.WriteFile(path, []byte(`t=1 lvl=info  msg="fine" err="lvl=error"
t=2 lvl=warn  msg="Transaction failed" err=x
t=3 lvl=warn  msg="Transaction failed" err=y
t=4 lvl=error msg=bad
panic: no
`), 0o600))
	l, err := readLog("a", path)
	require.NoError(t, err)
	require.Equal(t, map[string]int{"Transaction failed": 2}, l.Warnings)
	require.Equal(t, map[string]int{"bad": 1, "panic: no": 1}, l.Errors)
}

func TestProcessIsRead(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("there is no /proc")
	}
	began := time.Now()
	for x := 0; time.Since(began) < 50*time.Millisecond; x++ { // some ticks of processor time
		_ = bytes.Repeat([]byte{byte(x)}, 64)
	}
	u, err := readProcess(os.Getpid())
	require.NoError(t, err)
	require.Positive(t, u.cpu)
	require.Positive(t, u.rss)
	require.LessOrEqual(t, u.pss, u.rss)
	require.Positive(t, u.files)
	require.Positive(t, busy())
	_, err = readProcess(1 << 30)
	require.Error(t, err)
}

// An event that the journal does not have, or that another author has, is lost.
func TestAuditMissesWhatIsNotThere(t *testing.T) {
	store, err := eventstore.Open(t.TempDir())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	params := channel.Params{
		ChainID: *uint256.NewInt(901), Adjudicator: common.Address{1}, Window: 60, ForceQuota: 8, ModuleHash: common.Hash{7}, FundingHash: channel.Funding{}.Hash(), FundingDeadline: 1 << 40,
		GenesisHash: channel.GenesisHash([]byte("g")), Participants: []channel.Participant{{Signer: common.Address{2}, Owner: common.Address{3}}, {Signer: common.Address{4}, Owner: common.Address{5}}},
	}
	id := params.ID()
	b := store.NewBatch()
	b.PutChannel(id, eventstore.ChannelRecord{ID: id, Params: params, GenesisInput: []byte("g"), StateHash: common.Hash{8}, CreatedAt: 1, Status: "open"})
	b.AppendEntry(id, 1, channel.Entry{Event: &channel.SignedEvent{Event: channel.Event{ChannelID: id, Author: 1, Payload: []byte("a")}, Signature: channel.Signature{1}}}, common.Hash{2})
	require.NoError(t, store.Commit(b, true))
	acknowledged := func(seat uint8, seq uint64, payload string) *game {
		p := &devnet.Player{Seat: seat}
		p.Remember(devnet.Final{Seq: seq, Payload: []byte(payload)})
		return &game{id: id, seats: []*devnet.Player{p}}
	}
	for name, c := range map[string]struct {
		g    *game
		lost int
	}{
		"there": {acknowledged(1, 1, "a"), 0}, "another author": {acknowledged(0, 1, "a"), 1},
		"another payload": {acknowledged(1, 1, "b"), 1}, "beyond the end": {acknowledged(1, 2, "a"), 1},
	} {
		a := &Audit{}
		require.NoError(t, a.events(store, "x", c.g), name)
		require.Equal(t, c.lost, a.LostCount, name)
	}
}

// The sidecars are measured as the unit runs them.
func TestNiceIsTheUnits(t *testing.T) {
	unit, err := os.ReadFile(filepath.Join("..", "..", "ops", "systemd", "op-channels.service"))
	require.NoError(t, err)
	require.Contains(t, string(unit), fmt.Sprintf("\nNice=%d\n", nice))
}
