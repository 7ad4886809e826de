package mudbridge

import (
	"encoding/hex"
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
)

// encodeValue appends the packed form of a value of any type: big-endian, without padding or length.
func encodeValue(dst []byte, t SchemaType, v any) ([]byte, error) {
	if elem, ok := t.Elem(); ok {
		list, ok := v.([]any)
		if !ok {
			return nil, mismatch(t, v)
		}
		for i, item := range list {
			var err error
			if dst, err = encodeValue(dst, elem, item); err != nil {
				return nil, fmt.Errorf("element %d: %w", i, err)
			}
		}
		return dst, nil
	}
	switch {
	case t == Bytes:
		if b, ok := v.([]byte); ok {
			return append(dst, b...), nil
		}
	case t == String:
		if s, ok := v.(string); ok && utf8.ValidString(s) {
			return append(dst, s...), nil
		}
	case t == Bool:
		if b, ok := v.(bool); ok {
			if b {
				return append(dst, 1), nil
			}
			return append(dst, 0), nil
		}
	case t == Address:
		if a, ok := v.(common.Address); ok {
			return append(dst, a[:]...), nil
		}
	case t.fixedBytes():
		if h, ok := v.(common.Hash); ok {
			v = h[:]
		}
		if b, ok := v.([]byte); ok && len(b) == t.StaticLength() {
			return append(dst, b...), nil
		}
	case t.integer():
		if n := integerOf(v); n != nil {
			return encodeInteger(dst, t, n)
		}
	}
	return nil, mismatch(t, v)
}

func mismatch(t SchemaType, v any) error {
	return fmt.Errorf("%w: %v (%T) is no %s", ErrValue, v, v, t)
}

// integerOf gives v as a number, nil when it is none.
func integerOf(v any) *big.Int {
	switch n := v.(type) {
	case uint64:
		return new(big.Int).SetUint64(n)
	case int64:
		return big.NewInt(n)
	case int:
		return big.NewInt(int64(n))
	case uint:
		return new(big.Int).SetUint64(uint64(n))
	case uint8:
		return big.NewInt(int64(n))
	case uint16:
		return big.NewInt(int64(n))
	case uint32:
		return big.NewInt(int64(n))
	case int8:
		return big.NewInt(int64(n))
	case int16:
		return big.NewInt(int64(n))
	case int32:
		return big.NewInt(int64(n))
	case *big.Int:
		return n // may be nil
	case *uint256.Int:
		if n != nil {
			return n.ToBig()
		}
	}
	return nil
}

func encodeInteger(dst []byte, t SchemaType, n *big.Int) ([]byte, error) {
	size := t.StaticLength()
	least, most := integerRange(t)
	if n.Cmp(least) < 0 || n.Cmp(most) > 0 {
		return nil, fmt.Errorf("%w: %s is outside of %s", ErrValue, n, t)
	}
	if n.Sign() < 0 { // two's complement
		n = new(big.Int).Add(n, new(big.Int).Lsh(big.NewInt(1), uint(8*size)))
	}
	dst = append(dst, make([]byte, size)...)
	n.FillBytes(dst[len(dst)-size:])
	return dst, nil
}

// integerRange is the least and the greatest value of an integer type.
func integerRange(t SchemaType) (least, most *big.Int) {
	bits := uint(8 * t.StaticLength())
	if t.signed() {
		bits--
	}
	most = new(big.Int).Lsh(big.NewInt(1), bits)
	most.Sub(most, big.NewInt(1))
	if t.signed() {
		return new(big.Int).Not(most), most
	}
	return new(big.Int), most
}

// decodeStatic reads a packed static value of exactly the type's length.
func decodeStatic(t SchemaType, b []byte) (any, error) {
	if t.Dynamic() || len(b) != t.StaticLength() {
		return nil, fmt.Errorf("%w: %d bytes for %s", ErrValue, len(b), t)
	}
	switch {
	case t == Bool:
		if b[0] > 1 {
			return nil, fmt.Errorf("%w: %#x is no bool", ErrValue, b[0])
		}
		return b[0] == 1, nil
	case t == Address:
		return common.BytesToAddress(b), nil
	case t.fixedBytes():
		return append([]byte(nil), b...), nil
	case t.unsigned():
		n := new(uint256.Int).SetBytes(b)
		if len(b) <= 8 {
			return n.Uint64(), nil
		}
		return n, nil
	default:
		if len(b) <= 8 {
			n := uint64(0)
			if b[0]&0x80 != 0 {
				n = ^n
			}
			for _, x := range b {
				n = n<<8 | uint64(x)
			}
			return int64(n), nil
		}
		n := new(big.Int).SetBytes(b)
		if b[0]&0x80 != 0 {
			n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))))
		}
		return n, nil
	}
}

// decodeDynamic reads the bytes of one dynamic field.
func decodeDynamic(t SchemaType, b []byte) (any, error) {
	switch t {
	case Bytes:
		return append([]byte{}, b...), nil
	case String:
		if !utf8.Valid(b) {
			return nil, fmt.Errorf("%w: the string is not UTF-8", ErrValue)
		}
		return string(b), nil
	}
	elem, ok := t.Elem()
	if !ok {
		return nil, fmt.Errorf("%w: %s is not dynamic", ErrValue, t)
	}
	size := elem.StaticLength()
	if len(b)%size != 0 {
		return nil, fmt.Errorf("%w: %d bytes for %s, must be a multiple of %d", ErrValue, len(b), t, size)
	}
	list := make([]any, len(b)/size)
	for i := range list {
		v, err := decodeStatic(elem, b[i*size:(i+1)*size])
		if err != nil {
			return nil, fmt.Errorf("element %d: %w", i, err)
		}
		list[i] = v
	}
	return list, nil
}

// encodeKeyWord is abi.encode of one static value: bytesN on the left, everything else on the right.
func encodeKeyWord(t SchemaType, v any) (word common.Hash, err error) {
	if t.Dynamic() {
		return word, fmt.Errorf("%w: %s cannot be a key", ErrKey, t)
	}
	packed, err := encodeValue(nil, t, v)
	if err != nil {
		return word, err
	}
	if t.fixedBytes() {
		copy(word[:], packed)
		return word, nil
	}
	pad := common.HashLength - len(packed)
	copy(word[pad:], packed)
	if t.signed() && packed[0]&0x80 != 0 {
		for i := range pad {
			word[i] = 0xff
		}
	}
	return word, nil
}

// decodeKeyWord refuses padding that encodeKeyWord would not have made.
func decodeKeyWord(t SchemaType, word common.Hash) (any, error) {
	size := t.StaticLength()
	packed := word[common.HashLength-size:]
	if t.fixedBytes() {
		packed = word[:size]
	}
	v, err := decodeStatic(t, packed)
	if err != nil {
		return nil, err
	}
	again, err := encodeKeyWord(t, v)
	if err != nil {
		return nil, err
	}
	if again != word {
		return nil, fmt.Errorf("%w: word %s is no %s", ErrValue, word, t)
	}
	return v, nil
}

// FormatValue writes a value that this package decoded for people: numbers in decimal, bytes and addresses in hex,
// strings quoted.
func FormatValue(v any) string {
	switch v := v.(type) {
	case []byte:
		return "0x" + hex.EncodeToString(v)
	case string:
		return strconv.Quote(v)
	case common.Address:
		return v.Hex()
	case *uint256.Int:
		return v.Dec()
	case []any:
		items := make([]string, len(v))
		for i, item := range v {
			items[i] = FormatValue(item)
		}
		return "[" + strings.Join(items, ", ") + "]"
	default:
		return fmt.Sprint(v)
	}
}
