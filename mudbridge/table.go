package mudbridge

import (
	"fmt"
	"strings"

	"github.com/ethereum/go-ethereum/common"
)

// Table is what a World knows about a table.
type Table struct {
	ID         ResourceID
	Key        Schema // static types only; empty for a table of one record
	Value      Schema // at least one field
	KeyNames   []string
	FieldNames []string
}

// NewTable checks what World.registerTable checks, and that the key has no dynamic field.
func NewTable(id ResourceID, key, value Schema, keyNames, fieldNames []string) (Table, error) {
	switch {
	case id.Type() != TypeTable && id.Type() != TypeOffchainTable:
		return Table{}, fmt.Errorf("%w: %s is no table", ErrResourceID, id)
	case key.NumDynamic() > 0:
		return Table{}, fmt.Errorf("%w: key schema %s of %s has dynamic fields", ErrSchema, key, id)
	case value.Len() == 0:
		return Table{}, fmt.Errorf("%w: %s has no fields", ErrSchema, id)
	case len(keyNames) != key.Len():
		return Table{}, fmt.Errorf("%w: %d key names for key schema %s of %s", ErrSchema, len(keyNames), key, id)
	case len(fieldNames) != value.Len():
		return Table{}, fmt.Errorf("%w: %d field names for schema %s of %s", ErrSchema, len(fieldNames), value, id)
	}
	return Table{ID: id, Key: key, Value: value, KeyNames: keyNames, FieldNames: fieldNames}, nil
}

// FieldIndex is the number of the field with this name.
func (t Table) FieldIndex(name string) (int, error) {
	for i, field := range t.FieldNames {
		if field == name {
			return i, nil
		}
	}
	return 0, fmt.Errorf("%w: %s has %s, not %q", ErrFieldNotFound, t.ID.Label(), strings.Join(t.FieldNames, ", "), name)
}

// EncodeKey is the key tuple for one value per key field.
func (t Table) EncodeKey(values ...any) ([]common.Hash, error) {
	key, err := t.Key.EncodeKey(values...)
	if err != nil {
		return nil, fmt.Errorf("key of %s: %w", t.ID.Label(), err)
	}
	return key, nil
}

// EncodeRecord packs one value per field.
func (t Table) EncodeRecord(values ...any) (Record, error) {
	r, err := t.Value.EncodeRecord(values...)
	if err != nil {
		return Record{}, fmt.Errorf("record of %s: %w", t.ID.Label(), err)
	}
	return r, nil
}

// DecodeRow reads a record together with its key.
func (t Table) DecodeRow(key []common.Hash, r Record) (Row, error) {
	keys, err := t.Key.DecodeKey(key)
	if err != nil {
		return Row{}, fmt.Errorf("key of %s: %w", t.ID.Label(), err)
	}
	values, err := t.Value.DecodeRecord(r)
	if err != nil {
		return Row{}, fmt.Errorf("record of %s: %w", t.ID.Label(), err)
	}
	return Row{Table: t, Key: keys, Values: values}, nil
}

// Row is a record of a table with its values decoded.
type Row struct {
	Table  Table
	Key    []any
	Values []any
}

// Value is the value of the field with this name.
func (r Row) Value(field string) (any, error) {
	i, err := r.Table.FieldIndex(field)
	if err != nil {
		return nil, err
	}
	return r.Values[i], nil
}

// Uint64 is the value of a field of type uint8 to uint64.
func (r Row) Uint64(field string) (uint64, error) {
	v, err := r.Value(field)
	if err != nil {
		return 0, err
	}
	n, ok := v.(uint64)
	if !ok {
		return 0, fmt.Errorf("%w: %s.%s is a %T, not a uint64", ErrValue, r.Table.ID.Label(), field, v)
	}
	return n, nil
}

// String is the row for people: raid__Loot[0xf39F…, 3]{amount: 1}.
func (r Row) String() string {
	return r.Table.ID.Label() + FormatValue(r.Key) + formatFields(r.Table.FieldNames, r.Values)
}

func formatFields(names []string, values []any) string {
	fields := make([]string, len(values))
	for i, v := range values {
		fields[i] = names[i] + ": " + FormatValue(v)
	}
	return "{" + strings.Join(fields, ", ") + "}"
}

// NameMap is the row's key and fields by name, as JSON-friendly text and numbers.
func (r Row) NameMap() map[string]any {
	m := make(map[string]any, len(r.Key)+len(r.Values))
	put := func(names []string, values []any) {
		for i, v := range values {
			switch v := v.(type) {
			case uint64, int64, bool, string:
				m[names[i]] = v
			default:
				m[names[i]] = FormatValue(v)
			}
		}
	}
	put(r.Table.KeyNames, r.Key)
	put(r.Table.FieldNames, r.Values)
	return m
}
