package plugin

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/stretchr/testify/require"
)

// nodeError is what go-ethereum's client makes of an error with data.
type nodeError struct {
	text string
	code int
	data any
}

func (e nodeError) Error() string  { return e.text }
func (e nodeError) ErrorCode() int { return e.code }
func (e nodeError) ErrorData() any { return e.data }

func TestAsRevertTellsRefusalFromFault(t *testing.T) {
	for name, c := range map[string]struct {
		err    error
		revert bool
		reason string
	}{
		"geth with data":   {nodeError{"execution reverted", 3, "0x01020304"}, true, "unknown error 0x01020304 with 0 bytes"},
		"geth without":     {nodeError{"execution reverted", 3, nil}, true, "execution reverted"},
		"empty data":       {nodeError{"VM Exception", -32000, "0x"}, true, "VM Exception"},
		"words only":       {nodeError{"Transaction Reverted", -32000, nil}, true, "Transaction Reverted"},
		"no funds":         {nodeError{"insufficient funds for transfer", -32000, nil}, false, ""},
		"no connection":    {errors.New("connection refused, reverting"), false, ""},
		"data of no bytes": {nodeError{"limit exceeded", -32005, map[string]any{"max": 1}}, false, ""},
		"data not hex":     {nodeError{"limit exceeded", -32005, "soon"}, false, ""},
		"nothing":          {nil, false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			r, ok := asRevert(c.err, nil)
			require.Equal(t, c.revert, ok)
			if ok {
				require.Equal(t, c.reason, r.Reason)
				require.ErrorIs(t, r, ErrReverted)
			}
		})
	}
	long, ok := asRevert(nodeError{"x", 3, hexutil.Encode(make([]byte, 1<<20))}, nil)
	require.True(t, ok)
	require.Len(t, long.Data, maxRevertData)
}

func FuzzAsRevert(f *testing.F) {
	f.Add("execution reverted", 3, "0x08c379a0")
	f.Add("execution reverted", 3, hexutil.Encode(append(common.FromHex("08c379a0"), make([]byte, 64)...)))
	f.Add("revert", 0, "")
	f.Fuzz(func(t *testing.T, text string, code int, data string) {
		r, ok := asRevert(nodeError{text, code, data}, nil)
		if !ok {
			return
		}
		if r.Reason == "" && text != "" && len(r.Data) == 0 {
			t.Fatalf("no reason for %q", text)
		}
		if len(r.Data) > maxRevertData {
			t.Fatal("unbounded data")
		}
		if utf8.ValidString(text) && len(r.Data) < 4 && !strings.Contains(r.Error(), text) {
			t.Fatalf("%q is lost", text)
		}
	})
}
