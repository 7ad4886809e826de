package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/evmts/channels/derivation"
	"github.com/evmts/channels/sidecar"
	"github.com/urfave/cli/v2"
	"github.com/vmihailenco/msgpack/v5"
)

func moduleCommand() *cli.Command {
	return &cli.Command{
		Name: "module", Usage: "look at modules, the rules of channels",
		Subcommands: []*cli.Command{{
			Name: "info", Usage: "check a module and print its hash and limits", ArgsUsage: "FILE…", Flags: []cli.Flag{jsonFlag}, Action: moduleInfo,
			Description: "Reads NAME.wasm with its limits from NAME.manifest.json beside it, loads it as a sidecar would, and prints what channels name in Params.moduleHash.",
		}, {
			Name: "check", Usage: "is a module accepted, and how much of its limits does a game use", ArgsUsage: "FILE", Flags: append([]cli.Flag{jsonFlag}, gameFlags...), Action: checkModule,
			Description: "Every place that is refused is named with function, offset and opcode. With a game (--script or --data-dir) its worst fuel is printed too.",
		}, {
			Name: "run", Usage: "play a game on a module, off chain and without keys", ArgsUsage: "FILE", Flags: append([]cli.Flag{jsonFlag}, gameFlags...), Action: runModule,
		}, {
			Name: "diff", Usage: "play one game on two modules and show where they part", ArgsUsage: "FILE FILE", Flags: append([]cli.Flag{jsonFlag}, gameFlags...), Action: diffModules,
			Description: "Exits with 1 when statuses or states differ at any event.",
		}, profileCommand(), debugCommand(), newModuleCommand(), buildCommand(), registerCommand()},
	}
}

func moduleInfo(ctx *cli.Context) (err error) {
	if !ctx.Args().Present() {
		return errors.New("give the FILE of a module (.wasm)")
	}
	engine, err := derivation.NewEngine(derivation.Config{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, engine.Close()) }()
	library := derivation.NewLibrary(engine)
	if err := sidecar.InstallModules(library, ctx.Args().Slice()); err != nil {
		return err
	}
	infos := sidecar.ModuleInfos(library)
	return show(ctx, infos, func(w io.Writer) {
		for _, m := range infos {
			fmt.Fprintf(w, "%s\n  module hash  %s\n  program hash %s\n  size         %d bytes\n  fuel limit   %d per call\n  page limit   %d of 64 KiB\n",
				m.Name, m.Hash, m.ProgramHash, m.Bytes, m.FuelLimit, m.PageLimit)
			if m.MaxEvents > 0 {
				fmt.Fprintf(w, "  events       at most %d per author\n", m.MaxEvents)
			}
			fmt.Fprintf(w, "  sparse       %v\n  independent  %v\n", m.Sparse, m.Independent)
		}
	})
}

// msgpackText shows a MessagePack value as JSON.
func msgpackText(b hexutil.Bytes) (string, bool) {
	dec := msgpack.NewDecoder(bytes.NewReader(b))
	v, err := dec.DecodeInterface()
	if err != nil {
		return "", false
	}
	if _, err := dec.DecodeInterface(); !errors.Is(err, io.EOF) {
		return "", false
	}
	text, err := json.Marshal(hexed(v))
	return string(text), err == nil
}

// hexed makes bytes readable.
func hexed(v any) any {
	switch v := v.(type) {
	case []byte:
		return hexutil.Bytes(v)
	case []any:
		for i := range v {
			v[i] = hexed(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = hexed(v[k])
		}
	}
	return v
}
