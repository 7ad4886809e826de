package evm

import (
	"fmt"

	"github.com/evmts/channels/derivation/lower"
	"github.com/evmts/channels/derivation/wasm"
)

// handlers are the code of each instruction. What is on the stack is written with the top on the right; ip is the address
// of the instruction itself, always on top when a handler begins. `next` goes on with the instruction behind.
//
// c is the instruction's c, masked; b its b. Values of i32 are zero-extended, as those of i64 are, so that most
// instructions need no more than one mask behind.
var handlers = func() map[lower.Op]string {
	h := map[lower.Op]string{
		lower.Fuel: `
			dup1 c                                 ; ip c
			$fuel mload sub dup1 $fuel mstore
			0 sgt @oof jumpi                       ; ip
			next`,
		lower.Enter: `
			0 0 revert                             ; calls go to @enter, and nothing else comes here`,
		lower.Unreachable: `
			@trap jump`,
		lower.Jump: `
			c CODE add go`,
		lower.JumpIf: `
			swap1 @taken jumpi
			next
			taken: c CODE add go`,
		lower.JumpUnless: `
			swap1 @over jumpi
			c CODE add go
			over: next`,
		lower.Table: `
			swap1 dup2 b                           ; ip i b
			dup2 dup2 lt @clip jumpi
			pop 3 shl add next
			clip: swap1 pop 3 shl add next`,
		// The operands that stay go to memory, the others are dropped, and the former come back: what the EVM cannot do at
		// a depth that is not in the code. Each of the three is a chain that is entered where there is enough of it left.
		lower.Unwind: `
			dup1 $keep mstore mload 192 shr        ; c in the low half, b above
			dup1 M32 and $drop mstore
			32 shr 0xffff and dup1 $count mstore
			5 mul @saved sub jump
			` + chain(savedWords, "saved", func(i int) string { return fmt.Sprintf("%d mstore", savedAt+(i-1)*32) }) + `
			$drop mload 1 shl @dropped sub jump
			` + chain(wasm.MaxHeight, "dropped", func(int) string { return "pop" }) + `
			SAVED $count mload 7 mul @restored sub jump
			` + chain(savedWords, "restored", func(int) string { return "dup1 mload swap1 32 add" }) + `
			pop $keep mload next`,
		lower.Return: `
			pop 32 $frame mload sub mload          ; results header
			dup1 0xffffffff and $frame mstore
			64 shr next                            ; where the call was`,
		lower.Call: `
			dup1 c CODE add @enter jump            ; arguments ip entry`,
		lower.CallHost: `
			dup1 b @host jump                      ; arguments ip b`,
		lower.CallIndirect: `
			swap1 $elements mload dup2 lt iszero @trap jumpi
			3 shl $table mload add mload 192 shr   ; arguments ip kind|type|address
			dup2 b dup2 32 shr 0xffff and
			xor @trap jumpi
			dup1 48 shr 1 xor @notfunction jumpi
			M32 and CODE add @enter jump
			notfunction: 48 shr                    ; arguments ip kind
			dup1 iszero @trap jumpi
			2 swap1 sub @host jump`,
		lower.Drop: `
			swap1 pop next`,
		lower.Select: `
			swap1 @first jumpi                     ; u v ip
			swap2 pop swap1 next
			first: swap1 pop next`,
		lower.LocalGet: `
			dup1 c $frame mload add mload swap1 next`,
		lower.LocalSet: `
			swap1 dup2 c $frame mload add mstore next`,
		lower.LocalTee: `
			dup2 dup2 c $frame mload add mstore next`,
		lower.GlobalGet: `
			dup1 c $globals mload add mload swap1 next`,
		lower.GlobalSet: `
			swap1 dup2 c $globals mload add mstore next`,
		lower.Const: `
			dup1 c swap1 next`,
		lower.Constant: `
			dup1 c $constants mload add mload 192 shr swap1 next`,
		lower.MemorySize: `
			$base mload $top mload sub 16 shr swap1 next`,
		// What is there moves up, so that no page above the present size is paid for.
		lower.MemoryGrow: `
			swap1 $base mload $top mload sub 16 shr ; ip pages old
			dup2 dup2 add                          ; ip pages old new
			dup1 $maxpages mload lt @nogrowth jumpi
			dup1 GROWPAGE mul charge
			pop dup1 16 shl dup3 16 shl            ; ip pages old size more
			dup2 $base mload dup1 dup4 add mcopy
			dup1 calldatasize $base mload calldatacopy
			dup1 $top mload add $top mstore
			$rr mload add $rr mstore               ; ip pages old size
			pop swap1 pop swap1 next
			nogrowth: pop pop pop M32 swap1 next`,
		lower.MemoryCopy: `
			$keep mstore                           ; to from size
			dup1 words BULKWORD mul charge
			dup3 dup2 inside                       ; to from size to'
			dup3 dup3 inside                       ; to from size to' from'
			swap1 mcopy pop pop $keep mload next`,
		// One word by hand, then twice as much with each copy.
		lower.MemoryFill: `
			$keep mstore                           ; to value size
			dup1 words BULKWORD mul charge
			dup3 dup2 inside                       ; to value size at
			swap2 0xff and EVERYBYTE mul           ; to at size v
			dup2 32 gt @fillshort jumpi
			dup3 mstore 32                         ; to at size done
			double: dup1 1 shl dup3 lt @filllast jumpi
			dup1 dup4 dup2 dup2 add mcopy
			1 shl @double jump
			filllast: dup1 dup3 sub dup4 dup3 dup2 add mcopy
			pop pop pop pop $keep mload next
			fillshort:                             ; to at size v: the last bytes of the word that ends with the range
			swap1 3 shl swap1 dup2 256 sub shr     ; to at bits v
			dup2 3 shr dup4 add 32 swap1 sub       ; to at bits v p
			dup1 mload dup4 shr dup4 shl           ; to at bits v p others
			dup3 or swap1 mstore
			pop pop pop pop $keep mload next`,

		lower.I32WrapI64:    unary("M32 and"),
		lower.I32Extend8S:   unary("0 signextend M32 and"),
		lower.I32Extend16S:  unary("1 signextend M32 and"),
		lower.I64Extend8S:   unary("0 signextend M64 and"),
		lower.I64Extend16S:  unary("1 signextend M64 and"),
		lower.I64Extend32S:  unary("3 signextend M64 and"),
		lower.I64ExtendI32S: unary("3 signextend M64 and"),
	}
	memory(h)
	for _, f := range families {
		f.handlers(h)
	}
	return h
}()

