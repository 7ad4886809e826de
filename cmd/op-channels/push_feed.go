package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"

	oplog "github.com/ethereum-optimism/optimism/op-service/log"
	opmetrics "github.com/ethereum-optimism/optimism/op-service/metrics"
	"github.com/ethereum/go-ethereum/node"
	"github.com/ethereum/go-ethereum/rpc"
	"github.com/evmts/channels/plugin/pushfeed"
	"github.com/evmts/channels/sidecar/flags"
	"github.com/urfave/cli/v2"
)

var (
	feedAddr = &cli.StringFlag{Name: "addr", EnvVars: feedEnv("ADDR"), Value: "127.0.0.1",
		Usage: "`ADDRESS` to listen on for op-node; ignored when systemd hands over a socket"}
	feedPort = &cli.IntFlag{Name: "port", EnvVars: feedEnv("PORT"), Value: 8547,
		Usage: "`PORT` to listen on, by default the one where op-node looks for its conductor (--conductor.rpc)"}
	feedRemote = &cli.BoolFlag{Name: "allow-remote", EnvVars: feedEnv("ALLOW_REMOTE"),
		Usage: "listen beyond loopback; op-node brings no secret, so the network must keep everybody else away"}
	feedTo = &cli.StringSliceFlag{Name: "to", EnvVars: feedEnv("TO"), Value: cli.NewStringSlice("http://127.0.0.1:9546"),
		Usage: "`URL` of a sidecar's push feed, may be repeated; it is told of blocks and never waited for"}
	feedSecret = &cli.StringFlag{Name: "jwt-secret", EnvVars: feedEnv("JWT_SECRET"), Usage: "`FILE` with the 32 bytes in hex that the sidecars have as --push-feed.jwt-secret"}
	feedUp     = &cli.StringFlag{Name: "upstream", EnvVars: feedEnv("UPSTREAM"),
		Usage: "`URL` of the op-conductor of this op-node: it decides everything, the feed only listens. Without it this op-node must be the chain's only sequencer"}
	feedStart = &cli.StringFlag{Name: "start-sequencer", EnvVars: feedEnv("START_SEQUENCER"),
		Usage: "`URL` of the op-node's RPC with --rpc.enable-admin: start its sequencer whenever the op-node comes up, which otherwise waits for an op-conductor to do it"}
)

func feedEnv(name string) []string { return []string{flags.EnvVarPrefix + "_FEED_" + name} }

func pushFeedCommand() *cli.Command {
	list := []cli.Flag{feedAddr, feedPort, feedRemote, feedTo, feedSecret, feedUp, feedStart, flags.Config}
	list = append(list, oplog.CLIFlags(flags.EnvVarPrefix)...)
	list = append(list, opmetrics.CLIFlags(flags.EnvVarPrefix)...)
	return &cli.Command{
		Name: "push-feed", Usage: "answer op-node in the place of an op-conductor, and tell sidecars of each block that it builds",
		Description: `op-node gives every block to its conductor before it keeps it, and builds none while that does not answer. This program answers from
memory and has no part in anything else: a sidecar that is slow, stopped or gone does not hold op-node up. This program itself does,
when it is gone: let systemd hold its socket (ops/systemd/op-channels-push-feed.socket), and read docs/operators.md first.

   op-channels push-feed --to http://127.0.0.1:9546 --start-sequencer http://127.0.0.1:9545
   op-node --conductor.enabled --conductor.rpc http://127.0.0.1:8547 …
   op-channels run --push-feed.enabled …`,
		Flags: list, Action: pushFeed,
	}
}

func pushFeed(ctx *cli.Context) (err error) {
	if ctx.Args().Present() {
		return fmt.Errorf("push-feed takes no argument %q: see op-channels push-feed --help", ctx.Args().First())
	}
	if err := flags.LoadFile(ctx); err != nil {
		return err
	}
	up, start := ctx.String(feedUp.Name), ctx.String(feedStart.Name)
	if up != "" && start != "" {
		return errors.New("--start-sequencer and --upstream contradict each other: an op-conductor starts its op-node itself")
	}
	run, stop := interruptible(ctx)
	defer stop()
	logger := oplog.NewLogger(ctx.App.ErrWriter, oplog.ReadCLIConfig(ctx))
	registry := opmetrics.NewRegistry()
	metrics, err := pushfeed.NewMetrics(registry)
	if err != nil {
		return err
	}
	auth, err := jwtAuth(ctx.String(feedSecret.Name))
	if err != nil {
		return err
	}
	forwarder, err := pushfeed.NewForwarder(ctx.StringSlice(feedTo.Name), auth, metrics, logger)
	if err != nil {
		return err
	}
	defer forwarder.Close()
	conductor, err := pushfeed.NewConductor(pushfeed.ConductorConfig{
		Upstream: up, AnyHost: ctx.Bool(feedRemote.Name), Forward: forwarder.Forward, Metrics: metrics, Log: logger,
	})
	if err != nil {
		return err
	}
	l, handed, err := pushfeed.Listen(net.JoinHostPort(ctx.String(feedAddr.Name), strconv.Itoa(ctx.Int(feedPort.Name))))
	if err != nil {
		return fmt.Errorf("listen for op-node: %w", err)
	}
	if !pushfeed.IsLoopback(l.Addr()) && !ctx.Bool(feedRemote.Name) {
		return errors.Join(fmt.Errorf("%s is reachable from elsewhere, and op-node brings no secret: listen on 127.0.0.1, or give --%s if the network keeps others away", l.Addr(), feedRemote.Name), l.Close())
	}
	server := pushfeed.Serve(l, conductor, logger)
	defer func() {
		over, cancel := context.WithTimeout(context.WithoutCancel(run), stopTimeout)
		defer cancel()
		err = errors.Join(err, server.Close(over))
	}()
	if m := opmetrics.ReadCLIConfig(ctx); m.Enabled {
		ms, err := opmetrics.StartServer(registry, m.ListenAddr, m.ListenPort)
		if err != nil { // op-node is answered without
			logger.Error("No metrics: their server does not start", "err", err)
		} else {
			defer func() { _ = ms.Stop(context.WithoutCancel(run)) }()
		}
	}
	if start != "" {
		starter, err := pushfeed.NewStarter(start, metrics, logger)
		if err != nil {
			return err
		}
		defer starter.Close()
	}
	logger.Info("Answering op-node", "at", l.Addr(), "socketOfSystemd", handed, "upstream", up != "", "sidecars", len(ctx.StringSlice(feedTo.Name)))
	select {
	case <-run.Done():
		return nil
	case err := <-server.Done():
		return fmt.Errorf("answer op-node: %w", err)
	}
}

// jwtAuth signs requests with the secret of a file; nil without one.
func jwtAuth(path string) (rpc.HTTPAuth, error) {
	if path == "" {
		return nil, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("--jwt-secret: %w", err)
	}
	b, err := hex.DecodeString(strings.TrimPrefix(strings.TrimSpace(string(text)), "0x"))
	if err != nil || len(b) != 32 {
		return nil, fmt.Errorf("--jwt-secret: %s does not hold 32 bytes in hex", path)
	}
	return node.NewJWTAuth([32]byte(b)), nil
}
