package signertest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"

	optls "github.com/ethereum-optimism/optimism/op-service/tls"
)

// certificates makes an authority, a server for loopback and a client, and writes the client's side into a folder.
func certificates(dir string) (*tls.Config, optls.CLIConfig, error) {
	client := optls.CLIConfig{
		TLSCaCert: filepath.Join(dir, "ca.crt"), TLSCert: filepath.Join(dir, "tls.crt"), TLSKey: filepath.Join(dir, "tls.key"), Enabled: true,
	}
	authority := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, client, err
	}
	ca, err := x509.CreateCertificate(rand.Reader, authority, authority, caKey.Public(), caKey)
	if err != nil {
		return nil, client, fmt.Errorf("make the authority: %w", err)
	}
	issue := func(name string, usage x509.ExtKeyUsage) (cert []byte, key crypto.Signer, err error) {
		k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return nil, nil, err
		}
		cert, err = x509.CreateCertificate(rand.Reader, &x509.Certificate{
			SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
			ExtKeyUsage: []x509.ExtKeyUsage{usage}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		}, authority, k.Public(), caKey)
		return cert, k, err
	}
	serverCert, serverKey, err := issue("signer", x509.ExtKeyUsageServerAuth)
	if err != nil {
		return nil, client, fmt.Errorf("make the server's certificate: %w", err)
	}
	clientCert, clientKey, err := issue("sidecar", x509.ExtKeyUsageClientAuth)
	if err != nil {
		return nil, client, fmt.Errorf("make the client's certificate: %w", err)
	}
	rawKey, err := x509.MarshalPKCS8PrivateKey(clientKey)
	if err != nil {
		return nil, client, err
	}
	for path, block := range map[string]*pem.Block{
		client.TLSCaCert: {Type: "CERTIFICATE", Bytes: ca}, client.TLSCert: {Type: "CERTIFICATE", Bytes: clientCert}, client.TLSKey: {Type: "PRIVATE KEY", Bytes: rawKey},
	} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			return nil, client, err
		}
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca}))
	return &tls.Config{
		MinVersion: tls.VersionTLS13, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool,
		Certificates: []tls.Certificate{{Certificate: [][]byte{serverCert}, PrivateKey: serverKey}},
	}, client, nil
}
