package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/evmts/channels/channel"
	"github.com/evmts/channels/derivation"
	"github.com/evmts/channels/derivation/debug"
	"github.com/evmts/channels/derivation/lower"
	"github.com/urfave/cli/v2"
	"golang.org/x/term"
)

func debugCommand() *cli.Command {
	return &cli.Command{
		Name: "debug", Usage: "step through one event of a game", ArgsUsage: "FILE", Action: debugModule,
		Flags: append([]cli.Flag{
			&cli.Uint64Flag{Name: "event", Required: true, Usage: "`SEQ` of the event; 0 is the genesis"},
			&cli.UintFlag{Name: "try", Value: 1, Usage: "which of the events that were tried at that seq, `N`; all but the last were refused"},
			&cli.BoolFlag{Name: "effects", Usage: "not the event, but the effects of the final state that it led to"},
		}, gameFlags...),
		Description: `Plays a game (--script or --data-dir) up to an event and stops where reduce begins (init for seq 0), with the
arguments in the memory. In a terminal, keys step; when the input is no terminal, lines do:

` + indent(debug.Help) + `

Locals, operands and memory are those before the instruction at the mark.`,
	}
}

func indent(text string) string { return "   " + strings.ReplaceAll(text, "\n", "\n   ") }

// errFound ends a run when what was looked for is there.
var errFound = errors.New("found")

// debugged is the call that is wanted.
type debugged struct {
	entry int
	args  [][]byte
	title string
}

func debugModule(ctx *cli.Context) (err error) {
	path := ctx.Args().First()
	l, err := loadModule(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.engine.Close()) }()
	symbols, err := readSymbols(path)
	if err != nil {
		return err
	}
	d, err := findCall(ctx, l.module)
	if err != nil {
		return err
	}
	m, err := l.module.Machine(d.entry, d.args...)
	if err != nil {
		return err
	}
	s := debug.New(m, symbols, d.entry, d.args, l.module.Manifest().FuelLimit)
	in, isIn := ctx.App.Reader.(*os.File)
	out, isOut := ctx.App.Writer.(*os.File)
	if isIn && isOut && term.IsTerminal(int(in.Fd())) && term.IsTerminal(int(out.Fd())) {
		return debugScreen(s, d.title, in, out)
	}
	fmt.Fprintln(ctx.App.Writer, d.title)
	return debugLines(s, ctx.App.Reader, ctx.App.Writer)
}

// findCall plays the game up to the call that the flags name.
func findCall(ctx *cli.Context, m *derivation.Module) (*debugged, error) {
	g, err := readGame(ctx)
	if err != nil {
		return nil, err
	}
	var found, last *debugged
	t := &traced{Module: m, called: func(entry int, _ channel.Result, args ...[]byte) { last = &debugged{entry: entry, args: args} }}
	seq, tries := ctx.Uint64("event"), uint(0)
	err = g.run(t, func(rules *channel.Rules, s step) error {
		call := last
		last = nil
		if s.Seq != seq {
			return nil
		}
		if tries++; tries != max(ctx.Uint("try"), 1) {
			return nil
		}
		what := fmt.Sprintf("event %d of author %d, %s: %s", s.Seq, s.Author, s.Payload, s.Status)
		if s.Seq == 0 {
			what = "genesis: " + s.Status
		}
		if ctx.Bool("effects") {
			if !s.State.Header.Terminal {
				return fmt.Errorf("the state at seq %d is not final: it has no effects", seq)
			}
			rules.Effects(s.State)
			call, what = last, "of the state after "+what
		}
		if call == nil {
			return fmt.Errorf("the module was not called: %s", what)
		}
		for _, a := range call.args {
			if len(a) > derivation.MaxInputBytes {
				return fmt.Errorf("the module was not called, %d bytes of input are too many: %s", len(a), what)
			}
		}
		call.title = debug.Printable(lower.EntryNames[call.entry] + ": " + what)
		found = call
		return errFound
	})
	switch {
	case found != nil:
		return found, nil
	case err != nil:
		return nil, err
	case tries > 0:
		return nil, fmt.Errorf("at seq %d, %d events were tried: --try goes up to that", seq, tries)
	}
	return nil, fmt.Errorf("the game has no event at seq %d: `op-channels module run` shows what it has", seq)
}

const (
	// linesAround and linesChanged bound what is printed after each command.
	linesAround  = 4
	linesChanged = 8
	maxLine      = 4 << 10
)

