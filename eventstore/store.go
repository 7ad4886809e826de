package eventstore

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/ethereum/go-ethereum/common"
)

// SchemaVersion is what this program writes and reads.
const SchemaVersion = 1

// Store is the durable memory of one sidecar. Reads may run concurrently with each other and with Commit; they see what
// was committed, also what was committed without sync.
type Store struct {
	settings
	dir   string
	db    *pebble.DB
	lock  *pebble.Lock
	guard *guardFS

	requests chan *request // to the applier
	closing  chan struct{}
	workers  sync.WaitGroup // applier and subscriptions

	// users counts what uses db at the moment, so that Close can wait for them. A count and not a read lock: loops over
	// the store call the store.
	mu     sync.Mutex
	closed bool
	users  sync.WaitGroup

	poisonOnce sync.Once
	poisonErr  atomic.Pointer[error]
	poisoned   chan struct{}

	feed feed

	applier // the applier's own, touched by no other goroutine
}

// Open opens the store in dir, or makes one. ErrLocked, ErrCorrupt and ErrVersion say what to do.
func Open(dir string, opts ...Option) (_ *Store, err error) {
	s := &Store{
		settings: defaults(), dir: dir,
		requests: make(chan *request), closing: make(chan struct{}), poisoned: make(chan struct{}),
	}
	for _, o := range opts {
		o(&s.settings)
	}
	if err := s.fs.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("create the store's folder %s: %w; check the path and its permissions", dir, err)
	}
	if s.lock, err = pebble.LockDirectory(dir, s.fs); err != nil {
		return nil, lockError(dir, err)
	}
	defer func() {
		if err != nil && s.Err() == nil { // as in Close
			if s.db != nil {
				_ = s.db.Close()
			}
			_ = s.lock.Close()
		}
	}()
	if s.db, err = openPebble(dir, s.pebbleOptions()); err != nil {
		return nil, openError(dir, err)
	}
	if err := s.checkSchema(); err != nil {
		return nil, err
	}
	if err := s.loadApplier(); err != nil {
		return nil, err
	}
	s.feed.init(s.nextFeed)
	s.guard.live.Store(true)
	s.workers.Add(1)
	go s.applyLoop()
	return s, nil
}

func (s *Store) pebbleOptions() *pebble.Options {
	s.guard = &guardFS{FS: s.fs, dir: s.dir, poison: s.poison}
	o := &pebble.Options{
		FS: s.guard, Lock: s.lock, CacheSize: s.cacheSize, MemTableSize: s.memTableSize, MaxOpenFiles: 512,
		FormatMajorVersion: pebble.FormatNewest, Logger: pebbleLogger{s},
		EventListener: &pebble.EventListener{
			// A flush or compaction that fails is a disk that fails: its retries would only hide it.
			BackgroundError: func(err error) {
				s.poison(fmt.Errorf("background work of the database: %w", err))
				time.Sleep(failureBackoff)
			},
			// The read that hit it reports it; other channels stay usable.
			DataCorruption: func(info pebble.DataCorruptionInfo) { s.logger.Error("Store is damaged", "info", info.String()) },
		},
	}
	if s.tune != nil {
		s.tune(o)
	}
	return o
}

// failureBackoff is how long failed background work waits: the database itself tries again at once, for ever.
const failureBackoff = time.Second

// openPebble turns the database's panics on a failing disk into errors.
func openPebble(dir string, o *pebble.Options) (db *pebble.DB, err error) {
	defer func() {
		if r := recover(); r != nil {
			db, err = nil, fmt.Errorf("open database: %v", r)
		}
	}()
	return pebble.Open(dir, o)
}

func lockError(dir string, err error) error {
	var path *fs.PathError
	held := errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.EACCES) || strings.Contains(err.Error(), "held by current process")
	if held && !errors.As(err, &path) {
		return fmt.Errorf("%w: %s: stop the other process, or give this one its own folder", ErrLocked, dir)
	}
	return fmt.Errorf("lock the store in %s: %w; check the folder's permissions", dir, err)
}

