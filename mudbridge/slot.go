package mudbridge

import (
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
)

var (
	staticDataSlot    = crypto.Keccak256Hash([]byte("mud.store"))
	dynamicDataSlot   = crypto.Keccak256Hash([]byte("mud.store.dynamicData"))
	dynamicLengthSlot = crypto.Keccak256Hash([]byte("mud.store.dynamicDataLength"))
)

// StaticDataSlot is the storage slot of the World in which a record's static data starts; it goes on in the slots
// that follow, 32 bytes each. eth_getProof of these slots proves a record.
func StaticDataSlot(table ResourceID, key []common.Hash) common.Hash {
	return xor(staticDataSlot, recordHash(table, key))
}

// DynamicLengthSlot is the storage slot of a record's encoded lengths.
func DynamicLengthSlot(table ResourceID, key []common.Hash) common.Hash {
	return xor(dynamicLengthSlot, recordHash(table, key))
}

// DynamicDataSlot is the storage slot in which dynamic field i (counted from the first dynamic field) starts.
func DynamicDataSlot(table ResourceID, key []common.Hash, i uint8) common.Hash {
	slot := xor(dynamicDataSlot, recordHash(table, key))
	slot[0] ^= i
	return slot
}

func recordHash(table ResourceID, key []common.Hash) common.Hash {
	data := make([]byte, 0, common.HashLength*(1+len(key)))
	data = append(data, table[:]...)
	for _, word := range key {
		data = append(data, word[:]...)
	}
	return crypto.Keccak256Hash(data)
}

func xor(a, b common.Hash) common.Hash {
	for i := range a {
		a[i] ^= b[i]
	}
	return a
}
