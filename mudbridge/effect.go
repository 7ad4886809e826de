package mudbridge

import (
	"errors"
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum/common"

	"github.com/evmts/channels/channel"
)

const selectorBytes = 4

var (
	setArgs       = abiArguments("bytes", "bytes32", "bytes")
	incrementArgs = abiArguments("uint8", "int256")
	minInt256     = new(big.Int).Neg(new(big.Int).Lsh(big.NewInt(1), 255))
	maxInt256     = new(big.Int).Not(minInt256)
)

// SetEffect replaces a whole record.
func SetEffect(table ResourceID, key []common.Hash, r Record) channel.Effect {
	data := packABI(setArgs, r.StaticData, [32]byte(r.EncodedLengths), r.DynamicData)
	return channel.Effect{Op: channel.EffectSet, ResourceID: table.Hash(), Key: key, Data: data}
}

// DeleteEffect sets a record to zero.
func DeleteEffect(table ResourceID, key []common.Hash) channel.Effect {
	return channel.Effect{Op: channel.EffectDelete, ResourceID: table.Hash(), Key: key, Data: []byte{}}
}

// IncrementEffect adds delta, which may be negative, to an integer field. Two channels may do so to the same record,
// in any order. A delta outside of int256 is [ErrEffect].
func IncrementEffect(table ResourceID, key []common.Hash, field uint8, delta *big.Int) (channel.Effect, error) {
	if delta == nil || delta.Cmp(minInt256) < 0 || delta.Cmp(maxInt256) > 0 {
		return channel.Effect{}, fmt.Errorf("%w: delta %s does not fit int256", ErrEffect, delta)
	}
	data := packABI(incrementArgs, field, delta)
	return channel.Effect{Op: channel.EffectIncrement, ResourceID: table.Hash(), Key: key, Data: data}, nil
}

// CallEffect calls a function of a system with ABI-encoded arguments.
func CallEffect(system ResourceID, selector [4]byte, arguments []byte) channel.Effect {
	data := append(append(make([]byte, 0, selectorBytes+len(arguments)), selector[:]...), arguments...)
	return channel.Effect{Op: channel.EffectCall, ResourceID: system.Hash(), Key: []common.Hash{}, Data: data}
}

// DecodeSet reads the data of a set effect.
func DecodeSet(data []byte) (Record, error) {
	v, err := unpackABI(setArgs, data)
	if err != nil {
		return Record{}, fmt.Errorf("%w: data of a set: %w", ErrEffect, err)
	}
	r := Record{StaticData: v[0].([]byte), EncodedLengths: EncodedLengths(v[1].([32]byte)), DynamicData: v[2].([]byte)}
	if _, err := DecodeEncodedLengths(r.EncodedLengths.Hash()); err != nil {
		return Record{}, fmt.Errorf("%w: data of a set: %w", ErrEffect, err)
	}
	if r.EncodedLengths.Total() != uint64(len(r.DynamicData)) {
		return Record{}, fmt.Errorf("%w: data of a set: lengths promise %d bytes of dynamic data, there are %d",
			ErrEffect, r.EncodedLengths.Total(), len(r.DynamicData))
	}
	return r, nil
}

// DecodeIncrement reads the data of an increment effect.
func DecodeIncrement(data []byte) (field uint8, delta *big.Int, err error) {
	v, err := unpackABI(incrementArgs, data)
	if err != nil {
		return 0, nil, fmt.Errorf("%w: data of an increment: %w", ErrEffect, err)
	}
	return v[0].(uint8), v[1].(*big.Int), nil
}

// DecodeCall splits the data of a call effect. The arguments are the system's own and are not looked at.
func DecodeCall(data []byte) (selector [4]byte, arguments []byte, err error) {
	if len(data) < selectorBytes {
		return selector, nil, fmt.Errorf("%w: data of a call has %d bytes, a selector has %d", ErrEffect, len(data), selectorBytes)
	}
	copy(selector[:], data)
	return selector, data[selectorBytes:], nil
}

