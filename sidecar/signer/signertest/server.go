// Package signertest is a remote signer for tests: a server that holds a key, hashes the typed data that it is shown by
// go-ethereum's implementation of EIP-712 and signs it, over HTTP or with certificates on both sides. It can be told to
// misbehave.
package signertest

import (
	"crypto/ecdsa"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"

	opsigner "github.com/ethereum-optimism/optimism/op-service/signer"
	optls "github.com/ethereum-optimism/optimism/op-service/tls"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/signer/core/apitypes"
)

// Call is a question for a signature; Transaction is nil when it is over typed data.
type Call struct {
	Method    string
	Address   common.Address
	Data      apitypes.TypedData
	Signature []byte // with v 27 or 28, over typed data: what the server is about to answer

	Transaction *types.Transaction // signed: what the server is about to answer
	Header      http.Header
}

// Fault answers a call in the server's place; false: it does not want to.
type Fault func(w http.ResponseWriter, r *http.Request, c *Call) (answered bool)

// Server signs with a key.
type Server struct {
	HTTP *httptest.Server
	key  *ecdsa.PrivateKey

	mu      sync.Mutex
	methods []string
	fault   Fault
	calls   []Call
}

// New makes a server that knows these methods; Start or StartTLS runs it.
func New(key *ecdsa.PrivateKey, methods ...string) *Server {
	s := &Server{key: key, methods: methods}
	s.HTTP = httptest.NewUnstartedServer(http.HandlerFunc(s.serve))
	return s
}

// Start serves HTTP; Close ends it.
func (s *Server) Start() *Server { s.HTTP.Start(); return s }

// StartTLS serves those who show a certificate of the authority, and writes what they need into a folder.
func (s *Server) StartTLS(dir string) (optls.CLIConfig, error) {
	server, client, err := certificates(dir)
	if err != nil {
		return client, err
	}
	s.HTTP.TLS = server
	s.HTTP.StartTLS()
	return client, nil
}

// Close ends the server and what it has under way.
func (s *Server) Close() {
	s.HTTP.CloseClientConnections()
	s.HTTP.Close()
}

// URL is where it answers.
func (s *Server) URL() string { return s.HTTP.URL }

// Address is the key's.
func (s *Server) Address() common.Address { return crypto.PubkeyToAddress(s.key.PublicKey) }

// Misbehave lets a fault answer from now on; nil: none.
func (s *Server) Misbehave(f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = f
}

// Calls are the questions for signatures so far, whatever became of them.
func (s *Server) Calls() []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.calls)
}

type request struct {
	ID     json.RawMessage   `json:"id"`
	Method string            `json:"method"`
	Params []json.RawMessage `json:"params"`
}

// Error is one of JSON-RPC.
type Error struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	var req request
	if err := json.NewDecoder(io.LimitReader(r.Body, 1<<20)).Decode(&req); err != nil {
		http.Error(w, "no JSON-RPC", http.StatusBadRequest)
		return
	}
	if req.Method == "eth_signTransaction" || req.Method == "account_signTransaction" {
		s.transaction(w, r, req)
		return
	}
	if req.Method == "eth_accounts" {
		Answer(w, req.ID, []common.Address{s.Address()}, nil)
		return
	}
	s.mu.Lock()
	known, fault := slices.Contains(s.methods, req.Method), s.fault
	s.mu.Unlock()
	if !known {
		Answer(w, req.ID, nil, &Error{-32601, "the method " + req.Method + " does not exist"})
		return
	}
	call, err := s.sign(req)
	if err != nil {
		Answer(w, req.ID, nil, &Error{-32602, err.Error()})
		return
	}
	if s.answered(w, r, call, fault) {
		return
	}
	Answer(w, req.ID, hexutil.Bytes(call.Signature), nil)
}

// answered remembers a call and lets the fault have it.
func (s *Server) answered(w http.ResponseWriter, r *http.Request, call *Call, fault Fault) bool {
	call.Header = r.Header.Clone()
	s.mu.Lock()
	s.calls = append(s.calls, *call)
	s.mu.Unlock()
	return fault != nil && fault(w, r, call)
}

// transaction signs one: op-signer gives its bytes, Clef an object.
func (s *Server) transaction(w http.ResponseWriter, r *http.Request, req request) {
	s.mu.Lock()
	known, fault := slices.Contains(s.methods, req.Method), s.fault
	s.mu.Unlock()
	if !known {
		Answer(w, req.ID, nil, &Error{-32601, "the method " + req.Method + " does not exist"})
		return
	}
	var args opsigner.TransactionArgs
	refuse := func(err error) { Answer(w, req.ID, nil, &Error{-32602, err.Error()}) }
	if len(req.Params) != 1 {
		refuse(errors.New("one parameter is wanted"))
		return
	}
	if err := json.Unmarshal(req.Params[0], &args); err != nil {
		refuse(err)
		return
	}
	if err := args.Check(); err != nil {
		refuse(err)
		return
	}
	if args.From == nil || *args.From != s.Address() {
		refuse(errors.New("there is no such key here"))
		return
	}
	data, err := args.ToTransactionData()
	if err != nil {
		refuse(err)
		return
	}
	tx := types.NewTx(data)
	signed, err := types.SignTx(tx, types.LatestSignerForChainID(tx.ChainId()), s.key)
	if err != nil {
		refuse(err)
		return
	}
	call := &Call{Method: req.Method, Address: s.Address(), Transaction: signed}
	if s.answered(w, r, call, fault) {
		return
	}
	raw, err := call.Transaction.MarshalBinary()
	if err != nil {
		refuse(err)
		return
	}
	if req.Method == "account_signTransaction" {
		Answer(w, req.ID, map[string]any{"raw": hexutil.Bytes(raw), "tx": call.Transaction}, nil)
		return
	}
	Answer(w, req.ID, hexutil.Bytes(raw), nil)
}

// Answer writes one of JSON-RPC.
func Answer(w http.ResponseWriter, id json.RawMessage, result any, fault *Error) {
	w.Header().Set("Content-Type", "application/json")
	if len(id) == 0 {
		id = json.RawMessage("1")
	}
	out := map[string]any{"jsonrpc": "2.0", "id": id}
	if fault != nil {
		out["error"] = fault
	} else {
		out["result"] = result
	}
	_ = json.NewEncoder(w).Encode(out) // whoever asked may be gone
}

// sign reads the parameters as the method's signers do: Web3Signer takes the data as a text only, the others as an object.
func (s *Server) sign(req request) (*Call, error) {
	c := &Call{Method: req.Method}
	if len(req.Params) != 2 {
		return c, errors.New("two parameters are wanted")
	}
	if err := json.Unmarshal(req.Params[0], &c.Address); err != nil {
		return c, err
	}
	raw := []byte(req.Params[1])
	if req.Method == "eth_signTypedData" {
		var text string
		if err := json.Unmarshal(raw, &text); err != nil {
			return c, err
		}
		raw = []byte(text)
	}
	if err := json.Unmarshal(raw, &c.Data); err != nil {
		return c, err
	}
	if c.Address != s.Address() {
		return c, errors.New("there is no such key here")
	}
	digest, _, err := apitypes.TypedDataAndHash(c.Data)
	if err != nil {
		return c, err
	}
	c.Signature, err = crypto.Sign(digest, s.key)
	if err == nil {
		c.Signature[64] += 27
	}
	return c, err
}
