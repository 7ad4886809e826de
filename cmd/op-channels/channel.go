package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/evmts/channels/channel"
	"github.com/evmts/channels/sidecar"
	"github.com/urfave/cli/v2"
	"github.com/vmihailenco/msgpack/v5"
)

func channelCommand() *cli.Command {
	return &cli.Command{
		Name: "channel", Usage: "open, play, watch and close channels of a running sidecar",
		Subcommands: []*cli.Command{
			{
				Name: "open", Usage: "propose a channel and wait until it is open", ArgsUsage: "FILE", Flags: clientFlags(&cli.BoolFlag{Name: "no-wait", Usage: "do not wait for the others and the chain"}),
				Description: `FILE holds JSON (- reads standard input):

   {"participants": [{"signer": "0x…", "owner": "0x…"}, …], "sequencer": 0,
    "funding": [{"asset": "0x0000000000000000000000000000000000000000", "amounts": ["1000000000000000000", "0"]}],
    "moduleHash": "0x…", "genesis": "0x…", "window": 86400, "forceQuota": 64}

Amounts are in the asset's smallest unit, one per participant; asset zero is the chain's coin. Left out: window (a day),
forceQuota (64), fundingDeadline (in an hour), nonce (of the clock), beneficiaries (none).`,
				Action: openChannel,
			},
			{
				Name: "event", Usage: "author an event and wait until everybody signed it", ArgsUsage: "CHANNEL PAYLOAD", Flags: clientFlags(
					&cli.BoolFlag{Name: "hex", Usage: "PAYLOAD is 0x-hex of the bytes instead of JSON"},
					&cli.Uint64Flag{Name: "not-after", Usage: "the event is void above this `SEQ`"},
					&cli.Uint64Flag{Name: "nonce", Usage: "for sparse modules"},
					&cli.DurationFlag{Name: "retry", Value: 10 * time.Second, Usage: "how long to try again while the previous event is not supported yet"},
				),
				Description: "PAYLOAD is JSON, sent as MessagePack: '{\"a\": \"attack\"}'.",
				Action:      submitEvent,
			},
			{Name: "close", Usage: "consent to end a channel, or conclude it when the game is over; waits for the chain", ArgsUsage: "CHANNEL", Flags: clientFlags(), Action: closeChannel},
			{Name: "approve", Usage: "accept a proposal that policy leaves to you", ArgsUsage: "CHANNEL", Flags: clientFlags(), Action: func(ctx *cli.Context) error {
				return onChannel(ctx, "approved", "approve")
			}},
			{Name: "reject", Usage: "refuse a proposal", ArgsUsage: "CHANNEL [REASON]", Flags: clientFlags(), Action: func(ctx *cli.Context) error {
				return onChannel(ctx, "rejected", "reject", strings.Join(ctx.Args().Tail(), " "))
			}},
			{Name: "list", Usage: "all channels of the sidecar", Flags: clientFlags(), Action: listChannels},
			{Name: "show", Usage: "one channel with its newest state", ArgsUsage: "CHANNEL", Flags: clientFlags(), Action: showChannel},
			{Name: "watch", Usage: "print what happens, until interrupted", ArgsUsage: "[CHANNEL]", Flags: clientFlags(), Action: watchChannels},
		},
	}
}

func openChannel(ctx *cli.Context) error {
	in := io.Reader(os.Stdin)
	if path := ctx.Args().First(); path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return fmt.Errorf("give a FILE with the channel's description (see --help): %w", err)
		}
		defer f.Close()
		in = f
	}
	var args sidecar.OpenArgs
	dec := json.NewDecoder(io.LimitReader(in, 1<<20))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&args); err != nil {
		return fmt.Errorf("read the channel's description: %w", err)
	}
	args.NoWait = ctx.Bool("no-wait")
	c, err := dial(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	var id common.Hash
	if err := call(ctx.Context, c, &id, "open", args); err != nil {
		return err
	}
	return show(ctx, map[string]any{"channelId": id}, func(w io.Writer) { fmt.Fprintln(w, id) })
}

// payloadArg makes MessagePack of JSON, or bytes of hex.
func payloadArg(ctx *cli.Context) (hexutil.Bytes, error) {
	text := ctx.Args().Get(1)
	if ctx.Bool("hex") {
		return hexutil.Decode(text)
	}
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, fmt.Errorf("PAYLOAD is no JSON (or use --hex): %w", err)
	}
	v, err := plain(v)
	if err != nil {
		return nil, err
	}
	return msgpack.Marshal(v)
}

// plain turns JSON's numbers into integers: modules have no floats.
func plain(v any) (any, error) {
	switch v := v.(type) {
	case json.Number:
		i, err := v.Int64()
		if err != nil {
			return nil, fmt.Errorf("%s is no integer of 64 bits: modules have no fractions", v)
		}
		return i, nil
	case []any:
		for i := range v {
			var err error
			if v[i], err = plain(v[i]); err != nil {
				return nil, err
			}
		}
	case map[string]any:
		for k := range v {
			var err error
			if v[k], err = plain(v[k]); err != nil {
				return nil, err
			}
		}
	}
	return v, nil
}

