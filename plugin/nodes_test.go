package plugin_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/evmts/channels/plugin"
	"github.com/evmts/channels/plugin/anvil"
)

// several is a Chain over several addresses that looks after them quickly.
func several(t *testing.T, change func(*plugin.Config), urls ...string) (*plugin.Chain, *prometheus.Registry) {
	reg := prometheus.NewRegistry()
	cfg := testConfig(strings.Join(urls, ","))
	cfg.Registerer, cfg.ProbeInterval = reg, 20*time.Millisecond
	if change != nil {
		change(&cfg)
	}
	return dial(t, cfg), reg
}

// labelled is the value of a metric with exactly these label values, in the order of their names.
func labelled(t *testing.T, reg *prometheus.Registry, name string, labels ...string) float64 {
	t.Helper()
	families, err := reg.Gather()
	require.NoError(t, err)
	for _, family := range families {
		if family.GetName() != name {
			continue
		}
		for _, m := range family.GetMetric() {
			same := len(m.GetLabel()) == len(labels)
			for i, l := range m.GetLabel() {
				same = same && i < len(labels) && l.GetValue() == labels[i]
			}
			if same {
				return m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	return 0
}

const patience = 20 * time.Second

// inUse waits until a node is the one in use, while the follower goes on.
func (f *follower) inUse(reg *prometheus.Registry, name string) {
	f.t.Helper()
	f.until(func() bool { return labelled(f.t, reg, "op_channels_chain_endpoint_current", name) == 1 }, "%s is not in use", name)
}

// until applies Steps until something is so.
func (f *follower) until(done func() bool, format string, args ...any) {
	f.t.Helper()
	for deadline := time.Now().Add(patience); !done(); {
		require.True(f.t, time.Now().Before(deadline), fmt.Sprintf(format, args...))
		f.next(5 * time.Millisecond)
	}
}

// reaches applies Steps until the logs of the list's blocks are there, and checks that they are those of a node.
func (f *follower) reaches(tw *twins, node int) {
	f.t.Helper()
	f.until(func() bool { return f.last.Unsafe.Number >= uint64(len(tw.blocks)) }, "block %d was not delivered", len(tw.blocks))
	chain := f.chain
	f.chain = dial(f.t, testConfig(tw.nodes[node].URL()))
	f.agrees()
	f.chain.Close()
	f.chain = chain
}

func schemes(t *testing.T, run func(t *testing.T, scheme string)) {
	for _, scheme := range []string{"http", "ws"} {
		t.Run(scheme, func(t *testing.T) { t.Parallel(); run(t, scheme) })
	}
}

func TestF7_AnotherNodeWhileThePreferredOneIsAway(t *testing.T) {
	t.Parallel()
	schemes(t, func(t *testing.T, scheme string) {
		tw := newTwins(t)
		a, b := newWire(t, tw.nodes[0]), newWire(t, tw.nodes[1])
		c, reg := several(t, nil, a.url(scheme), b.url(scheme))
		f := follow(t, c, plugin.FeedConfig{Addresses: []common.Address{tw.contract}})
		tw.emit(1, 2)
		tw.build(0, 1)
		f.reaches(tw, 0)
		f.inUse(reg, a.name())
		for round := range uint64(2) {
			a.set(true, false)
			tw.emit(10+round, 20+round)
			tw.build(1)
			f.reaches(tw, 1)
			f.inUse(reg, b.name())
			require.Positive(t, labelled(t, reg, "op_channels_chain_endpoint_faults_total", a.name(), "unreachable"))
			require.Zero(t, labelled(t, reg, "op_channels_chain_endpoint_up", a.name()))
			_, err := c.BlockTime(context.Background())
			require.NoError(t, err, "calls go there too")

			a.set(false, false)
			tw.build(0)
			f.inUse(reg, a.name())
			tw.emit(30+round, 40+round)
			tw.build(0) // only the preferred one has it
			f.reaches(tw, 0)
			tw.build(1)
		}
		require.Empty(t, f.rewinds)
		require.EqualValues(t, 4, labelled(t, reg, "op_channels_chain_failovers_total"))
	})
}

func TestF7_AnotherNodeWhileThePreferredOneIsSilent(t *testing.T) {
	t.Parallel()
	schemes(t, func(t *testing.T, scheme string) {
		tw := newTwins(t)
		a, b := newWire(t, tw.nodes[0]), newWire(t, tw.nodes[1])
		c, reg := several(t, func(cfg *plugin.Config) { cfg.RequestTimeout = 300 * time.Millisecond }, a.url(scheme), b.url(scheme))
		f := follow(t, c, plugin.FeedConfig{Addresses: []common.Address{tw.contract}})
		tw.emit(1)
		tw.build(0, 1)
		f.reaches(tw, 0)
		a.set(false, true) // connected, and nothing comes
		tw.emit(2)
		tw.build(0, 1)
		f.reaches(tw, 1)
		f.inUse(reg, b.name())
		require.Positive(t, labelled(t, reg, "op_channels_chain_endpoint_faults_total", a.name(), "unreachable"))
		a.set(false, false)
		f.inUse(reg, a.name())
		require.Empty(t, f.rewinds)
	})
}

func TestF7_ANodeThatStandsStillIsLeft(t *testing.T) {
	t.Parallel()
	schemes(t, func(t *testing.T, scheme string) {
		tw := newTwins(t)
		a, b := newWire(t, tw.nodes[0]), newWire(t, tw.nodes[1])
		c, reg := several(t, func(cfg *plugin.Config) { cfg.StallTimeout = 200 * time.Millisecond }, a.url(scheme), b.url(scheme))
		f := follow(t, c, plugin.FeedConfig{Addresses: []common.Address{tw.contract}})
		tw.emit(1)
		tw.build(0, 1)
		f.reaches(tw, 0)
		tw.emit(2)
		tw.build(1)
		f.reaches(tw, 1)
		f.inUse(reg, b.name())
		require.Positive(t, labelled(t, reg, "op_channels_chain_endpoint_faults_total", a.name(), "stalled"))
		tw.build(0)
		f.inUse(reg, a.name())
		require.Empty(t, f.rewinds)
	})
}

func TestF7_NoNodeHasANewBlock(t *testing.T) {
	t.Parallel()
	tw := newTwins(t)
	c, reg := several(t, func(cfg *plugin.Config) { cfg.StallTimeout = 200 * time.Millisecond }, tw.nodes[0].URL(), tw.nodes[1].URL())
	f := follow(t, c, plugin.FeedConfig{Addresses: []common.Address{tw.contract}})
	f.reaches(tw, 0)
	f.until(func() bool { return labelled(t, reg, "op_channels_chain_stalled") == 1 }, "nothing is said")
	require.Zero(t, labelled(t, reg, "op_channels_chain_failovers_total"), "the other one is no better")
	tw.emit(1)
	tw.build(0, 1)
	f.reaches(tw, 0)
	f.until(func() bool { return labelled(t, reg, "op_channels_chain_stalled") == 0 }, "it goes on")
}

// lies change what a node says about its logs.
var lies = map[string]func(q rpcMessage, a *rpcMessage){
	"another value": func(q rpcMessage, a *rpcMessage) {
		if q.Method == "eth_getLogs" {
			a.Result = json.RawMessage(strings.ReplaceAll(string(a.Result), common.Bytes2Hex(word(0xbeef)), common.Bytes2Hex(word(0xdead))))
		}
	},
	"a log left out": func(q rpcMessage, a *rpcMessage) {
		if q.Method == "eth_getLogs" {
			a.Result = json.RawMessage("[]")
		}
	},
	"the same in the receipts": func(q rpcMessage, a *rpcMessage) {
		if q.Method == "eth_getLogs" || q.Method == "eth_getBlockReceipts" {
			a.Result = json.RawMessage(strings.ReplaceAll(string(a.Result), common.Bytes2Hex(word(0xbeef)), common.Bytes2Hex(word(0xdead))))
		}
	},
	"no logs and no bloom": func(q rpcMessage, a *rpcMessage) {
		switch q.Method {
		case "eth_getLogs":
			a.Result = json.RawMessage("[]")
		case "eth_getBlockByNumber":
			var h map[string]any
			if json.Unmarshal(a.Result, &h) == nil && h != nil {
				h["logsBloom"] = "0x" + strings.Repeat("00", 256)
				a.Result, _ = json.Marshal(h)
			}
		}
	},
	"another receipts root": func(q rpcMessage, a *rpcMessage) {
		var h map[string]any
		if q.Method == "eth_getBlockByNumber" && json.Unmarshal(a.Result, &h) == nil && h != nil {
			h["receiptsRoot"] = common.HexToHash("0x1234")
			a.Result, _ = json.Marshal(h)
		}
	},
}

func TestA5_ANodeThatForgesLogsIsRefused(t *testing.T) {
	t.Parallel()
	for name, lie := range lies {
		for _, alone := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s/alone %t", name, alone), func(t *testing.T) {
				t.Parallel()
				tw := newTwins(t)
				p, url := newFaulty(t, tw.nodes[0])
				urls := []string{url}
				if !alone {
					urls = append(urls, tw.nodes[1].URL())
				}
				c, reg := several(t, nil, urls...)
				f := follow(t, c, plugin.FeedConfig{Addresses: []common.Address{tw.contract}, MaxBackoff: 60 * time.Millisecond})
				tw.emit(1)
				tw.build(0, 1)
				f.reaches(tw, 0)
				p.set(func(q rpcMessage, a *rpcMessage) bool { lie(q, a); return true })
				tw.emit(0xbeef)
				tw.build(0, 1)
				forged := func() float64 {
					return labelled(t, reg, "op_channels_chain_endpoint_faults_total", strings.TrimPrefix(url, "http://"), "forged")
				}
				if alone {
					f.until(func() bool { return forged() >= 3 }, "believed")
					require.Len(t, f.logs, 1, "delivered")
					p.set(nil)
				}
				f.reaches(tw, 1)
				require.Positive(t, forged())
				require.Len(t, f.logs, 2)
				require.Equal(t, word(0xbeef), f.logs[1].Data)
				require.Empty(t, f.rewinds)
			})
		}
	}
}