// unary is an instruction that replaces its operand.
func unary(body string) string { return "swap1 " + body + " swap1 next" }

// binary is an instruction of operands x and y; body begins with ip y x and ends with ip result.
func binary(body string) string { return "swap2 " + body + " swap1 next" }

// memory adds loads and stores. In the EVM's memory the module's is reversed: its byte ea is at top - 1 - ea, so the
// 32 bytes at rr - ea, rr = top - 32, end with the bytes from ea on as a little-endian number. Of n bytes the first is
// at base or above when rr - ea is at least base - 32 + n; slot $limitN holds that. A store puts back the bytes that it
// read with those it must change; the ones below base belong to the program's last section, which nothing reads.
func memory(h map[lower.Op]string) {
	address := func(n int) string {
		return fmt.Sprintf(`
			dup%%d c add $rr mload sub             ; … at
			$limit%d mload dup2 slt @trap jumpi`, n)
	}
	load := func(op lower.Op, n int, finish string) {
		h[op] = "swap1" + fmt.Sprintf(address(n), 2) + `
			mload ` + finish + ` swap1 next`
	}
	store := func(op lower.Op, n int, mask string) {
		h[op] = "swap2" + fmt.Sprintf(address(n), 3) + `
			` + mask + " next"
	}
	replace := func(mask, value string) string {
		return "dup1 mload " + mask + " not and dup3 " + value + " or swap1 mstore pop"
	}
	load(lower.I32Load, 4, "M32 and")
	load(lower.I64Load, 8, "M64 and")
	load(lower.I32Load8U, 1, "0xff and")
	load(lower.I64Load8U, 1, "0xff and")
	load(lower.I32Load16U, 2, "0xffff and")
	load(lower.I64Load16U, 2, "0xffff and")
	load(lower.I64Load32U, 4, "M32 and")
	load(lower.I32Load8S, 1, "0 signextend M32 and")
	load(lower.I64Load8S, 1, "0 signextend M64 and")
	load(lower.I32Load16S, 2, "1 signextend M32 and")
	load(lower.I64Load16S, 2, "1 signextend M64 and")
	load(lower.I64Load32S, 4, "3 signextend M64 and")
	store(lower.I32Store, 4, replace("M32", ""))
	store(lower.I64Store, 8, replace("M64", ""))
	store(lower.I64Store32, 4, replace("M32", "M32 and"))
	store(lower.I32Store16, 2, replace("0xffff", "0xffff and"))
	store(lower.I64Store16, 2, replace("0xffff", "0xffff and"))
	store(lower.I32Store8, 1, "31 add mstore8")
	store(lower.I64Store8, 1, "31 add mstore8")
}

