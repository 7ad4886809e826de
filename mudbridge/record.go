package mudbridge

import (
	"encoding/binary"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
)

// EncodedLengths holds the byte lengths of a record's dynamic fields and their sum.
type EncodedLengths common.Hash

const (
	maxFieldLength  = 1<<40 - 1
	totalStart      = 25 // the sum is the last 7 bytes
	fieldLenBytes   = 5
	numFieldLengths = MaxDynamicFields
)

// NewEncodedLengths packs the lengths of at most 5 dynamic fields, each below 2^40.
func NewEncodedLengths(lengths ...uint64) (EncodedLengths, error) {
	var e EncodedLengths
	if len(lengths) > numFieldLengths {
		return e, fmt.Errorf("%w: %d dynamic fields, at most %d are possible", ErrEncodedLengths, len(lengths), numFieldLengths)
	}
	var total uint64
	for i, n := range lengths {
		if n > maxFieldLength {
			return EncodedLengths{}, fmt.Errorf("%w: field %d has %d bytes, at most %d are possible", ErrEncodedLengths, i, n, uint64(maxFieldLength))
		}
		e.put(totalStart-fieldLenBytes*(i+1), fieldLenBytes, n)
		total += n
	}
	e.put(totalStart, common.HashLength-totalStart, total)
	return e, nil
}

// DecodeEncodedLengths checks that the lengths add up to the total. Five lengths of 40 bits cannot exceed 56 bits.
func DecodeEncodedLengths(word common.Hash) (EncodedLengths, error) {
	e := EncodedLengths(word)
	var sum uint64
	for i := range numFieldLengths {
		sum += e.At(i)
	}
	if sum != e.Total() {
		return EncodedLengths{}, fmt.Errorf("%w: %s says %d bytes in total, its fields have %d", ErrEncodedLengths, word, e.Total(), sum)
	}
	return e, nil
}

func (e *EncodedLengths) put(start, n int, v uint64) {
	for i := start + n - 1; i >= start; i-- {
		e[i] = byte(v)
		v >>= 8
	}
}

// At is the length of dynamic field i in bytes, 0 when there is no such field.
func (e EncodedLengths) At(i int) uint64 {
	if i < 0 || i >= numFieldLengths {
		return 0
	}
	var word [8]byte
	start := totalStart - fieldLenBytes*(i+1)
	copy(word[8-fieldLenBytes:], e[start:start+fieldLenBytes])
	return binary.BigEndian.Uint64(word[:])
}

// Total is the length of all dynamic fields in bytes.
func (e EncodedLengths) Total() uint64 {
	var word [8]byte
	copy(word[1:], e[totalStart:])
	return binary.BigEndian.Uint64(word[:])
}

// Hash is the lengths as the word that goes into calls, logs and effects.
func (e EncodedLengths) Hash() common.Hash { return common.Hash(e) }

// MarshalText writes the word as 0x-prefixed hex.
func (e EncodedLengths) MarshalText() ([]byte, error) { return common.Hash(e).MarshalText() }

// Record is one record in the encoding of the store: what getRecord returns and setRecord takes.
type Record struct {
	StaticData     []byte
	EncodedLengths EncodedLengths
	DynamicData    []byte
}

// ZeroRecord is what a World returns for a key that was never set, or was deleted: MUD does not tell these apart
// from a record of zeros.
func (s Schema) ZeroRecord() Record { return Record{StaticData: make([]byte, s.length)} }

// Check says whether the record has the shape that the schema gives it: static length, number of dynamic fields,
// lengths that add up to the data there is. It does not look into the values.
func (r Record) Check(s Schema) error {
	if len(r.StaticData) != s.length {
		return fmt.Errorf("%w: %d bytes of static data, schema %s needs %d", ErrRecord, len(r.StaticData), s, s.length)
	}
	if _, err := DecodeEncodedLengths(r.EncodedLengths.Hash()); err != nil {
		return fmt.Errorf("%w: %w", ErrRecord, err)
	}
	if r.EncodedLengths.Total() != uint64(len(r.DynamicData)) {
		return fmt.Errorf("%w: lengths promise %d bytes of dynamic data, there are %d", ErrRecord, r.EncodedLengths.Total(), len(r.DynamicData))
	}
	for i := s.NumDynamic(); i < numFieldLengths; i++ {
		if r.EncodedLengths.At(i) != 0 {
			return fmt.Errorf("%w: %d bytes for dynamic field %d, schema %s has %d", ErrRecord, r.EncodedLengths.At(i), i, s, s.NumDynamic())
		}
	}
	return nil
}

