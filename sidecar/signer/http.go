package signer

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"

	optls "github.com/ethereum-optimism/optimism/op-service/tls"
	"github.com/ethereum-optimism/optimism/op-service/tls/certman"
	"github.com/ethereum/go-ethereum/log"
)

// maxAnswer bounds what is read of an answer: a signature is 132 characters.
const maxAnswer = 64 << 10

// newHTTP is a client as op-service's for its signer: with TLS, its own authority and a client's certificate that is read again when the
// file changes. Besides, it follows no redirection, which would carry headers with secrets elsewhere, and bounds what it reads.
func newHTTP(cfg optls.CLIConfig, logger log.Logger) (client *http.Client, stop func(), err error) {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = maxConcurrent
	stop = transport.CloseIdleConnections
	if cfg.Enabled {
		ca, err := os.ReadFile(cfg.TLSCaCert)
		if err != nil {
			return nil, nil, fmt.Errorf("read the authority's certificate: %w: give tls.ca, or set tls.enabled to false", err)
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(ca) {
			return nil, nil, fmt.Errorf("%s holds no certificate in PEM: give the signer's authority as tls.ca", cfg.TLSCaCert)
		}
		if _, err := tls.LoadX509KeyPair(cfg.TLSCert, cfg.TLSKey); err != nil { // the watcher only logs this, and has none then
			return nil, nil, fmt.Errorf("read our certificate: %w: check tls.cert and tls.key", err)
		}
		certs, err := certman.New(logger, cfg.TLSCert, cfg.TLSKey)
		if err != nil {
			return nil, nil, fmt.Errorf("read our certificate: %w", err)
		}
		if err := certs.Watch(); err != nil {
			return nil, nil, fmt.Errorf("watch our certificate: %w", err)
		}
		transport.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: pool, GetClientCertificate: certs.GetClientCertificate}
		stop = func() { certs.Stop(); transport.CloseIdleConnections() }
	}
	return &http.Client{
		Transport:     bounded{transport},
		CheckRedirect: func(*http.Request, []*http.Request) error { return errRedirect },
	}, stop, nil
}

var errRedirect = errors.New("the signer points elsewhere, which is not followed: give its own address")

// bounded cuts answers off.
type bounded struct{ next http.RoundTripper }

func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := b.next.RoundTrip(r)
	if err == nil {
		resp.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(resp.Body, maxAnswer), resp.Body}
	}
	return resp, err
}

// checkEndpoint takes https, and http for those who asked for no certificates: what is meant to be secret must not go in the clear.
func checkEndpoint(endpoint string, certificates bool) error {
	u, err := url.Parse(endpoint)
	if err != nil {
		return errors.New("the signer's endpoint is no URL") // its text may hold a secret
	}
	if (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return fmt.Errorf("the signer's endpoint has the scheme %q: give http://… or https://…", u.Scheme)
	}
	if u.Scheme == "http" && certificates {
		return errors.New("tls.enabled is on, as by default, but the signer's endpoint begins with http: give https://…, or set tls.enabled to false")
	}
	return nil
}
