package plugin

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/ethereum/go-ethereum/rpc"
)

// forwarder is the transport behind Chain.Client: it takes the JSON-RPC requests that would go over HTTP to the endpoint that is
// current, whatever its transport, and to another one when that does not answer. So everything that asks the chain shares what is
// known about its nodes. A transaction that is sent twice this way is the same transaction.
type forwarder struct{ nodes *nodes }

type rpcCall struct {
	Version string            `json:"jsonrpc"`
	ID      json.RawMessage   `json:"id"`
	Method  string            `json:"method"`
	Params  []json.RawMessage `json:"params"`
}

type rpcAnswer struct {
	Version string          `json:"jsonrpc"`
	ID      json.RawMessage `json:"id"`
	Result  json.RawMessage `json:"result,omitempty"`
	Error   *rpcFailure     `json:"error,omitempty"`
}

type rpcFailure struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
	Data    any    `json:"data,omitempty"`
}

// RoundTrip implements http.RoundTripper.
func (f *forwarder) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxMessage))
	_ = r.Body.Close()
	if err != nil {
		return nil, err
	}
	var calls []rpcCall
	isBatch := bytes.HasPrefix(bytes.TrimSpace(body), []byte("["))
	if isBatch {
		err = json.Unmarshal(body, &calls)
	} else {
		calls = make([]rpcCall, 1)
		err = json.Unmarshal(body, &calls[0])
	}
	if err != nil {
		return nil, fmt.Errorf("forward a request: %w", err)
	}
	results := make([]json.RawMessage, len(calls))
	batch := make([]rpc.BatchElem, len(calls))
	err = f.nodes.on(r.Context(), func(e *endpoint) error {
		for i, c := range calls {
			args := make([]any, len(c.Params))
			for k, p := range c.Params {
				args[k] = p
			}
			results[i], batch[i] = nil, rpc.BatchElem{Method: c.Method, Args: args, Result: &results[i]}
		}
		started := time.Now()
		err := e.forward(r, batch, isBatch)
		if err != nil && r.Context().Err() != nil && time.Since(started) > e.cfg.RequestTimeout/2 {
			// Who asks often waits no longer than RequestTimeout: without this a node that is silent would never be blamed.
			f.nodes.blame(e, FaultUnreachable, err)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	answers := make([]rpcAnswer, len(calls))
	for i, c := range calls {
		answers[i] = rpcAnswer{Version: "2.0", ID: c.ID, Result: results[i]}
		if err := batch[i].Error; err != nil {
			answers[i].Result, answers[i].Error = nil, failureOf(err)
		} else if len(results[i]) == 0 {
			answers[i].Result = json.RawMessage("null")
		}
	}
	var out []byte
	if isBatch {
		out, err = json.Marshal(answers)
	} else {
		out, err = json.Marshal(answers[0])
	}
	if err != nil {
		return nil, err
	}
	return &http.Response{
		Status: "200 OK", StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r,
		Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(bytes.NewReader(out)), ContentLength: int64(len(out)),
	}, nil
}

// forward makes the requests; what the node refuses stands in the batch, an error means that it did not answer.
func (e *endpoint) forward(r *http.Request, batch []rpc.BatchElem, isBatch bool) error {
	if isBatch {
		return e.batch(r.Context(), "forward", batch)
	}
	err := e.call(r.Context(), "forward", batch[0].Result, batch[0].Method, batch[0].Args...)
	var coded rpc.Error
	if errors.As(err, &coded) || errors.Is(err, rpc.ErrNoResult) {
		batch[0].Error = coded
		return nil
	}
	return err
}

func failureOf(err error) *rpcFailure {
	f := &rpcFailure{Code: -32000, Message: err.Error()}
	var coded rpc.Error
	if errors.As(err, &coded) {
		f.Code, f.Message = coded.ErrorCode(), coded.Error()
	}
	var withData rpc.DataError
	if errors.As(err, &withData) {
		f.Data = withData.ErrorData()
	}
	return f
}
