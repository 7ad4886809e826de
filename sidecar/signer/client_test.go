package signer_test

import (
	"context"
	"crypto/ecdsa"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	opsigner "github.com/ethereum-optimism/optimism/op-service/signer"
	optls "github.com/ethereum-optimism/optimism/op-service/tls"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/log"
	"github.com/evmts/channels/channel"
	"github.com/evmts/channels/plugin/anvil"
	"github.com/evmts/channels/sidecar/signer"
	"github.com/evmts/channels/sidecar/signer/signertest"
	"github.com/holiman/uint256"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
)

func keyOf(t testing.TB, seed string) *ecdsa.PrivateKey {
	key, err := crypto.ToECDSA(crypto.Keccak256([]byte(seed)))
	require.NoError(t, err)
	return key
}

func serve(t testing.TB, methods ...string) *signertest.Server {
	s := signertest.New(keyOf(t, "attestor"), methods...).Start()
	t.Cleanup(s.Close)
	return s
}

// configOf names a server without certificates.
func configOf(s *signertest.Server) signer.Config {
	return signer.Config{CLIConfig: opsigner.CLIConfig{Endpoint: s.URL(), Address: s.Address().Hex()}}
}

type client struct {
	*signer.Client
	registry *prometheus.Registry
}

func dial(t testing.TB, cfg signer.Config) *client {
	registry := prometheus.NewRegistry()
	c, err := signer.New(cfg, "attestor", log.NewLogger(log.DiscardHandler()), signer.NewMetrics(registry))
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return &client{c, registry}
}

// counted are the results of questions that are not 0.
func (c *client) counted(t testing.TB) map[string]int {
	families, err := c.registry.Gather()
	require.NoError(t, err)
	out := map[string]int{}
	for _, f := range families {
		if f.GetName() != "op_channels_signer_requests_total" {
			continue
		}
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if n := int(m.GetCounter().GetValue()); l.GetName() == "result" && n > 0 {
					out[l.GetValue()] = n
				}
			}
		}
	}
	return out
}

func attestation() signer.Request {
	return signer.Request{ChainID: *uint256.NewInt(901), Adjudicator: common.Address{0xad}, Message: channel.Attestation{
		ChannelID: common.Hash{1}, Seq: 65, JournalRoot: common.Hash{2}, StateHash: common.Hash{3},
	}}
}

// TestU1_AsksBySeveralMethods: each way of asking works, Auto finds the one that a signer knows, and remembers it.
func TestU1_AsksBySeveralMethods(t *testing.T) {
	for _, method := range signer.Methods {
		for _, asked := range []string{signer.Auto, method} {
			t.Run(method+" by "+asked, func(t *testing.T) {
				s := serve(t, method)
				cfg := configOf(s)
				cfg.Method, cfg.Headers = asked, http.Header{"Authorization": {"secret"}}
				c := dial(t, cfg)
				for range 2 {
					r := attestation()
					sig, err := c.Sign(t.Context(), r)
					require.NoError(t, err)
					require.NoError(t, sig.Verify(r.Digest(), s.Address()))
				}
				require.Len(t, s.Calls(), 2)
				for _, call := range s.Calls() {
					require.Equal(t, method, call.Method)
					require.Equal(t, "Attestation", call.Data.PrimaryType)
					require.Equal(t, "65", call.Data.Message["seq"])
					require.Equal(t, "secret", call.Header.Get("Authorization"))
				}
				require.Equal(t, map[string]int{"signed": 2}, c.counted(t))
				require.Empty(t, c.Reason())
			})
		}
	}
	c := dial(t, configOf(serve(t, "eth_sign")))
	_, err := c.Sign(t.Context(), attestation())
	require.ErrorIs(t, err, &channel.Refusal{Code: channel.CodeSigner})
	require.ErrorContains(t, err, "does not know")
}

