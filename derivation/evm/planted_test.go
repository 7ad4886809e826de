package evm_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/evmts/channels/derivation/evm"
)

// planted are mistakes that others made in such machines, or that would be easy to make here.
var planted = []struct{ where, what, old, text string }{
	{"i32.shr_s", "logical instead of arithmetic", "3 signextend", ""},
	{"i64.shr_s", "the amount is not masked", "63 and", ""},
	{"i32.shl", "upper bits stay", "M32 and", ""},
	{"i32.rotl", "rotates by one more", "32 sub", "33 sub"},
	{"i64.rotr", "the amount is not masked", "63 and", ""},
	{"i32.div_s", "overflow does not trap", "dup1 0x80000000 eq @trap jumpi", ""},
	{"i64.div_s", "unsigned dividend", "7 signextend", ""},
	{"i64.rem_s", "no trap on zero", "dup2 iszero @trap jumpi", ""},
	{"i32.rem_u", "the quotient", "mod", "div"},
	{"i32.lt_s", "unsigned", "224 shl swap1 224 shl", ""},
	{"i64.ge_s", "greater only", "sgt iszero", "slt"},
	{"i64.sub", "operands the other way", "sub", "swap1 sub"},
	{"i32.mul", "not cut to 32 bits", "M32 and", ""},
	{"i32.wrap_i64", "not cut", "M32 and", ""},
	{"i64.extend_i32_s", "not extended", "3 signextend", ""},
	{"i32.extend8_s", "16 bits", "0 signextend", "1 signextend"},
	{"i32.clz", "one less", "32 sub", "31 sub"},
	{"i64.ctz", "of the number itself", "1 dup2 sub swap1 not and", ""},
	{"i64.popcnt", "a bit is not counted", "0x5555555555555555", "0x5555555555555554"},
	{"i64.load", "bounds of four bytes", "$limit8", "$limit4"},
	{"i32.load8_u", "bounds off by one", "$limit1", "$limit2"},
	{"i32.load16_s", "unsigned", "1 signextend", "0xffff and"},
	{"i64.store32", "neighbours are overwritten", "M32 not and", "M64 not and"},
	{"i32.store16", "upper bits of the value", "0xffff and or", "or"},
	{"i64.store8", "another byte", "31 add", "30 add"},
	{"i64.store", "no bounds", "$limit8 mload dup2 slt @trap jumpi", ""},
	{"memory.grow", "the limit is one more", "$maxpages mload", "$maxpages mload 1 add"},
	{"memory.grow", "new pages are not cleared", "calldatacopy", "pop pop pop"},
	{"memory.grow", "what was there stays behind", "mcopy", "pop pop pop"},
	{"memory.copy", "the source is not checked", "dup3 dup3 inside", "dup3 dup3 add $top mload sub"},
	{"memory.copy", "no charge", "dup1 words BULKWORD mul charge", ""},
	{"memory.fill", "a byte too many in short ranges", "3 shl swap1", "3 shl 8 or swap1"},
	{"memory.fill", "the rest is not filled", "dup1 dup3 sub dup4", "0 dup4"},
	{"fuel", "stops when nothing is left", "0 sgt", "1 sgt"},
	{"fuel", "is not stored", "dup1 $fuel mstore", ""},
	{"jump_unless", "the other way", "swap1 @over", "swap1 iszero @over"},
	{"table", "clips one too late", "dup2 dup2 lt", "dup2 dup2 1 add lt"},
	{"select", "the other way", "swap1 @first", "swap1 iszero @first"},
	{"local.tee", "takes the operand", "dup2 dup2 c", "swap1 dup2 c"},
	{"constant", "a word too late", "192 shr swap1", "128 shr M64 and swap1"},
	{"unwind", "one operand stays", "dup1 M32 and $drop", "dup1 M32 and 1 swap1 sub $drop"},
	{"unwind", "the operands come back in another order", "SAVED $count", "SAVED 32 add $count"},
	{"return", "the caller's frame is lost", "$frame mstore", "pop"},
	{"call_indirect", "types are not compared", "xor @trap jumpi", "pop pop"},
	{"call_indirect", "an element too many", "dup2 lt iszero", "dup2 gt"},
	{"call_indirect", "null is called", "dup1 iszero @trap jumpi", ""},
	{"calls", "no limit of the stack", "dup1 STACKLIMIT lt @trap jumpi", ""},
	{"calls", "the limit of the stack is one more", "dup1 STACKLIMIT lt", "dup1 STACKLIMIT 1 add lt"},
	{"calls", "locals are not cleared", "calldatacopy", "pop pop pop"},
	{"host functions", "the range of a notice is not checked", "swap2 dup4 inside", "swap2"},
	{"host functions", "the digest's place is not checked", "$out mload 32 inside pop", ""},
	{"host functions", "what was hashed stays reversed", "@hashback $start mload $end mload @reverse jump", "@hashback jump"},
	{"host functions", "the digest is not reversed", "flip $out", "$out"},
	{"host functions", "reject goes on", "3 eq @rejected jumpi", "pop"},
	{"reversing bytes", "a byte of the rest", "3 shl", "3 shl 8 xor"},
	{"arguments and entry", "an argument is not charged", "dup1 words INPUTWORD mul charge", ""},
	{"output", "an output of the largest size is refused", "1 dup4 sub 96", "dup3 96"},
	{"output", "is not charged", "dup3 words OUTPUTWORD mul charge", ""},
	{"output", "its range is not checked", "dup2 dup2 inside", "dup2 dup2 add $top mload sub"},
	{"the end", "fuel that ran out is not all of it", "9 0 calldataload @end jump", "9 @used jump"},
}

// TestA9_PlantedMistakesAreFound: each suite can fail, and together they find every one of these.
func TestA9_PlantedMistakesAreFound(t *testing.T) {
	require.Greater(t, len(planted), 15)
	for _, p := range planted {
		m, h, found, err := evm.Planted(p.where, p.old, p.text)
		require.NoError(t, err)
		require.True(t, found, "%s has no %q", p.where, p.old)
		c := variantOf(t, m, h)
		by := "edges"
		if err = edges(c.harness, 0, p.where); err == nil {
			by = "shapes"
			if err = shapes(c); err == nil {
				by, err = "random modules", generated(c, 30, 4)
			}
		}
		if err == nil {
			t.Errorf("%s: %s is not found", p.where, p.what)
			continue
		}
		t.Logf("%s: %s, found by %s: %.150v", p.where, p.what, by, err)
	}
}
