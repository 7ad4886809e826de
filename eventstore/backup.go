package eventstore

import (
	"fmt"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/ethereum/go-ethereum/common"
)

// Backup writes a consistent copy of everything committed into dir, which must not exist. The copy is a store of its own
// in which the channels it holds are frozen: after a restore a newer signature may be out there that the copy does not
// know, so it may close or dispute, but sign no more Updates (protocol §3, S6). A copy made with other tools is not
// marked: never start one while, or after, the original ran.
func (s *Store) Backup(dir string) error {
	release, err := s.use()
	if err != nil {
		return err
	}
	defer release()
	if err := s.Err(); err != nil {
		return err
	}
	if err := s.db.Checkpoint(dir, pebble.WithFlushedWAL()); err != nil {
		return fmt.Errorf("back up the store to %s: %w; the folder must not exist, its parent must be writable", dir, err)
	}
	if err := s.freeze(dir, uint64(time.Now().Unix())); err != nil {
		// Half a backup must not pass for one.
		_ = s.fs.RemoveAll(dir)
		return fmt.Errorf("mark the backup %s: %w", dir, err)
	}
	return nil
}

func (s *Store) freeze(dir string, at uint64) (err error) {
	defer func() {
		if p := recover(); p != nil { // the database panics when it cannot write its log
			err = fmt.Errorf("write: %v", p)
		}
	}()
	copied := &Store{settings: s.settings, dir: dir, poisoned: make(chan struct{})}
	if copied.lock, err = pebble.LockDirectory(dir, s.fs); err != nil {
		return err
	}
	defer copied.lock.Close() //nolint:errcheck // only a lock on a folder nobody else knows yet
	o := copied.pebbleOptions()
	db, err := openPebble(dir, o)
	if err != nil {
		return err
	}
	defer func() {
		if cerr := db.Close(); err == nil {
			err = cerr
		}
	}()
	b := db.NewBatch()
	err = eachChannel(db, func(id common.Hash, _ []byte) (bool, error) {
		key := channelKey(id, subFrozen)
		return true, b.Set(key, encodeFrozen(at), nil)
	})
	if err != nil {
		return err
	}
	if err := db.Apply(b, pebble.Sync); err != nil {
		return err
	}
	return copied.Err()
}
