package p2p

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"io"
	"os"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// TestF6_FramesMatchTheGoldenFile pins the wire format: a change of these bytes
// is another protocol.
func TestF6_FramesMatchTheGoldenFile(t *testing.T) {
	raw, err := os.ReadFile("testdata/frames.json")
	require.NoError(t, err)
	var golden map[string]string
	require.NoError(t, json.Unmarshal(raw, &golden))
	frames := map[string][]byte{
		"hello_first_contact": appendHello(nil, &hello{version: 1, network: testNetwork, session: 0x0102030405060708, first: 1,
			windowMessages: 1024, windowBytes: 8 << 20}),
		"hello_resumed": appendHello(nil, &hello{version: 1, network: testNetwork, session: 0x0102030405060708, first: 300,
			known: 0xa1a2a3a4a5a6a7a8, next: 1 << 40, windowMessages: 1024, windowBytes: 8 << 20}),
		"data_empty":      appendData(nil, 1, nil),
		"data_300":        appendData(nil, 300, []byte("message")),
		"ack_127":         appendAck(nil, 127),
		"ack_128":         appendAck(nil, 128),
		"goodbye_network": appendGoodbye(nil, goodbye{CodeNetwork, "another chain"}),
		"goodbye_no_text": appendGoodbye(nil, goodbye{CodeShutdown, ""}),
		"data_200_zeroes": appendData(nil, 5, make([]byte, 200)),
		"goodbye_unicode": appendGoodbye(nil, goodbye{CodeBanned, "zu viele ungültige"}),
	}
	got := map[string]string{}
	for name, b := range frames {
		got[name] = hex.EncodeToString(b)
	}
	require.Equal(t, golden, got)
}

func TestF6_FramesRoundTrip(t *testing.T) {
	hellos := []*hello{testHello(1, 1), {version: 1, network: "x", session: 1 << 63, first: 1 << 63, known: 5, next: 1, windowMessages: 1, windowBytes: MaxMessage}}
	var wire []byte
	for _, h := range hellos {
		wire = appendHello(wire, h)
	}
	big := bytes.Repeat([]byte{7}, MaxMessage)
	wire = appendData(wire, 1<<64-1, big)
	wire = appendAck(wire, 1<<64-1)
	wire = appendGoodbye(wire, goodbye{CodeBusy, strings.Repeat("é", 300)})
	br := bufio.NewReader(bytes.NewReader(wire))
	for _, h := range hellos {
		typ, body, err := readFrame(br)
		require.NoError(t, err)
		require.Equal(t, typeHello, typ)
		got, err := decodeHello(body, 1)
		require.NoError(t, err)
		require.Equal(t, h, got)
	}
	_, body, err := readFrame(br)
	require.NoError(t, err)
	id, message, err := decodeData(body)
	require.NoError(t, err)
	require.Equal(t, uint64(1<<64-1), id)
	require.Equal(t, big, message)
	_, body, err = readFrame(br)
	require.NoError(t, err)
	id, err = decodeAck(body)
	require.NoError(t, err)
	require.Equal(t, uint64(1<<64-1), id)
	_, body, err = readFrame(br)
	require.NoError(t, err)
	g, err := decodeGoodbye(body)
	require.NoError(t, err)
	require.Equal(t, goodbye{CodeBusy, strings.Repeat("é", 128)}, g, "cut at a character")
	_, _, err = readFrame(br)
	require.ErrorIs(t, err, io.EOF)
}

func TestF6_HelloOfAnotherVersionIsReadUpToItsVersion(t *testing.T) {
	h, err := decodeHello([]byte{7, 0xff, 0xff}, 1)
	require.NoError(t, err)
	require.EqualValues(t, 7, h.version)
}

func TestF6_TruncatedFramesAreNoCleanEnd(t *testing.T) {
	wire := appendData(nil, 300, []byte("message"))
	for n := 1; n < len(wire); n++ {
		_, _, err := readFrame(bufio.NewReader(bytes.NewReader(wire[:n])))
		require.ErrorIs(t, err, io.ErrUnexpectedEOF, n)
	}
}