// Final blocks are read by ranges: there the logs that are given are verified.
func TestA5_ForgedLogsOfFinalBlocksAreRefused(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"another value", "the same in the receipts", "another receipts root"} {
		t.Run(name, func(t *testing.T) {
			tw := newTwins(t)
			tw.emit(0xbeef)
			for range 100 {
				tw.add()
			}
			tw.build(0, 1)
			p, url := newFaulty(t, tw.nodes[0])
			lie := lies[name]
			p.set(func(q rpcMessage, a *rpcMessage) bool {
				if !strings.Contains(string(q.Params), `"0x0"`) { // the genesis block is asked for to know the chain
					lie(q, a)
				}
				return true
			})
			c, reg := several(t, nil, url, tw.nodes[1].URL())
			f := follow(t, c, plugin.FeedConfig{Addresses: []common.Address{tw.contract}})
			f.reaches(tw, 1)
			require.Positive(t, labelled(t, reg, "op_channels_chain_endpoint_faults_total", strings.TrimPrefix(url, "http://"), "forged"))
		})
	}
}

func TestF7_ANodeWithoutReceiptsIsSaid(t *testing.T) {
	t.Parallel()
	tw := newTwins(t)
	tw.emit(1)
	tw.build(0, 1)
	p, url := newFaulty(t, tw.nodes[0])
	p.set(func(q rpcMessage, a *rpcMessage) bool {
		if q.Method == "eth_getBlockReceipts" {
			a.fail("-32601", "the method eth_getBlockReceipts does not exist/is not available")
		}
		return true
	})
	c, reg := several(t, nil, url, tw.nodes[1].URL())
	f := follow(t, c, plugin.FeedConfig{Addresses: []common.Address{tw.contract}})
	f.reaches(tw, 1)
	require.Positive(t, labelled(t, reg, "op_channels_chain_endpoint_faults_total", strings.TrimPrefix(url, "http://"), "unsupported"))
	without, _ := several(t, func(cfg *plugin.Config) { cfg.VerifyReceipts = false }, url)
	follow(t, without, plugin.FeedConfig{Addresses: []common.Address{tw.contract}}).reaches(tw, 0)
}

