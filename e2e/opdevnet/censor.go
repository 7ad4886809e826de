package opdevnet

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
)

// Censorship is what a Censor does with the transactions of an account.
type Censorship int

const (
	Pass    Censorship = iota // nothing
	Swallow                   // it answers as if the pool had them, and drops them
	Refuse                    // it answers with an error
)

// Censor is a node's RPC, over HTTP and WebSocket, of somebody who drops what some accounts send: a proxy that reads every
// eth_sendRawTransaction. Everything else passes, so that the censored one sees the chain go on without it.
type Censor struct {
	server http.Server
	node   string // host:port
	addr   string

	mu       sync.Mutex
	accounts map[common.Address]Censorship
	dropped  map[common.Address][]*types.Transaction
	conns    map[net.Conn]bool
}

// maxCensored bounds what is read at once, in bytes.
const maxCensored = 64 << 20

// NewCensor serves on a port of loopback that the kernel picks.
func NewCensor(node string) (*Censor, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("serve a censor: %w", err)
	}
	c := &Censor{
		node: strings.TrimPrefix(node, "http://"), addr: l.Addr().String(), accounts: map[common.Address]Censorship{},
		dropped: map[common.Address][]*types.Transaction{}, conns: map[net.Conn]bool{},
	}
	c.server = http.Server{Handler: c, ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = c.server.Serve(l) }() // ends with Close
	return c, nil
}

// URL is where it is reached over HTTP, WebSocketURL over WebSocket.
func (c *Censor) URL() string          { return "http://" + c.addr }
func (c *Censor) WebSocketURL() string { return "ws://" + c.addr }

// Set says what becomes of an account's transactions from now on.
func (c *Censor) Set(account common.Address, what Censorship) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.accounts[account] = what
}

// Dropped are the transactions of an account that nobody has seen, in their order.
func (c *Censor) Dropped(account common.Address) []*types.Transaction {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]*types.Transaction{}, c.dropped[account]...)
}

// Close ends it, with all connections.
func (c *Censor) Close() error {
	err := c.server.Close()
	c.mu.Lock()
	defer c.mu.Unlock()
	for conn := range c.conns {
		_ = conn.Close()
	}
	return err
}

type rpcMessage struct {
	Version string          `json:"jsonrpc"`
	ID      json.RawMessage `json:"id,omitempty"`
	Method  string          `json:"method,omitempty"`
	Params  json.RawMessage `json:"params,omitempty"`
	Result  any             `json:"result,omitempty"`
	Error   any             `json:"error,omitempty"`
}

// judge answers what is censored; nil: it passes.
func (c *Censor) judge(m rpcMessage) *rpcMessage {
	var raw []hexutil.Bytes
	if m.Method != "eth_sendRawTransaction" || json.Unmarshal(m.Params, &raw) != nil || len(raw) != 1 {
		return nil
	}
	tx := new(types.Transaction)
	if tx.UnmarshalBinary(raw[0]) != nil {
		return nil
	}
	from, err := types.Sender(types.LatestSignerForChainID(tx.ChainId()), tx)
	if err != nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	what := c.accounts[from]
	if what == Pass {
		return nil
	}
	c.dropped[from] = append(c.dropped[from], tx)
	answer := &rpcMessage{Version: "2.0", ID: m.ID}
	if what == Swallow {
		answer.Result = tx.Hash()
	} else {
		answer.Error = map[string]any{"code": -32000, "message": "transactions of this account are not wanted"}
	}
	return answer
}

// filter splits a request, or a batch of them, into what the node gets (nil: nothing) and what is answered for it.
func (c *Censor) filter(body []byte) (pass []byte, answers []*rpcMessage, batch bool, err error) {
	if trimmed := bytes.TrimSpace(body); len(trimmed) == 0 || trimmed[0] != '[' {
		var m rpcMessage
		if err := json.Unmarshal(body, &m); err != nil {
			return nil, nil, false, err
		}
		if a := c.judge(m); a != nil {
			return nil, []*rpcMessage{a}, false, nil
		}
		return body, nil, false, nil
	}
	var all []json.RawMessage
	if err := json.Unmarshal(body, &all); err != nil {
		return nil, nil, true, err
	}
	left := []json.RawMessage{}
	for _, raw := range all {
		var m rpcMessage
		if err := json.Unmarshal(raw, &m); err != nil {
			return nil, nil, true, err
		}
		if a := c.judge(m); a != nil {
			answers = append(answers, a)
		} else {
			left = append(left, raw)
		}
	}
	if len(left) > 0 {
		pass, err = json.Marshal(left)
	}
	return pass, answers, true, err
}

// ServeHTTP implements http.Handler.
func (c *Censor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
		if err := c.webSocket(w, r); err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
		}
		return
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxCensored))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	pass, own, batch, err := c.filter(body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	out, err := c.answer(r.Context(), pass, own, batch)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(out) // a client that is gone needs no answer
}

// answer joins the node's answer with ours.
func (c *Censor) answer(ctx context.Context, pass []byte, own []*rpcMessage, batch bool) (out []byte, err error) {
	if pass != nil {
		out, err = c.ask(ctx, pass)
	}
	if err != nil || len(own) == 0 {
		return out, err
	}
	return join(out, own, batch)
}

func (c *Censor) ask(ctx context.Context, body []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+c.node, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	return io.ReadAll(io.LimitReader(resp.Body, maxCensored))
}

