package evm

// load reads the program. Calldata in words: fuel limit, page limit, entry, most bytes of output, C chunks, A arguments,
// C addresses, A sizes; then the arguments' bytes. See the package doc.
const load = `
	start: PROGRAM 192                     ; to, where in calldata
	chunk: dup1 128 calldataload 5 shl 192 add eq @loaded jumpi
	dup1 calldataload 1 dup2 extcodesize sub ; to at address size
	dup1 not iszero @malformed jumpi       ; no code
	dup1 1 dup6 dup5 extcodecopy
	swap1 pop swap1 32 add swap2 add swap1 @chunk jump

	loaded: pop 31 add 5 shr 5 shl         ; base: the module's memory begins at a whole word
	dup1 $base mstore
	31 swap1 sub dup1 $limit1 mstore
	1 add dup1 $limit2 mstore
	2 add dup1 $limit4 mstore
	4 add $limit8 mstore
	PROGRAM mload                          ; header
	dup1 192 shr 0xffff and                ; header pages
	dup1 32 calldataload lt @toolarge jumpi
	16 shl $base mload add dup1 $top mstore
	32 swap1 sub $rr mstore
	dup1 176 shr 0xffff and 32 calldataload ; header max limit
	dup2 dup2 xor dup3 dup3 gt mul xor $maxpages mstore pop
	dup1 96 shr M32 and 3 shl CODE add     ; header constants
	dup1 $constants mstore
	dup2 64 shr M32 and 3 shl add dup1 $globals mstore
	dup2 160 shr 0xffff and 5 shl add dup1 $table mstore
	dup2 144 shr 0xffff and dup1 $elements mstore 3 shl add ; header segment
	dup2 32 shr M32 and 3 shl dup2 add     ; header segment image
	dup1 $segments mstore swap1
	dup2 dup2 eq @imaged jumpi
	segment:                               ; header image segment
	dup1 mload 192 shr M32 dup2 and swap1 32 shr ; header image segment size address
	dup2 add $top mload sub                ; header image segment size to
	dup2 dup5 dup3 mcopy
	pop swap1 8 add swap2 add swap1        ; header image segment: the next ones
	dup1 $segments mload gt @segment jumpi
	imaged: pop pop pop
	FRAMETOP $frame mstore                 ; the word below is zero: a header of height 0
	0 calldataload $fuel mstore
	@called jump
	toolarge: 8 0 @end jump
	`

// callEntry copies the arguments in, each to where the module's allocate says, and calls the entry. A function returns
// to the instruction behind the one that called it: here to words whose handlers are labels of this text.
const callEntry = `
	called:
	@allocated 240 shl $begins mstore
	@finished 240 shl $ends mstore
	160 calldataload 128 calldataload add 5 shl 192 add $data mstore
	argument: $argument mload 160 calldataload eq @entry jumpi
	$argument mload 128 calldataload add 5 shl 192 add calldataload ; size
	dup1 words INPUTWORD mul charge
	dup1 $begins 8 swap1 sub
	PROGRAM 32 add mload 224 shr CODE add @enter jump

	allocated: pop                         ; size ptr
	dup2 dup2 inside                       ; size ptr start
	dup3 $data mload dup3 calldatacopy
	dup3 $data mload add $data mstore
	dup3 dup2 add @copied swap2 swap1 @reverse jump
	copied: swap1                          ; ptr size: parameters of the entry
	1 $argument mload add $argument mstore @argument jump

	entry: $ends 8 swap1 sub
	64 calldataload 2 shl PROGRAM 32 add add mload 224 shr CODE add @enter jump
	`

// output ends a call: status ‖ fuel used ‖ length of the output, and the output if the entry returned one.
const output = `
	finished: pop                          ; ptr in the upper half, size in the lower
	dup1 M32 and swap1 32 shr              ; size ptr
	dup2 dup2 inside                       ; size ptr start
	dup3 words OUTPUTWORD mul charge
	1 dup4 sub 96 calldataload swap1 lt iszero @wrongoutput jumpi
	$start mstore pop $size mstore
	@unreversed $start mload $size mload dup2 add @reverse jump
	unreversed:                            ; the status comes three words before
	0 96 $start mload sub mstore
	$fuel mload 0 calldataload sub 64 $start mload sub mstore
	$size mload 32 $start mload sub mstore
	0 $start mload $size mload add mstore  ; padding
	$size mload words 5 shl 96 add 96 $start mload sub return

	end: 32 mstore 0 mstore 0 64 mstore    ; status fuel
	96 0 return
	`
