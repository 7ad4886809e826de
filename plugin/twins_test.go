package plugin_test

import (
	"context"
	"math/big"
	"net"
	"slices"
	"strconv"
	"sync"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/stretchr/testify/require"

	"github.com/evmts/channels/plugin/anvil"
)

// twins are two nodes that build the same blocks, hash by hash, from one list: two replicas of a chain, of which each can be as far as a
// test wants.
type twins struct {
	t        *testing.T
	nodes    [2]*anvil.Node
	contract common.Address
	blocks   [][]*types.Transaction // from block 1 on
	built    [2]int
	nonce    uint64
}

const twinGenesis = 1_800_000_000

// newTwins starts both nodes. Block 1 has the contract that logs.
func newTwins(t *testing.T) *twins {
	tw := &twins{t: t}
	for i := range tw.nodes {
		tw.nodes[i] = startChain(t, anvil.Options{GenesisTime: twinGenesis, NoMining: true, SlotsInEpoch: 1})
	}
	tw.add(tw.sign(nil, emitterCode))
	tw.contract = crypto.CreateAddress(crypto.PubkeyToAddress(anvil.Keys()[8].PublicKey), 0)
	tw.build(0, 1)
	return tw
}

func (tw *twins) sign(to *common.Address, data []byte) *types.Transaction {
	id := big.NewInt(chainID)
	tx := types.MustSignNewTx(anvil.Keys()[8], types.LatestSignerForChainID(id), &types.DynamicFeeTx{
		ChainID: id, Nonce: tw.nonce, To: to, Data: data, Gas: 200_000, GasFeeCap: big.NewInt(100e9), GasTipCap: big.NewInt(1),
	})
	tw.nonce++
	return tx
}

// add puts a block at the end of the list.
func (tw *twins) add(txs ...*types.Transaction) { tw.blocks = append(tw.blocks, txs) }

// emit adds a block with a log per value.
func (tw *twins) emit(values ...uint64) {
	var txs []*types.Transaction
	for _, v := range values {
		txs = append(txs, tw.sign(&tw.contract, word(v)))
	}
	tw.add(txs...)
}

// build brings nodes to the end of the list.
func (tw *twins) build(nodes ...int) {
	tw.t.Helper()
	ctx := context.Background()
	for _, i := range nodes {
		n := tw.nodes[i]
		for ; tw.built[i] < len(tw.blocks); tw.built[i]++ {
			for _, tx := range tw.blocks[tw.built[i]] {
				require.NoError(tw.t, ethclient.NewClient(n.Client()).SendTransaction(ctx, tx))
			}
			require.NoError(tw.t, n.Client().CallContext(ctx, nil, "evm_setNextBlockTimestamp", hexutil.Uint64(twinGenesis+tw.built[i]+1)))
			require.NoError(tw.t, n.Mine(ctx, 1))
		}
	}
}

// wire is what lies between a Chain and its node: it can break, or carry nothing, and lead elsewhere.
type wire struct {
	listener net.Listener

	mu     sync.Mutex
	target string
	cut    bool
	held   bool
	conns  []net.Conn
	resume *sync.Cond
}

func newWire(t *testing.T, n *anvil.Node) *wire {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	w := &wire{listener: l}
	w.resume = sync.NewCond(&w.mu)
	w.leadTo(n)
	go w.accept()
	t.Cleanup(func() {
		_ = l.Close()
		w.set(true, false)
	})
	return w
}

func (w *wire) url(scheme string) string { return scheme + "://" + w.listener.Addr().String() }

// name is what the metrics call it.
func (w *wire) name() string { return w.listener.Addr().String() }

func (w *wire) leadTo(n *anvil.Node) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.target = "127.0.0.1:" + strconv.Itoa(n.Port())
}

// set breaks the wire, which ends all connections, or has it carry nothing.
func (w *wire) set(cut, held bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut, w.held = cut, held
	if cut {
		for _, c := range w.conns {
			_ = c.Close()
		}
		w.conns = nil
	}
	w.resume.Broadcast()
}

func (w *wire) accept() {
	for {
		c, err := w.listener.Accept()
		if err != nil {
			return
		}
		w.mu.Lock()
		cut, target := w.cut, w.target
		w.mu.Unlock()
		var node net.Conn
		if !cut {
			node, err = net.Dial("tcp", target)
		}
		if cut || err != nil {
			_ = c.Close()
			continue
		}
		w.mu.Lock()
		w.conns = append(slices.DeleteFunc(w.conns, isClosed), c, node)
		w.mu.Unlock()
		go w.carry(c, node)
		go w.carry(node, c)
	}
}

func isClosed(c net.Conn) bool {
	_, err := c.(*net.TCPConn).SyscallConn()
	return err != nil
}

func (w *wire) carry(from, to net.Conn) {
	defer from.Close()
	defer to.Close()
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		w.mu.Lock()
		for w.held {
			w.resume.Wait()
		}
		w.mu.Unlock()
		if n > 0 {
			if _, werr := to.Write(buf[:n]); werr != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}
