package pushfeed

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/ethereum/go-ethereum/log"
)

// answers are what op-node hears of a chain with one sequencer: it leads, always.
var answers = map[string]any{
	methodLeader: true, "conductor_active": true, "conductor_sequencerHealthy": true,
	"conductor_paused": false, "conductor_stopped": false, "conductor_leaderOverridden": false,
	"conductor_overrideLeader": nil, methodCommit: nil,
}

// ConductorConfig of a Conductor.
type ConductorConfig struct {
	// Upstream is the address of a real op-conductor, which then has the word on everything; empty: there is none, and this op-node is
	// the chain's only sequencer.
	Upstream string
	// AnyHost takes requests by whatever host name they came.
	AnyHost bool
	// Forward gets every block, and must not wait.
	Forward func(request []byte)
	Metrics *Metrics
	Log     log.Logger
}

// Conductor answers an op-node in the place of an op-conductor, or stands between the two.
type Conductor struct {
	cfg    ConductorConfig
	desk   desk
	client *http.Client
}

// ErrUpstream is returned for an address that cannot be one of an op-conductor.
var ErrUpstream = errors.New("the address of the op-conductor must be http:// or https:// with a host")

// upstreamTimeout ends what op-node has long given up.
const upstreamTimeout = 30 * time.Second

// maxAnswer bounds the answer of an op-conductor, in bytes: they are words.
const maxAnswer = 1 << 20

// NewConductor makes the handler for op-node's requests.
func NewConductor(cfg ConductorConfig) (*Conductor, error) {
	if cfg.Upstream != "" {
		u, err := url.Parse(cfg.Upstream)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return nil, ErrUpstream
		}
	}
	transport := &http.Transport{MaxIdleConnsPerHost: 8, IdleConnTimeout: idleTimeout, DisableCompression: true} // no proxy of the environment
	return &Conductor{cfg: cfg, desk: newDesk(), client: &http.Client{
		Transport: transport, Timeout: upstreamTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// ServeHTTP answers one request.
func (c *Conductor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	if status, text := local(r, c.cfg.AnyHost); text != "" {
		http.Error(w, text, status)
		return
	}
	body, whole, leave, err := c.desk.take(r.Body)
	defer leave()
	if err != nil {
		http.Error(w, "the request ended early", http.StatusBadRequest)
		return
	}
	req, err := parseHead(body)
	if err != nil {
		c.cfg.Metrics.answer("malformed", start)
		req.refuse(w, codeMalformed, err.Error())
		return
	}
	if req.method == methodCommit {
		if whole {
			c.cfg.Forward(body)
		} else {
			c.cfg.Metrics.Dropped.WithLabelValues(droppedSize).Inc()
		}
	}
	known := strings.HasPrefix(req.method, "conductor_")
	switch result, ok := answers[req.method]; {
	case !known, !ok && c.cfg.Upstream == "":
		drain(r.Body)
		c.cfg.Metrics.answer("unknown", start)
		req.refuse(w, codeNoMethod, fmt.Sprintf("the method %q does not exist here: this is a push feed in the place of an op-conductor", clip(req.method)))
	case c.cfg.Upstream != "":
		c.pass(w, r, body, whole)
		c.cfg.Metrics.answer(label(req.method), start)
	default:
		if !whole {
			drain(r.Body)
		}
		req.answer(w, result)
		c.cfg.Metrics.answer(label(req.method), start)
	}
}

func clip(s string) string { return s[:min(len(s), 64)] }

// label keeps what strangers send out of metrics.
func label(method string) string {
	if _, ok := answers[method]; ok {
		return strings.TrimPrefix(method, "conductor_")
	}
	return "other"
}

// pass gives a request to the op-conductor as it came, and its answer back as it is. op-node's patience is the only timeout that counts:
// when it hangs up, so does this. Nothing is answered in the op-conductor's place: who leads is its word alone.
func (c *Conductor) pass(w http.ResponseWriter, r *http.Request, body []byte, whole bool) {
	var content io.Reader = bytes.NewReader(body)
	if !whole {
		content = io.MultiReader(content, r.Body)
	}
	out, err := http.NewRequestWithContext(r.Context(), http.MethodPost, c.cfg.Upstream, content)
	if err != nil {
		c.unreached(w, err)
		return
	}
	out.ContentLength = r.ContentLength
	for _, name := range []string{"Content-Type", "Accept", "Authorization"} {
		if v := r.Header.Get(name); v != "" {
			out.Header.Set(name, v)
		}
	}
	in, err := c.client.Do(out)
	if err != nil {
		c.unreached(w, err)
		return
	}
	defer in.Body.Close()
	if v := in.Header.Get("Content-Type"); v != "" {
		w.Header().Set("Content-Type", v)
	}
	w.WriteHeader(in.StatusCode)
	_, _ = io.Copy(w, io.LimitReader(in.Body, maxAnswer)) // whoever asked may be gone
}

func (c *Conductor) unreached(w http.ResponseWriter, err error) {
	c.cfg.Metrics.Unreached.Inc()
	c.cfg.Log.Warn("The op-conductor does not answer: op-node builds no block until it does", "err", err)
	http.Error(w, "the op-conductor behind the push feed does not answer", http.StatusBadGateway)
}
