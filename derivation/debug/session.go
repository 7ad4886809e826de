package debug

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/evmts/channels/derivation/lower"
	"github.com/evmts/channels/derivation/machine"
)

var (
	// ErrCommand means that a command is not known or lacks something; the text says what is possible.
	ErrCommand = errors.New("not a command")
	// ErrEnded means that there is nothing left to execute.
	ErrEnded = errors.New("the call has ended; u goes back one instruction")
)

// Help lists the commands.
const Help = `s [N]            step: execute an instruction, or N
n [N]            next: as step, but over calls
f                finish: until the function that is running has returned
c                continue: until a breakpoint or the end
u [N]            undo: back an instruction, or N
b [PLACE]        break at PLACE: a function, the number of an instruction, or 0x… as an offset in the .wasm file; without
                 PLACE, at the current instruction
d [PLACE]        delete a breakpoint, or all
m ADDRESS [LEN]  show LEN bytes of the memory, m alone hides them
h                help
q                quit`

const (
	maxMemoryView = 4 << 10
	maxSaid       = 64
	maxSaidBytes  = 1 << 10
)

// end is how a call ended.
type end struct {
	status machine.Status
	trap   machine.Trap
	fuel   uint64
	output []byte
	said   []string
}

// Session is one call that is being stepped through. It begins where the entry does: the arguments are in the memory.
type Session struct {
	symbols *Symbols
	machine *machine.Machine
	entry   int
	args    [][]byte
	fuel    uint64

	start, steps int    // instructions until the entry began; until now
	before       []byte // memory at the start
	end          *end   // nil while there is more to execute; then the machine is before the last instruction
	stops        []bool // by pc
	said         notes
	shown        struct{ at, size uint32 }
	last         string // command that an empty one repeats
}

// notes hears what a module tells people.
type notes struct{ lines []string }

func (n *notes) add(what string, b []byte) {
	if len(n.lines) < maxSaid {
		n.lines = append(n.lines, fmt.Sprintf("%s %q", what, b[:min(len(b), maxSaidBytes)]))
	}
}
func (n *notes) Emit(b []byte)   { n.add("emit", b) }
func (n *notes) Log(b []byte)    { n.add("log", b) }
func (n *notes) Reject(b []byte) { n.add("reject", b) }

// New begins a session. The machine is one that derivation.Module.Machine gave for the entry and the arguments, of the
// module that the symbols are of; fuel is the limit of the call.
func New(m *machine.Machine, symbols *Symbols, entry int, args [][]byte, fuel uint64) *Session {
	s := &Session{symbols: symbols, machine: m, entry: entry, args: args, fuel: fuel, stops: make([]bool, len(symbols.program.Code))}
	m.Hook, m.Host = nil, &s.said
	s.begin()
	for left := len(args); left > 0 && s.end == nil; {
		if m.Depth() == 1 && m.Instr().Op == lower.Return {
			left--
		}
		s.step()
	}
	s.start, s.before = s.steps, append([]byte(nil), m.Memory()...)
	return s
}

// begin puts the machine before the first instruction.
func (s *Session) begin() {
	s.said.lines, s.steps, s.end = nil, 0, nil
	s.machine.Begin(s.entry, s.args, s.fuel)
	s.ended()
}

// ended looks whether the machine has stopped, and keeps how.
func (s *Session) ended() {
	m := s.machine
	if m.Status() == machine.Running {
		return
	}
	e := &end{m.Status(), m.Trap(), m.FuelUsed(), append([]byte(nil), m.Output()...), s.said.lines}
	// Operands and locals are worth seeing as the last instruction saw them.
	if steps := s.steps; steps > 0 {
		s.rewind(steps - 1)
		s.steps = steps
	}
	s.end = e
}

// rewind goes to the point after so many instructions, which is before the end.
func (s *Session) rewind(steps int) {
	s.begin()
	s.steps = s.machine.Run(steps)
}

// step executes one instruction.
func (s *Session) step() {
	s.machine.Run(1)
	s.steps++
	s.ended()
}

// until steps until enough reports true, a breakpoint is reached or the call ends.
func (s *Session) until(enough func() bool) error {
	if s.end != nil {
		return ErrEnded
	}
	for {
		s.step()
		if s.end != nil || enough() || s.stops[s.machine.PC()] {
			return nil
		}
	}
}

// next steps over a call.
func (s *Session) next() error {
	if s.end != nil {
		return ErrEnded
	}
	depth, op := s.machine.Depth(), s.machine.Instr().Op
	if op != lower.Call && op != lower.CallIndirect {
		s.step()
		return nil
	}
	return s.until(func() bool { return s.machine.Depth() <= depth })
}

// finish leaves the function that is running.
func (s *Session) finish() error {
	depth := s.machine.Depth()
	return s.until(func() bool { return s.machine.Depth() < depth })
}