func openError(dir string, err error) error {
	if pebble.IsCorruptionError(err) {
		return fmt.Errorf("%w: open %s: %w; %s", ErrCorrupt, dir, err, corruptAdvice)
	}
	if strings.Contains(err.Error(), "format major version") {
		return fmt.Errorf("%w: open %s: %w; run the program that wrote it, or a newer one", ErrVersion, dir, err)
	}
	return fmt.Errorf("open the store in %s: %w", dir, err)
}

func (s *Store) checkSchema() error {
	value, err := get(s.db, schemaKey)
	if errors.Is(err, ErrNotFound) {
		it, err := s.db.NewIter(nil)
		if err != nil {
			return dbError(nil, err)
		}
		empty := !it.First()
		if err := it.Close(); err != nil {
			return dbError(nil, err)
		}
		if !empty {
			return fmt.Errorf("%w: %s has records but no schema version; %s", ErrCorrupt, s.dir, corruptAdvice)
		}
		if err := s.db.Set(schemaKey, binary.BigEndian.AppendUint32(nil, SchemaVersion), pebble.Sync); err != nil {
			return fmt.Errorf("write the schema version: %w", err)
		}
		return s.Err()
	}
	if err != nil {
		return err
	}
	if len(value) != 4 {
		return corrupt(schemaKey, malformed("%d bytes", len(value)))
	}
	if v := binary.BigEndian.Uint32(value); v != SchemaVersion {
		return fmt.Errorf("%w: %s has version %d, this program reads %d; run the program that wrote it, or one that migrates it",
			ErrVersion, s.dir, v, SchemaVersion)
	}
	return nil
}

// Close waits for reads and commits under way and releases the folder. A poisoned store writes nothing any more and keeps
// the folder locked until the process ends: what the database may still be doing cannot be called back.
func (s *Store) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	s.mu.Unlock()
	if err := s.Err(); err != nil {
		close(s.closing)
		return err
	}
	s.users.Wait()
	close(s.closing)
	s.workers.Wait()
	if err := s.Err(); err != nil {
		return err
	}
	return errors.Join(s.db.Close(), s.lock.Close())
}

// use keeps the database open until release is called.
func (s *Store) use() (release func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, ErrClosed
	}
	s.users.Add(1)
	return s.users.Done, nil
}

// Failed is closed when the store is poisoned. Who runs the store should then end the process.
func (s *Store) Failed() <-chan struct{} { return s.poisoned }

// Err is nil, or an ErrPoisoned with its cause.
func (s *Store) Err() error {
	if p := s.poisonErr.Load(); p != nil {
		return *p
	}
	return nil
}

func (s *Store) poison(cause error) {
	s.poisonOnce.Do(func() {
		err := fmt.Errorf("%w: %w; check the disk and its free space, then restart: what was promised is on disk", ErrPoisoned, cause)
		s.poisonErr.Store(&err)
		close(s.poisoned)
		s.logger.Error("Store is poisoned, nothing is written any more", "err", cause)
	})
}

// SnapshotDue tells whether the state after seq should be kept: genesis, and every interval.
func (s *Store) SnapshotDue(_ common.Hash, seq uint64) bool { return seq%s.snapshotInterval == 0 }

// pebbleLogger hands the database's messages on. Fatalf does not end the process: the database returns the error, or the
// caller sees the poison.
type pebbleLogger struct{ s *Store }

func (l pebbleLogger) Infof(format string, args ...any) {
	l.s.logger.Trace(fmt.Sprintf(format, args...))
}

func (l pebbleLogger) Errorf(format string, args ...any) {
	l.s.logger.Warn(fmt.Sprintf(format, args...))
}

func (l pebbleLogger) Fatalf(format string, args ...any) { l.s.poison(fmt.Errorf(format, args...)) }
