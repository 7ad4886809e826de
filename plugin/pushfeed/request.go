package pushfeed

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"slices"
)

// Limits of what is taken. A block is at most 10 MiB when it is gossiped, and twice that in hexadecimal digits.
const (
	maxBody  = 24 << 20
	maxID    = 128       // bytes of a request's id
	maxDrain = 512 << 20 // bytes behind maxBody that are read and thrown away, so that the answer can be heard
)

// Methods that an op-node, or who looks after one, asks of an op-conductor.
const (
	methodCommit = "conductor_commitUnsafePayload"
	methodLeader = "conductor_leader"
)

// ErrRequest is returned for what is no request of JSON-RPC.
var ErrRequest = errors.New("malformed request")

// request is the head of a JSON-RPC request.
type request struct {
	id     json.RawMessage
	method string
}

// parseHead reads id and method. It stops as soon as it has both: params, which come last and are large, are not looked at. So it also reads
// the beginning of a request.
func parseHead(b []byte) (r request, err error) {
	d := json.NewDecoder(bytes.NewReader(b))
	bad := func(what string) (request, error) { return request{}, fmt.Errorf("%w: %s", ErrRequest, what) }
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return bad("not one object; batches are not taken")
	}
	for d.More() && (r.id == nil || r.method == "") {
		key, err := d.Token()
		if err != nil {
			return bad(err.Error())
		}
		switch key {
		case "id":
			if err := d.Decode(&r.id); err != nil {
				return bad("id: " + err.Error())
			}
			if len(r.id) > maxID || len(r.id) == 0 || r.id[0] == '{' || r.id[0] == '[' {
				return bad("id: no number or short string")
			}
		case "method":
			if err := d.Decode(&r.method); err != nil {
				return bad("method: " + err.Error())
			}
		default:
			var skip json.RawMessage
			if err := d.Decode(&skip); err != nil {
				return bad(err.Error())
			}
		}
	}
	if r.id == nil || r.method == "" {
		return bad("no id or no method")
	}
	return r, nil
}

// answer writes the result of a request.
func (r request) answer(w http.ResponseWriter, result any) {
	write(w, map[string]any{"jsonrpc": "2.0", "id": r.id, "result": result})
}

// Codes of JSON-RPC errors.
const (
	codeMalformed = -32600
	codeNoMethod  = -32601
)

func (r request) refuse(w http.ResponseWriter, code int, text string) {
	id := r.id
	if id == nil {
		id = json.RawMessage("null")
	}
	write(w, map[string]any{"jsonrpc": "2.0", "id": id, "error": map[string]any{"code": code, "message": text}})
}

func write(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // whoever asked may be gone
}

// desk bounds how many bodies are in memory at once. Who finds no place does not wait: the body is read and thrown away.
type desk chan struct{}

const deskPlaces = 4

func newDesk() desk { return make(desk, deskPlaces) }

// take reads a body; leave is to be called when it is no longer needed. whole is false when there is more of it, because it is too large or
// because there was no place: b is its beginning then, which shows id and method, and the rest can still be read.
func (d desk) take(body io.Reader) (b []byte, whole bool, leave func(), err error) {
	limit, leave := int64(4096), func() {}
	select {
	case d <- struct{}{}:
		limit, leave = maxBody, func() { <-d }
	default:
	}
	b, err = io.ReadAll(io.LimitReader(body, limit+1))
	return b, err == nil && int64(len(b)) <= limit, leave, err
}

// drain reads the rest of a body, so that a client that writes before it reads gets its answer.
func drain(body io.Reader) { _, _ = io.CopyN(io.Discard, body, maxDrain) }

// local refuses what a web browser can be made to send to a port of its own machine: other content types, and host names that lead here only
// because somebody's name server says so.
func local(r *http.Request, anyHost bool) (status int, text string) {
	if r.Method != http.MethodPost {
		return http.StatusMethodNotAllowed, "JSON-RPC is POSTed"
	}
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return http.StatusUnsupportedMediaType, "the content type of JSON-RPC is application/json"
	}
	host, _, err := net.SplitHostPort(r.Host)
	if err != nil {
		host = r.Host
	}
	if anyHost || slices.Contains([]string{"localhost", "127.0.0.1", "::1", "[::1]"}, host) {
		return http.StatusOK, ""
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsLoopback() {
		return http.StatusOK, ""
	}
	return http.StatusForbidden, "this host name is not one of this machine: use 127.0.0.1"
}
