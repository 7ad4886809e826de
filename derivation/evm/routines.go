package evm

import (
	"fmt"
	"strings"

	"github.com/evmts/channels/derivation/wasm"
)

// calls is how a frame is made. Frames grow downwards: that of a function with n locals is n words and, below them, a
// header: the address of the call (64 bits up) ‖ height of the stack with this frame (32) ‖ the caller's $frame (32).
var calls = `
	enter:                                 ; arguments call entry
	dup1 $keep mstore mload 192 shr        ; arguments call params|locals|slots
	dup1 0xfff and 32 $frame mload sub mload 32 shr M32 and add
	dup1 STACKLIMIT lt @trap jumpi         ; … call w height
	32 shl $frame mload or
	swap2 64 shl swap1 swap2 or            ; … w header
	dup2 7 shr 0x1ffe0 and                 ; … w header locals×32
	dup1 32 add $frame mload sub           ; … w header locals×32 frame
	dup1 $frame mstore
	swap2 32 dup4 sub mstore               ; … w frame locals×32
	dup3 19 shr 0x1fe0 and                 ; … w frame locals×32 params×32
	dup1 swap2 sub calldatasize            ; … w frame params×32 cleared from
	dup3 dup5 add calldatacopy             ; … w frame params×32: zeros are where calldata has ended
	swap2 pop swap1 2 shr @moved sub jump  ; arguments frame
	` + chain(wasm.MaxParams, "moved", func(i int) string { return fmt.Sprintf("swap1 dup2 PUSH2:%d add mstore", (i-1)*32) }) + `
	pop $keep mload next
	`

// hosts are the host functions. Each charges by the length, its second operand, before it acts.
const hosts = `
	host:                                  ; operands ip number
	dup1 iszero @hash jumpi
	dup3 words NOTICEWORD mul HOSTCALL add charge
	swap2 dup4 inside                      ; ptr number ip len at — nobody on chain listens
	pop swap2 pop 3 eq @rejected jumpi     ; ip
	next

	hash: pop $keep mstore $out mstore     ; ptr len
	dup1 words HASHWORD mul HASHCALL add charge
	dup1 $size mstore dup2 inside          ; ptr start
	dup1 $start mstore
	$size mload add $end mstore pop
	$out mload 32 inside pop
	@hashed $start mload $end mload @reverse jump
	hashed: $size mload $start mload keccak256
	@hashback $start mload $end mload @reverse jump
	hashback:                             ; digest
	flip $out mload $rr mload sub mstore
	$keep mload next
	`

// reversal reverses the bytes of a range in place: words from both ends change places until at most one is left.
const reversal = `
	reverse:                               ; back start end
	dup2 dup2 sub                          ; back start end size
	dup1 33 sgt @reverselast jumpi
	pop 32 swap1 sub                       ; back start last
	dup2 mload flip
	dup2 mload flip
	dup4 mstore dup2 mstore
	swap1 32 add swap1 @reverse jump
	reverselast:
	dup1 0 slt iszero @reversed jumpi
	32 dup3 sub mload swap1 3 shl          ; back start end w bits
	dup2 flip dup2 256 sub shr          ; back start end w bits new
	swap2 dup2 shr dup2 shl                ; back start end new bits others
	dup3 or 32 dup5 sub mstore             ; back start end new bits
	pop
	reversed: pop pop pop jump
	`

// ends are the ways out. They go to end with status and fuel used.
const ends = `
	trap: 8 @used jump
	rejected: 7 @used jump
	wrongoutput: 10 @used jump
	oof: 9 0 calldataload @end jump        ; all of the fuel
	used: $fuel mload 0 calldataload sub @end jump
	malformed: 0 0 revert
	`

// reverseWord reverses the bytes of the word on top: neighbours, pairs, fours, eights, halves.
func reverseWord() string {
	var b strings.Builder
	for n := 1; n <= 8; n *= 2 {
		mask := "0x" + strings.Repeat(strings.Repeat("00", n)+strings.Repeat("ff", n), 16/n)
		fmt.Fprintf(&b, "dup1 %d shr %s and swap1 %s and %d shl or ", 8*n, mask, mask, 8*n)
	}
	return b.String() + "dup1 128 shr swap1 128 shl or"
}
