package mudbridge

import (
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/ethereum/go-ethereum/common"
)

// Limits of a MUD schema.
const (
	MaxFields        = 28 // static and dynamic together
	MaxDynamicFields = 5
)

// The frame that schemas and field layouts share; see the package's description.
const (
	frameStatics  = 2
	frameDynamics = 3
	frameFields   = 4
)

// Schema is the list of a table's key or value types, static ones first. The zero Schema is the empty one, which
// is the key schema of a singleton table.
type Schema struct {
	types   []SchemaType
	statics int
	length  int // of all static fields, in bytes
}

// NewSchema checks the order and the number of the types.
func NewSchema(types ...SchemaType) (Schema, error) {
	if len(types) > MaxFields {
		return Schema{}, fmt.Errorf("%w: %d fields, at most %d are possible", ErrSchema, len(types), MaxFields)
	}
	s := Schema{types: append([]SchemaType(nil), types...)}
	for i, t := range types {
		switch {
		case !t.valid():
			return Schema{}, fmt.Errorf("%w: field %d has the unknown type %d", ErrSchema, i, uint8(t))
		case t.Dynamic():
			continue
		case s.statics != i:
			return Schema{}, fmt.Errorf("%w: field %d is %s, but static fields come before dynamic ones", ErrSchema, i, t)
		}
		s.statics++
		s.length += t.StaticLength()
	}
	if s.NumDynamic() > MaxDynamicFields {
		return Schema{}, fmt.Errorf("%w: %d dynamic fields, at most %d are possible", ErrSchema, s.NumDynamic(), MaxDynamicFields)
	}
	return s, nil
}

// ParseSchema reads type names, such as "address", "uint32", "string".
func ParseSchema(names ...string) (Schema, error) {
	types := make([]SchemaType, 0, min(len(names), MaxFields+1))
	for _, name := range names {
		t, err := ParseSchemaType(name)
		if err != nil {
			return Schema{}, err
		}
		types = append(types, t)
	}
	return NewSchema(types...)
}

// DecodeSchema reads the encoded form; anything that would not encode to the same word is [ErrSchema].
func DecodeSchema(word common.Hash) (Schema, error) {
	n := int(word[frameStatics]) + int(word[frameDynamics])
	if n > MaxFields {
		return Schema{}, fmt.Errorf("%w: %s names %d fields, at most %d are possible", ErrSchema, word, n, MaxFields)
	}
	types := make([]SchemaType, n)
	for i := range types {
		types[i] = SchemaType(word[frameFields+i])
	}
	s, err := NewSchema(types...)
	if err != nil {
		return Schema{}, fmt.Errorf("schema %s: %w", word, err)
	}
	if s.Word() != word {
		return Schema{}, fmt.Errorf("%w: %s has wrong lengths or counts, or bytes after its fields", ErrSchema, word)
	}
	return s, nil
}

// Word is the encoded form.
func (s Schema) Word() common.Hash {
	return s.frame(func(t SchemaType) byte { return byte(t) }, len(s.types))
}

// Layout is the field layout of the schema.
func (s Schema) Layout() FieldLayout {
	return FieldLayout(s.frame(func(t SchemaType) byte { return byte(t.StaticLength()) }, s.statics))
}

// frame cannot overflow: at most 28 fields of at most 32 bytes are 896 bytes.
func (s Schema) frame(content func(SchemaType) byte, n int) (word common.Hash) {
	binary.BigEndian.PutUint16(word[:], uint16(s.length))
	word[frameStatics] = byte(s.statics)
	word[frameDynamics] = byte(s.NumDynamic())
	for i, t := range s.types[:n] {
		word[frameFields+i] = content(t)
	}
	return word
}

// Len is the number of fields.
func (s Schema) Len() int { return len(s.types) }

// Type is the type of field i, which must be below Len.
func (s Schema) Type(i int) SchemaType { return s.types[i] }

// NumStatic is the number of static fields: fields 0 to NumStatic − 1.
func (s Schema) NumStatic() int { return s.statics }

// NumDynamic is the number of dynamic fields: fields NumStatic to Len − 1.
func (s Schema) NumDynamic() int { return len(s.types) - s.statics }

// StaticLength is the length of the static data in bytes.
func (s Schema) StaticLength() int { return s.length }

// StaticOffset is where static field i starts in the static data.
func (s Schema) StaticOffset(i int) int {
	offset := 0
	for _, t := range s.types[:i] {
		offset += t.StaticLength()
	}
	return offset
}

// String lists the types: (address,uint32,string).
func (s Schema) String() string {
	names := make([]string, len(s.types))
	for i, t := range s.types {
		names[i] = t.String()
	}
	return "(" + strings.Join(names, ",") + ")"
}

// FieldLayout says how long each static field is and how many dynamic ones follow.
type FieldLayout common.Hash

// DecodeFieldLayout checks what MUD's FieldLayout.validate checks, which also makes the encoding unique.
func DecodeFieldLayout(word common.Hash) (FieldLayout, error) {
	statics, dynamics := int(word[frameStatics]), int(word[frameDynamics])
	switch {
	case word == common.Hash{}:
		return FieldLayout{}, fmt.Errorf("%w: it is empty", ErrFieldLayout)
	case dynamics > MaxDynamicFields:
		return FieldLayout{}, fmt.Errorf("%w: %s has %d dynamic fields, at most %d are possible", ErrFieldLayout, word, dynamics, MaxDynamicFields)
	case statics+dynamics > MaxFields:
		return FieldLayout{}, fmt.Errorf("%w: %s has %d fields, at most %d are possible", ErrFieldLayout, word, statics+dynamics, MaxFields)
	}
	total := 0
	for i, length := range word[frameFields:] {
		switch {
		case i >= statics && length != 0:
			return FieldLayout{}, fmt.Errorf("%w: %s has bytes after its static fields", ErrFieldLayout, word)
		case i < statics && (length == 0 || length > common.HashLength):
			return FieldLayout{}, fmt.Errorf("%w: %s gives static field %d %d bytes, must be 1 to 32", ErrFieldLayout, word, i, length)
		}
		total += int(length)
	}
	if l := FieldLayout(word); l.StaticLength() != total {
		return FieldLayout{}, fmt.Errorf("%w: %s says %d bytes of static data, its fields have %d", ErrFieldLayout, word, l.StaticLength(), total)
	}
	return FieldLayout(word), nil
}

// StaticLength is the length of the static data in bytes.
func (l FieldLayout) StaticLength() int { return int(binary.BigEndian.Uint16(l[:])) }

// NumStatic is the number of static fields.
func (l FieldLayout) NumStatic() int { return int(l[frameStatics]) }

// NumDynamic is the number of dynamic fields.
func (l FieldLayout) NumDynamic() int { return int(l[frameDynamics]) }

// FieldLength is the length of static field i in bytes, 0 when there is none.
func (l FieldLayout) FieldLength(i int) int {
	if i < 0 || i >= l.NumStatic() || i >= MaxFields {
		return 0
	}
	return int(l[frameFields+i])
}

// Hash is the layout as the word that goes into calls.
func (l FieldLayout) Hash() common.Hash { return common.Hash(l) }
