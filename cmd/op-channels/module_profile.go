package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/evmts/channels/channel"
	"github.com/evmts/channels/derivation"
	"github.com/evmts/channels/derivation/debug"
	"github.com/evmts/channels/derivation/lower"
	"github.com/evmts/channels/derivation/machine"
	"github.com/evmts/channels/derivation/profile"
	"github.com/urfave/cli/v2"
)

// shownShare is the part of the fuel from which on a stack of calls is printed.
const shownShare = 0.01

func profileCommand() *cli.Command {
	return &cli.Command{
		Name: "profile", Usage: "which functions of a module use the fuel of a game", ArgsUsage: "FILE", Action: profileModule,
		Flags: append([]cli.Flag{
			jsonFlag,
			&cli.StringFlag{Name: "svg", Usage: "write a flame graph to `FILE`, to be looked at with a browser"},
			&cli.Uint64Flag{Name: "event", Usage: "only what happens at this `SEQ`; 0 is the genesis"},
		}, gameFlags...),
		Description: `Plays a game (--script or --data-dir) and attributes every unit of fuel to a function and to the calls that led to it.
Functions have the names of the module's name section: compile with --debug (AssemblyScript) or without
stripping. Names change neither the code nor the module's hash.`,
	}
}

// traced is a module that also tells what it is called with.
type traced struct {
	*derivation.Module
	called func(entry int, result channel.Result, args ...[]byte)
}

func (t *traced) Init(input []byte) channel.Result {
	r := t.Module.Init(input)
	t.called(lower.Init, r, input)
	return r
}

func (t *traced) Reduce(state, event []byte) channel.Result {
	r := t.Module.Reduce(state, event)
	t.called(lower.Reduce, r, state, event)
	return r
}

func (t *traced) Effects(state []byte) channel.Result {
	r := t.Module.Effects(state)
	t.called(lower.Effects, r, state)
	return r
}

// profiler repeats calls on the reference machine.
type profiler struct {
	module  *derivation.Module
	machine *machine.Machine
	profile *profile.Profile
	fuel    uint64 // as the engine counted it
}

func (p *profiler) repeat(entry int, result channel.Result, args [][]byte) (err error) {
	for _, a := range args {
		if len(a) > derivation.MaxInputBytes {
			return nil // refused before the module is called
		}
	}
	if p.machine == nil {
		p.machine, err = p.module.Machine(entry, args...)
	} else {
		p.machine.Begin(entry, args, p.module.Manifest().FuelLimit)
	}
	if err != nil {
		return err
	}
	p.fuel += result.Fuel
	if used := p.profile.Call(p.machine); used != result.Fuel {
		return fmt.Errorf("the engine counts %d fuel in %s, the reference machine %d: please report this with the module and the game", result.Fuel, lower.EntryNames[entry], used)
	}
	return nil
}

// readSymbols reads what the functions of a module are called.
func readSymbols(path string) (*debug.Symbols, error) {
	binary, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return debug.ReadSymbols(binary)
}

// profileReport is what `module profile` finds.
type profileReport struct {
	Fuel       uint64        `json:"fuel"`
	Operations uint64        `json:"operations"`
	Calls      uint64        `json:"calls"`
	Functions  []profile.Row `json:"functions"`
	Stacks     []stackReport `json:"stacks"`
	tree       *profile.Node
}

// stackReport is a stack of calls, the outermost first, with the fuel of its last function alone.
type stackReport struct {
	Stack []string `json:"stack"`
	Self  uint64   `json:"self"`
}

func profileModule(ctx *cli.Context) error {
	path := ctx.Args().First()
	p, err := profileGame(ctx, path)
	if err != nil {
		return err
	}
	if p.Calls() == 0 {
		return fmt.Errorf("the module was not called at seq %d: `op-channels module run` shows what the game has", ctx.Uint64("event"))
	}
	rep := profileReport{Calls: p.Calls(), Functions: p.Table(), tree: p.Tree()}
	rep.Fuel = rep.tree.Total
	for _, r := range rep.Functions {
		rep.Operations += r.Operations
	}
	rep.collect(rep.tree, nil)
	if file := ctx.String("svg"); file != "" {
		title := filepath.Base(path)
		if ctx.IsSet("event") {
			title += fmt.Sprintf(", seq %d", ctx.Uint64("event"))
		}
		if err := writeFlame(file, title, p); err != nil {
			return fmt.Errorf("write the flame graph: %w", err)
		}
	}
	return show(ctx, rep, rep.text)
}

// profileGame plays the game and profiles the calls that are asked for.
func profileGame(ctx *cli.Context, path string) (_ *profile.Profile, err error) {
	l, err := loadModule(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, l.engine.Close()) }()
	g, err := readGame(ctx)
	if err != nil {
		return nil, err
	}
	symbols, err := readSymbols(path)
	if err != nil {
		return nil, err
	}
	p := &profiler{module: l.module, profile: profile.New(symbols)}
	var pending []func() error
	t := &traced{Module: l.module, called: func(entry int, r channel.Result, args ...[]byte) {
		pending = append(pending, func() error { return p.repeat(entry, r, args) })
	}}
	err = g.run(t, func(rules *channel.Rules, s step) error {
		if s.State.Header.Terminal && s.State != s.Before {
			rules.Effects(s.State)
		}
		for _, repeat := range pending {
			if ctx.IsSet("event") && s.Seq != ctx.Uint64("event") {
				break
			}
			if err := repeat(); err != nil {
				return err
			}
		}
		pending = pending[:0]
		return nil
	})
	if err == nil && p.profile.Fuel() != p.fuel {
		err = fmt.Errorf("the profile accounts for %d fuel, the engine for %d: please report this with the module and the game", p.profile.Fuel(), p.fuel)
	}
	return p.profile, err
}

func writeFlame(file, title string, p *profile.Profile) (err error) {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return p.FlameGraph(f, title)
}

func (rep *profileReport) collect(n *profile.Node, callers []string) {
	for _, c := range n.Children {
		stack := append(callers[:len(callers):len(callers)], c.Name)
		if c.Self > 0 {
			rep.Stacks = append(rep.Stacks, stackReport{stack, c.Self})
		}
		rep.collect(c, stack)
	}
}

func (rep *profileReport) text(w io.Writer) {
	share := func(n uint64) float64 { return 100 * float64(n) / float64(max(rep.Fuel, 1)) }
	fmt.Fprintf(w, "%s fuel and %s instructions in %d calls of the module\n\n", profile.Group(rep.Fuel), profile.Group(rep.Operations), rep.Calls)
	fmt.Fprintf(w, "%14s %6s  %14s %6s  %10s  %14s  function\n", "self", "%", "total", "%", "calls", "instructions")
	for _, r := range rep.Functions {
		name := r.Name
		if r.Host {
			name += " (host)"
		}
		fmt.Fprintf(w, "%14s %6.2f  %14s %6.2f  %10s  %14s  %s\n", profile.Group(r.Self), share(r.Self), profile.Group(r.Total), share(r.Total),
			profile.Group(r.Calls), profile.Group(r.Operations), name)
	}
	fmt.Fprintf(w, "\ncalls with at least %.0f %% of the fuel\n", 100*shownShare)
	var walk func(n *profile.Node, depth int)
	walk = func(n *profile.Node, depth int) {
		for _, c := range n.Children {
			if float64(c.Total) >= shownShare*float64(rep.Fuel) {
				fmt.Fprintf(w, "%6.2f %%  %s%s\n", share(c.Total), strings.Repeat("  ", depth), c.Name)
				walk(c, depth+1)
			}
		}
	}
	walk(rep.tree, 0)
}
