package opgeth

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/rpc"
	"github.com/evmts/channels/adjudicator"
	"github.com/evmts/channels/channel"
	"github.com/evmts/channels/sidecar"
	"github.com/stretchr/testify/require"
)

func decode(r io.Reader, out any) error { return json.NewDecoder(r).Decode(out) }

// TestRegisteredSidecarWorks: it runs inside the node, sees its blocks, answers on the authenticated endpoint and the IPC socket, and on
// no public one; its data is in the node's folder, and the node's stop ends it.
func TestRegisteredSidecarWorks(t *testing.T) {
	dir, contracts := deployed(t)
	h := newHost(t, dir)
	p := h.register(parse(t, h.options(contracts, "--channels.settlement", contracts.Settlement.Hex(), "--channels.verifier")...))
	h.begin()
	h.up(p)
	head := h.commit()

	auth := h.dial(h.stack.WSAuthEndpoint(), withJWT())
	var info sidecar.NodeInfo
	h.await("the sidecar does not see the block", func() bool {
		require.NoError(t, auth.CallContext(t.Context(), &info, "channels_nodeInfo"))
		return uint64(info.Head) >= head.Number.Uint64()
	})
	require.Equal(t, contracts.Adjudicator, info.Adjudicator)
	require.Equal(t, contracts.Settlement, info.Settlement)
	for name, url := range map[string]string{"authenticated HTTP": h.stack.HTTPAuthEndpoint(), "IPC": h.stack.IPCEndpoint()} {
		var again sidecar.NodeInfo
		require.NoError(t, h.dial(url, withJWT()).CallContext(t.Context(), &again, "channels_nodeInfo"), name)
		require.Equal(t, info.Session, again.Session, name)
	}
	// Subscriptions are the node's too.
	notes := make(chan sidecar.Notification, 16)
	sub, err := auth.Subscribe(t.Context(), Namespace, notes, "events")
	require.NoError(t, err)
	defer sub.Unsubscribe()

	for name, url := range map[string]string{"HTTP": h.stack.HTTPEndpoint(), "WebSocket": h.stack.WSEndpoint()} {
		err := h.dial(url).CallContext(t.Context(), &info, "channels_nodeInfo")
		var coded rpc.Error
		require.ErrorAs(t, err, &coded, name)
		require.Equal(t, -32601, coded.ErrorCode(), "%s: %v", name, err)
	}
	err = h.dial(h.stack.HTTPAuthEndpoint()).CallContext(t.Context(), &info, "channels_nodeInfo")
	var refused rpc.HTTPError
	require.ErrorAs(t, err, &refused)
	require.Equal(t, http.StatusUnauthorized, refused.StatusCode)

	h.await("it is not ready", func() bool { code, r := h.ready(); return code == http.StatusOK && r.Ready })
	_, r := h.ready()
	require.Contains(t, r.Checks, "verifier")
	require.DirExists(t, filepath.Join(dir, "channels", "store"))
	h.close()
	_, err = p.Service()
	require.Error(t, err)
	require.Contains(t, h.log.String(), "op-channels has stopped")
	require.NotContains(t, h.log.String(), "did not stop")

	// The folder is free: the next node goes on in it.
	again := newHost(t, dir)
	p = again.register(parse(t, again.options(contracts)...))
	again.begin()
	again.up(p)
}

// TestPublicOnRequest: with both of the two switches.
func TestPublicOnRequest(t *testing.T) {
	dir, contracts := deployed(t)
	h := newHost(t, dir)
	p := h.register(parse(t, h.options(contracts, "--channels.public", "--channels.rpc.enabled", "--channels.rpc.port", "0", "--channels.rpc.enable-admin")...))
	h.begin()
	s := h.up(p)
	for name, url := range map[string]string{"HTTP": h.stack.HTTPEndpoint(), "WebSocket": h.stack.WSEndpoint(), "its own": "http://" + s.RPCEndpoint()} {
		var info sidecar.NodeInfo
		require.NoError(t, h.dial(url).CallContext(t.Context(), &info, "channels_nodeInfo"), name)
	}
	// admin_ is the node's on its endpoints, and the sidecar's on the sidecar's own.
	var status sidecar.AdminStatus
	require.NoError(t, h.dial("http://"+s.RPCEndpoint()).CallContext(t.Context(), &status, "admin_status"))
	require.True(t, status.Accepting)
	require.Error(t, h.dial(h.stack.IPCEndpoint()).CallContext(t.Context(), &status, "admin_status"))
}

