package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/node"
	"github.com/ethereum/go-ethereum/rpc"
	"github.com/evmts/channels/sidecar"
	"github.com/urfave/cli/v2"
)

var (
	rpcFlag  = &cli.StringFlag{Name: "rpc", EnvVars: []string{"OP_CHANNELS_RPC"}, Value: "ws://127.0.0.1:9545", Usage: "`URL` of the sidecar's RPC"}
	jwtFlag  = &cli.StringFlag{Name: "jwt-secret", EnvVars: []string{"OP_CHANNELS_RPC_JWT_SECRET"}, Usage: "`FILE` with the RPC's secret, when it wants one"}
	jsonFlag = &cli.BoolFlag{Name: "json", Usage: "print JSON for programs instead of text for people"}
)

// clientFlags are those of every command that talks to a sidecar.
func clientFlags(more ...cli.Flag) []cli.Flag {
	return append([]cli.Flag{rpcFlag, jwtFlag, jsonFlag}, more...)
}

// dial connects to the sidecar that --rpc names.
func dial(ctx *cli.Context) (*rpc.Client, error) {
	var opts []rpc.ClientOption
	if path := ctx.String(jwtFlag.Name); path != "" {
		secret, err := readSecret(path)
		if err != nil {
			return nil, err
		}
		opts = append(opts, rpc.WithHTTPAuth(node.NewJWTAuth(secret)))
	}
	c, err := rpc.DialOptions(ctx.Context, ctx.String(rpcFlag.Name), opts...)
	if err != nil {
		return nil, fmt.Errorf("no sidecar at %s: start one with `op-channels run`, or name another with --rpc: %w", ctx.String(rpcFlag.Name), err)
	}
	return c, nil
}

func readSecret(path string) (s [32]byte, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return s, fmt.Errorf("read the RPC's secret: %w", err)
	}
	b, err := hex.DecodeString(strings.TrimPrefix(strings.TrimSpace(string(text)), "0x"))
	if err != nil || len(b) != len(s) {
		return s, fmt.Errorf("%s does not hold 32 bytes in hex", path)
	}
	copy(s[:], b)
	return s, nil
}

// call calls the sidecar and makes its errors readable: the code in front.
func call(ctx context.Context, c *rpc.Client, out any, method string, args ...any) error {
	err := c.CallContext(ctx, out, "channels_"+method, args...)
	if code := sidecar.ErrorCode(err); code != "" {
		return fmt.Errorf("%s: %s", code, err)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	return nil
}

// channelArg is the first argument, a channel id.
func channelArg(ctx *cli.Context) (id common.Hash, err error) {
	if err = id.UnmarshalText([]byte(ctx.Args().First())); err != nil {
		return id, errors.New("give the channel's id (0x and 64 hex digits): see `op-channels channel list`")
	}
	return id, nil
}

// show prints v as JSON with --json, otherwise as text writes it.
func show(ctx *cli.Context, v any, text func(w io.Writer)) error {
	if !ctx.Bool(jsonFlag.Name) {
		text(ctx.App.Writer)
		return nil
	}
	enc := json.NewEncoder(ctx.App.Writer)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}
