package opgeth

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/log"
	"github.com/ethereum/go-ethereum/node"
	"github.com/ethereum/go-ethereum/rpc"
	"github.com/evmts/channels/plugin"
	"github.com/evmts/channels/sidecar"
)

// Config of a Plugin.
type Config struct {
	// Sidecar gives the sidecar's options. It is asked before every start, so that what was wrong can be mended while the node runs. An
	// empty DataDir is the folder channels in the node's; L2EthRPC are clients to use while the node's own is at fault, and may be empty.
	Sidecar func() (*sidecar.Config, error)
	// Required has the node not start when the sidecar cannot.
	Required bool
	// Public serves channels_* without authentication too, where the node's modules name it.
	Public bool
	// OwnRPC has the sidecar listen for itself as well, as its options say.
	OwnRPC bool
	// Logger; nil: the process's root logger.
	Logger log.Logger
}

const (
	// Namespace of the JSON-RPC methods.
	Namespace = "channels"
	// ReadyPath is where the node's HTTP endpoint says whether the sidecar is ready, as /readyz of op-channels does.
	ReadyPath = "/channels/readyz"
	// Name of the node in the sidecar's logs and metrics.
	Name = "in-process"

	firstPause = time.Second
	maxPause   = 15 * time.Second
	// stopTimeout is how long the node's stop waits for transactions that are on their way. The node's RPC has ended by then, so that they
	// are looked for at the next start.
	stopTimeout = 2 * time.Second
	// abandon is how long the node's stop waits for the sidecar at most. What it does is safe to be cut off.
	abandon = 15 * time.Second
)

var (
	// ErrConfig is returned for a plugin that cannot work.
	ErrConfig = errors.New("invalid configuration of the plugin")
	errNone   = errors.New("the sidecar has not started yet")
)

// Plugin is a sidecar inside a node.
type Plugin struct {
	cfg     Config
	stack   *node.Node
	backend plugin.Backend
	log     log.Logger

	ctx    context.Context
	cancel context.CancelFunc
	done   chan struct{} // nothing runs any more

	mu     sync.Mutex
	now    *running // nil: none runs
	why    error    // why none does
	starts int      // so far
}

var _ node.Lifecycle = (*Plugin)(nil)

// modules guards node.DefaultAuthModules.
var modules sync.Mutex

// Register adds a sidecar to a node that has not started: its lifecycle, channels_* on the node's endpoints, and ReadyPath. backend is
// what eth.New or utils.RegisterEthService gave; call it after everything that the sidecar needs, as the node stops in the opposite order.
func Register(stack *node.Node, backend plugin.Backend, cfg Config) (*Plugin, error) {
	if stack == nil || backend == nil || cfg.Sidecar == nil {
		return nil, fmt.Errorf("%w: a node, its backend and the sidecar's options are needed", ErrConfig)
	}
	p := &Plugin{cfg: cfg, stack: stack, backend: backend, log: cfg.Logger, done: make(chan struct{}), why: errNone}
	if p.log == nil {
		p.log = log.Root()
	}
	p.log = p.log.New("service", "op-channels")
	p.ctx, p.cancel = context.WithCancel(context.Background())
	stack.RegisterAPIs([]rpc.API{{Namespace: Namespace, Service: sidecar.HostedAPI(p.Service), Authenticated: !cfg.Public}})
	// The authenticated endpoint serves the modules of this list and no others, and the list is the node package's.
	modules.Lock()
	if !slices.Contains(node.DefaultAuthModules, Namespace) {
		node.DefaultAuthModules = append(slices.Clone(node.DefaultAuthModules), Namespace)
	}
	modules.Unlock()
	if c := stack.Config(); cfg.Public && !slices.Contains(c.HTTPModules, Namespace) && !slices.Contains(c.WSModules, Namespace) {
		p.log.Warn("channels_* may be public, but no public endpoint has the module", "do", "add channels to --http.api or --ws.api")
	}
	stack.RegisterHandler("op-channels readiness", ReadyPath, p)
	stack.RegisterLifecycle(p)
	return p, nil
}

// Service is the one that runs; the error says why there is none.
func (p *Plugin) Service() (*sidecar.Service, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.now == nil {
		return nil, p.why
	}
	return p.now.service, nil
}

// Start implements node.Lifecycle. Unless the sidecar is required it fails never, and waits for nothing.
func (p *Plugin) Start() error {
	if !p.cfg.Required {
		go p.run(nil)
		return nil
	}
	r, err := p.begin()
	if err != nil {
		close(p.done)
		return fmt.Errorf("op-channels, which is required to start: %w", err)
	}
	go p.run(r)
	return nil
}

// Stop implements node.Lifecycle.
func (p *Plugin) Stop() error {
	p.cancel()
	timer := time.NewTimer(abandon)
	defer timer.Stop()
	select {
	case <-p.done:
		return nil
	case <-timer.C:
		return fmt.Errorf("op-channels did not stop within %s and is left behind: what it has promised is on disk", abandon)
	}
}

// running is a service that has started.
type running struct {
	service *sidecar.Service
	ended   chan error // why it cannot go on
	since   time.Time
}

func (r *running) end(cause error) {
	select {
	case r.ended <- cause:
	default: // the first reason is enough
	}
}

// run keeps a sidecar running until Stop.
func (p *Plugin) run(r *running) {
	defer close(p.done)
	pause := firstPause
	for p.ctx.Err() == nil {
		err := p.cycle(&r)
		if p.ctx.Err() != nil {
			return
		}
		if r != nil && time.Since(r.since) > maxPause {
			pause = firstPause
		}
		r = nil
		p.log.Error("The sidecar does not run, the node goes on without it", "err", err, "again", pause)
		select {
		case <-p.ctx.Done():
		case <-time.After(pause):
		}
		pause = min(2*pause, maxPause)
	}
}

// cycle starts a service, unless one has started, and waits until it ends.
func (p *Plugin) cycle(r **running) (err error) {
	if *r == nil {
		if *r, err = p.begin(); err != nil {
			return err
		}
	}
	select {
	case err = <-(*r).ended:
	case <-p.ctx.Done():
		err = errors.New("the node stops")
	}
	p.set(nil, err)
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	if stopErr := (*r).service.Stop(ctx); stopErr != nil {
		p.log.Warn("The sidecar did not stop in order; nothing is lost", "err", stopErr)
	}
	return err
}

// begin starts a service.
func (p *Plugin) begin() (*running, error) {
	p.mu.Lock()
	p.starts++
	p.mu.Unlock()
	r := &running{ended: make(chan error, 1), since: time.Now()}
	cfg, err := p.configure()
	if err == nil {
		r.service = sidecar.NewService(cfg, p.log, r.end)
		err = r.service.Start(p.ctx)
	}
	if err != nil {
		p.set(nil, err)
		return nil, err
	}
	p.set(r, nil)
	return r, nil
}

func (p *Plugin) configure() (*sidecar.Config, error) {
	given, err := p.cfg.Sidecar()
	if err != nil {
		return nil, err
	}
	cfg := *given
	cfg.Local = &plugin.Local{Name: Name, Backend: p.backend, Attach: p.stack.Attach}
	cfg.Hosted = !p.cfg.OwnRPC
	if cfg.DataDir == "" {
		if p.stack.DataDir() == "" {
			return nil, fmt.Errorf("%w: the node keeps nothing on disk: name a --data-dir for the sidecar", ErrConfig)
		}
		cfg.DataDir = filepath.Join(p.stack.DataDir(), Namespace)
	}
	return &cfg, cfg.Check()
}

func (p *Plugin) set(r *running, why error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.now, p.why = r, why
}
