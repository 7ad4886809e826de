package p2p

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

// ProtocolID is the libp2p protocol of the streams; its version is the version
// of the frame layout.
const ProtocolID = "/op-channels/1.0.0"

// MaxMessage is the largest message body in bytes.
const MaxMessage = 1 << 20

const (
	maxUvarint  = binary.MaxVarintLen64
	maxNetwork  = 128
	maxText     = 256
	maxHello    = maxUvarint + 2 + maxNetwork + 8 + maxUvarint + 8 + 3*maxUvarint
	maxFrame    = 1 + maxUvarint + MaxMessage
	lengthBytes = 3 // of maxFrame as uvarint
)

// Frame types.
const (
	typeHello   byte = 1
	typeData    byte = 2
	typeAck     byte = 3
	typeGoodbye byte = 4
)

// ErrMalformed reports bytes that are no frame, or a frame that breaks the
// rules of the package documentation.
var ErrMalformed = errors.New("malformed frame")

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrMalformed, fmt.Sprintf(format, args...))
}

// Session names one lifetime of one side's message counter. 0 means none.
type Session uint64

// String gives 16 hexadecimal digits.
func (s Session) String() string { return fmt.Sprintf("%016x", uint64(s)) }

// Code says why a link was refused or ended.
type Code uint8

// The codes of goodbye frames.
const (
	CodeShutdown   Code = 1 // the process stops; come back later
	CodeVersion    Code = 2 // another protocol version
	CodeNetwork    Code = 3 // another chain or adjudicator
	CodeUnknown    Code = 4 // the address was not added as a peer
	CodeDenied     Code = 5 // the address is on the deny list, or not on the allow list
	CodeBanned     Code = 6 // too many invalid messages; passes with time
	CodeMalformed  Code = 7 // a frame broke the protocol
	CodeSuperseded Code = 8 // another link to the same peer is used instead
	CodeBusy       Code = 9 // no room for another peer or link
)

var codeNames = map[Code]string{
	CodeShutdown: "shutdown", CodeVersion: "version", CodeNetwork: "network", CodeUnknown: "unknown_peer", CodeDenied: "denied",
	CodeBanned: "banned", CodeMalformed: "malformed", CodeSuperseded: "superseded", CodeBusy: "busy",
}

// String gives the code's name as it appears in metrics.
func (c Code) String() string {
	if n, ok := codeNames[c]; ok {
		return n
	}
	return fmt.Sprintf("code_%d", uint8(c))
}

// codeLabel names a code in metrics: peers choose codes, so unknown ones share
// a label.
func codeLabel(c Code) string {
	if n, ok := codeNames[c]; ok {
		return n
	}
	return "other"
}

// lasting says whether asking again soon is pointless.
func (c Code) lasting() bool {
	return c == CodeVersion || c == CodeNetwork || c == CodeDenied || c == CodeBanned
}

type hello struct {
	version        uint64
	network        string
	session        Session
	first          uint64
	known          Session
	next           uint64
	windowMessages uint64
	windowBytes    uint64
}

type goodbye struct {
	code Code
	text string
}

func appendFrameHeader(b []byte, typ byte, body int) []byte {
	return append(binary.AppendUvarint(b, uint64(1+body)), typ)
}

func appendHello(b []byte, h *hello) []byte {
	body := binary.AppendUvarint(nil, h.version)
	body = binary.AppendUvarint(body, uint64(len(h.network)))
	body = append(body, h.network...)
	body = binary.BigEndian.AppendUint64(body, uint64(h.session))
	body = binary.AppendUvarint(body, h.first)
	body = binary.BigEndian.AppendUint64(body, uint64(h.known))
	body = binary.AppendUvarint(body, h.next)
	body = binary.AppendUvarint(body, h.windowMessages)
	body = binary.AppendUvarint(body, h.windowBytes)
	return append(appendFrameHeader(b, typeHello, len(body)), body...)
}

func appendData(b []byte, id uint64, message []byte) []byte {
	var enc [maxUvarint]byte
	n := binary.PutUvarint(enc[:], id)
	b = appendFrameHeader(b, typeData, n+len(message))
	b = append(b, enc[:n]...)
	return append(b, message...)
}

func appendAck(b []byte, id uint64) []byte {
	var enc [maxUvarint]byte
	n := binary.PutUvarint(enc[:], id)
	b = appendFrameHeader(b, typeAck, n)
	return append(b, enc[:n]...)
}

func appendGoodbye(b []byte, g goodbye) []byte {
	text := g.text
	for len(text) > maxText || !utf8.ValidString(text) {
		text = text[:min(len(text), maxText+1)-1] // a cut inside a character must not make an invalid frame
	}
	b = appendFrameHeader(b, typeGoodbye, 1+len(text))
	b = append(b, byte(g.code))
	return append(b, text...)
}

