// Package tracingtest is a collector for tests: it takes OTLP over HTTP as a real one does, decodes it and keeps the spans.
package tracingtest

import (
	"bytes"
	"compress/gzip"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	tracev1 "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// Span is one that was received.
type Span struct {
	*tracev1.Span
	Node    string // service.instance.id of whoever sent it
	TraceID string // hex, as ID and Parent
	ID      string
	Parent  string // empty: a root
	About   map[string]any
	Links   []string // trace ids
}

// Collector keeps what it is sent.
type Collector struct {
	*httptest.Server
	hold func(*http.Request)

	mu     sync.Mutex
	spans  []Span
	bodies [][]byte
	faults []string
}

// Start serves; hold, if any, runs before each answer.
func Start(hold func(*http.Request)) *Collector {
	c := &Collector{hold: hold}
	c.Server = httptest.NewServer(http.HandlerFunc(c.serve))
	return c
}

func (c *Collector) serve(w http.ResponseWriter, r *http.Request) {
	raw, err := read(r)
	var req collector.ExportTraceServiceRequest
	if err == nil {
		err = proto.Unmarshal(raw, &req)
	}
	c.mu.Lock()
	switch {
	case err != nil:
		c.faults = append(c.faults, err.Error())
	case r.URL.Path != "/v1/traces" || r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/x-protobuf":
		c.faults = append(c.faults, r.Method+" "+r.URL.Path+" "+r.Header.Get("Content-Type"))
	default:
		c.bodies = append(c.bodies, raw)
		c.spans = append(c.spans, flatten(&req)...)
	}
	c.mu.Unlock()
	if c.hold != nil {
		c.hold(r)
	}
	answer, _ := proto.Marshal(&collector.ExportTraceServiceResponse{})
	w.Header().Set("Content-Type", "application/x-protobuf")
	_, _ = w.Write(answer) // whoever asked may be gone
}

func read(r *http.Request) ([]byte, error) {
	raw, err := io.ReadAll(r.Body)
	if err != nil || r.Header.Get("Content-Encoding") != "gzip" {
		return raw, err
	}
	z, err := gzip.NewReader(bytes.NewReader(raw))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(z)
}

func flatten(req *collector.ExportTraceServiceRequest) (out []Span) {
	for _, rs := range req.ResourceSpans {
		node, _ := values(rs.Resource.GetAttributes())["service.instance.id"].(string)
		for _, ss := range rs.ScopeSpans {
			for _, s := range ss.Spans {
				span := Span{
					Span: s, Node: node, TraceID: hex.EncodeToString(s.TraceId), ID: hex.EncodeToString(s.SpanId), Parent: hex.EncodeToString(s.ParentSpanId), About: values(s.Attributes),
				}
				for _, l := range s.Links {
					span.Links = append(span.Links, hex.EncodeToString(l.TraceId))
				}
				out = append(out, span)
			}
		}
	}
	return out
}

func values(kvs []*common.KeyValue) map[string]any {
	out := make(map[string]any, len(kvs))
	for _, kv := range kvs {
		switch v := kv.Value.Value.(type) {
		case *common.AnyValue_StringValue:
			out[kv.Key] = v.StringValue
		case *common.AnyValue_IntValue:
			out[kv.Key] = v.IntValue
		case *common.AnyValue_BoolValue:
			out[kv.Key] = v.BoolValue
		default:
			out[kv.Key] = v
		}
	}
	return out
}

// Spans are those received so far; of one trace, unless it is empty.
func (c *Collector) Spans(traceID string) []Span {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := slices.Clone(c.spans)
	return slices.DeleteFunc(out, func(s Span) bool { return traceID != "" && s.TraceID != traceID })
}

// Bodies are the messages, decompressed.
func (c *Collector) Bodies() [][]byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.bodies)
}

// Faults are what it was sent that no collector takes.
func (c *Collector) Faults() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.faults)
}
