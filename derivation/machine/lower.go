package machine

import (
	"errors"
	"fmt"

	"github.com/evmts/channels/derivation/lower"
	"github.com/evmts/channels/derivation/wasm"
)

// ErrStart means that the start function of a module failed.
var ErrStart = errors.New("the start function failed")

// Lower gives the program of a module that wasm.Decode and CheckABI accepted: lowered, and with memory and globals as
// the start function left them, which may use startFuel. The error wraps lower.ErrModule, meter.ErrTooDeep or ErrStart.
func Lower(m *wasm.Module, startFuel uint64) (*lower.Lowered, error) {
	l, err := lower.Lower(m)
	if err != nil || l.Start < 0 {
		return l, err
	}
	// The page limit of the manifest is not known here: it must not change the program. A module whose start function
	// grows the memory beyond it is refused later, because its program starts with too many pages.
	machine, err := New(l.Program, wasm.MaxPages)
	if err != nil {
		return nil, err
	}
	var said starting
	machine.Host = &said
	machine.Invoke(uint32(l.Start), nil, startFuel)
	why := ""
	switch machine.Finish() {
	case Done:
		l.Program.Memory, l.Program.Globals = machine.memory, machine.globals
		return l, nil
	case Trapped:
		why = machine.trap.String()
	case Rejected:
		why = "rejected: " + said.reason
	default:
		why = machine.status.String()
	}
	return nil, fmt.Errorf("%w (it may use %d fuel and must not trap or reject): %s", ErrStart, startFuel, why)
}

// starting hears what a start function rejects with.
type starting struct{ reason string }

func (*starting) Emit([]byte)       {}
func (*starting) Log([]byte)        {}
func (s *starting) Reject(b []byte) { s.reason = fmt.Sprintf("%.64q", b[:min(len(b), 256)]) }