// TestU1_AnvilSigns: a signer that is not ours, with its own implementation of EIP-712.
func TestU1_AnvilSigns(t *testing.T) {
	chain, err := anvil.Start(t.Context(), anvil.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { _ = chain.Close() })
	owner := crypto.PubkeyToAddress(anvil.Keys()[3].PublicKey)
	c := dial(t, signer.Config{CLIConfig: opsigner.CLIConfig{Endpoint: chain.URL(), Address: owner.Hex()}})
	for _, m := range []channel.Message{attestation().Message, channel.Join{ChannelID: common.Hash{9}, Signer: common.Address{8}}} {
		r := attestation()
		r.Message = m
		sig, err := c.Sign(t.Context(), r)
		require.NoError(t, err)
		require.NoError(t, sig.Verify(r.Digest(), owner))
	}
}

// TestAttack14_OnlyTheKeysSignatureCounts: whatever else a signer answers is refused with a code, and it is not pressed.
func TestAttack14_OnlyTheKeysSignatureCounts(t *testing.T) {
	order := crypto.S256().Params().N
	hexOf := func(change func(sig []byte, c *signertest.Call) any) signertest.Fault {
		return func(w http.ResponseWriter, _ *http.Request, c *signertest.Call) bool {
			signertest.Answer(w, nil, change(c.Signature, c), nil)
			return true
		}
	}
	body := func(status int, text string) signertest.Fault {
		return func(w http.ResponseWriter, _ *http.Request, _ *signertest.Call) bool {
			w.WriteHeader(status)
			_, _ = w.Write([]byte(text))
			return true
		}
	}
	other := keyOf(t, "another")
	for name, c := range map[string]struct {
		fault  signertest.Fault
		code   channel.Code
		result string
	}{
		"another key": {hexOf(func(_ []byte, c *signertest.Call) any {
			sig, err := crypto.Sign(attestationDigest(), other)
			require.NoError(t, err)
			return hexutil.Bytes(sig)
		}), channel.CodeSignature, "invalid"},
		"another message": {hexOf(func(_ []byte, c *signertest.Call) any {
			sig, err := crypto.Sign(make([]byte, 32), keyOf(t, "attestor"))
			require.NoError(t, err)
			return hexutil.Bytes(sig)
		}), channel.CodeSignature, "invalid"},
		"v of a chain": {hexOf(func(sig []byte, _ *signertest.Call) any { sig[64] += 10; return hexutil.Bytes(sig) }), channel.CodeSignature, "invalid"},
		"the other v":  {hexOf(func(sig []byte, _ *signertest.Call) any { sig[64] ^= 7; return hexutil.Bytes(sig) }), channel.CodeSignature, "invalid"},
		"high s": {hexOf(func(sig []byte, _ *signertest.Call) any {
			new(big.Int).Sub(order, new(big.Int).SetBytes(sig[32:64])).FillBytes(sig[32:64])
			sig[64] ^= 7
			return hexutil.Bytes(sig)
		}), channel.CodeSignature, "invalid"},
		"64 bytes":  {hexOf(func(sig []byte, _ *signertest.Call) any { return hexutil.Bytes(sig[:64]) }), channel.CodeSignature, "invalid"},
		"nothing":   {hexOf(func([]byte, *signertest.Call) any { return "0x" }), channel.CodeSignature, "invalid"},
		"zeros":     {hexOf(func([]byte, *signertest.Call) any { return hexutil.Bytes(make([]byte, 65)) }), channel.CodeSignature, "invalid"},
		"no hex":    {hexOf(func([]byte, *signertest.Call) any { return "yes" }), channel.CodeSignature, "invalid"},
		"an object": {hexOf(func(sig []byte, _ *signertest.Call) any { return map[string]any{"signature": hexutil.Bytes(sig)} }), channel.CodeSignature, "invalid"},
		"a page":    {body(http.StatusOK, "<html>welcome</html>"), channel.CodeSignature, "invalid"},
		"forbidden": {body(http.StatusForbidden, "no"), channel.CodeSigner, "refused"},
		"its rules forbid it": {func(w http.ResponseWriter, _ *http.Request, _ *signertest.Call) bool {
			signertest.Answer(w, nil, nil, &signertest.Error{Code: -32000, Message: "request denied"})
			return true
		}, channel.CodeSigner, "refused"},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, "account_signTypedData")
			s.Misbehave(c.fault)
			client := dial(t, configOf(s))
			_, err := client.Sign(t.Context(), attestation())
			require.ErrorIs(t, err, &channel.Refusal{Code: c.code})
			require.NotContains(t, err.Error(), s.URL())
			require.Equal(t, map[string]int{c.result: 1}, client.counted(t))
			require.Len(t, s.Calls(), 1)
			require.NotEmpty(t, client.Reason())

			s.Misbehave(nil)
			_, err = client.Sign(t.Context(), attestation())
			require.NoError(t, err)
			require.Empty(t, client.Reason(), "a signature mends it")
		})
	}
}