// CheckEffects checks what can be known about a channel's effects without a World: their number and size, and of each
// the op, the kind of resource, the key and the shape of the data.
func CheckEffects(effects []channel.Effect) error {
	if len(effects) > channel.MaxEffects {
		return fmt.Errorf("%w: %d effects, at most %d are possible", ErrEffect, len(effects), channel.MaxEffects)
	}
	for i, e := range effects {
		if err := CheckEffect(e); err != nil {
			return fmt.Errorf("effect %d: %w", i, err)
		}
	}
	if n := len(channel.EncodeEffects(effects)); n > channel.MaxEffectBytes {
		return fmt.Errorf("%w: effects have %d bytes, at most %d are possible", ErrEffect, n, channel.MaxEffectBytes)
	}
	return nil
}

// CheckEffect checks one effect by itself. The root namespace is refused: no policy can allow it.
func CheckEffect(e channel.Effect) error {
	if len(e.Data) > channel.MaxEffectBytes {
		return fmt.Errorf("%w: %d bytes of data", ErrEffect, len(e.Data))
	}
	id, err := DecodeResourceID(e.ResourceID)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrEffect, err)
	}
	want := TypeTable
	if e.Op == channel.EffectCall {
		want = TypeSystem
	}
	switch {
	case e.Op > channel.EffectCall:
		return fmt.Errorf("%w: unknown op %d", ErrEffect, e.Op)
	case id.Type() != want:
		return fmt.Errorf("%w: %s of %s, must be of type %q", ErrEffect, opName(e.Op), id, string(want))
	case id.Namespace() == "":
		return fmt.Errorf("%w: %s is in the root namespace, which channels never write", ErrEffect, id)
	case len(e.Key) > MaxFields:
		return fmt.Errorf("%w: a key of %d words, at most %d are possible", ErrEffect, len(e.Key), MaxFields)
	case e.Op == channel.EffectCall && len(e.Key) > 0:
		return fmt.Errorf("%w: a call has no key, this one has %d words", ErrEffect, len(e.Key))
	}
	switch e.Op {
	case channel.EffectSet:
		_, err = DecodeSet(e.Data)
	case channel.EffectIncrement:
		var field uint8
		if field, _, err = DecodeIncrement(e.Data); err == nil && field >= MaxFields {
			err = fmt.Errorf("%w: increment of field %d, tables have at most %d", ErrEffect, field, MaxFields)
		}
	case channel.EffectDelete:
		if len(e.Data) > 0 {
			err = fmt.Errorf("%w: a delete has no data, this one has %d bytes", ErrEffect, len(e.Data))
		}
	default:
		_, _, err = DecodeCall(e.Data)
	}
	return err
}

func opName(op uint8) string {
	switch op {
	case channel.EffectSet:
		return "set"
	case channel.EffectDelete:
		return "delete"
	case channel.EffectIncrement:
		return "increment"
	case channel.EffectCall:
		return "call"
	default:
		return fmt.Sprintf("op %d", op)
	}
}

// ApplyEffect gives the record that an effect on a record of this table leaves behind, which is what a reader must
// find in the World after settlement. An increment out of the field's range is [ErrEffect], as it reverts on chain.
func (t Table) ApplyEffect(r Record, e channel.Effect) (Record, error) {
	if err := CheckEffect(e); err != nil {
		return Record{}, err
	}
	if e.ResourceID != t.ID.Hash() {
		return Record{}, fmt.Errorf("%w: it is for %s, not for %s", ErrEffect, ResourceID(e.ResourceID), t.ID)
	}
	if _, err := t.Key.DecodeKey(e.Key); err != nil {
		return Record{}, fmt.Errorf("%w: %w", ErrEffect, err)
	}
	if err := r.Check(t.Value); err != nil {
		return Record{}, err
	}
	switch e.Op {
	case channel.EffectDelete:
		return t.Value.ZeroRecord(), nil
	case channel.EffectSet:
		next, err := DecodeSet(e.Data)
		if err != nil {
			return Record{}, err
		}
		if _, err := t.Value.DecodeRecord(next); err != nil {
			return Record{}, fmt.Errorf("%w: %w", ErrEffect, err)
		}
		return next, nil
	default: // CheckEffect left increment only, because a table is no system
		field, delta, err := DecodeIncrement(e.Data)
		if err != nil {
			return Record{}, err
		}
		return t.increment(r, int(field), delta)
	}
}