// A node of another chain is refused wherever it turns up: as the second one, and behind an address that led to the right one.
func TestA13_AnotherChainAmongTheNodes(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]anvil.Options{
		"another id":          {ChainID: 77, GenesisTime: twinGenesis},
		"another first block": {GenesisTime: twinGenesis + 1},
	} {
		schemes(t, func(t *testing.T, scheme string) {
			t.Run(name, func(t *testing.T) {
				tw := newTwins(t)
				stranger := startChain(t, o)
				require.NoError(t, stranger.Mine(context.Background(), 50))
				a, b, s := newWire(t, tw.nodes[0]), newWire(t, tw.nodes[1]), newWire(t, stranger)
				c, reg := several(t, nil, a.url(scheme), s.url(scheme), b.url(scheme))
				f := follow(t, c, plugin.FeedConfig{Addresses: []common.Address{tw.contract}})
				wrong := func(w *wire) bool {
					return labelled(t, reg, "op_channels_chain_endpoint_faults_total", w.name(), "wrong_chain") > 0
				}
				tw.emit(1)
				tw.build(0, 1)
				f.reaches(tw, 0)
				f.until(func() bool { return wrong(s) }, "the stranger is not found out")
				a.leadTo(stranger)
				a.set(true, false) // the connections end, and the next ones lead elsewhere
				a.set(false, false)
				tw.emit(2)
				tw.build(0, 1)
				f.reaches(tw, 1)
				f.until(func() bool { return wrong(a) }, "the node was exchanged unnoticed")
				f.inUse(reg, b.name())
				require.Empty(t, f.rewinds, "a step of another chain")
			})
		})
	}
}