// uvarint takes a uvarint in its shortest form off b.
func uvarint(b []byte, what string) (uint64, []byte, error) {
	v, n := binary.Uvarint(b)
	if n <= 0 {
		return 0, nil, malformed("%s: no uvarint", what)
	}
	if n > 1 && b[n-1] == 0 {
		return 0, nil, malformed("%s: uvarint not in shortest form", what)
	}
	return v, b[n:], nil
}

// decodeHello returns a hello with only version set, and no error, when the
// version is not want: the rest may have another layout then.
func decodeHello(b []byte, want uint64) (*hello, error) {
	var h hello
	var err error
	if h.version, b, err = uvarint(b, "hello version"); err != nil {
		return nil, err
	}
	if h.version != want {
		return &h, nil
	}
	n, b, err := uvarint(b, "hello network length")
	if err != nil {
		return nil, err
	}
	if n > maxNetwork || n > uint64(len(b)) {
		return nil, malformed("hello network of %d bytes", n)
	}
	h.network, b = string(b[:n]), b[n:]
	if !utf8.ValidString(h.network) {
		return nil, malformed("hello network is not UTF-8")
	}
	if h.session, b, err = session(b); err != nil {
		return nil, err
	}
	if h.first, b, err = uvarint(b, "hello first"); err != nil {
		return nil, err
	}
	if h.known, b, err = session(b); err != nil {
		return nil, err
	}
	if h.next, b, err = uvarint(b, "hello next"); err != nil {
		return nil, err
	}
	if h.windowMessages, b, err = uvarint(b, "hello window messages"); err != nil {
		return nil, err
	}
	if h.windowBytes, b, err = uvarint(b, "hello window bytes"); err != nil {
		return nil, err
	}
	switch {
	case len(b) != 0:
		return nil, malformed("hello has %d bytes too many", len(b))
	case h.session == 0:
		return nil, malformed("hello session is zero")
	case h.first == 0:
		return nil, malformed("hello first is zero")
	case (h.known == 0) != (h.next == 0):
		return nil, malformed("hello known session and next contradict each other")
	case h.windowMessages == 0 || h.windowBytes < MaxMessage:
		return nil, malformed("hello window is too small")
	}
	return &h, nil
}

func session(b []byte) (Session, []byte, error) {
	if len(b) < 8 {
		return 0, nil, malformed("hello session: %d of 8 bytes", len(b))
	}
	return Session(binary.BigEndian.Uint64(b)), b[8:], nil
}

// decodeData returns the id and the message, which aliases b.
func decodeData(b []byte) (uint64, []byte, error) {
	id, message, err := uvarint(b, "data id")
	if err != nil {
		return 0, nil, err
	}
	if id == 0 {
		return 0, nil, malformed("data id is zero")
	}
	if len(message) > MaxMessage {
		return 0, nil, malformed("message of %d bytes", len(message))
	}
	return id, message, nil
}

func decodeAck(b []byte) (uint64, error) {
	id, rest, err := uvarint(b, "ack id")
	if err != nil {
		return 0, err
	}
	if id == 0 || len(rest) != 0 {
		return 0, malformed("ack of %d with %d bytes too many", id, len(rest))
	}
	return id, nil
}

func decodeGoodbye(b []byte) (goodbye, error) {
	if len(b) < 1 || b[0] == 0 {
		return goodbye{}, malformed("goodbye without code")
	}
	if len(b) > 1+maxText || !utf8.Valid(b[1:]) {
		return goodbye{}, malformed("goodbye text")
	}
	return goodbye{code: Code(b[0]), text: string(b[1:])}, nil
}

// bodyLimit is the longest body of a frame type; 0 for types that do not exist.
func bodyLimit(typ byte) int {
	switch typ {
	case typeHello:
		return maxHello
	case typeData:
		return maxUvarint + MaxMessage
	case typeAck:
		return maxUvarint
	case typeGoodbye:
		return 1 + maxText
	}
	return 0
}

// readFrame reads one frame. The body is freshly allocated, after its length
// was checked against the type's limit. Errors of r are returned as they are
// (io.EOF only between frames); everything else wraps ErrMalformed.
func readFrame(r *bufio.Reader) (typ byte, body []byte, err error) {
	var length uint64
	for i := 0; ; i++ {
		c, err := r.ReadByte()
		if err != nil {
			if i > 0 && errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return 0, nil, err
		}
		if i == lengthBytes || (i > 0 && c == 0) {
			return 0, nil, malformed("frame length")
		}
		length |= uint64(c&0x7f) << (7 * i)
		if c < 0x80 {
			break
		}
	}
	if length == 0 || length > maxFrame {
		return 0, nil, malformed("frame length %d", length)
	}
	if typ, err = r.ReadByte(); err != nil {
		return 0, nil, unexpected(err)
	}
	if limit := bodyLimit(typ); limit == 0 || length-1 > uint64(limit) {
		return 0, nil, malformed("frame type %#x of length %d", typ, length)
	}
	body = make([]byte, length-1)
	if _, err = io.ReadFull(r, body); err != nil {
		return 0, nil, unexpected(err)
	}
	return typ, body, nil
}

func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
