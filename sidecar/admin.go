package sidecar

import (
	"context"

	oprpc "github.com/ethereum-optimism/optimism/op-service/rpc"
	"github.com/ethereum/go-ethereum/log"
)

// AdminAPI is the JSON-RPC namespace "admin", served with --rpc.enable-admin only. What it changes lasts until the process ends:
// settings that last are options.
type AdminAPI struct {
	*oprpc.CommonAdminAPI // admin_setLogLevel
	engine                *Engine
	link                  *Link
	log                   log.Logger
}

// NewAdminAPI makes the API.
func NewAdminAPI(e *Engine, l *Link, logger log.Logger) *AdminAPI {
	return &AdminAPI{oprpc.NewCommonAdminAPI(logger), e, l, logger}
}

// AdminStatus is what admin_status tells.
type AdminStatus struct {
	Accepting  bool `json:"accepting"`
	Publishing bool `json:"publishing"`
}

// Status tells what is stopped.
func (a *AdminAPI) Status() AdminStatus {
	return AdminStatus{Accepting: !a.engine.refusing.Load(), Publishing: a.link.cfg.Publish && !a.link.quiet.Load()}
}

// StopAccepting has the node enter no new channels, as before maintenance. Open channels go on.
func (a *AdminAPI) StopAccepting(context.Context) {
	a.set(&a.engine.refusing, true, "accepting channels")
}

// StartAccepting takes StopAccepting back.
func (a *AdminAPI) StartAccepting(context.Context) {
	a.set(&a.engine.refusing, false, "accepting channels")
}

// StopPublishing has the node put no more journals on chain, and so risk no more bonds. What is there already is settled as ever.
func (a *AdminAPI) StopPublishing(context.Context) { a.set(&a.link.quiet, true, "publishing journals") }

// StartPublishing takes StopPublishing back; what waited is published then. It does not turn --publish on.
func (a *AdminAPI) StartPublishing(context.Context) {
	a.set(&a.link.quiet, false, "publishing journals")
}

func (a *AdminAPI) set(flag interface{ Store(bool) }, stopped bool, what string) {
	flag.Store(stopped)
	a.log.Warn("Changed by the admin API", "what", what, "stopped", stopped)
}