func attestationDigest() []byte { d := attestation().Digest(); return d[:] }

// TestV27: a signer may count v from 0, as crypto libraries do.
func TestV27(t *testing.T) {
	s := serve(t, "account_signTypedData")
	s.Misbehave(func(w http.ResponseWriter, _ *http.Request, c *signertest.Call) bool {
		c.Signature[64] -= 27
		signertest.Answer(w, nil, hexutil.Bytes(c.Signature), nil)
		return true
	})
	sig, err := dial(t, configOf(s)).Sign(t.Context(), attestation())
	require.NoError(t, err)
	require.NoError(t, sig.Verify(attestation().Digest(), s.Address()))
}

// hangUp ends the connection in the middle of the answer.
func hangUp(w http.ResponseWriter, _ *http.Request, _ *signertest.Call) bool {
	w.Header().Set("Content-Length", "1000")
	_, _ = w.Write([]byte(`{"jsonrpc":"2.0","id":1,"result":"0x12`))
	panic(http.ErrAbortHandler)
}

// TestF4_WhatHasNoAnswerIsTriedAgain: a signer that dies in the middle of its answer, one that a gateway cannot reach, and one that is not
// there at all; a signer that comes back signs.
func TestF4_WhatHasNoAnswerIsTriedAgain(t *testing.T) {
	s := serve(t, "account_signTypedData")
	c := dial(t, configOf(s))
	left := 2
	s.Misbehave(func(w http.ResponseWriter, r *http.Request, call *signertest.Call) bool {
		if left--; left == 1 {
			return hangUp(w, r, call)
		}
		if left == 0 {
			http.Error(w, "bad gateway", http.StatusBadGateway)
			return true
		}
		return false
	})
	_, err := c.Sign(t.Context(), attestation())
	require.NoError(t, err)
	require.Equal(t, map[string]int{"unreachable": 2, "signed": 1}, c.counted(t))

	s.Misbehave(hangUp)
	_, err = c.Sign(t.Context(), attestation())
	require.ErrorIs(t, err, &channel.Refusal{Code: channel.CodeSigner})
	require.Equal(t, map[string]int{"unreachable": 5, "signed": 1}, c.counted(t), "three tries, then whoever asked decides")
	require.Contains(t, c.Reason(), "does not answer")
}

// TestF4_ASignerThatIsDownAtTheStart keeps nobody from starting; it is used when it is there.
func TestF4_ASignerThatIsDownAtTheStart(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	addr := l.Addr().String()
	require.NoError(t, l.Close())
	s := signertest.New(keyOf(t, "attestor"), "account_signTypedData")
	c := dial(t, signer.Config{CLIConfig: opsigner.CLIConfig{Endpoint: "http://" + addr + "/a-secret", Address: s.Address().Hex()}})
	_, err = c.Sign(t.Context(), attestation())
	require.ErrorIs(t, err, &channel.Refusal{Code: channel.CodeSigner})
	require.NotContains(t, err.Error(), "a-secret")
	require.NotEmpty(t, c.Reason())

	l, err = net.Listen("tcp", addr)
	require.NoError(t, err)
	require.NoError(t, s.HTTP.Listener.Close())
	s.HTTP.Listener = l
	s.Start()
	t.Cleanup(s.Close)
	_, err = c.Sign(t.Context(), attestation())
	require.NoError(t, err)
	require.Empty(t, c.Reason())
}

