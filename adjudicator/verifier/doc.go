// Package verifier guards Worlds against forged outcomes (docs/protocol.md §6): it watches a chain for published journals, derives
// every leaf again, and disproves a wrong one in one transaction before its publication can be settled. It needs no key of a channel
// and nothing but a node: the journal is in the logs, the program in the registry.
//
// # How it works
//
//	feed ──► main loop ──► queue ──► workers: load, derive        one slice of time after the other
//	  ▲         │  ▲                    │
//	chain       │  └────────────────────┘ right, or a witness
//	            └──► prover: simulate, send, wait                 until the chain says Disproved, again after a reorg
//
// Everything is derived from the chain: at its start it looks back over all publications whose window can be open and begins anew.
// Nothing is kept on disk.
//
// # Against hostile publications
//
// Whoever publishes chooses how much work it is: at most 1 MiB of entries, each up to the fuel limit of a module that a World's owner
// allowed. So work is done in slices. Every other slice goes to the publication with the earliest deadline, the others to the one that
// has had the least time so far: a short honest journal is checked at once whatever else waits, and a long one makes progress all the
// time. Journals in memory, publications that wait and modules are bounded; a journal that must make room keeps where it was.
package verifier
