package mudbridge

import (
	"fmt"
	"strconv"
)

// SchemaType is the type of one field, by its number in MUD's enum of the same name: 32 unsigned integers, 32 signed
// ones, bytes1 to bytes32, bool, address, an array of each of these in the same order, bytes, string.
type SchemaType uint8

const (
	Uint8  SchemaType = iota // the first of uint8, uint16, … uint256
	Int8   SchemaType = 32   // the first of int8, int16, … int256
	Bytes1 SchemaType = 64   // the first of bytes1, bytes2, … bytes32

	Uint16  = Uint8 + 1
	Uint32  = Uint8 + 3
	Uint64  = Uint8 + 7
	Uint128 = Uint8 + 15
	Uint256 = Uint8 + 31
	Int16   = Int8 + 1
	Int32   = Int8 + 3
	Int64   = Int8 + 7
	Int128  = Int8 + 15
	Int256  = Int8 + 31
	Bytes4  = Bytes1 + 3
	Bytes32 = Bytes1 + 31

	Bool    SchemaType = 96
	Address SchemaType = 97
	// firstArray is uint8[]; T[] is firstArray + T.
	firstArray SchemaType = 98
	Bytes      SchemaType = 196
	String     SchemaType = 197

	numSchemaTypes = 198
)

var (
	schemaTypeNames  = makeSchemaTypeNames()
	schemaTypeByName = func() map[string]SchemaType {
		m := make(map[string]SchemaType, numSchemaTypes)
		for i, name := range schemaTypeNames {
			m[name] = SchemaType(i)
		}
		return m
	}()
)

func makeSchemaTypeNames() (names [numSchemaTypes]string) {
	for i := range 32 {
		bits := strconv.Itoa(8 * (i + 1))
		names[int(Uint8)+i] = "uint" + bits
		names[int(Int8)+i] = "int" + bits
		names[int(Bytes1)+i] = "bytes" + strconv.Itoa(i+1)
	}
	names[Bool], names[Address], names[Bytes], names[String] = "bool", "address", "bytes", "string"
	for i := range int(firstArray) {
		names[int(firstArray)+i] = names[i] + "[]"
	}
	return names
}

// ParseSchemaType reads a type's Solidity name, such as "uint32" or "address[]".
func ParseSchemaType(name string) (SchemaType, error) {
	t, ok := schemaTypeByName[name]
	if !ok {
		return 0, fmt.Errorf("%w: MUD has no type %q", ErrSchema, name)
	}
	return t, nil
}

// ArrayOf is the array type T[] of a static type T.
func ArrayOf(t SchemaType) (SchemaType, error) {
	if t.Dynamic() {
		return 0, fmt.Errorf("%w: MUD has no array of %s", ErrSchema, t)
	}
	return firstArray + t, nil
}

// String is the type's Solidity name.
func (t SchemaType) String() string {
	if t.valid() {
		return schemaTypeNames[t]
	}
	return fmt.Sprintf("SchemaType(%d)", uint8(t))
}

func (t SchemaType) valid() bool { return t < numSchemaTypes }

// Dynamic says whether values of the type have no fixed length.
func (t SchemaType) Dynamic() bool { return t >= firstArray }

// Elem is the type of an array's elements; ok is false when t is no array.
func (t SchemaType) Elem() (elem SchemaType, ok bool) {
	if t < firstArray || t >= Bytes {
		return 0, false
	}
	return t - firstArray, true
}

// StaticLength is how many bytes a value takes, 0 for dynamic types.
func (t SchemaType) StaticLength() int {
	switch {
	case t < Bool:
		return int(t)%32 + 1
	case t == Bool:
		return 1
	case t == Address:
		return 20
	default:
		return 0
	}
}

func (t SchemaType) unsigned() bool   { return t < Int8 }
func (t SchemaType) signed() bool     { return t >= Int8 && t < Bytes1 }
func (t SchemaType) integer() bool    { return t < Bytes1 }
func (t SchemaType) fixedBytes() bool { return t >= Bytes1 && t < Bool }
