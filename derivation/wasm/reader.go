package wasm

import "unicode/utf8"

// reader walks b[pos:end]; positions are offsets in the whole file, so that errors can name them.
type reader struct {
	b   []byte
	pos int
	end int
}

func (r *reader) left() int { return r.end - r.pos }

func (r *reader) byte(what string) (byte, error) {
	if r.pos >= r.end {
		return 0, fail(ErrMalformed, r.pos, "the file ends inside %s", what)
	}
	b := r.b[r.pos]
	r.pos++
	return b, nil
}

func (r *reader) bytes(n uint32, what string) ([]byte, error) {
	if uint64(n) > uint64(r.left()) {
		return nil, fail(ErrMalformed, r.pos, "%s claims %d bytes, only %d are left", what, n, r.left())
	}
	b := r.b[r.pos : r.pos+int(n)]
	r.pos += int(n)
	return b, nil
}

// u32 reads an unsigned LEB128 of at most 5 bytes.
func (r *reader) u32(what string) (uint32, error) {
	start := r.pos
	var v uint32
	for shift := 0; shift < 35; shift += 7 {
		b, err := r.byte(what)
		if err != nil {
			return 0, err
		}
		if shift == 28 && b > 0x0f {
			return 0, fail(ErrMalformed, start, "%s is not an unsigned 32-bit LEB128", what)
		}
		v |= uint32(b&0x7f) << shift
		if b < 0x80 {
			return v, nil
		}
	}
	return 0, fail(ErrMalformed, start, "%s is not an unsigned 32-bit LEB128", what)
}

// sint reads a signed LEB128 of the given width: 32, 33 (block types) or 64.
func (r *reader) sint(width int, what string) (int64, error) {
	start := r.pos
	var v int64
	for shift := 0; shift < width; shift += 7 {
		b, err := r.byte(what)
		if err != nil {
			return 0, err
		}
		v |= int64(b&0x7f) << shift
		if b >= 0x80 {
			continue
		}
		if used := width - shift; used < 7 {
			// The bits of the last byte that do not fit must all repeat the sign.
			sign := int8(b<<1) >> used // the top bit of the number at bit 6-used+1 and all above it
			if sign != 0 && sign != -1 {
				return 0, fail(ErrMalformed, start, "%s is not a signed %d-bit LEB128", what, width)
			}
		}
		if shift+7 < 64 && b&0x40 != 0 {
			v |= -1 << (shift + 7)
		}
		return v, nil
	}
	return 0, fail(ErrMalformed, start, "%s is not a signed %d-bit LEB128", what, width)
}

// count reads the length of a vector whose entries take at least one byte each, and refuses more than max.
func (r *reader) count(max int, what string) (int, error) {
	start := r.pos
	n, err := r.u32("the number of " + what)
	if err != nil {
		return 0, err
	}
	if uint64(n) > uint64(max) {
		return 0, fail(ErrLimit, start, "%d %s, at most %d are allowed", n, what, max)
	}
	if int(n) > r.left() {
		return 0, fail(ErrMalformed, start, "%d %s do not fit in the %d bytes left", n, what, r.left())
	}
	return int(n), nil
}

func (r *reader) name(what string) (string, error) {
	start := r.pos
	n, err := r.u32("the length of " + what)
	if err != nil {
		return "", err
	}
	if n > MaxNameBytes {
		return "", fail(ErrLimit, start, "%s has %d bytes, at most %d are allowed", what, n, MaxNameBytes)
	}
	b, err := r.bytes(n, what)
	if err != nil {
		return "", err
	}
	if !utf8.Valid(b) {
		return "", fail(ErrMalformed, start, "%s is not UTF-8", what)
	}
	return string(b), nil
}

// AppendU32 appends the shortest unsigned LEB128 of v.
func AppendU32(b []byte, v uint32) []byte {
	for v >= 0x80 {
		b = append(b, byte(v)|0x80)
		v >>= 7
	}
	return append(b, byte(v))
}

// AppendI64 appends the shortest signed LEB128 of v; it serves i32.const and block types as well.
func AppendI64(b []byte, v int64) []byte {
	for {
		c := byte(v & 0x7f)
		v >>= 7
		if (v == 0 && c&0x40 == 0) || (v == -1 && c&0x40 != 0) {
			return append(b, c)
		}
		b = append(b, c|0x80)
	}
}