// Do carries out a command. It gives what there is to say beside the new View, and whether the command was to quit. The
// error wraps ErrCommand or is ErrEnded.
func (s *Session) Do(line string) (said string, quit bool, err error) {
	words := strings.Fields(line)
	if len(words) == 0 {
		words = strings.Fields(s.last)
	}
	if len(words) == 0 {
		return "", false, nil
	}
	s.last = ""
	argument := strings.Join(words[1:], " ")
	switch words[0] {
	case "s", "step":
		s.last = line
		err = s.repeat(argument, func() error { return s.until(func() bool { return true }) })
	case "n", "next":
		s.last = line
		err = s.repeat(argument, s.next)
	case "f", "finish":
		err = s.finish()
	case "c", "continue":
		err = s.until(func() bool { return false })
	case "u", "undo":
		s.last = line
		err = s.undo(argument)
	case "b", "break":
		said, err = s.breakpoint(argument)
	case "d", "delete":
		said, err = s.remove(argument)
	case "m", "memory":
		err = s.memory(words[1:])
	case "h", "help", "?":
		said = Help
	case "q", "quit":
		quit = true
	default:
		err = fmt.Errorf("%w: %.40q; h lists the commands", ErrCommand, words[0])
	}
	if s.last != "" {
		s.last = strings.Join(words, " ")
	}
	return said, quit, err
}

// count reads the N of a command.
func count(argument string) (int, error) {
	if argument == "" {
		return 1, nil
	}
	n, err := strconv.ParseUint(argument, 10, 31)
	if err != nil || n == 0 {
		return 0, fmt.Errorf("%w: %.40q is no number of instructions", ErrCommand, argument)
	}
	return int(n), nil
}

func (s *Session) repeat(argument string, once func() error) error {
	n, err := count(argument)
	if err != nil {
		return err
	}
	for i := range n {
		if err := once(); err != nil {
			if i > 0 {
				return nil // the end, reached on the way
			}
			return err
		}
		if s.end == nil && s.stops[s.machine.PC()] {
			return nil
		}
	}
	return nil
}

func (s *Session) undo(argument string) error {
	n, err := count(argument)
	if err != nil {
		return err
	}
	if s.steps == s.start {
		return fmt.Errorf("%w: this is the beginning of the call", ErrCommand)
	}
	s.rewind(max(s.steps-n, s.start))
	return nil
}

// place finds the instruction that a command means.
func (s *Session) place(name string) (pc int, err error) {
	p := s.symbols.program
	if name == "" {
		return s.machine.PC(), nil
	}
	if f, ok := s.symbols.Find(name); ok {
		return int(p.Functions[f].Entry) + 1, nil // enter belongs to the call
	}
	if hex, ok := strings.CutPrefix(name, "0x"); ok {
		at, err := strconv.ParseUint(hex, 16, 32)
		if err != nil {
			return 0, fmt.Errorf("%w: %.40q is no offset", ErrCommand, name)
		}
		for pc, offset := range s.symbols.offsets { // in ascending order
			if uint64(offset) >= at && p.Code[pc].Op != lower.Enter && p.Code[pc].Op != lower.Fuel {
				return pc, nil
			}
		}
		return 0, fmt.Errorf("%w: the code ends before %s", ErrCommand, name)
	}
	n, err := strconv.ParseUint(name, 10, 31)
	if err != nil || int(n) >= len(p.Code) {
		return 0, fmt.Errorf("%w: there is no function and no instruction %.40q", ErrCommand, name)
	}
	if p.Code[n].Op == lower.Enter {
		n++
	}
	return int(n), nil
}

func (s *Session) where(pc int) string {
	return fmt.Sprintf("%d in %s", pc, s.symbols.Name(s.symbols.program.FunctionAt(pc)))
}

func (s *Session) breakpoint(name string) (string, error) {
	pc, err := s.place(name)
	if err != nil {
		return "", err
	}
	s.stops[pc] = true
	return "breakpoint at " + s.where(pc), nil
}

func (s *Session) remove(name string) (string, error) {
	if name == "" {
		clear(s.stops)
		return "no breakpoints are left", nil
	}
	pc, err := s.place(name)
	if err != nil {
		return "", err
	}
	if !s.stops[pc] {
		return "", fmt.Errorf("%w: there is no breakpoint at %s", ErrCommand, s.where(pc))
	}
	s.stops[pc] = false
	return "no breakpoint at " + s.where(pc), nil
}

func (s *Session) memory(words []string) error {
	if len(words) == 0 {
		s.shown.size = 0
		return nil
	}
	size := uint64(64)
	at, err := strconv.ParseUint(words[0], 0, 32)
	if err == nil && len(words) > 1 {
		size, err = strconv.ParseUint(words[1], 0, 32)
	}
	if err != nil || len(words) > 2 || size == 0 || size > maxMemoryView {
		return fmt.Errorf("%w: m ADDRESS [LEN], decimal or 0x…, at most %d bytes", ErrCommand, maxMemoryView)
	}
	if at >= uint64(len(s.machine.Memory())) {
		return fmt.Errorf("%w: the memory has %#x bytes", ErrCommand, len(s.machine.Memory()))
	}
	s.shown.at, s.shown.size = uint32(at), uint32(size)
	return nil
}
