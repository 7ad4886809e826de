package eventstore

import (
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// guardFS stands between the database and the file system, for the sake of the write-ahead log. When the database cannot
// close a log or make the next one, it panics without the lock that a deferred call then unlocks, which ends the process
// past any recover. The guard sees such an error first: it poisons the store and parks the goroutine, which is the
// applier, for good. Commits do not wait for it any more (Commit), reads do not need it.
type guardFS struct {
	vfs.FS
	dir    string
	poison func(error)
	live   atomic.Bool // set when Open is done; before, errors are returned
	failed atomic.Bool
}

const logSuffix = ".log"

func (g *guardFS) fail(what string, err error) {
	if err != nil && g.live.Load() {
		g.failed.Store(true)
		g.poison(fmt.Errorf("%s: %w", what, err))
	}
}

// park never returns once the store is live and its log has failed.
func (g *guardFS) park() {
	if g.live.Load() && g.failed.Load() {
		select {}
	}
}

func (g *guardFS) made(name string, f vfs.File, err error) (vfs.File, error) {
	if !strings.HasSuffix(name, logSuffix) || g.FS.PathDir(name) != g.dir {
		return f, err
	}
	if err != nil {
		g.fail("make log file", err)
		g.park()
		return f, err
	}
	return &guardFile{f, g, true}, nil
}

func (g *guardFS) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := g.FS.Create(name, c)
	return g.made(name, f, err)
}

func (g *guardFS) ReuseForWrite(oldname, newname string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := g.FS.ReuseForWrite(oldname, newname, c)
	return g.made(newname, f, err)
}

func (g *guardFS) OpenDir(name string) (vfs.File, error) {
	f, err := g.FS.OpenDir(name)
	if err != nil || name != g.dir {
		return f, err
	}
	return &guardFile{f, g, false}, nil
}

// Unwrap implements vfs.FS.
func (g *guardFS) Unwrap() vfs.FS { return g.FS }

// guardFile is a log file, or the store's folder.
type guardFile struct {
	vfs.File
	g   *guardFS
	log bool
}

func (f *guardFile) Write(p []byte) (int, error) {
	n, err := f.File.Write(p)
	f.g.fail("write log file", err)
	return n, err
}

func (f *guardFile) Sync() error {
	err := f.File.Sync()
	f.g.fail("sync", err)
	return err
}

func (f *guardFile) SyncData() error {
	err := f.File.SyncData()
	f.g.fail("sync", err)
	return err
}

func (f *guardFile) SyncTo(length int64) (bool, error) {
	full, err := f.File.SyncTo(length)
	f.g.fail("sync", err)
	return full, err
}

func (f *guardFile) Stat() (vfs.FileInfo, error) {
	info, err := f.File.Stat()
	f.g.fail("look at log file", err)
	return info, err
}

// Close of a log is the last thing that the database does before it panics over it.
func (f *guardFile) Close() error {
	if f.log {
		f.g.park()
	}
	err := f.File.Close()
	if f.log {
		f.g.fail("close log file", err)
		f.g.park()
	}
	return err
}
