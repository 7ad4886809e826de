package mudbridge

import "errors"

// What can be wrong with bytes or values that this package is given. Every error that it returns wraps one of these,
// or is the error of the caller that a [Reader] was given.
var (
	ErrResourceID     = errors.New("not a MUD resource id")
	ErrSchema         = errors.New("not a MUD schema")
	ErrFieldLayout    = errors.New("not a MUD field layout")
	ErrEncodedLengths = errors.New("not MUD encoded lengths")
	ErrValue          = errors.New("value does not fit its MUD type")
	ErrKey            = errors.New("not a key of this table")
	ErrRecord         = errors.New("not a record of this table")
	ErrStoreLog       = errors.New("not a MUD store log")
	ErrTableNotFound  = errors.New("the World has no such table")
	ErrFieldNotFound  = errors.New("the table has no such field")
	ErrWorldAnswer    = errors.New("the World gave a malformed answer")
	ErrEffect         = errors.New("not a valid effect")
)
