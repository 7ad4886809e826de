package e2e

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/evmts/channels/channel"
	"github.com/evmts/channels/e2e/devnet"
	"github.com/evmts/channels/protocols"
	"github.com/evmts/channels/sidecar/p2p"
	"github.com/stretchr/testify/require"
)

func networkName(d *devnet.Devnet) string {
	return fmt.Sprintf("%d/%s", d.Chain.ID, d.Chain.Contracts.Adjudicator)
}

// stranger is a node that the operator was told about, and that knows the operator.
func stranger(t *testing.T, d *devnet.Devnet, change func(*p2p.Config)) *p2p.Transport {
	t.Helper()
	ctx := within(t, 30*time.Second)
	key, err := crypto.GenerateKey()
	require.NoError(t, err)
	cfg := p2p.Config{Key: key, Network: networkName(d)}
	change(&cfg)
	node, err := p2p.New(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, node.Close(t.Context())) })
	var addr common.Address
	require.NoError(t, dial(ctx, t, d.Sidecars[0]).CallContext(ctx, &addr, "channels_addPeer", node.Addrs()[0]))
	require.Equal(t, node.Address(), addr)
	// Only now: before, the operator would refuse a stranger for being one.
	require.NoError(t, node.AddStaticPeer(d.Sidecars[0].Session(), []string{d.Sidecars[0].Multiaddr}))
	return node
}

// next waits for an event of a kind about the operator.
func next(t *testing.T, node *p2p.Transport, kind p2p.EventKind) p2p.Event {
	t.Helper()
	ctx := within(t, 30*time.Second)
	for {
		select {
		case e := <-node.Events():
			if e.Kind == kind {
				return e
			}
			t.Logf("%s: %s %s", e.Kind, e.Code, e.Reason)
		case <-ctx.Done():
			require.Fail(t, "no event", "%s", kind)
		}
	}
}

func TestR8_PeersOfAnotherNetworkOrVersionAreRefused(t *testing.T) {
	d := network(t)
	t.Run("the same network and version", func(t *testing.T) {
		require.Equal(t, d.Sidecars[0].Session(), next(t, stranger(t, d, func(*p2p.Config) {}), p2p.Connected).Peer)
	})
	t.Run("another network", func(t *testing.T) {
		e := next(t, stranger(t, d, func(c *p2p.Config) { c.Network = "1/" + common.Address{1}.Hex() }), p2p.Refused)
		require.Equal(t, d.Sidecars[0].Session(), e.Peer)
		require.Contains(t, strings.ToLower(e.Reason), "network")
	})
	t.Run("another protocol version", func(t *testing.T) {
		e := next(t, stranger(t, d, func(c *p2p.Config) { c.ProtocolVersion = 2 }), p2p.Refused)
		require.Contains(t, strings.ToLower(e.Reason), "version")
	})
	ctx := within(t, time.Minute)
	playAll(ctx, t, d, openRaid(ctx, t, d))
}

// What a peer sends is believed only when it is right. Everything else is counted, stored nowhere, and ends nothing.
func TestA1_BadMessagesOfAPeerAreCountedDrops(t *testing.T) {
	d := network(t)
	ctx := within(t, time.Minute)
	id := openRaid(ctx, t, d)
	node := stranger(t, d, func(*p2p.Config) {})
	next(t, node, p2p.Connected)
	operator := d.Sidecars[0]
	for name, test := range map[string]struct {
		body []byte
		code channel.Code
	}{
		"bytes that are no message": {[]byte("hello"), channel.CodeMalformed},
		"a message to a channel that does not exist": {
			encode(t, protocols.Message{Channel: common.Hash{1}, Body: protocols.Refusal{Code: "busy"}}), channel.CodeUnknownChannel,
		},
		"a message to a channel of others": {
			encode(t, protocols.Message{Channel: id, Body: protocols.Refusal{Code: "busy"}}), channel.CodeNotParticipant,
		},
	} {
		t.Run(name, func(t *testing.T) {
			before := drops(t, operator, test.code)
			require.NoError(t, node.Send(operator.Session(), test.body))
			deadline := time.Now().Add(10 * time.Second)
			for drops(t, operator, test.code) == before {
				require.True(t, time.Now().Before(deadline), "the drop is not counted")
				time.Sleep(10 * time.Millisecond)
			}
		})
	}
	playAll(ctx, t, d, id)
}

func encode(t *testing.T, m protocols.Message) []byte {
	t.Helper()
	b, err := m.Encode()
	require.NoError(t, err)
	return b
}

// drops reads the lines of op_channels_messages_dropped_total with a code.
func drops(t *testing.T, s *devnet.Sidecar, code channel.Code) string {
	t.Helper()
	resp, err := http.Get(s.MetricsURL())
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	var out []string
	for _, line := range strings.Split(string(body), "\n") {
		if strings.HasPrefix(line, "op_channels_messages_dropped_total{") && strings.Contains(line, `code="`+string(code)+`"`) {
			out = append(out, line)
		}
	}
	return strings.Join(out, "\n")
}