// TestA10_AHangingSignerIsBounded: questions beyond those that are put at a time wait their turn, and end with whoever wanted
// them.
func TestA10_AHangingSignerIsBounded(t *testing.T) {
	s := serve(t, "account_signTypedData")
	release := make(chan struct{})
	s.Misbehave(func(_ http.ResponseWriter, r *http.Request, _ *signertest.Call) bool {
		select {
		case <-release:
		case <-r.Context().Done():
		}
		return false
	})
	c := dial(t, configOf(s))
	ctx, cancel := context.WithCancel(t.Context())
	const many = 100
	ends := make(chan error, many)
	for i := range many {
		go func() {
			r := attestation()
			r.Message = channel.Attestation{Seq: uint64(i)}
			_, err := c.Sign(ctx, r)
			ends <- err
		}()
	}
	require.Eventually(t, func() bool { return len(s.Calls()) == 16 }, 20*time.Second, time.Millisecond)
	require.Never(t, func() bool { return len(s.Calls()) > 16 }, 100*time.Millisecond, 5*time.Millisecond)
	require.NoError(t, testutil.GatherAndCompare(c.registry, strings.NewReader(`
# HELP op_channels_signer_pending Signatures that are waited for.
# TYPE op_channels_signer_pending gauge
op_channels_signer_pending{key="attestor"} 100
`), "op_channels_signer_pending"))
	cancel()
	for range many {
		require.Error(t, <-ends)
	}
	close(release)
}

// TestU1_CertificatesOnBothSides: as op-service's client: an authority of its own, and a certificate of ours. Who lacks
// either is refused.
func TestU1_CertificatesOnBothSides(t *testing.T) {
	s := signertest.New(keyOf(t, "attestor"), "account_signTypedData")
	right, err := s.StartTLS(t.TempDir())
	require.NoError(t, err)
	t.Cleanup(s.Close)
	stranger := signertest.New(keyOf(t, "attestor"))
	wrong, err := stranger.StartTLS(t.TempDir())
	require.NoError(t, err)
	t.Cleanup(stranger.Close)

	for name, c := range map[string]struct {
		tls optls.CLIConfig
		ok  bool
	}{
		"right":                    {right, true},
		"none":                     {optls.CLIConfig{}, false},
		"another authority":        {optls.CLIConfig{TLSCaCert: wrong.TLSCaCert, TLSCert: right.TLSCert, TLSKey: right.TLSKey, Enabled: true}, false},
		"a certificate of another": {optls.CLIConfig{TLSCaCert: right.TLSCaCert, TLSCert: wrong.TLSCert, TLSKey: wrong.TLSKey, Enabled: true}, false},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := configOf(s)
			cfg.TLSConfig = c.tls
			_, err := dial(t, cfg).Sign(t.Context(), attestation())
			if c.ok {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, &channel.Refusal{Code: channel.CodeSigner})
		})
	}
	require.Len(t, s.Calls(), 1)

	for name, broken := range map[string]optls.CLIConfig{
		"no authority":       {TLSCaCert: "nowhere", TLSCert: right.TLSCert, TLSKey: right.TLSKey, Enabled: true},
		"authority is a key": {TLSCaCert: right.TLSKey, TLSCert: right.TLSCert, TLSKey: right.TLSKey, Enabled: true},
		"no certificate":     {TLSCaCert: right.TLSCaCert, TLSCert: "nowhere", TLSKey: right.TLSKey, Enabled: true},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := configOf(s)
			cfg.TLSConfig = broken
			_, err := signer.New(cfg, "attestor", log.NewLogger(log.DiscardHandler()), signer.NewMetrics(prometheus.NewRegistry()))
			require.Error(t, err)
		})
	}
}