func submitEvent(ctx *cli.Context) error {
	id, err := channelArg(ctx)
	if err != nil {
		return err
	}
	payload, err := payloadArg(ctx)
	if err != nil {
		return err
	}
	c, err := dial(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	opts := sidecar.SubmitOptions{NotAfter: ctx.Uint64("not-after"), Nonce: ctx.Uint64("nonce")}
	var out sidecar.Submitted
	for until := time.Now().Add(ctx.Duration("retry")); ; {
		err = call(ctx.Context, c, &out, "submit", id, payload, opts)
		if err == nil || !strings.HasPrefix(err.Error(), string(channel.CodeNotReady)+":") || time.Now().After(until) {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	if err != nil {
		return err
	}
	return show(ctx, out, func(w io.Writer) { fmt.Fprintf(w, "final at seq %d\n", out.Seq) })
}

func closeChannel(ctx *cli.Context) error {
	id, err := channelArg(ctx)
	if err != nil {
		return err
	}
	c, err := dial(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	fmt.Fprintln(ctx.App.ErrWriter, "waiting for the others' consent and the chain …")
	var seq uint64
	if err := call(ctx.Context, c, &seq, "close", id); err != nil {
		return err
	}
	return show(ctx, map[string]any{"channelId": id, "seq": seq}, func(w io.Writer) { fmt.Fprintf(w, "final at seq %d\n", seq) })
}

func onChannel(ctx *cli.Context, done, method string, more ...any) error {
	id, err := channelArg(ctx)
	if err != nil {
		return err
	}
	c, err := dial(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := call(ctx.Context, c, nil, method, append([]any{id}, more...)...); err != nil {
		return err
	}
	return show(ctx, map[string]any{"channelId": id, "done": done}, func(w io.Writer) { fmt.Fprintln(w, done) })
}

func listChannels(ctx *cli.Context) error {
	c, err := dial(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	var list []sidecar.ChannelInfo
	if err := call(ctx.Context, c, &list, "list"); err != nil {
		return err
	}
	return show(ctx, list, func(w io.Writer) {
		if len(list) == 0 {
			fmt.Fprintln(w, "no channels yet: open one with `op-channels channel open`")
			return
		}
		t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
		fmt.Fprintln(t, "CHANNEL\tSTATUS\tHEAD\tWAITING FOR")
		for _, i := range list {
			fmt.Fprintf(t, "%s\t%s\t%d\t%s\n", i.ID, i.Status, i.HeadSeq, i.WaitingFor)
		}
		t.Flush()
	})
}

func showChannel(ctx *cli.Context) error {
	id, err := channelArg(ctx)
	if err != nil {
		return err
	}
	c, err := dial(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	var info sidecar.ChannelInfo
	if err := call(ctx.Context, c, &info, "get", id); err != nil {
		return err
	}
	var state *sidecar.StateInfo
	if info.Supported != nil {
		if err := call(ctx.Context, c, &state, "state", id, nil); err != nil {
			return err
		}
	}
	out := struct {
		sidecar.ChannelInfo
		State *sidecar.StateInfo `json:"state,omitempty"`
	}{info, state}
	return show(ctx, out, func(w io.Writer) {
		fmt.Fprintf(w, "channel     %s\nstatus      %s\n", info.ID, info.Status)
		if info.WaitingFor != "" {
			fmt.Fprintf(w, "waiting for %s\n", info.WaitingFor)
		}
		fmt.Fprintf(w, "module      %s\nhead        %d (%d in flight)\n", info.Params.ModuleHash, info.HeadSeq, info.InFlight)
		for i, p := range info.Params.Participants {
			role := ""
			if i == int(info.Me) {
				role += " (this node)"
			}
			if i == int(info.Params.Sequencer) {
				role += " (sequencer)"
			}
			fmt.Fprintf(w, "participant %d: owner %s, session key %s%s\n", i, p.Owner, p.Signer, role)
		}
		if state != nil {
			fmt.Fprintf(w, "state       seq %d, hash %s, terminal %v\n", state.Seq, state.StateHash, state.Header.Terminal)
			for a, s := range info.Funding {
				fmt.Fprintf(w, "funds       asset %s: %s\n", s.Asset, strings.Join(state.Funds[a], ", "))
			}
		}
		for _, f := range info.Facts {
			fmt.Fprintf(w, "on chain    %s in block %d, transaction %s\n", f.Kind, f.Block, f.TxHash)
		}
	})
}

func watchChannels(ctx *cli.Context) error {
	args := []any{"events"}
	if ctx.Args().Present() {
		id, err := channelArg(ctx)
		if err != nil {
			return err
		}
		args = append(args, id)
	}
	c, err := dial(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	events := make(chan sidecar.Notification, 256)
	sub, err := c.Subscribe(ctx.Context, "channels", events, args...)
	if err != nil {
		return fmt.Errorf("subscribe (use a ws:// URL): %w", err)
	}
	defer sub.Unsubscribe()
	enc := json.NewEncoder(ctx.App.Writer)
	for {
		select {
		case n := <-events:
			if ctx.Bool(jsonFlag.Name) {
				if err := enc.Encode(n); err != nil {
					return err
				}
				continue
			}
			fmt.Fprintf(ctx.App.Writer, "%s  %-10s seq %-6d %s %s\n", n.Channel.TerminalString(), n.Kind, n.Seq, n.Code, n.Text)
		case err := <-sub.Err():
			return err
		case <-ctx.Context.Done():
			return nil
		}
	}
}
