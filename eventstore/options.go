package eventstore

import (
	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/ethereum/go-ethereum/log"
)

// Option changes one setting of Open.
type Option func(*settings)

type settings struct {
	fs               vfs.FS
	logger           log.Logger
	cacheSize        int64
	memTableSize     uint64
	snapshotInterval uint64
	snapshotsKept    int
	maxLag           uint64
	tune             func(*pebble.Options)
}

func defaults() settings {
	return settings{
		fs: vfs.Default, logger: log.NewLogger(log.DiscardHandler()), cacheSize: 32 << 20, memTableSize: 16 << 20,
		snapshotInterval: 1000, snapshotsKept: 10, maxLag: 4096,
	}
}

// WithFS puts the store on another file system than the machine's.
func WithFS(fs vfs.FS) Option { return func(s *settings) { s.fs = fs } }

// WithLogger takes the messages of the store and of the database under it; without it they are dropped.
func WithLogger(l log.Logger) Option { return func(s *settings) { s.logger = l } }

// WithCacheSize sets the block cache, in bytes; 32 MiB without it.
func WithCacheSize(bytes int64) Option { return func(s *settings) { s.cacheSize = bytes } }

// WithSnapshotInterval makes a snapshot due every n events; 1,000 without it. 0 is taken as 1.
func WithSnapshotInterval(n uint64) Option {
	return func(s *settings) { s.snapshotInterval = max(n, 1) }
}

// WithSnapshotsKept keeps the newest n snapshots of a channel beside the genesis; 10 without it. Below 1 is taken as 1.
func WithSnapshotsKept(n int) Option { return func(s *settings) { s.snapshotsKept = max(n, 1) } }

// WithMaxLag bounds how much may be committed while a subscriber takes nothing, in notifications; 4,096 without it.
func WithMaxLag(n uint64) Option { return func(s *settings) { s.maxLag = max(n, 1) } }
