package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/evmts/channels/channel"
	"github.com/evmts/channels/derivation"
	"github.com/evmts/channels/eventstore"
	"github.com/evmts/channels/sidecar"
	"github.com/urfave/cli/v2"
)

var (
	dataDirFlag = &cli.StringFlag{Name: "data-dir", EnvVars: []string{"OP_CHANNELS_DATA_DIR"}, Value: "op-channels-data", Usage: "`FOLDER` of a sidecar that does not run at the moment"}
	modulesFlag = &cli.StringSliceFlag{Name: "module", EnvVars: []string{"OP_CHANNELS_MODULES"}, Usage: "`FILE` or folder of modules (.wasm)"}
	idFlag      = &cli.StringFlag{Name: "channel", Usage: "`ID` of the channel; not needed when the store holds only one"}
)

func journalCommand() *cli.Command {
	flags := func(more ...cli.Flag) []cli.Flag {
		return append([]cli.Flag{dataDirFlag, modulesFlag, idFlag, jsonFlag}, more...)
	}
	return &cli.Command{
		Name: "journal", Usage: "read, verify and replay the journals in a data folder, without a running sidecar",
		Subcommands: []*cli.Command{
			{Name: "show", Usage: "print the entries", Flags: flags(&cli.Uint64Flag{Name: "from", Value: 1, Usage: "first `SEQ`"}, &cli.IntFlag{Name: "limit", Value: 100, Usage: "how many"}), Action: showJournal},
			{Name: "verify", Usage: "derive everything again from the genesis and check every signature", Flags: flags(), Action: verifyJournal,
				Description: "Needs nothing but the folder and the module: no chain, no peers. Exits with 1 when anything is wrong."},
			{Name: "replay", Usage: "travel to a seq and print the state there", Flags: flags(&cli.Uint64Flag{Name: "at", Usage: "`SEQ`; without it the end"}), Action: replayJournal},
		},
	}
}

// folder is an opened store with its modules.
type folder struct {
	store   *eventstore.Store
	engine  *derivation.Engine
	modules sidecar.Modules
	id      common.Hash
}

// openStore opens the data folder and finds the channel in it.
func openStore(ctx *cli.Context) (f *folder, err error) {
	path := filepath.Join(ctx.String(dataDirFlag.Name), "store")
	if _, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("there is no data folder of a sidecar: give it with --data-dir: %w", err)
	}
	f = new(folder)
	defer func() {
		if err != nil {
			err = errors.Join(err, f.close())
		}
	}()
	if f.store, err = eventstore.Open(path); err != nil {
		return f, err
	}
	f.id, err = f.choose(ctx.String(idFlag.Name))
	return f, err
}

// openFolder opens the data folder with the modules that the flags name.
func openFolder(ctx *cli.Context) (f *folder, err error) {
	if f, err = openStore(ctx); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.close())
		}
	}()
	if f.engine, err = derivation.NewEngine(derivation.Config{}); err != nil {
		return f, err
	}
	library := derivation.NewLibrary(f.engine)
	if err := sidecar.InstallModules(library, ctx.StringSlice(modulesFlag.Name)); err != nil {
		return f, err
	}
	f.modules = sidecar.ModulesOf(library)
	return f, nil
}

func (f *folder) choose(text string) (id common.Hash, err error) {
	if text != "" {
		if err := id.UnmarshalText([]byte(text)); err != nil {
			return id, fmt.Errorf("--channel: %w", err)
		}
		return id, nil
	}
	n := 0
	for rec, err := range f.store.Channels() {
		if err != nil {
			return id, err
		}
		id, n = rec.ID, n+1
	}
	if n != 1 {
		return id, fmt.Errorf("the store holds %d channels: name one with --channel", n)
	}
	return id, nil
}

func (f *folder) close() (err error) {
	if f.store != nil {
		err = f.store.Close()
	}
	if f.engine != nil {
		err = errors.Join(err, f.engine.Close())
	}
	return err
}