// EncodeRecord packs one value per field of the schema.
func (s Schema) EncodeRecord(values ...any) (Record, error) {
	if len(values) != s.Len() {
		return Record{}, fmt.Errorf("%w: %d values for schema %s", ErrRecord, len(values), s)
	}
	r := Record{StaticData: make([]byte, 0, s.length)}
	var lengths []uint64
	for i, v := range values {
		data, before := &r.StaticData, 0
		if i >= s.statics {
			data, before = &r.DynamicData, len(r.DynamicData)
		}
		encoded, err := encodeValue(*data, s.types[i], v)
		if err != nil {
			return Record{}, fmt.Errorf("%w: field %d: %w", ErrRecord, i, err)
		}
		*data = encoded
		if i >= s.statics {
			lengths = append(lengths, uint64(len(encoded)-before))
		}
	}
	var err error
	if r.EncodedLengths, err = NewEncodedLengths(lengths...); err != nil {
		return Record{}, fmt.Errorf("%w: %w", ErrRecord, err)
	}
	return r, nil
}

// DecodeRecord reads one value per field of the schema, of the Go types that the package's description lists.
func (s Schema) DecodeRecord(r Record) ([]any, error) {
	if err := r.Check(s); err != nil {
		return nil, err
	}
	values := make([]any, s.Len())
	static, dynamic := r.StaticData, r.DynamicData
	for i, t := range s.types {
		var err error
		if t.Dynamic() {
			n := r.EncodedLengths.At(i - s.statics) // Check made sure that the lengths fit the data
			values[i], err = decodeDynamic(t, dynamic[:n])
			dynamic = dynamic[n:]
		} else {
			n := t.StaticLength()
			values[i], err = decodeStatic(t, static[:n])
			static = static[n:]
		}
		if err != nil {
			return nil, fmt.Errorf("%w: field %d (%s): %w", ErrRecord, i, t, err)
		}
	}
	return values, nil
}

// EncodeField is the data that World.setField takes for field i.
func (s Schema) EncodeField(i int, value any) ([]byte, error) {
	if i < 0 || i >= s.Len() {
		return nil, fmt.Errorf("%w: field %d of schema %s", ErrFieldNotFound, i, s)
	}
	data, err := encodeValue(nil, s.types[i], value)
	if err != nil {
		return nil, fmt.Errorf("field %d: %w", i, err)
	}
	return data, nil
}

// EncodeKey is the key tuple of a table with this key schema.
func (s Schema) EncodeKey(values ...any) ([]common.Hash, error) {
	if len(values) != s.Len() {
		return nil, fmt.Errorf("%w: %d values for key schema %s", ErrKey, len(values), s)
	}
	key := make([]common.Hash, len(values))
	for i, v := range values {
		word, err := encodeKeyWord(s.types[i], v)
		if err != nil {
			return nil, fmt.Errorf("%w: key field %d: %w", ErrKey, i, err)
		}
		key[i] = word
	}
	return key, nil
}

// DecodeKey reads the values of a key tuple.
func (s Schema) DecodeKey(key []common.Hash) ([]any, error) {
	if len(key) != s.Len() || s.NumDynamic() > 0 {
		return nil, fmt.Errorf("%w: %d words for key schema %s", ErrKey, len(key), s)
	}
	values := make([]any, len(key))
	for i, word := range key {
		v, err := decodeKeyWord(s.types[i], word)
		if err != nil {
			return nil, fmt.Errorf("%w: key field %d: %w", ErrKey, i, err)
		}
		values[i] = v
	}
	return values, nil
}
