package opgeth

import (
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/evmts/channels/sidecar"
)

// ServeHTTP says whether the sidecar is ready. Who asks is anybody: why it does not run is in the node's log, and given by channels_* to those
// who may call it.
func (p *Plugin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s, err := p.Service()
	if err == nil {
		s.Ready(w, r)
		return
	}
	p.mu.Lock()
	starts := p.starts
	p.mu.Unlock()
	out := sidecar.Readiness{Checks: map[string]sidecar.Check{"sidecar": {
		Reason: fmt.Sprintf("it does not run after %d starts: see the node's log, which says why and when it is tried again", starts),
	}}}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusServiceUnavailable)
	_ = json.NewEncoder(w).Encode(out) // whoever asked may be gone
}
