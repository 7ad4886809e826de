package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/evmts/channels/sidecar"
	"github.com/urfave/cli/v2"
)

func nodeCommand() *cli.Command {
	return &cli.Command{
		Name: "node", Usage: "ask a running sidecar about itself and its peers",
		Subcommands: []*cli.Command{
			{Name: "info", Usage: "keys, contracts, addresses, modules", Flags: clientFlags(), Action: nodeInfo},
			{Name: "ready", Usage: "whether it can do its work now, and what is missing; exits with 1 when it cannot", Flags: clientFlags(), Action: nodeReady},
			{Name: "peers", Usage: "known peers", Flags: clientFlags(), Action: nodePeers},
			{Name: "add-peer", Usage: "make a peer known", ArgsUsage: "MULTIADDR", Flags: clientFlags(), Action: addPeer},
		},
	}
}

func nodeInfo(ctx *cli.Context) error {
	c, err := dial(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	var out struct {
		sidecar.NodeInfo
		Modules []sidecar.ModuleInfo `json:"modules"`
	}
	if err := call(ctx.Context, c, &out.NodeInfo, "nodeInfo"); err != nil {
		return err
	}
	if err := call(ctx.Context, c, &out.Modules, "modules"); err != nil {
		return err
	}
	return show(ctx, out, func(w io.Writer) {
		fmt.Fprintf(w, "version     %s\nsession key %s\nowner       %s\n", out.Version, out.Session, out.Owner)
		if out.Attestor != (common.Address{}) {
			fmt.Fprintf(w, "attestor    %s\n", out.Attestor)
		}
		fmt.Fprintf(w, "chain       %d, newest block %d\nadjudicator %s\nsettlement  %s\n", out.ChainID, uint64(out.Head), out.Adjudicator, out.Settlement)
		if f := out.PushFeed; f != nil {
			fmt.Fprintf(w, "push feed   built %d, %d blocks, %d invalid, %d foreign, %d dropped\n", f.Built.Number, f.Taken, f.Invalid, f.Foreign, f.Dropped)
		}
		for _, a := range out.Multiaddrs {
			fmt.Fprintf(w, "address     %s\n", a)
		}
		for _, m := range out.Modules {
			fmt.Fprintf(w, "module      %s %s\n", m.Name, m.Hash)
		}
	})
}

// probeTimeout is longer than a sidecar waits for its own engine loop.
const probeTimeout = 15 * time.Second

// nodeReady asks /readyz, which needs no secret: for health checks of containers and scripts, which have no other program.
func nodeReady(ctx *cli.Context) error {
	url := strings.TrimRight("http"+strings.TrimPrefix(strings.TrimPrefix(ctx.String(rpcFlag.Name), "http"), "ws"), "/") + "/readyz"
	asking, cancel := context.WithTimeout(ctx.Context, probeTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(asking, http.MethodGet, url, nil)
	if err != nil {
		return fmt.Errorf("--rpc %s: %w", ctx.String(rpcFlag.Name), err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("no sidecar at %s: start one with `op-channels run`, or name another with --rpc: %w", ctx.String(rpcFlag.Name), err)
	}
	defer resp.Body.Close()
	var out sidecar.Readiness
	if err := json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&out); err != nil {
		return fmt.Errorf("%s is no sidecar: its answer (%s) does not decode: %w", url, resp.Status, err)
	}
	if err := show(ctx, out, func(w io.Writer) {
		for _, name := range slices.Sorted(maps.Keys(out.Checks)) {
			text := "ok"
			if !out.Checks[name].OK {
				text = out.Checks[name].Reason
			}
			fmt.Fprintf(w, "%-8s %s\n", name, text)
		}
	}); err != nil {
		return err
	}
	if !out.Ready {
		return cli.Exit("the sidecar is not ready", 1)
	}
	return nil
}

func nodePeers(ctx *cli.Context) error {
	c, err := dial(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	var peers []sidecar.Peer
	if err := call(ctx.Context, c, &peers, "peers"); err != nil {
		return err
	}
	return show(ctx, peers, func(w io.Writer) {
		if len(peers) == 0 {
			fmt.Fprintln(w, "no peers: make one known with `op-channels node add-peer`")
			return
		}
		t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
		fmt.Fprintln(t, "SESSION KEY\tCONNECTED\tQUEUED\tADDRESSES")
		for _, p := range peers {
			fmt.Fprintf(t, "%s\t%v\t%d\t%v\n", p.Address, p.Connected, p.Queued, p.Multiaddrs)
		}
		t.Flush()
	})
}

func addPeer(ctx *cli.Context) error {
	if !ctx.Args().Present() {
		return errors.New("give the peer's MULTIADDR, ending in /p2p/<id>: its `op-channels node info` prints it")
	}
	c, err := dial(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	var addr common.Address
	if err := call(ctx.Context, c, &addr, "addPeer", ctx.Args().First()); err != nil {
		return err
	}
	return show(ctx, map[string]any{"address": addr}, func(w io.Writer) { fmt.Fprintln(w, addr) })
}