// progressLine shows how far a replay is when it takes more than two seconds and somebody looks.
func progressLine(ctx *cli.Context) (show func(done, total uint64)) {
	start, last := time.Now(), time.Now()
	return func(done, total uint64) {
		if ctx.Bool(jsonFlag.Name) || time.Since(start) < 2*time.Second || time.Since(last) < time.Second {
			return
		}
		last = time.Now()
		fmt.Fprintf(ctx.App.ErrWriter, "derived %d of %d events\n", done, total)
	}
}

func verifyJournal(ctx *cli.Context) (err error) {
	f, err := openFolder(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.close()) }()
	rep, err := sidecar.Replay(f.store, f.modules, f.id, nil, progressLine(ctx))
	if err != nil {
		return err
	}
	return show(ctx, rep, func(w io.Writer) {
		fmt.Fprintf(w, "channel      %s\nevents       %d, all derived again and every author's signature checked\njournal root %s\nstate        %s (terminal %v)\n",
			rep.Channel, rep.Seq, rep.JournalRoot, rep.StateHash, rep.Terminal)
		if rep.Supported {
			fmt.Fprintln(w, "signed       by every participant at this head")
		} else {
			fmt.Fprintln(w, "signed       by every participant up to an earlier head only: the last events are not final")
		}
	})
}

func replayJournal(ctx *cli.Context) (err error) {
	f, err := openFolder(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.close()) }()
	var at *uint64
	if ctx.IsSet("at") {
		seq := ctx.Uint64("at")
		at = &seq
	}
	rep, err := sidecar.Replay(f.store, f.modules, f.id, at, progressLine(ctx))
	if err != nil {
		return err
	}
	rec, err := f.store.Channel(f.id)
	if err != nil {
		return err
	}
	info := sidecar.StateInfoOf(rep.State, channel.ShapeOf(&rec.Params, rec.Funding), rep.Seq)
	out := struct {
		*sidecar.ReplayReport
		State *sidecar.StateInfo `json:"state"`
	}{rep, info}
	return show(ctx, out, func(w io.Writer) {
		fmt.Fprintf(w, "seq %d\njournal root %s\nstate hash   %s\nterminal     %v, last timestamp %d, nonces %v\n", rep.Seq, rep.JournalRoot, rep.StateHash,
			info.Header.Terminal, info.Header.LastTimestamp, info.Header.Nonces)
		for a := range info.Funds {
			fmt.Fprintf(w, "funds        asset %s: %v\n", rec.Funding[a].Asset, info.Funds[a])
		}
		fmt.Fprintf(w, "app          %s\n", info.App)
	})
}

func showJournal(ctx *cli.Context) (err error) {
	f, err := openFolder(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.close()) }()
	stored, err := f.store.Entries(f.id, max(1, ctx.Uint64("from")), max(1, min(ctx.Int("limit"), 100_000)))
	if err != nil {
		return err
	}
	out := make([]sidecar.EntryInfo, len(stored))
	for i, s := range stored {
		out[i] = sidecar.EntryInfo{Seq: s.Seq, EventHash: s.Entry.Hash(f.id), StateHash: s.StateHash, Entry: s.Entry}
	}
	return show(ctx, out, func(w io.Writer) {
		for _, e := range out {
			if ev := e.Entry.Event; ev != nil {
				fmt.Fprintf(w, "%6d  author %d nonce %-5d at %s  %s\n        state %s\n", e.Seq, ev.Author, ev.Nonce,
					time.Unix(int64(ev.Timestamp), 0).UTC().Format(time.DateTime), readable(ev.Payload), e.StateHash)
			} else {
				fmt.Fprintf(w, "%6d  top-up %d\n        state %s\n", e.Seq, e.Entry.TopUp, e.StateHash)
			}
		}
	})
}

// readable is a MessagePack payload as text, or hex.
func readable(payload hexutil.Bytes) string {
	if s, ok := msgpackText(payload); ok {
		return s
	}
	return payload.String()
}
