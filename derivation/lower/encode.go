package lower

import (
	"encoding/binary"

	"github.com/evmts/channels/derivation/wasm"
)

// Sizes and limits of the format. Lower gives nothing above them, Decode reads nothing above them.
const (
	Version         = 1
	MaxInstructions = 1 << 20
	MaxConstants    = 1 << 16
	MaxSegments     = wasm.MaxPages * wasm.PageSize / wordBytes

	headerBytes   = 64
	instrBytes    = 8
	constantBytes = 8
	wordBytes     = 32
	elementBytes  = 8
	segmentBytes  = 8
	functionBytes = 16

	opShift = 6 // the field op is the instruction's number × 64
	// maxGap is how many words of zeros a segment of the image may contain in a row: a further segment costs more.
	maxGap = 3
)

var magic = [4]byte{0, 'l', 'o', 'w'}

// segment is a run of bytes of the memory that are not all zero.
type segment struct{ at, size uint32 }

// segments finds the runs of words that are not zero, joined over gaps of up to maxGap words.
func segments(memory []byte) (out []segment) {
	zero, gap := [wordBytes]byte{}, maxGap+1
	for at := 0; at < len(memory); at += wordBytes {
		if [wordBytes]byte(memory[at:]) == zero {
			gap++
			continue
		}
		if gap > maxGap {
			out = append(out, segment{uint32(at), wordBytes})
		} else {
			out[len(out)-1].size = uint32(at) + wordBytes - out[len(out)-1].at
		}
		gap = 0
	}
	return out
}

// scale is the number of bytes that one unit of C stands for in the encoding.
func (op Op) scale() uint32 {
	switch op {
	case Jump, JumpIf, JumpUnless, Call:
		return instrBytes
	case LocalGet, LocalSet, LocalTee, GlobalGet, GlobalSet:
		return wordBytes
	case Constant:
		return constantBytes
	}
	return 1
}

// Encode gives the bytes that the package doc draws.
func (p *Program) Encode() []byte {
	u16, u32, u64 := binary.BigEndian.AppendUint16, binary.BigEndian.AppendUint32, binary.BigEndian.AppendUint64
	runs, image := segments(p.Memory), uint32(0)
	for _, s := range runs {
		image += s.size
	}
	b := make([]byte, 0, headerBytes+instrBytes*len(p.Code)+constantBytes*len(p.Constants)+wordBytes*len(p.Globals)+
		elementBytes*len(p.Table)+segmentBytes*len(runs)+int(image)+functionBytes*len(p.Functions))
	b = append(b, magic[:]...)
	for _, v := range []int{Version, int(p.Pages()), int(p.MaxPages), len(p.Globals), len(p.Table), len(p.Functions)} {
		b = u16(b, uint16(v))
	}
	for _, v := range []int{len(p.Code), len(p.Constants), len(runs), int(image)} {
		b = u32(b, uint32(v))
	}
	for _, e := range p.Entries {
		if e != None {
			e = p.Functions[e].Entry * instrBytes
		}
		b = u32(b, e)
	}
	b = append(b, make([]byte, headerBytes-len(b))...)
	for _, in := range p.Code {
		b = u32(u16(u16(b, uint16(in.Op)<<opShift), in.B), in.C*in.Op.scale())
	}
	for _, v := range p.Constants {
		b = u64(b, v)
	}
	for _, v := range p.Globals {
		b = u64(append(b, make([]byte, wordBytes-8)...), v)
	}
	for _, e := range p.Table {
		at := uint32(0)
		if e.Kind == ElementFunction {
			at = p.Functions[e.Function].Entry * instrBytes
		}
		b = u32(u16(u16(b, e.Kind), e.Type), at)
	}
	for _, s := range runs {
		b = u32(u32(b, s.at), s.size)
	}
	for _, s := range runs {
		for i := s.at + s.size; i > s.at; i-- {
			b = append(b, p.Memory[i-1])
		}
	}
	for _, f := range p.Functions {
		b = append(u16(u32(b, f.Entry*instrBytes), f.Type), f.Params, f.Results)
		b = u32(u16(u16(b, f.Locals), f.Height), 0)
	}
	return b
}