// debugLines reads commands from lines, until there are no more.
func debugLines(s *debug.Session, in io.Reader, out io.Writer) error {
	v := s.View(linesAround, linesChanged)
	fmt.Fprint(out, v.Text())
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, maxLine)
	for {
		fmt.Fprint(out, "> ")
		if !lines.Scan() {
			fmt.Fprintln(out)
			return lines.Err()
		}
		said, quit, err := s.Do(lines.Text())
		if quit {
			fmt.Fprintln(out)
			return nil
		}
		switch {
		case err != nil:
			fmt.Fprintln(out, err)
		case said != "":
			fmt.Fprintln(out, said)
		default:
			v := s.View(linesAround, linesChanged)
			fmt.Fprint(out, v.Text())
		}
	}
}

// debugScreen paints the session on a terminal and reads keys.
func debugScreen(s *debug.Session, title string, in, out *os.File) (err error) {
	before, err := term.MakeRaw(int(in.Fd()))
	if err != nil {
		return fmt.Errorf("take over the terminal: %w", err)
	}
	fmt.Fprint(out, "\x1b[?1049h\x1b[?25l") // another screen, no cursor
	defer func() {
		fmt.Fprint(out, "\x1b[?25h\x1b[?1049l")
		err = errors.Join(err, term.Restore(int(in.Fd()), before))
	}()
	keys, below := bufio.NewReader(in), []string{title}
	for {
		if err := paint(s, out, below); err != nil {
			return err
		}
		line, err := readKey(keys, out)
		if errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if line == "" {
			below = []string{title}
			continue
		}
		said, quit, err := s.Do(line)
		switch {
		case quit:
			return nil
		case err != nil:
			below = []string{err.Error()}
		case said != "":
			below = strings.Split(said, "\n")
		default:
			below = []string{title}
		}
	}
}

const keysHelp = " s step  n next  f finish  c continue  u undo  b break  d delete  m memory  : any command  h help  q quit"

// paint shows the session, and below it what a command said.
func paint(s *debug.Session, out *os.File, below []string) error {
	width, height, err := term.GetSize(int(out.Fd()))
	if err != nil {
		return fmt.Errorf("the size of the terminal: %w", err)
	}
	rows := max(height-len(below)-1, 1)
	v := s.View(max(rows/2-1, 1), max(rows/3, 1))
	var b strings.Builder
	b.WriteString("\x1b[H")
	for _, row := range v.Screen(width, rows) {
		b.WriteString(row + "\r\n")
	}
	for _, line := range below {
		if r := []rune(line); len(r) >= width {
			line = string(r[:max(width-1, 0)])
		}
		b.WriteString(line + "\x1b[K\r\n")
	}
	b.WriteString("\x1b[2m" + keysHelp[:min(len(keysHelp), max(width-1, 0))] + "\x1b[0m\x1b[J")
	_, err = io.WriteString(out, b.String())
	return err
}

const (
	keyInterrupt = 3
	keyBackspace = 8
	keyEscape    = 27
	keyDelete    = 127
)

// readKey gives the command that a key stands for; those that need a place ask for it.
func readKey(keys *bufio.Reader, out io.Writer) (string, error) {
	k, _, err := keys.ReadRune()
	if err != nil {
		return "", err
	}
	switch k {
	case keyInterrupt:
		return "q", nil
	case 's', 'n', 'f', 'c', 'u', 'h', 'q', '?':
		return string(k), nil
	case ' ':
		return "s", nil
	case 'b', 'd', 'm':
		return readCommand(keys, out, string(k)+" ")
	case ':':
		return readCommand(keys, out, "")
	}
	return "", nil
}

// readCommand lets a line be typed that begins with what the key stood for.
func readCommand(keys *bufio.Reader, out io.Writer, begun string) (string, error) {
	line := []rune(begun)
	for {
		fmt.Fprintf(out, "\r\x1b[K: %s\x1b[?25h", string(line))
		k, _, err := keys.ReadRune()
		if err != nil {
			return "", err
		}
		switch {
		case k == '\r' || k == '\n':
			fmt.Fprint(out, "\x1b[?25l")
			return string(line), nil
		case k == keyEscape || k == keyInterrupt:
			fmt.Fprint(out, "\x1b[?25l")
			return "", nil
		case k == keyBackspace || k == keyDelete:
			line = line[:max(len(line)-1, 0)]
		case k >= ' ' && len(line) < maxLine:
			line = append(line, k)
		}
	}
}
