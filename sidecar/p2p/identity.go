package p2p

import (
	"crypto/ecdsa"
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	libcrypto "github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/crypto/pb"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
)

var (
	// ErrBadMultiaddr reports a multiaddr that cannot be dialled or does not
	// name the peer it should.
	ErrBadMultiaddr = errors.New("unusable multiaddr")
	// ErrKeyType reports a peer whose identity is not a secp256k1 key, and so
	// has no Ethereum address.
	ErrKeyType = errors.New("peer identity is not a secp256k1 key")
)

const maxMultiaddrs = 16

// hostKey turns a session key into the libp2p identity of the node.
func hostKey(key *ecdsa.PrivateKey) (libcrypto.PrivKey, error) {
	priv, err := libcrypto.UnmarshalSecp256k1PrivateKey(crypto.FromECDSA(key))
	if err != nil {
		return nil, fmt.Errorf("convert the session key to a libp2p identity: %w", err)
	}
	return priv, nil
}

// AddressOf returns the Ethereum address of a peer ID. The ID of a secp256k1
// key contains the key (libp2p peer-ids spec), so nothing needs to be looked
// up. Errors wrap ErrKeyType.
func AddressOf(id peer.ID) (common.Address, error) {
	pub, err := id.ExtractPublicKey()
	if err != nil {
		return common.Address{}, fmt.Errorf("%w: peer ID %s: %v", ErrKeyType, id, err)
	}
	if pub.Type() != pb.KeyType_Secp256k1 {
		return common.Address{}, fmt.Errorf("%w: peer ID %s is of type %s", ErrKeyType, id, pub.Type())
	}
	raw, err := pub.Raw()
	if err != nil {
		return common.Address{}, fmt.Errorf("%w: peer ID %s: %v", ErrKeyType, id, err)
	}
	key, err := crypto.DecompressPubkey(raw)
	if err != nil {
		return common.Address{}, fmt.Errorf("%w: peer ID %s: %v", ErrKeyType, id, err)
	}
	return crypto.PubkeyToAddress(*key), nil
}

// ParsePeer returns the Ethereum address of the node that a multiaddr such as
// /ip4/192.0.2.1/tcp/9222/p2p/16Uiu2… names. Errors wrap ErrBadMultiaddr.
func ParsePeer(multiaddr string) (common.Address, error) {
	_, id, err := splitMultiaddr(multiaddr)
	if err != nil {
		return common.Address{}, err
	}
	addr, err := AddressOf(id)
	if err != nil {
		return common.Address{}, fmt.Errorf("%w: %q: %w", ErrBadMultiaddr, multiaddr, err)
	}
	return addr, nil
}

func splitMultiaddr(s string) (ma.Multiaddr, peer.ID, error) {
	m, err := ma.NewMultiaddr(s)
	if err != nil {
		return nil, "", fmt.Errorf("%w: %q: %v", ErrBadMultiaddr, s, err)
	}
	where, id := peer.SplitAddr(m)
	if id == "" {
		return nil, "", fmt.Errorf("%w: %q does not end in /p2p/<peer id>; copy the whole address that the peer prints", ErrBadMultiaddr, s)
	}
	if where == nil || !isTCP(where) {
		return nil, "", fmt.Errorf("%w: %q is not a TCP address such as /ip4/192.0.2.1/tcp/9222/p2p/<peer id>", ErrBadMultiaddr, s)
	}
	return where, id, nil
}

// isTCP accepts exactly host/tcp: no relays, no websockets.
func isTCP(m ma.Multiaddr) bool {
	codes := make([]int, 0, len(m))
	for _, c := range m {
		codes = append(codes, c.Protocol().Code)
	}
	if len(codes) == 3 && codes[0] == ma.P_IP6ZONE {
		codes = codes[1:]
	}
	if len(codes) != 2 || codes[1] != ma.P_TCP {
		return false
	}
	switch codes[0] {
	case ma.P_IP4, ma.P_IP6, ma.P_DNS, ma.P_DNS4, ma.P_DNS6:
		return true
	}
	return false
}

// parseMultiaddrs checks that every multiaddr names addr and returns the peer
// ID and where to dial it. An empty list gives an empty ID.
func parseMultiaddrs(addr common.Address, multiaddrs []string) (peer.ID, []ma.Multiaddr, error) {
	if len(multiaddrs) > maxMultiaddrs {
		return "", nil, fmt.Errorf("%w: %d multiaddrs for %s, at most %d", ErrBadMultiaddr, len(multiaddrs), addr, maxMultiaddrs)
	}
	var id peer.ID
	var where []ma.Multiaddr
	for _, s := range multiaddrs {
		m, mid, err := splitMultiaddr(s)
		if err != nil {
			return "", nil, err
		}
		got, err := AddressOf(mid)
		if err != nil {
			return "", nil, fmt.Errorf("%w: %q: %w", ErrBadMultiaddr, s, err)
		}
		if got != addr {
			return "", nil, fmt.Errorf("%w: %q belongs to %s, not to %s", ErrBadMultiaddr, s, got, addr)
		}
		id, where = mid, append(where, m)
	}
	return id, where, nil
}