// TestABrokenSidecarLeavesTheNodeAlone: the options are wrong, the node starts and makes blocks; both the API and ReadyPath say that the sidecar
// does not run; it runs when the options have been mended.
func TestABrokenSidecarLeavesTheNodeAlone(t *testing.T) {
	h := newHost(t, t.TempDir())
	file := filepath.Join(t.TempDir(), "op-channels.toml")
	p := h.register(parse(t, "--channels", "--channels.config", file))
	h.begin()
	contracts := h.deploy() // blocks
	h.await("it was not tried again", func() bool { return strings.Count(h.log.String(), "the node goes on without it") >= 2 })
	_, err := p.Service()
	require.ErrorContains(t, err, "no such file")

	auth := h.dial(h.stack.HTTPAuthEndpoint(), withJWT())
	var info sidecar.NodeInfo
	err = auth.CallContext(t.Context(), &info, "channels_nodeInfo")
	require.ErrorContains(t, err, "no such file")
	require.Equal(t, channel.CodeNotReady, sidecar.ErrorCode(err))
	for _, method := range []string{"list", "peers", "modules"} {
		require.Equal(t, channel.CodeNotReady, sidecar.ErrorCode(auth.CallContext(t.Context(), nil, "channels_"+method)), method)
	}
	code, r := h.ready()
	require.Equal(t, http.StatusServiceUnavailable, code)
	require.False(t, r.Ready)
	require.Contains(t, r.Checks["sidecar"].Reason, "see the node's log")
	require.NotContains(t, r.Checks["sidecar"].Reason, file, "anybody may ask")

	var text strings.Builder
	options := h.options(contracts)[1:]
	for i := 0; i < len(options); i += 2 {
		text.WriteString(`"` + strings.TrimPrefix(options[i], "--channels.") + `" = "` + options[i+1] + "\"\n")
	}
	require.NoError(t, os.WriteFile(file, []byte(text.String()), 0o600))
	h.up(p)
	require.NoError(t, auth.CallContext(t.Context(), &info, "channels_nodeInfo"))
	h.await("it is not ready", func() bool { code, _ := h.ready(); return code == http.StatusOK })
}

// TestRequiredSidecarKeepsTheNodeDown, and names the reason.
func TestRequiredSidecarKeepsTheNodeDown(t *testing.T) {
	h := newHost(t, t.TempDir())
	h.register(parse(t, h.options(adjudicator.Contracts{Adjudicator: common.HexToAddress("0xad")}, "--channels.required")...))
	err := h.stack.Start()
	require.ErrorContains(t, err, "op-channels, which is required to start")
	h.closed = true // a node that did not start has closed itself
}

func TestRequiredSidecarThatStarts(t *testing.T) {
	dir, contracts := deployed(t)
	h := newHost(t, dir)
	p := h.register(parse(t, h.options(contracts, "--channels.required")...))
	h.begin()
	_, err := p.Service()
	require.NoError(t, err, "it is there as soon as the node is")
}

// TestASidecarThatEndsIsStartedAgain, with the same store; a subscription of the one before ends instead of falling silent.
func TestASidecarThatEndsIsStartedAgain(t *testing.T) {
	dir, contracts := deployed(t)
	h := newHost(t, dir)
	p := h.register(parse(t, h.options(contracts)...))
	h.begin()
	first := h.up(p)
	p.mu.Lock()
	p.now.end(errors.New("the disk is full"))
	p.mu.Unlock()
	h.await("it is not started again", func() bool {
		s, err := p.Service()
		return err == nil && s != first
	})
	require.True(t, first.Stopped())
	require.Contains(t, h.log.String(), "the disk is full")
	require.NotEqual(t, h.head().Hash(), h.commit().Hash(), "the node makes blocks")
}

// TestStopWhileItStarts: the node ends at once although the sidecar waits for an op-node that does not answer.
func TestStopWhileItStarts(t *testing.T) {
	dir, contracts := deployed(t)
	h := newHost(t, dir)
	silent := newSilent(t)
	p := h.register(parse(t, h.options(contracts, "--channels.rollup-rpc", silent.url)...))
	h.begin()
	<-silent.asked
	h.close()
	_, err := p.Service()
	require.Error(t, err)
}

func TestRegisterRefusesWhatCannotWork(t *testing.T) {
	h := newHost(t, t.TempDir())
	_, err := Register(nil, h.service.APIBackend, Config{Sidecar: func() (*sidecar.Config, error) { return nil, nil }})
	require.ErrorIs(t, err, ErrConfig)
	_, err = Register(h.stack, h.service.APIBackend, Config{})
	require.ErrorIs(t, err, ErrConfig)
}
