package derivation

import (
	"context"
	"errors"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/tetratelabs/wazero/api"

	"github.com/evmts/channels/derivation/wasm"
)

func keccak(b []byte) common.Hash { return crypto.Keccak256Hash(b) }

// call is what one call of a module does beside its result. It is the context that wazero hands to host functions,
// which is how they find it without a lock or a map.
type call struct {
	rejected bool
	reason   string // of the rejection
	trap     string // kind of trap of a host function
	log      []string
	emitted  *[][]byte // nil: nobody asked
	hasher   crypto.KeccakState
	digest   [32]byte
}

type callKey struct{}

func (c *call) reset(emitted *[][]byte) {
	hasher := c.hasher // each use resets it
	if hasher == nil {
		hasher = crypto.NewKeccakState()
	}
	*c = call{emitted: emitted, hasher: hasher}
}

// Deadline, Done and Err are those of a context that never ends: time may not decide what a call gives.
func (c *call) Deadline() (time.Time, bool) { return time.Time{}, false }
func (c *call) Done() <-chan struct{}       { return nil }
func (c *call) Err() error                  { return nil }

// Value gives the call itself to the host functions.
func (c *call) Value(key any) any {
	if _, ok := key.(callKey); ok {
		return c
	}
	return nil
}

// Emit, Log and Reject keep what the module says, within bounds.
func (c *call) Emit(b []byte) {
	if c.emitted != nil && len(*c.emitted) < MaxNotices {
		*c.emitted = append(*c.emitted, append([]byte(nil), b[:min(len(b), MaxNoticeBytes)]...))
	}
}

func (c *call) Log(b []byte) {
	if len(c.log) < MaxNotices {
		c.log = append(c.log, text(b, MaxNoticeBytes))
	}
}

func (c *call) Reject(b []byte) { c.rejected, c.reason = true, text(b, MaxReasonBytes) }

// Kinds of traps, as Result.Reason gives them. They are the same on every engine.
const (
	TrapUnreachable   = "unreachable"
	TrapMemory        = "out of bounds memory access"
	TrapDivideByZero  = "integer divide by zero"
	TrapOverflow      = "integer overflow"
	TrapTable         = "undefined table element"
	TrapIndirectType  = "indirect call type mismatch"
	TrapStack         = "stack exhausted"
	TrapHostPointer   = "host function got a range outside of the memory"
	TrapAllocate      = "allocate gave a range outside of the memory"
	TrapResult        = "the result is outside of the memory"
	TrapInput         = "the input is too large"
	trapEngineFailure = "the engine failed: "
)

// traps maps the first line of wazero's errors, which is all it tells about the kind.
var traps = map[string]string{
	"wasm error: unreachable":                 TrapUnreachable,
	"wasm error: out of bounds memory access": TrapMemory,
	"wasm error: integer divide by zero":      TrapDivideByZero,
	"wasm error: integer overflow":            TrapOverflow,
	"wasm error: invalid table access":        TrapTable,
	"wasm error: indirect call type mismatch": TrapIndirectType,
	"wasm error: stack overflow":              TrapStack,
}

// explain gives the kind of trap of an error that a call returned.
func (c *call) explain(err error) string {
	if c.rejected {
		return "rejected: " + c.reason
	}
	if c.trap != "" {
		return c.trap
	}
	for e := err; e != nil; e = errors.Unwrap(e) {
		line, _, _ := strings.Cut(e.Error(), "\n")
		line = strings.TrimSuffix(line, " (recovered by wazero)")
		line = line[max(0, strings.Index(line, "wasm error: ")):]
		if kind, ok := traps[line]; ok {
			return kind
		}
	}
	return text([]byte(trapEngineFailure+err.Error()), MaxReasonBytes)
}

// text makes bytes of a module fit for people: valid UTF-8 of at most limit bytes.
func text(b []byte, limit int) string {
	if len(b) > limit {
		b = b[:limit]
		// A character that the cut split is dropped, not replaced.
		for i := 1; i <= utf8.UTFMax && i <= len(b); i++ {
			if r := b[len(b)-i]; utf8.RuneStart(r) {
				if !utf8.FullRune(b[len(b)-i:]) {
					b = b[:len(b)-i]
				}
				break
			}
		}
	}
	s := strings.ToValidUTF8(string(b), "?") // one byte each, so that it cannot grow
	return s
}

// proceed and stop are what a host function returns to the wrapper that meter puts around it.
const (
	proceed = 0
	stop    = 1
)

// installHost defines the imports of wasm.Host with the extra result that meter.Rewrite gives them.
func (e *Engine) installHost(ctx context.Context) error {
	builder := e.runtime.NewHostModuleBuilder(wasm.HostModule)
	for name, f := range map[string]func(c *call, memory api.Memory, stack []uint64){
		"keccak256": hostKeccak, "emit": hostEmit, "log": hostLog, "reject": hostReject,
	} {
		params := make([]api.ValueType, len(wasm.Host[name].Params))
		for i := range params {
			params[i] = api.ValueTypeI32
		}
		builder.NewFunctionBuilder().WithGoModuleFunction(api.GoModuleFunc(func(ctx context.Context, module api.Module, stack []uint64) {
			c, ok := ctx.Value(callKey{}).(*call)
			if !ok { // cannot be: every call and instantiation gets a *call as its context
				stack[0] = stop
				return
			}
			f(c, module.Memory(), stack)
		}), params, []api.ValueType{api.ValueTypeI32}).Export(name)
	}
	_, err := builder.Instantiate(ctx)
	return err
}

// argument gives the bytes that a pair of pointer and length names, or makes the call trap.
func (c *call) argument(memory api.Memory, stack []uint64) ([]byte, bool) {
	b, ok := memory.Read(uint32(stack[0]), uint32(stack[1]))
	if !ok {
		c.trap = TrapHostPointer
		stack[0] = stop
	}
	return b, ok
}

func hostKeccak(c *call, memory api.Memory, stack []uint64) {
	if b, ok := c.argument(memory, stack); ok {
		c.hasher.Reset()
		// Neither can fail: they are the methods of a hash.
		_, _ = c.hasher.Write(b)
		_, _ = c.hasher.Read(c.digest[:])
		if !memory.Write(uint32(stack[2]), c.digest[:]) {
			c.trap = TrapHostPointer
			stack[0] = stop
			return
		}
		stack[0] = proceed
	}
}

func hostEmit(c *call, memory api.Memory, stack []uint64) {
	if b, ok := c.argument(memory, stack); ok {
		c.Emit(b)
		stack[0] = proceed
	}
}

func hostLog(c *call, memory api.Memory, stack []uint64) {
	if b, ok := c.argument(memory, stack); ok {
		c.Log(b)
		stack[0] = proceed
	}
}

func hostReject(c *call, memory api.Memory, stack []uint64) {
	if b, ok := c.argument(memory, stack); ok {
		c.Reject(b)
		stack[0] = stop
	}
}
