package eventstore

import (
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
	"github.com/ethereum/go-ethereum/common"

	"github.com/evmts/channels/channel"
)

// What the store refuses. Each is wrapped with what was being done and, where a person can do something, what to do.
var (
	// ErrLocked: another process, or another Store in this one, has the directory open.
	ErrLocked = errors.New("the store is in use by another process")
	// ErrCorrupt: bytes on disk are not what was written, or records contradict each other.
	ErrCorrupt = errors.New("the store is damaged")
	// ErrVersion: the store was written by a program with another schema.
	ErrVersion = errors.New("the store has another schema version")
	// ErrPoisoned: the disk failed earlier; nothing can be promised any more until the process restarts.
	ErrPoisoned = errors.New("the store stopped after a disk error")
	// ErrClosed: the Store was closed.
	ErrClosed = errors.New("the store is closed")
	// ErrNotFound: there is no such record.
	ErrNotFound = errors.New("not found in the store")
	// ErrUnknownChannel: nothing can be recorded for a channel before PutChannel. It is an ErrNotFound.
	ErrUnknownChannel = fmt.Errorf("unknown channel: %w", ErrNotFound)
	// ErrNotAppend: the entry's seq is not the journal's last + 1, or a head beyond the journal's end was to be recorded.
	ErrNotAppend = errors.New("a journal only grows by the entry after its last")
	// ErrContradiction: the record would contradict one that this node may have acted on.
	ErrContradiction = errors.New("contradicts what is recorded")
	// ErrFrozen: the channel came back from a backup, so a newer signature of this node may exist (protocol §3, S6).
	ErrFrozen = errors.New("the channel was restored from a backup")
	// ErrInvalid: the value handed to the store is out of bounds or its parts do not belong together.
	ErrInvalid = errors.New("invalid record")
	// ErrSlow: a subscriber took nothing while more was committed than a subscription may lag behind.
	ErrSlow = errors.New("the subscriber is too slow")
)

const corruptAdvice = "stop the node, keep a copy of the folder, restore the newest backup and let the node fetch what is missing " +
	"from its peers; it will not sign Updates in the restored channels (see docs/operators.md)"

func corrupt(key []byte, cause error) error {
	return fmt.Errorf("%w: record %s: %w; %s", ErrCorrupt, describeKey(key), cause, corruptAdvice)
}

// dbError gives errors of the database the store's names. Use it for reads; writes poison.
func dbError(key []byte, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, pebble.ErrNotFound):
		return ErrNotFound
	case errors.Is(err, pebble.ErrClosed):
		return ErrClosed
	case pebble.IsCorruptionError(err):
		return corrupt(key, err)
	}
	return fmt.Errorf("read record %s: %w", describeKey(key), err)
}

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrInvalid, fmt.Sprintf(format, args...))
}

func malformed(format string, args ...any) error {
	return channel.Refuse(channel.CodeMalformed, format, args...)
}

func contradiction(id common.Hash, format string, args ...any) error {
	return fmt.Errorf("channel %s: %w: %s", id, ErrContradiction, fmt.Sprintf(format, args...))
}