func TestA13_OneNodeOfAnotherChainIsRefused(t *testing.T) {
	t.Parallel()
	n := startChain(t, anvil.Options{})
	cfg := testConfig(n.URL())
	cfg.Genesis = plugin.BlockRef{Hash: common.Hash{1}}
	_, err := plugin.Dial(context.Background(), cfg)
	require.ErrorIs(t, err, plugin.ErrWrongChain)
	c := dial(t, testConfig(n.URL()))
	cfg.Genesis = c.Genesis()
	dial(t, cfg)
}

// A reorganisation that one node has seen and the other has not: going over to the other is a reorganisation too, and no Step mixes them.
func TestA12_NodesOnTwoBranches(t *testing.T) {
	t.Parallel()
	schemes(t, func(t *testing.T, scheme string) {
		tw := newTwins(t)
		a, b := newWire(t, tw.nodes[0]), newWire(t, tw.nodes[1])
		c, reg := several(t, nil, a.url(scheme), b.url(scheme))
		f := follow(t, c, plugin.FeedConfig{Addresses: []common.Address{tw.contract}})
		tw.emit(1)
		tw.build(0, 1)
		f.reaches(tw, 0)
		common := f.last.Unsafe
		nonce := tw.nonce
		tw.emit(2)
		tw.build(0)
		f.reaches(tw, 0)
		tw.blocks, tw.nonce = tw.blocks[:len(tw.blocks)-1], nonce
		tw.emit(3, 4)
		tw.emit(5)
		tw.build(1)
		a.set(true, false)
		f.reaches(tw, 1)
		f.inUse(reg, b.name())
		require.Len(t, f.rewinds, 1)
		require.Equal(t, common.Hash, f.rewinds[0].Hash)
		require.Len(t, f.logs, 4) // 1, 3, 4, 5
	})
}

