package mudbridge

import (
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
)

// Topics of the four logs by which a World tells about its records. The first indexed argument, and the only one, is
// the table's id.
var (
	TopicSetRecord         = crypto.Keccak256Hash([]byte("Store_SetRecord(bytes32,bytes32[],bytes,bytes32,bytes)"))
	TopicSpliceStaticData  = crypto.Keccak256Hash([]byte("Store_SpliceStaticData(bytes32,bytes32[],uint48,bytes)"))
	TopicSpliceDynamicData = crypto.Keccak256Hash([]byte("Store_SpliceDynamicData(bytes32,bytes32[],uint8,uint48,uint40,bytes32,bytes)"))
	TopicDeleteRecord      = crypto.Keccak256Hash([]byte("Store_DeleteRecord(bytes32,bytes32[])"))
)

// StoreTopics are the topics of all four logs, for a filter's first position.
func StoreTopics() []common.Hash {
	return []common.Hash{TopicSetRecord, TopicSpliceStaticData, TopicSpliceDynamicData, TopicDeleteRecord}
}

var storeLogData = map[common.Hash]abi.Arguments{
	TopicSetRecord:         abiArguments("bytes32[]", "bytes", "bytes32", "bytes"),
	TopicSpliceStaticData:  abiArguments("bytes32[]", "uint48", "bytes"),
	TopicSpliceDynamicData: abiArguments("bytes32[]", "uint8", "uint48", "uint40", "bytes32", "bytes"),
	TopicDeleteRecord:      abiArguments("bytes32[]"),
}

// StoreLog is one decoded log: which record of which table changed, and how.
type StoreLog struct {
	World  common.Address
	Table  ResourceID
	Key    []common.Hash
	Change Change
}

// Change is one of [SetRecord], [SpliceStatic], [SpliceDynamic], [DeleteRecord].
type Change interface {
	// apply gives the record after the change. It may not modify the one given.
	apply(Schema, Record) (Record, error)
}

// SetRecord replaces the whole record.
type SetRecord struct{ Record Record }

// SpliceStatic overwrites part of the static data.
type SpliceStatic struct {
	Start uint64 // offset in the static data
	Data  []byte
}

// SpliceDynamic replaces DeleteCount bytes at Start of the dynamic data by Data; the bytes belong to one field.
type SpliceDynamic struct {
	Field       uint8  // counted from the first dynamic field
	Start       uint64 // offset in the whole dynamic data, not in the field
	DeleteCount uint64
	Lengths     EncodedLengths // after the change
	Data        []byte
}

// DeleteRecord sets everything to zero.
type DeleteRecord struct{}

// DecodeStoreLog reads one log of a World; a log of another kind, or a malformed one, is [ErrStoreLog]. Whether the
// emitter is a World that the caller trusts is for the caller to know.
func DecodeStoreLog(log types.Log) (StoreLog, error) {
	if len(log.Topics) != 2 {
		return StoreLog{}, fmt.Errorf("%w: %d topics, must be 2", ErrStoreLog, len(log.Topics))
	}
	args, ok := storeLogData[log.Topics[0]]
	if !ok {
		return StoreLog{}, fmt.Errorf("%w: unknown topic %s", ErrStoreLog, log.Topics[0])
	}
	table, err := DecodeResourceID(log.Topics[1])
	if err != nil {
		return StoreLog{}, fmt.Errorf("%w: %w", ErrStoreLog, err)
	}
	v, err := unpackABI(args, log.Data)
	if err != nil {
		return StoreLog{}, fmt.Errorf("%w: data of a log of %s: %w", ErrStoreLog, table, err)
	}
	return StoreLog{World: log.Address, Table: table, Key: fromWords(v[0].([][32]byte)), Change: changeOf(log.Topics[0], v)}, nil
}

// changeOf relies on the types that storeLogData gives the values; the numbers fit their bits because unpackABI
// compared the encoding.
func changeOf(topic common.Hash, v []any) Change {
	switch topic {
	case TopicSetRecord:
		lengths := EncodedLengths(v[2].([32]byte))
		return SetRecord{Record{StaticData: v[1].([]byte), EncodedLengths: lengths, DynamicData: v[3].([]byte)}}
	case TopicSpliceStaticData:
		return SpliceStatic{Start: v[1].(*big.Int).Uint64(), Data: v[2].([]byte)}
	case TopicSpliceDynamicData:
		return SpliceDynamic{
			Field:       v[1].(uint8),
			Start:       v[2].(*big.Int).Uint64(),
			DeleteCount: v[3].(*big.Int).Uint64(),
			Lengths:     EncodedLengths(v[4].([32]byte)),
			Data:        v[5].([]byte),
		}
	default:
		return DeleteRecord{}
	}
}

// Apply gives the record that a record becomes by a change; start from [Schema.ZeroRecord]. It is strict: a change
// that a World with this schema could only have made after its record was already malformed is [ErrRecord].
func (s Schema) Apply(r Record, c Change) (Record, error) {
	if err := r.Check(s); err != nil {
		return Record{}, err
	}
	next, err := c.apply(s, r)
	if err != nil {
		return Record{}, err
	}
	if err := next.Check(s); err != nil {
		return Record{}, err
	}
	return next, nil
}

func (c SetRecord) apply(_ Schema, _ Record) (Record, error) { return c.Record, nil }

func (c DeleteRecord) apply(s Schema, _ Record) (Record, error) { return s.ZeroRecord(), nil }

func (c SpliceStatic) apply(s Schema, r Record) (Record, error) {
	length, n := uint64(s.length), uint64(len(c.Data))
	if c.Start > length || n > length-c.Start {
		return Record{}, fmt.Errorf("%w: splice of %d bytes at %d, static data has %d", ErrRecord, n, c.Start, length)
	}
	r.StaticData = splice(r.StaticData, c.Start, n, c.Data)
	return r, nil
}

func (c SpliceDynamic) apply(s Schema, r Record) (Record, error) {
	if int(c.Field) >= s.NumDynamic() {
		return Record{}, fmt.Errorf("%w: splice of dynamic field %d, schema %s has %d", ErrRecord, c.Field, s, s.NumDynamic())
	}
	var start uint64 // of the field
	for i := range int(c.Field) {
		start += r.EncodedLengths.At(i)
	}
	length := r.EncodedLengths.At(int(c.Field))
	if c.Start < start || c.Start-start > length || c.DeleteCount > length-(c.Start-start) {
		return Record{}, fmt.Errorf("%w: splice of %d bytes at %d is not inside of field %d, which has %d bytes at %d",
			ErrRecord, c.DeleteCount, c.Start, c.Field, length, start)
	}
	for i := range numFieldLengths {
		want := r.EncodedLengths.At(i)
		if i == int(c.Field) {
			want = want - c.DeleteCount + uint64(len(c.Data))
		}
		if c.Lengths.At(i) != want {
			return Record{}, fmt.Errorf("%w: after the splice field %d has %d bytes, the log says %d", ErrRecord, i, want, c.Lengths.At(i))
		}
	}
	r.DynamicData = splice(r.DynamicData, c.Start, c.DeleteCount, c.Data)
	r.EncodedLengths = c.Lengths
	return r, nil
}

// splice copies, so that a record taken before the change stays what it was.
func splice(data []byte, start, deleteCount uint64, insert []byte) []byte {
	out := make([]byte, 0, len(data)-int(deleteCount)+len(insert))
	out = append(out, data[:start]...)
	out = append(out, insert...)
	return append(out, data[start+deleteCount:]...)
}
