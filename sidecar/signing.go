package sidecar

import (
	"crypto/ecdsa"
	"errors"
	"fmt"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/evmts/channels/channel"
	"github.com/evmts/channels/protocols"
	"github.com/evmts/channels/sidecar/signer"
)

// Keys are the three keys of a sidecar. The session key is always here: it signs every event, and is the identity among peers.
// Owner and attestor may be with a remote signer instead. Without an attestor the node attests for no World.
type Keys struct {
	Session, Owner, Attestor *ecdsa.PrivateKey

	OwnerSigner, AttestorSigner *signer.Client
}

// OwnerAddress is whose wallet this is.
func (k Keys) OwnerAddress() common.Address { return addressOf(k.Owner, k.OwnerSigner) }

// AttestorAddress is zero for a node that attests for no World.
func (k Keys) AttestorAddress() common.Address { return addressOf(k.Attestor, k.AttestorSigner) }

// Attests tells whether there is an attestor's key.
func (k Keys) Attests() bool { return k.Attestor != nil || k.AttestorSigner != nil }

func addressOf(key *ecdsa.PrivateKey, remote *signer.Client) common.Address {
	switch {
	case key != nil:
		return crypto.PubkeyToAddress(key.PublicKey)
	case remote != nil:
		return remote.Address()
	}
	return common.Address{}
}

// signers are the remote ones.
func (k Keys) signers() (out []*signer.Client) {
	for _, s := range []*signer.Client{k.OwnerSigner, k.AttestorSigner} {
		if s != nil {
			out = append(out, s)
		}
	}
	return out
}

// maxAsked bounds the signatures that are waited for at a time, of all channels.
const maxAsked = 1024

// asked is a signature that a remote signer was asked for: one question at a time for each.
type asked struct {
	id     common.Hash // channel
	key    protocols.Key
	digest common.Hash
}

func (a asked) String() string {
	return "sign." + map[protocols.Key]string{protocols.OwnerKey: "owner", protocols.AttestorKey: "attestor"}[a.key]
}

// signed is how the question ended.
type signed struct {
	asked
	since time.Time
	input protocols.Input // Signed or Unsigned
}

// sign lets a key sign what is durable. A key that is here does it at once. One that is not is asked beside the loop, which waits for
// nothing: the answer is an input like any other. It is never remembered on disk: after a restart the objective asks again.
func (e *Engine) sign(c *running, a protocols.Sign) error {
	key, remote := e.cfg.Keys.Session, (*signer.Client)(nil)
	switch a.Key {
	case protocols.OwnerKey:
		key, remote = e.cfg.Keys.Owner, e.cfg.Keys.OwnerSigner
	case protocols.AttestorKey:
		key, remote = e.cfg.Keys.Attestor, e.cfg.Keys.AttestorSigner
	}
	p := c.Rules().Params
	digest := p.Domain().Digest(a.Message)
	switch {
	case key != nil:
		start := e.traces.now()
		sig, err := channel.Sign(digest, key)
		if err != nil {
			return err
		}
		e.traces.signed(c, a.Message, start)
		e.attested(c, a.Message)
		e.crank(c.id, protocols.Signed{Message: a.Message, Signature: sig})
	case remote != nil:
		e.askSigner(c, a, remote, asked{c.id, a.Key, digest})
	default:
		return fmt.Errorf("channel %s asks for a key that this node does not have", c.id)
	}
	return nil
}

// mayAsk is what a remote key signs, whoever asks: a fault in the loop must not reach a wallet.
func mayAsk(key protocols.Key, m channel.Message) bool {
	switch m.(type) {
	case channel.Join:
		return key == protocols.OwnerKey
	case channel.Attestation:
		return key == protocols.AttestorKey
	}
	return false
}

func (e *Engine) askSigner(c *running, a protocols.Sign, remote *signer.Client, which asked) {
	unsigned := func(code channel.Code, text string) protocols.Input {
		return protocols.Unsigned{Message: a.Message, Code: code, Err: text}
	}
	switch _, pending := e.asked[which]; {
	case pending:
		return
	case !mayAsk(a.Key, a.Message):
		e.crank(c.id, unsigned(channel.CodeInternal, fmt.Sprintf("no remote signer is asked for a %T", a.Message)))
		return
	case len(e.asked) >= maxAsked:
		e.crank(c.id, unsigned(channel.CodeBusy, fmt.Sprintf("%d signatures are waited for: it is asked again", maxAsked)))
		return
	}
	e.asked[which] = struct{}{}
	p := c.Rules().Params
	req := signer.Request{ChainID: p.ChainID, Adjudicator: p.Adjudicator, Message: a.Message}
	since := time.Now()
	go func() {
		sig, err := remote.Sign(e.signing, req)
		out := signed{which, since, protocols.Signed{Message: a.Message, Signature: sig}}
		if err != nil {
			code := channel.CodeSigner
			var r *channel.Refusal
			if errors.As(err, &r) {
				code, err = r.Code, errors.New(r.Detail)
			}
			out.input = unsigned(code, err.Error())
		}
		select {
		case e.signatures <- out:
		case <-e.done:
		}
	}()
}

// onSigned is the answer of a remote signer. The channel may have gone on without it: its objective knows.
func (e *Engine) onSigned(s signed) {
	delete(e.asked, s.asked)
	result := "signed"
	if in, ok := s.input.(protocols.Unsigned); ok {
		result = string(in.Code)
		e.cfg.Log.Warn("No signature", "channel", s.id, "code", in.Code, "why", in.Err)
	} else if c := e.channels[s.id]; c != nil {
		e.attested(c, s.input.(protocols.Signed).Message)
	}
	e.traces.during(s.id, s.asked.String(), s.since, result)
	e.crank(s.id, s.input)
}

// attested measures how long an attestation took, the signer's tries included.
func (e *Engine) attested(c *running, m channel.Message) {
	if _, ok := m.(channel.Attestation); ok && !c.ended.IsZero() {
		e.cfg.Metrics.AttestSeconds.Observe(time.Since(c.ended).Seconds())
		c.ended = time.Time{}
	}
}

// dialSigners gives the keys that are elsewhere a client each. It connects to nothing.
func (c *Config) dialSigners(dial func(cfg signer.Config, key string) (*signer.Client, error)) (k Keys, err error) {
	k = c.Keys
	if c.OwnerSigner.Enabled() {
		if k.OwnerSigner, err = dial(c.OwnerSigner, "owner"); err != nil {
			return k, err
		}
	}
	if c.AttestorSigner.Enabled() {
		k.AttestorSigner, err = dial(c.AttestorSigner, "attestor")
	}
	return k, err
}

// closeSigners ends what dialSigners began.
func closeSigners(k Keys) {
	for _, s := range k.signers() {
		s.Close()
	}
}

// OwnerAddress and AttestorAddress are those of the keys, wherever they are; AttestorAddress is zero without one.
func (c *Config) OwnerAddress() common.Address {
	if c.Keys.Owner == nil {
		return c.OwnerSigner.KeyAddress()
	}
	return c.Keys.OwnerAddress()
}

func (c *Config) AttestorAddress() common.Address {
	if c.Keys.Attestor == nil {
		return c.AttestorSigner.KeyAddress()
	}
	return c.Keys.AttestorAddress()
}
