package pushfeed

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/log"
)

const (
	headerTimeout = 2 * time.Second
	bodyTimeout   = 10 * time.Second
	idleTimeout   = 2 * time.Minute
	maxHeader     = 16 << 10
	maxConns      = 256
)

// Listen opens address, or takes the socket that systemd holds for this process (sd_listen_fds(3)): a process that is killed and started again
// finds the connections waiting that were made meanwhile.
func Listen(address string) (l net.Listener, handed bool, err error) {
	const first = 3 // SD_LISTEN_FDS_START
	if os.Getenv("LISTEN_PID") != strconv.Itoa(os.Getpid()) {
		l, err = net.Listen("tcp", address)
		return l, false, err
	}
	if n := os.Getenv("LISTEN_FDS"); n != "1" {
		return nil, false, fmt.Errorf("systemd hands over %s sockets, one is wanted: look at ListenStream= in the socket unit", n)
	}
	f := os.NewFile(first, "systemd")
	defer f.Close()
	if l, err = net.FileListener(f); err != nil {
		return nil, false, fmt.Errorf("take the socket that systemd holds: %w", err)
	}
	return l, true, nil
}

// IsLoopback tells whether only this machine can reach a listener.
func IsLoopback(a net.Addr) bool {
	tcp, ok := a.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}

// Server is an HTTP server that many idle or slow clients cannot keep from answering one that works.
type Server struct {
	http     *http.Server
	listener net.Listener
	log      log.Logger
	done     chan error

	mu    sync.Mutex
	conns map[net.Conn]*connState
}

type connState struct {
	busy  bool
	since time.Time
}

// Serve answers with a handler until Close.
func Serve(l net.Listener, h http.Handler, logger log.Logger) *Server {
	s := &Server{listener: l, log: logger, done: make(chan error, 1), conns: make(map[net.Conn]*connState)}
	s.http = &http.Server{
		Handler: h, ReadHeaderTimeout: headerTimeout, ReadTimeout: bodyTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader, ConnState: s.track,
	}
	go func() { s.done <- s.http.Serve(l) }()
	return s
}

// track closes the connection that has been idle for longest when there are too many. An op-node whose idle one goes makes another.
func (s *Server) track(c net.Conn, state http.ConnState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch state {
	case http.StateClosed, http.StateHijacked:
		delete(s.conns, c)
		return
	case http.StateNew:
		if len(s.conns) >= maxConns {
			s.evict()
		}
	default:
		if s.conns[c] == nil {
			return // it had to go
		}
	}
	s.conns[c] = &connState{state == http.StateActive, time.Now()}
}

func (s *Server) evict() {
	var oldest net.Conn
	for c, state := range s.conns {
		if o := s.conns[oldest]; o == nil || o.busy && !state.busy || o.busy == state.busy && state.since.Before(o.since) {
			oldest = c
		}
	}
	delete(s.conns, oldest)
	_ = oldest.Close()
}

// Addr is where it listens.
func (s *Server) Addr() net.Addr { return s.listener.Addr() }

// Done gives the error with which the server ended by itself; nothing before.
func (s *Server) Done() <-chan error { return s.done }

// Close ends it and waits for answers under way.
func (s *Server) Close(ctx context.Context) error {
	err := s.http.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return errors.Join(err, s.http.Close())
	}
	return err
}