// join adds our answers to the node's.
func join(out []byte, own []*rpcMessage, batch bool) ([]byte, error) {
	if !batch {
		return json.Marshal(own[0])
	}
	var all []json.RawMessage
	if out != nil {
		if err := json.Unmarshal(out, &all); err != nil {
			return nil, err
		}
	}
	for _, a := range own {
		raw, err := json.Marshal(a)
		if err != nil {
			return nil, err
		}
		all = append(all, raw)
	}
	return json.Marshal(all)
}

// webSocket hands the handshake on and stands between both sides then.
func (c *Censor) webSocket(w http.ResponseWriter, r *http.Request) error {
	node, err := net.Dial("tcp", c.node)
	if err != nil {
		return err
	}
	r.Header.Del("Sec-WebSocket-Extensions") // no compression: messages are read
	if err := r.Write(node); err != nil {
		return errors.Join(err, node.Close())
	}
	fromNode := bufio.NewReader(node)
	answer, err := http.ReadResponse(fromNode, r)
	if err != nil {
		return errors.Join(err, node.Close())
	}
	hijacker, ok := w.(http.Hijacker)
	if !ok || answer.StatusCode != http.StatusSwitchingProtocols {
		return errors.Join(fmt.Errorf("the node answers a WebSocket with %s", answer.Status), node.Close())
	}
	client, buffered, err := hijacker.Hijack()
	if err != nil {
		return errors.Join(err, node.Close())
	}
	c.mu.Lock()
	c.conns[client], c.conns[node] = true, true
	c.mu.Unlock()
	ctx, cancel := context.WithCancel(context.Background()) // that of the request ends with the handshake
	var once sync.Once
	end := func() {
		once.Do(func() {
			cancel()
			_, _ = client.Close(), node.Close()
			c.mu.Lock()
			delete(c.conns, client)
			delete(c.conns, node)
			c.mu.Unlock()
		})
	}
	if err := answer.Write(client); err != nil {
		end()
		return nil // the client is gone
	}
	toClient := &frameWriter{w: client}
	go func() {
		defer end()
		for {
			f, err := readFrame(fromNode)
			if err != nil || toClient.write(f) != nil {
				return
			}
		}
	}()
	go func() {
		defer end()
		_ = c.fromClient(ctx, buffered.Reader, &frameWriter{w: node, masked: true}, toClient) // its end is the connection's
	}()
	return nil
}

// fromClient puts messages together, as clients split long ones, and lets pass what is not censored.
func (c *Censor) fromClient(ctx context.Context, r *bufio.Reader, toNode, toClient *frameWriter) error {
	var message []byte
	for {
		f, err := readFrame(r)
		if err != nil {
			return err
		}
		if f.opcode >= opClose { // control frames come in between
			if err := toNode.write(f); err != nil {
				return err
			}
			continue
		}
		if message = append(message, f.payload...); len(message) > maxCensored {
			return errors.New("the message is too large")
		}
		if !f.final {
			continue
		}
		pass, own, batch, err := c.filter(message)
		if err != nil {
			return err
		}
		message = nil
		if len(own) == 0 {
			err = toNode.write(frame{true, opText, pass})
		} else { // what is left of a batch is asked over HTTP, so that it has one answer
			var out []byte
			if out, err = c.answer(ctx, pass, own, batch); err == nil {
				err = toClient.write(frame{true, opText, out})
			}
		}
		if err != nil {
			return err
		}
	}
}

// frame is one of WebSocket's (RFC 6455, section 5.2).
type frame struct {
	final   bool
	opcode  byte
	payload []byte
}

const opText, opClose = 1, 8

func readFrame(r *bufio.Reader) (f frame, err error) {
	var head [2]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return f, err
	}
	f.final, f.opcode = head[0]&0x80 != 0, head[0]&0x0f
	length := uint64(head[1] & 0x7f)
	var long [8]byte
	switch length {
	case 126:
		_, err = io.ReadFull(r, long[6:])
		length = binary.BigEndian.Uint64(long[:])
	case 127:
		_, err = io.ReadFull(r, long[:])
		length = binary.BigEndian.Uint64(long[:])
	}
	if err != nil {
		return f, err
	}
	if length > maxCensored {
		return f, fmt.Errorf("a frame of %d bytes is too large", length)
	}
	var mask [4]byte
	if head[1]&0x80 != 0 {
		if _, err := io.ReadFull(r, mask[:]); err != nil {
			return f, err
		}
	}
	f.payload = make([]byte, length)
	if _, err := io.ReadFull(r, f.payload); err != nil {
		return f, err
	}
	for i := range f.payload {
		f.payload[i] ^= mask[i%4]
	}
	return f, nil
}

// frameWriter writes whole frames, from more than one goroutine.
type frameWriter struct {
	mu     sync.Mutex
	w      io.Writer
	masked bool // as clients must; with zeros, which hide nothing
}

func (w *frameWriter) write(f frame) error {
	b := []byte{f.opcode, 0}
	if f.final {
		b[0] |= 0x80
	}
	switch n := len(f.payload); {
	case n < 126:
		b[1] = byte(n)
	case n <= 0xffff:
		b[1] = 126
		b = binary.BigEndian.AppendUint16(b, uint16(n))
	default:
		b[1] = 127
		b = binary.BigEndian.AppendUint64(b, uint64(n))
	}
	if w.masked {
		b[1] |= 0x80
		b = append(b, 0, 0, 0, 0)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	_, err := w.w.Write(append(b, f.payload...))
	return err
}