// TestHeadersStayWithTheSigner: a redirection is not followed, and an answer without end is cut off.
func TestHeadersStayWithTheSigner(t *testing.T) {
	asked := make(chan string, 10)
	thief := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { asked <- r.Header.Get("Authorization") }))
	defer thief.Close()
	s := serve(t, "account_signTypedData")
	s.Misbehave(func(w http.ResponseWriter, r *http.Request, _ *signertest.Call) bool {
		http.Redirect(w, r, thief.URL, http.StatusTemporaryRedirect)
		return true
	})
	cfg := configOf(s)
	cfg.Headers = http.Header{"Authorization": {"secret"}}
	c := dial(t, cfg)
	_, err := c.Sign(t.Context(), attestation())
	require.ErrorIs(t, err, &channel.Refusal{Code: channel.CodeSigner})
	require.Empty(t, asked)

	s.Misbehave(func(w http.ResponseWriter, r *http.Request, _ *signertest.Call) bool {
		_, _ = fmt.Fprint(w, `{"jsonrpc":"2.0","id":1,"result":"0x`)
		for r.Context().Err() == nil {
			if _, err := fmt.Fprint(w, strings.Repeat("0", 1<<16)); err != nil {
				return true
			}
		}
		return true
	})
	_, err = c.Sign(t.Context(), attestation())
	require.ErrorIs(t, err, &channel.Refusal{Code: channel.CodeSigner})
}

func TestConfigOfASigner(t *testing.T) {
	good := signer.Config{CLIConfig: opsigner.CLIConfig{Endpoint: "https://signer:8545", Address: "0x00000000000000000000000000000000000000aa"}, Method: "eth_signTypedData"}
	require.NoError(t, good.Check())
	require.Equal(t, common.Address{19: 0xaa}, good.KeyAddress())
	require.NoError(t, signer.Config{Method: signer.Auto}.Check(), "none")
	require.Zero(t, signer.Config{}.KeyAddress())
	for name, change := range map[string]func(*signer.Config){
		"no endpoint":    func(c *signer.Config) { c.Endpoint = "" },
		"no address":     func(c *signer.Config) { c.CLIConfig.Address = "" },
		"half a key":     func(c *signer.Config) { c.CLIConfig.Address = "0x12" },
		"the zero key":   func(c *signer.Config) { c.CLIConfig.Address = common.Address{}.Hex() },
		"in the clear":   func(c *signer.Config) { c.Endpoint, c.TLSConfig = "http://signer:8545", optls.NewCLIConfig() },
		"unknown method": func(c *signer.Config) { c.Method = "eth_sign" },
		"a socket":       func(c *signer.Config) { c.Endpoint = "/run/clef.ipc" },
		"websocket":      func(c *signer.Config) { c.Endpoint = "ws://signer" },
		"no URL":         func(c *signer.Config) { c.Endpoint = "http://a b/?key=x" },
	} {
		c := good
		change(&c)
		require.Error(t, c.Check(), name)
	}
}

// BenchmarkSign is a signature of a signer on this machine, with and without certificates.
func BenchmarkSign(b *testing.B) {
	for _, secure := range []bool{false, true} {
		b.Run(fmt.Sprintf("tls=%t", secure), func(b *testing.B) {
			s := signertest.New(keyOf(b, "attestor"), "account_signTypedData")
			cfg := signer.Config{}
			if secure {
				tls, err := s.StartTLS(b.TempDir())
				require.NoError(b, err)
				cfg = configOf(s)
				cfg.TLSConfig = tls
			} else {
				s.Start()
				cfg = configOf(s)
			}
			b.Cleanup(s.Close)
			c := dial(b, cfg)
			for b.Loop() {
				_, err := c.Sign(context.Background(), attestation())
				require.NoError(b, err)
			}
		})
	}
}
