package main

import (
	"errors"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/ethereum/go-ethereum/common"
	"github.com/evmts/channels/sidecar"
	"github.com/urfave/cli/v2"
)

func nodeCommand() *cli.Command {
	return &cli.Command{
		Name: "node", Usage: "ask a running sidecar about itself and its peers",
		Subcommands: []*cli.Command{
			{Name: "info", Usage: "keys, contracts, addresses, modules", Flags: clientFlags(), Action: nodeInfo},
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
		for _, a := range out.Multiaddrs {
			fmt.Fprintf(w, "address     %s\n", a)
		}
		for _, m := range out.Modules {
			fmt.Fprintf(w, "module      %s %s\n", m.Name, m.Hash)
		}
	})
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