// family is the instructions that i32 and i64 both have.
type family struct {
	bits          int
	eqz, clz, add lower.Op // the first of three runs of instructions
}

var families = []family{{32, lower.I32Eqz, lower.I32Clz, lower.I32Add}, {64, lower.I64Eqz, lower.I64Clz, lower.I64Add}}

func (f family) handlers(h map[lower.Op]string) {
	n, mask := f.bits, fmt.Sprintf("M%d and", f.bits)
	signed := fmt.Sprintf("%d signextend", n/8-1)
	h[f.eqz] = unary("iszero")
	// Signed comparison looks at both operands in the upper bits of a word. The swap has put x on top.
	up := fmt.Sprintf("%d shl swap1 %d shl ", 256-n, 256-n)
	for i, body := range []string{"eq", "eq iszero", up + "sgt", "lt", up + "slt", "gt", up + "slt iszero", "gt iszero", up + "sgt iszero", "lt iszero"} {
		h[f.eqz+1+lower.Op(i)] = binary(body)
	}
	h[f.clz] = unary(fmt.Sprintf("%s add %d sub", logarithm(n), n))
	h[f.clz+1] = unary(fmt.Sprintf("1 dup2 sub swap1 not and %s %s add", mask, logarithm(n))) // of the bits below the lowest
	h[f.clz+2] = unary(population(n))

	divide := func(op, after string) string {
		return binary("dup2 iszero @trap jumpi " + op + after)
	}
	both := signed + " swap1 " + signed + " swap1 "
	for i, body := range []string{
		binary("add " + mask), binary("sub " + mask), binary("mul " + mask),
		divide(both+"sdiv", fmt.Sprintf(" dup1 %#x eq @trap jumpi %s", uint64(1)<<(n-1), mask)), // only -2^(n-1) / -1 gives 2^(n-1)
		divide("div", ""), divide(both+"smod", " "+mask), divide("mod", ""),
		binary("and"), binary("or"), binary("xor"),
		binary(fmt.Sprintf("swap1 %d and shl %s", n-1, mask)),
		binary(fmt.Sprintf("%s swap1 %d and sar %s", signed, n-1, mask)),
		binary(fmt.Sprintf("swap1 %d and shr", n-1)),
		// Rotation: the operand twice, side by side, shifted.
		binary(fmt.Sprintf("TWICE%d mul swap1 %d and %d sub shr %s", n, n-1, n, mask)),
		binary(fmt.Sprintf("TWICE%d mul swap1 %d and shr %s", n, n-1, mask)),
	} {
		h[f.add+lower.Op(i)] = body
	}
}

// logarithm leaves r and x for x: floor(log2 x) and 1, or 0 and 0. It halves what is left of the number in each step.
func logarithm(bits int) string {
	text := "0 swap1"
	for half := bits / 2; half > 0; half /= 2 {
		text += fmt.Sprintf(`
			dup1 %#x lt %s shl                     ; r x %d if x is above
			swap1 dup2 shr swap2 add swap1`, uint64(1)<<half-1, log2(half), half)
	}
	return text + "\n"
}

func log2(n int) string {
	for i := range 64 {
		if 1<<i == n {
			return fmt.Sprint(i)
		}
	}
	return "?" // no word of the assembler
}

// population counts bits side by side: pairs, nibbles, bytes, then all bytes with one multiplication.
func population(bits int) string {
	mask := func(b uint64) string { return fmt.Sprintf("%#x", b&(1<<(bits-1)<<1-1)) }
	return fmt.Sprintf(`
			dup1 1 shr %s and swap1 sub
			dup1 2 shr %s and swap1 %s and add
			dup1 4 shr add %s and
			%s mul %d shr 0xff and`, mask(0x5555555555555555), mask(0x3333333333333333), mask(0x3333333333333333), mask(0x0f0f0f0f0f0f0f0f), mask(0x0101010101010101), bits-8)
}
