package sidecar

import (
	"context"
	"errors"
	"fmt"

	"github.com/evmts/channels/adjudicator/verifier"
	"github.com/prometheus/client_golang/prometheus"
)

// guard is a verifier beside the engine: it disproves wrong journals that anybody publishes for a World of our settlement.
// Its proofs go through the same account as everything else that this node sends.
type guard struct {
	cancel context.CancelFunc
	done   chan struct{}
}

// Guard starts a verifier. ended is called when it ends by itself: a World must not lose its guard unnoticed.
func (l *Link) Guard(registry *prometheus.Registry, ended func(error)) (*guard, error) {
	v, err := verifier.New(verifier.Config{Contracts: l.contracts, FromBlock: l.cfg.StartBlock}, verifier.Deps{
		Feed: l.chain, Client: l.chain.Client(), Sender: l.sender, Log: l.log, Metrics: verifier.NewMetrics(registry),
	})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	g := &guard{cancel, make(chan struct{})}
	go func() {
		defer close(g.done)
		if err := v.Run(ctx); err != nil && !errors.Is(err, context.Canceled) {
			ended(fmt.Errorf("the verifier has ended: %w", err))
		}
	}()
	return g, nil
}

// Close ends the verifier. Nothing is lost: at its next start it looks at everything again that can still be disproved.
func (g *guard) Close(ctx context.Context) error {
	g.cancel()
	select {
	case <-g.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
