package raid

import (
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
)

// Chain is a participant's dice: links[k] = keccak256(seat (1 byte) ‖ links[k-1]), links[0] is the secret. The
// tip is links[maxRounds]; round r (from 1) reveals links[maxRounds-r].
type Chain struct {
	links []common.Hash
}

// NewChain derives the chain of a seat. The secret must be fresh for each channel, or its dice are known before
// they are thrown; ChannelSecret makes one.
func NewChain(seat uint8, secret common.Hash, maxRounds uint8) Chain {
	links := make([]common.Hash, int(maxRounds)+1)
	links[0] = secret
	for k := 1; k < len(links); k++ {
		links[k] = crypto.Keccak256Hash([]byte{seat}, links[k-1][:])
	}
	return Chain{links: links}
}

// Tip is what the participant commits to.
func (c Chain) Tip() common.Hash { return c.links[len(c.links)-1] }

// Link is what the participant reveals in a round, 1..maxRounds. ok is false for other rounds.
func (c Chain) Link(round uint16) (link common.Hash, ok bool) {
	k := len(c.links) - 1 - int(round)
	if round == 0 || k < 0 {
		return common.Hash{}, false
	}
	return c.links[k], true
}

// ChannelSecret derives the secret of one channel from a key that its holder keeps: a restarted process comes to
// the same chain, another channel to another one.
func ChannelSecret(key []byte, channelID common.Hash) common.Hash {
	return crypto.Keccak256Hash([]byte("raid dice"), crypto.Keccak256(key), channelID[:])
}
