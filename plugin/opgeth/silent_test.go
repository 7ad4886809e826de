package opgeth

import (
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
)

// silent is a server that takes requests and answers none.
type silent struct {
	url   string
	asked chan struct{} // closed at the first request
}

func newSilent(t *testing.T) *silent {
	s := &silent{asked: make(chan struct{})}
	var once sync.Once
	over := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		once.Do(func() { close(s.asked) })
		select {
		case <-over:
		case <-r.Context().Done():
		}
	}))
	s.url = server.URL
	t.Cleanup(func() {
		close(over)
		server.Close()
	})
	return s
}