// TestF7_RandomFaults breaks and holds wires at random while the chain is reorganised, and compares in the end.
func TestF7_RandomFaults(t *testing.T) {
	t.Parallel()
	schemes(t, func(t *testing.T, scheme string) {
		n := startChain(t, anvil.Options{SlotsInEpoch: 8})
		contract := deploy(t, n, emitterCode)
		wires := []*wire{newWire(t, n), newWire(t, n), newWire(t, n)}
		var urls []string
		for _, w := range wires {
			urls = append(urls, w.url(scheme))
		}
		c, reg := several(t, func(cfg *plugin.Config) { cfg.RequestTimeout = 200 * time.Millisecond }, urls...)
		f := follow(t, c, plugin.FeedConfig{Addresses: []common.Address{contract}, RewindGrace: 50 * time.Millisecond, MaxBackoff: 100 * time.Millisecond})
		rnd := rand.New(rand.NewSource(11))
		for range 60 {
			switch rnd.Intn(6) {
			case 0, 1:
				emit(t, n, contract, rnd.Uint64())
			case 2:
				require.NoError(t, n.Reorg(context.Background(), uint64(1+rnd.Intn(3))))
			case 3:
				require.NoError(t, n.Mine(context.Background(), uint64(1+rnd.Intn(60))))
			case 4:
				wires[rnd.Intn(len(wires))].set(true, false)
			case 5:
				wires[rnd.Intn(len(wires))].set(false, rnd.Intn(2) == 0)
			}
			f.next(5 * time.Millisecond)
		}
		for _, w := range wires {
			w.set(false, false)
		}
		emit(t, n, contract, 1)
		f.chain = dial(t, testConfig(n.URL()))
		f.agrees()
		require.Positive(t, labelled(t, reg, "op_channels_chain_failovers_total"))
	})
}

// TestF7_TransactionsSurviveTheirNode sends through a node that goes away meanwhile: each call has its effect once, in order.
func TestF7_TransactionsSurviveTheirNode(t *testing.T) {
	t.Parallel()
	schemes(t, func(t *testing.T, scheme string) {
		n := startChain(t, anvil.Options{BlockTime: time.Second})
		contract := deploy(t, n, emitterCode)
		a, b := newWire(t, n), newWire(t, n)
		c, _ := several(t, func(cfg *plugin.Config) { cfg.RequestTimeout = time.Second }, a.url(scheme), b.url(scheme))
		s := newSubmitter(t, c, submitterConfig(0))
		const count = 30
		for i := range count {
			require.NoError(t, s.Submit(plugin.Request{ID: fmt.Sprint(i), To: contract, Data: word(uint64(i))}))
		}
		var last atomic.Uint64
		for i := range count {
			r := result(t, s)
			require.NoError(t, r.Err)
			last.Store(r.Receipt.BlockNumber.Uint64())
			switch i {
			case 3:
				a.set(true, false)
			case 12:
				a.set(false, false)
			case 18:
				b.set(true, false)
			}
		}
		f := follow(t, dial(t, testConfig(n.URL())), plugin.FeedConfig{Addresses: []common.Address{contract}})
		f.until(func() bool { return f.last.Unsafe.Number >= last.Load() }, "block %d", last.Load())
		require.Len(t, f.logs, count)
		for i, l := range f.logs {
			require.Equal(t, word(uint64(i)), l.Data)
		}
	})
}

// Addresses of hosted nodes have keys in them; errors go into logs and tickets.
func TestR7_ErrorsShowNoKeys(t *testing.T) {
	t.Parallel()
	n := startChain(t, anvil.Options{})
	w := newWire(t, n)
	for _, address := range []string{"http://%s/v3/secret", "ws://%s/v3/secret", "http://user:secret@%s/v3/secret?key=secret", "wss://user:secret@%s/secret"} {
		cfg := testConfig(fmt.Sprintf(address, "127.0.0.1:1"))
		_, err := plugin.Dial(context.Background(), cfg)
		require.ErrorIs(t, err, plugin.ErrUnreachable)
		require.ErrorContains(t, err, "127.0.0.1:1")
		require.NotContains(t, err.Error(), "secret", address)
	}
	cfg := testConfig(w.url("http") + "/?key=secret")
	c := dial(t, cfg)
	w.set(true, false)
	_, err := plugin.NewSubmitter(c, submitterConfig(0))
	require.Error(t, err)
	require.NotContains(t, err.Error(), "secret")
	_, err = c.Client().BlockNumber(context.Background())
	require.Error(t, err)
	require.NotContains(t, err.Error(), "secret")
}