func seeds(f *testing.F, typ byte) {
	for _, b := range [][]byte{appendHello(nil, testHello(1, 1)), appendData(nil, 300, []byte("message")), appendAck(nil, 128),
		appendGoodbye(nil, goodbye{CodeNetwork, "another chain"}), {0}, {0x80, 0x00}, {0xff, 0xff, 0xff, 0x7f}} {
		if typ == 0 {
			f.Add(b)
		} else if len(b) > 2 && b[1] == typ {
			f.Add(b[2:])
		}
	}
	f.Add([]byte{})
	f.Add([]byte{0x80, 0})
}

// FuzzReadFrame checks that what is read is what would be written, and that
// nothing above the limits is.
func FuzzReadFrame(f *testing.F) {
	seeds(f, 0)
	f.Fuzz(func(t *testing.T, b []byte) {
		r := bytes.NewReader(b)
		br := bufio.NewReader(r)
		typ, body, err := readFrame(br)
		if err != nil {
			return
		}
		if len(body) > bodyLimit(typ) {
			t.Fatalf("type %d with %d bytes", typ, len(body))
		}
		again := append(appendFrameHeader(nil, typ, len(body)), body...)
		if !bytes.Equal(again, b[:len(b)-r.Len()-br.Buffered()]) {
			t.Fatalf("%x read as %x", b, again)
		}
	})
}

func FuzzDecodeHello(f *testing.F) {
	seeds(f, typeHello)
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := decodeHello(b, 1)
		if err != nil || h.version != 1 {
			return
		}
		if again := appendHello(nil, h); !bytes.HasSuffix(again, b) || len(again) > len(b)+lengthBytes+1 {
			t.Fatalf("%x read as %+v", b, h)
		}
	})
}

func FuzzDecodeData(f *testing.F) {
	seeds(f, typeData)
	f.Fuzz(func(t *testing.T, b []byte) {
		id, message, err := decodeData(b)
		if err != nil {
			return
		}
		if again := appendData(nil, id, message); id == 0 || len(message) > MaxMessage || !bytes.HasSuffix(again, b) {
			t.Fatalf("%x read as %d, %x", b, id, message)
		}
	})
}

func FuzzDecodeAck(f *testing.F) {
	seeds(f, typeAck)
	f.Fuzz(func(t *testing.T, b []byte) {
		id, err := decodeAck(b)
		if err != nil {
			return
		}
		if again := appendAck(nil, id); id == 0 || !bytes.Equal(again[2:], b) {
			t.Fatalf("%x read as %d", b, id)
		}
	})
}

func FuzzDecodeGoodbye(f *testing.F) {
	seeds(f, typeGoodbye)
	f.Fuzz(func(t *testing.T, b []byte) {
		g, err := decodeGoodbye(b)
		if err != nil {
			return
		}
		if again := appendGoodbye(nil, g); g.code == 0 || len(g.text) > maxText || !utf8.ValidString(g.text) || !bytes.HasSuffix(again, b) {
			t.Fatalf("%x read as %+v", b, g)
		}
	})
}

func FuzzParsePeer(f *testing.F) {
	f.Add("/ip4/127.0.0.1/tcp/1/p2p/16Uiu2HAmLhLvBoYaoZfaMUKuibM6ac163GwKY74c5kiSLg5KvLpY")
	f.Add("/dns4/example.org/tcp/443/p2p/12D3KooWCryG7Mon9orvQxcS1rYZjotPgpwoJNHHKcLLfE4Hf5mV")
	f.Add("/ip4/1.2.3.4/tcp/1/p2p-circuit/p2p/16Uiu2HAmLhLvBoYaoZfaMUKuibM6ac163GwKY74c5kiSLg5KvLpY")
	f.Fuzz(func(t *testing.T, s string) {
		addr, err := ParsePeer(s)
		if err != nil {
			require.ErrorIs(t, err, ErrBadMultiaddr)
			return
		}
		id, where, err := parseMultiaddrs(addr, []string{s})
		require.NoError(t, err)
		require.NotEmpty(t, id)
		require.Len(t, where, 1)
	})
}
