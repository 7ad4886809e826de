package evm

// Constants of GasBound.
const (
	// GasBase is what every call costs besides: the prologue, the frames of allocate and the entry, what copying in and out
	// costs whatever the size, a charge that fails.
	GasBase = 1_800
	// GasProgramWord is copying 32 bytes of program, and placing the image: the worst is one segment of one word after
	// the other.
	GasProgramWord = 88
	// GasChunk is a first access to a data contract.
	GasChunk = 2_850
	// MemoryWords are the words of the EVM's memory that are neither program nor the module's memory.
	MemoryWords = programAt/32 + 2
	// ChunkBytes are the bytes of program in a data contract of the largest size, whose first byte is STOP.
	ChunkBytes = MaxCode - 1
	pageWords  = 2048
)

// GasBound is the most gas that a call of the machine takes, of which it must be given 64/63: fuel, and what is not
// charged as fuel.
//
//	GasBase + fuel + 3·W + W²/512 + GasProgramWord·P + GasChunk·C
//
// P is the words of the program, C its chunks when each but the last is full, W = MemoryWords + P + 2048·pages the words
// of the EVM's memory when every page is grown. pages is the manifest's limit, or less when the program's maximum is.
func GasBound(fuelLimit uint64, pages uint32, programBytes int) uint64 {
	p := (uint64(programBytes) + 31) / 32
	w := uint64(MemoryWords) + p + pageWords*uint64(pages)
	c := (uint64(programBytes) + ChunkBytes - 1) / ChunkBytes
	return GasBase + fuelLimit + 3*w + w*w/512 + GasProgramWord*p + GasChunk*c
}
