package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/ethereum/go-ethereum/common"
	"github.com/evmts/channels/channel"
	"github.com/evmts/channels/derivation"
	"github.com/urfave/cli/v2"
)

// loaded is a module with the engine that runs it.
type loaded struct {
	engine *derivation.Engine
	module *derivation.Module
}

func loadModule(path string) (*loaded, error) {
	if path == "" {
		return nil, errors.New("give the FILE of a module (.wasm)")
	}
	engine, err := derivation.NewEngine(derivation.Config{})
	if err != nil {
		return nil, err
	}
	m, err := derivation.NewLibrary(engine).AddFile(path)
	if err != nil {
		return nil, errors.Join(err, engine.Close())
	}
	return &loaded{engine, m}, nil
}

// moduleReport is what `module check` finds.
type moduleReport struct {
	File       string      `json:"file"`
	ModuleHash common.Hash `json:"moduleHash"`
	Bytes      int         `json:"bytes"`
	Functions  int         `json:"functions"`
	Pages      uint32      `json:"pages"`
	MaxPages   uint32      `json:"maxPages"`
	FuelLimit  uint64      `json:"fuelLimit"`
	Events     int         `json:"events,omitempty"`
	Rejected   int         `json:"rejected,omitempty"`
	InitFuel   uint64      `json:"initFuel,omitempty"`
	WorstFuel  uint64      `json:"worstFuel,omitempty"`
	WorstSeq   uint64      `json:"worstSeq,omitempty"`
	AppBytes   int         `json:"appBytes,omitempty"`
	Effects    uint64      `json:"effectsFuel,omitempty"`
}

// reportOn says what a module that was accepted is.
func reportOn(path string, m *derivation.Module) moduleReport {
	info := m.Info()
	return moduleReport{
		File: path, ModuleHash: m.Hash(), Bytes: info.Bytes, Functions: info.Functions, Pages: info.Pages,
		MaxPages: info.MaxPages, FuelLimit: m.Manifest().FuelLimit,
	}
}

func (rep *moduleReport) accepted(w io.Writer) {
	fmt.Fprintf(w, "accepted     %s\nmodule hash  %s\nsize         %d bytes, %d functions\nmemory       %d pages of 64 KiB, at most %d\nfuel limit   %d per call\n",
		rep.File, rep.ModuleHash, rep.Bytes, rep.Functions, rep.Pages, rep.MaxPages, rep.FuelLimit)
}

func checkModule(ctx *cli.Context) (err error) {
	l, err := loadModule(ctx.Args().First())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.engine.Close()) }()
	rep := reportOn(ctx.Args().First(), l.module)
	played := ctx.String("script") != "" || ctx.String("data-dir") != ""
	if played {
		if err := rep.play(ctx, l.module); err != nil {
			return err
		}
	}
	return show(ctx, rep, func(w io.Writer) {
		rep.accepted(w)
		if played {
			percent := func(f uint64) float64 { return 100 * float64(f) / float64(rep.FuelLimit) }
			fmt.Fprintf(w, "game         %d events, %d of them rejected; app at most %d bytes\ninit         %d fuel (%.1f %% of the limit)\nworst event  %d fuel (%.1f %%) at seq %d\n",
				rep.Events, rep.Rejected, rep.AppBytes, rep.InitFuel, percent(rep.InitFuel), rep.WorstFuel, percent(rep.WorstFuel), rep.WorstSeq)
			if rep.Effects > 0 {
				fmt.Fprintf(w, "effects      %d fuel (%.1f %%)\n", rep.Effects, percent(rep.Effects))
			}
		}
	})
}

func (rep *moduleReport) play(ctx *cli.Context, m *derivation.Module) error {
	g, err := readGame(ctx)
	if err != nil {
		return err
	}
	return g.run(m, func(rules *channel.Rules, s step) error {
		rep.AppBytes = max(rep.AppBytes, len(s.State.App))
		if s.Seq == 0 {
			rep.InitFuel = s.Fuel
			return nil
		}
		rep.Events++
		if s.Status != channel.Accepted.String() {
			rep.Rejected++
		}
		if s.Fuel > rep.WorstFuel {
			rep.WorstFuel, rep.WorstSeq = s.Fuel, s.Seq
		}
		if s.State.Header.Terminal {
			_, verdict := rules.Effects(s.State)
			rep.Effects = verdict.Fuel
		}
		return nil
	})
}

func runModule(ctx *cli.Context) (err error) {
	l, err := loadModule(ctx.Args().First())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.engine.Close()) }()
	g, err := readGame(ctx)
	if err != nil {
		return err
	}
	var steps []step
	var last *channel.State
	var shape channel.Shape
	if err := g.run(l.module, func(r *channel.Rules, s step) error {
		steps, last, shape = append(steps, s), s.State, r.Shape()
		return nil
	}); err != nil {
		return err
	}
	return show(ctx, steps, func(w io.Writer) {
		for _, s := range steps {
			if s.Seq == 0 {
				fmt.Fprintf(w, "%6d  genesis, %d fuel\n        state %s\n", 0, s.Fuel, s.StateHash)
				continue
			}
			fmt.Fprintf(w, "%6d  author %d  %s\n        %s, %d fuel, state %s\n", s.Seq, s.Author, s.Payload, s.Status, s.Fuel, s.StateHash)
		}
		for a := range shape.Assets {
			fmt.Fprintf(w, "funds of asset %d:", a)
			for p := range shape.Holders() {
				v := last.Amount(shape, a, p)
				fmt.Fprintf(w, " %s", v.Dec())
			}
			fmt.Fprintln(w)
		}
		fmt.Fprintf(w, "terminal: %v\n", last.Header.Terminal)
	})
}

// difference is the first event at which two modules part, and how often they do.
type difference struct {
	Events int    `json:"events"`
	Differ int    `json:"differ"`
	First  uint64 `json:"first,omitempty"` // seq
	A      *step  `json:"a,omitempty"`
	B      *step  `json:"b,omitempty"`
}

func diffModules(ctx *cli.Context) (err error) {
	if ctx.Args().Len() != 2 {
		return errors.New("give two FILEs of modules")
	}
	g, err := readGame(ctx)
	if err != nil {
		return err
	}
	var runs [2][]step
	for i := range runs {
		l, err := loadModule(ctx.Args().Get(i))
		if err != nil {
			return err
		}
		err = g.run(l.module, func(_ *channel.Rules, s step) error { runs[i] = append(runs[i], s); return nil })
		if err = errors.Join(err, l.engine.Close()); err != nil {
			return fmt.Errorf("%s: %w", ctx.Args().Get(i), err)
		}
	}
	d := difference{Events: len(runs[0]) - 1}
	for i := range runs[0] {
		a, b := runs[0][i], runs[1][i]
		if a.Status == b.Status && a.StateHash == b.StateHash {
			continue
		}
		if d.Differ++; d.A == nil {
			d.First, d.A, d.B = a.Seq, &a, &b
		}
	}
	if err := show(ctx, d, func(w io.Writer) {
		if d.Differ == 0 {
			fmt.Fprintf(w, "the same statuses and states at the genesis and all %d events\n", d.Events)
			return
		}
		fmt.Fprintf(w, "they part at seq %d, and differ at %d of %d events\n", d.First, d.Differ, d.Events)
		for i, s := range []*step{d.A, d.B} {
			fmt.Fprintf(w, "  %s: %s, %d fuel, state %s\n", ctx.Args().Get(i), s.Status, s.Fuel, s.StateHash)
		}
	}); err != nil {
		return err
	}
	if d.Differ > 0 {
		return cli.Exit("the modules differ", 1)
	}
	return nil
}
