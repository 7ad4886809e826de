package e2e

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/evmts/channels/adjudicator"
	"github.com/evmts/channels/e2e/devnet"
	"github.com/evmts/channels/e2e/story"
	"github.com/stretchr/testify/require"
)

// recorder passes requests on to a node and remembers their methods.
type recorder struct {
	*httptest.Server
	mu      sync.Mutex
	methods map[string]bool
	batches int
	tags    map[string]bool // first parameters that are words
	fault   error
}

func newRecorder(t *testing.T, node string) *recorder {
	to, err := url.Parse(node)
	require.NoError(t, err)
	r := &recorder{methods: make(map[string]bool), tags: make(map[string]bool)}
	proxy := httputil.NewSingleHostReverseProxy(to)
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		if err == nil {
			err = r.note(body)
		}
		if err != nil {
			r.mu.Lock()
			r.fault = err
			r.mu.Unlock()
		}
		req.Body = io.NopCloser(bytes.NewReader(body))
		proxy.ServeHTTP(w, req)
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *recorder) note(body []byte) error {
	type call struct {
		Method string            `json:"method"`
		Params []json.RawMessage `json:"params"`
	}
	var calls []call
	batch := bytes.HasPrefix(bytes.TrimSpace(body), []byte("["))
	if !batch {
		calls = make([]call, 1)
		if err := json.Unmarshal(body, &calls[0]); err != nil {
			return err
		}
	} else if err := json.Unmarshal(body, &calls); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if batch {
		r.batches = max(r.batches, len(calls))
	}
	for _, c := range calls {
		r.methods[c.Method] = true
		var tag string
		if len(c.Params) > 0 && json.Unmarshal(c.Params[0], &tag) == nil && !strings.HasPrefix(tag, "0x") {
			r.tags[tag] = true
		}
	}
	return nil
}

// documented are the methods that docs/operators.md says a sidecar needs of an execution client.
func documented(t *testing.T, root string) (methods []string) {
	text, err := os.ReadFile(filepath.Join(root, "docs", "operators.md"))
	require.NoError(t, err)
	_, section, ok := strings.Cut(string(text), "\n### What an execution client must serve\n")
	require.True(t, ok)
	section, _, _ = strings.Cut(section, "\n#")
	for _, row := range regexp.MustCompile("(?m)^\\| (.*?) \\|").FindAllStringSubmatch(section, -1) {
		for _, m := range regexp.MustCompile("`(\\w+_\\w+)`").FindAllStringSubmatch(row[1], -1) {
			methods = append(methods, m[1])
		}
	}
	return methods
}

// Whoever runs another execution client than those that were tested goes by the list in the documentation: a whole raid, published, verified and
// settled, asks for everything in it, and for nothing else.
func TestF7_MethodsThatANodeMustServeAreDocumented(t *testing.T) {
	var r *recorder
	d := world(t, devnet.Options{
		Modes: adjudicator.ModeOptimistic, Window: 3 * time.Second, BlockTime: time.Second,
		Attach: func(_ string, c *devnet.Chain) (devnet.Attachment, error) {
			if r == nil {
				r = newRecorder(t, c.Node.URL())
			}
			return devnet.Attachment{L2EthRPC: r.URL}, nil
		},
		Args: func(name string) []string {
			return map[string][]string{"operator": {"--publish"}, "alice": {"--verifier"}}[name]
		},
	})
	sum, err := story.Tell(within(t, 2*time.Minute), d, story.Options{})
	require.NoError(t, err)
	require.True(t, sum.OK)

	r.mu.Lock()
	defer r.mu.Unlock()
	require.NoError(t, r.fault)
	asked := slices.Sorted(maps.Keys(r.methods))
	// Over HTTP there are no subscriptions.
	wanted := slices.DeleteFunc(documented(t, d.Options.Root), func(m string) bool { return m == "eth_subscribe" || m == "eth_unsubscribe" })
	slices.Sort(wanted)
	require.Equal(t, wanted, asked)
	require.Equal(t, []string{"finalized", "latest", "safe"}, slices.Sorted(maps.Keys(r.tags)))
	require.LessOrEqual(t, r.batches, 50)
	t.Logf("batches of up to %d requests", r.batches)
}
