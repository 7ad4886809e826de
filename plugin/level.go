package plugin

import (
	"errors"
	"fmt"
)

// Level says how much a block can be trusted to stay.
type Level uint8

// The levels of an op-stack chain, from the quickest to the surest.
const (
	Unsafe    Level = iota // seen from the sequencer
	Safe                   // derivable from L1
	Finalized              // derivable from finalized L1 data
)

var levelNames = [...]string{"unsafe", "safe", "finalized"}

// ErrLevel is returned for a word that names no level.
var ErrLevel = errors.New("unknown trust level: use unsafe, safe or finalized")

// ParseLevel reads what String prints.
func ParseLevel(s string) (Level, error) {
	for i, name := range levelNames {
		if s == name {
			return Level(i), nil
		}
	}
	return 0, fmt.Errorf("%q: %w", s, ErrLevel)
}

func (l Level) String() string {
	if int(l) < len(levelNames) {
		return levelNames[l]
	}
	return fmt.Sprintf("level(%d)", uint8(l))
}

// MarshalText implements encoding.TextMarshaler.
func (l Level) MarshalText() ([]byte, error) {
	if int(l) >= len(levelNames) {
		return nil, fmt.Errorf("level %d: %w", uint8(l), ErrLevel)
	}
	return []byte(l.String()), nil
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (l *Level) UnmarshalText(text []byte) error {
	parsed, err := ParseLevel(string(text))
	if err == nil {
		*l = parsed
	}
	return err
}

// Set implements flag.Value, so that a Level can be a command-line flag.
func (l *Level) Set(s string) error { return l.UnmarshalText([]byte(s)) }
