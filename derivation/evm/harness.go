package evm

// Harness generates a machine with the same handlers that carries out one function and shows all that it left behind. It
// is for tests: the official suite of WebAssembly calls functions one by one.
//
// Calldata in words: fuel limit, page limit, address of the function in the code, P parameters, C chunks, R results, C
// addresses, P parameters. It returns status, fuel used, R or 0, the results, the globals, all in words, and the memory
// from its last byte to its first.
func Harness() (*Program, error) { return generate(nil, harnessed...) }

var harnessed = []part{{"parameters and function", invoke}, {"everything that is left", everything}}

const invoke = `
	called: @finished 240 shl $ends mstore
	0
	parameter: dup1 96 calldataload eq @invoke jumpi
	dup1 128 calldataload add 5 shl 192 add calldataload
	swap1 1 add @parameter jump            ; parameters so far
	invoke: pop $ends 8 swap1 sub
	64 calldataload CODE add @enter jump
	`

const everything = `
	finished: pop 160 calldataload dup1 $argument mstore
	result: dup1 iszero @returned jumpi    ; results index
	1 swap1 sub swap1 dup2 5 shl 96 add $top mload add mstore
	@result jump
	returned: @used jump                   ; the index is 0, as the status is

	end: $top mload 32 add mstore          ; status fuel: everything goes behind the module's memory
	$top mload mstore
	$argument mload 64 $top mload add mstore
	$argument mload 5 shl 96 add $top mload add ; to
	$globals mload $table mload sub dup1 $globals mload dup4 mcopy add
	$base mload $top mload sub dup1 $base mload dup4 mcopy add
	$top mload swap1 sub $top mload return
	`
