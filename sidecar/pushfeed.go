package sidecar

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strconv"

	"github.com/ethereum/go-ethereum/node"
	"github.com/evmts/channels/plugin/pushfeed"
	"github.com/prometheus/client_golang/prometheus"
)

// PushFeedConfig says where the sidecar hears of blocks that are built. It is off without Enabled.
type PushFeedConfig struct {
	Enabled   bool
	Addr      string
	Port      int
	JWTSecret []byte // nil: none, on loopback only
}

func (c *PushFeedConfig) check() error {
	if c.Enabled && len(c.JWTSecret) == 0 && !isLoopback(c.Addr) {
		return fmt.Errorf("--push-feed.addr %s is reachable from elsewhere: give --push-feed.jwt-secret, or listen on 127.0.0.1", c.Addr)
	}
	return nil
}

// pushFeed is the listener for pushed blocks. It has a port of its own, so that whoever may push cannot reach the API.
type pushFeed struct {
	receiver *pushfeed.Receiver
	server   *pushfeed.Server
}

func (s *Service) startPushFeed(reg *prometheus.Registry) error {
	c := &s.cfg.PushFeed
	receiver, err := pushfeed.NewReceiver(s.chain.chain, len(c.JWTSecret) > 0, reg, s.log.New("module", "push-feed"))
	if err != nil {
		return err
	}
	var handler http.Handler = receiver
	if len(c.JWTSecret) > 0 {
		handler = node.NewHTTPHandlerStack(receiver, nil, []string{"*"}, c.JWTSecret)
	}
	l, err := net.Listen("tcp", net.JoinHostPort(c.Addr, strconv.Itoa(c.Port)))
	if err != nil {
		receiver.Close()
		return fmt.Errorf("listen for pushed blocks: %w", err)
	}
	s.push = &pushFeed{receiver, pushfeed.Serve(l, handler, s.log)}
	return nil
}

func (f *pushFeed) Close(ctx context.Context) error {
	err := f.server.Close(ctx)
	f.receiver.Close()
	return err
}

// PushFeedEndpoint is where blocks are pushed to, host:port; empty without --push-feed.enabled.
func (s *Service) PushFeedEndpoint() string {
	if s.push == nil {
		return ""
	}
	return s.push.server.Addr().String()
}

func (f *pushFeed) status() *pushfeed.Status {
	if f == nil {
		return nil
	}
	status := f.receiver.Status()
	return &status
}