func (t Table) increment(r Record, field int, delta *big.Int) (Record, error) {
	if field >= t.Value.NumStatic() || !t.Value.Type(field).integer() {
		return Record{}, fmt.Errorf("%w: field %d of %s %s is no integer", ErrEffect, field, t.ID.Label(), t.Value)
	}
	typ, start := t.Value.Type(field), t.Value.StaticOffset(field)
	v, err := decodeStatic(typ, r.StaticData[start:start+typ.StaticLength()])
	if err != nil {
		return Record{}, err
	}
	sum := new(big.Int).Add(integerOf(v), delta)
	encoded, err := encodeInteger(nil, typ, sum)
	if err != nil {
		return Record{}, fmt.Errorf("%w: %s.%s: %w", ErrEffect, t.ID.Label(), t.FieldNames[field], err)
	}
	r.StaticData = splice(r.StaticData, uint64(start), uint64(len(encoded)), encoded)
	return r, nil
}

// Describe writes an effect for people, such as "raid__Loot[0xf39F…2266, 3].amount += 1". With a table it uses its
// names and types; without one (nil), or where the effect does not fit, it falls back to hex.
func Describe(e channel.Effect, t *Table) string {
	id := ResourceID(e.ResourceID)
	label := id.String()
	if _, err := DecodeResourceID(e.ResourceID); err == nil && id.Type() != TypeNamespace {
		label = id.Label()
	}
	if e.Op == channel.EffectCall {
		selector, arguments, err := DecodeCall(e.Data)
		if err != nil {
			return fmt.Sprintf("%s.call %#x", label, []byte(e.Data))
		}
		return fmt.Sprintf("%s.%#x(%#x)", label, selector[:], arguments)
	}
	if t != nil && t.ID.Hash() != e.ResourceID {
		t = nil
	}
	record := label + describeKey(e.Key, t)
	switch e.Op {
	case channel.EffectDelete:
		return "delete " + record
	case channel.EffectSet:
		return record + " = " + describeRecord(e.Data, t)
	case channel.EffectIncrement:
		field, delta, err := DecodeIncrement(e.Data)
		if err != nil {
			return fmt.Sprintf("%s += %#x", record, []byte(e.Data))
		}
		name := fmt.Sprintf("field%d", field)
		if t != nil && int(field) < len(t.FieldNames) {
			name = t.FieldNames[field]
		}
		if delta.Sign() < 0 {
			return fmt.Sprintf("%s.%s -= %s", record, name, new(big.Int).Neg(delta))
		}
		return fmt.Sprintf("%s.%s += %s", record, name, delta)
	default:
		return fmt.Sprintf("%s %s %#x", opName(e.Op), record, []byte(e.Data))
	}
}

var errNoTable = errors.New("no table given")

func describeKey(key []common.Hash, t *Table) string {
	values, err := make([]any, len(key)), errNoTable
	if t != nil {
		values, err = t.Key.DecodeKey(key)
	}
	if err != nil {
		values = make([]any, len(key))
		for i, word := range key {
			values[i] = word[:]
		}
	}
	for i, v := range values {
		if a, ok := v.(common.Address); ok {
			hex := a.Hex()
			values[i] = shortText(hex[:6] + "…" + hex[len(hex)-4:])
		}
	}
	return FormatValue(values)
}

// shortText is printed by FormatValue without quotes.
type shortText string

func describeRecord(data []byte, t *Table) string {
	r, err := DecodeSet(data)
	if err != nil || t == nil {
		return fmt.Sprintf("%#x", data)
	}
	values, err := t.Value.DecodeRecord(r)
	if err != nil {
		return fmt.Sprintf("%#x", data)
	}
	return formatFields(t.FieldNames, values)
}
