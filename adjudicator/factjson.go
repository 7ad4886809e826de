package adjudicator

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
)

// wireFact is a Fact as JSON: {"id": {"blockHash", "logIndex"}, "block", "txHash", "kind", "body"}.
type wireFact struct {
	ID     FactID          `json:"id"`
	Block  uint64          `json:"block"`
	TxHash common.Hash     `json:"txHash"`
	Kind   string          `json:"kind"`
	Body   json.RawMessage `json:"body"`
}

// The value receivers are needed: encoding/json does not see the methods on pointers of a value that is not addressable, and amounts
// would become arrays of limbs.

// MarshalJSON implements json.Marshaler.
func (f Deposited) MarshalJSON() ([]byte, error) {
	type plain Deposited
	return json.Marshal((*plain)(&f))
}

// MarshalJSON implements json.Marshaler.
func (f Paid) MarshalJSON() ([]byte, error) {
	type plain Paid
	return json.Marshal((*plain)(&f))
}

// MarshalJSON implements json.Marshaler.
func (f Credited) MarshalJSON() ([]byte, error) {
	type plain Credited
	return json.Marshal((*plain)(&f))
}

// MarshalJSON implements json.Marshaler.
func (f Withdrawn) MarshalJSON() ([]byte, error) {
	type plain Withdrawn
	return json.Marshal((*plain)(&f))
}

// MarshalJSON implements json.Marshaler.
func (f Settled) MarshalJSON() ([]byte, error) {
	type plain Settled
	return json.Marshal((*plain)(&f))
}

// MarshalJSON implements json.Marshaler.
func (p Policy) MarshalJSON() ([]byte, error) {
	type plain Policy
	return json.Marshal((*plain)(&p))
}

// MarshalJSON implements json.Marshaler.
func (p Permission) MarshalJSON() ([]byte, error) {
	type plain Permission
	return json.Marshal((*plain)(&p))
}

// MarshalJSON implements json.Marshaler.
func (f ChunkStored) MarshalJSON() ([]byte, error) {
	type plain ChunkStored
	return json.Marshal((*plain)(&f))
}

// MarshalJSON implements json.Marshaler.
func (f ProgramRegistered) MarshalJSON() ([]byte, error) {
	type plain ProgramRegistered
	return json.Marshal((*plain)(&f))
}

// MarshalJSON implements json.Marshaler.
func (f Entered) MarshalJSON() ([]byte, error) {
	type plain Entered
	return json.Marshal((*plain)(&f))
}

// MarshalJSON implements json.Marshaler.
func (f Sealed) MarshalJSON() ([]byte, error) {
	type plain Sealed
	return json.Marshal((*plain)(&f))
}

// MarshalJSON implements json.Marshaler.
func (f TicketsWithdrawn) MarshalJSON() ([]byte, error) {
	type plain TicketsWithdrawn
	return json.Marshal((*plain)(&f))
}

// MarshalJSON implements json.Marshaler.
func (f Published) MarshalJSON() ([]byte, error) {
	type plain Published
	return json.Marshal((*plain)(&f))
}

// MarshalJSON implements json.Marshaler.
func (f Disproved) MarshalJSON() ([]byte, error) {
	type plain Disproved
	return json.Marshal((*plain)(&f))
}

// MarshalJSON implements json.Marshaler.
func (f BondReleased) MarshalJSON() ([]byte, error) {
	type plain BondReleased
	return json.Marshal((*plain)(&f))
}

// MarshalJSON implements json.Marshaler.
func (f PublicationsWithdrawn) MarshalJSON() ([]byte, error) {
	type plain PublicationsWithdrawn
	return json.Marshal((*plain)(&f))
}

// MarshalJSON implements json.Marshaler.
func (v Ticket) MarshalJSON() ([]byte, error) {
	type plain Ticket
	return json.Marshal((*plain)(&v))
}

// MarshalJSON implements json.Marshaler.
func (v Standing) MarshalJSON() ([]byte, error) {
	type plain Standing
	return json.Marshal((*plain)(&v))
}

// ErrFact is returned for JSON that is no fact.
var ErrFact = errors.New("malformed fact")

// MarshalJSON implements json.Marshaler.
func (f Fact) MarshalJSON() ([]byte, error) {
	if f.Body == nil {
		return nil, fmt.Errorf("%w: it has no body", ErrFact)
	}
	body, err := json.Marshal(f.Body)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFact, err)
	}
	return json.Marshal(wireFact{f.ID, f.Block, f.TxHash, f.Body.Kind(), body})
}

// bodies read a Body of each kind.
var bodies = map[string]func(*json.Decoder) (Body, error){
	"Deposited":             readBody[Deposited],
	"Funded":                readBody[Funded],
	"Refunded":              readBody[Refunded],
	"Concluded":             readBody[Concluded],
	"Paid":                  readBody[Paid],
	"Credited":              readBody[Credited],
	"Withdrawn":             readBody[Withdrawn],
	"ChunkStored":           readBody[ChunkStored],
	"ProgramRegistered":     readBody[ProgramRegistered],
	"ModuleRegistered":      readBody[ModuleRegistered],
	"PolicySet":             readBody[PolicySet],
	"Entered":               readBody[Entered],
	"Sealed":                readBody[Sealed],
	"TicketsWithdrawn":      readBody[TicketsWithdrawn],
	"ChunkPublished":        readBody[ChunkPublished],
	"Published":             readBody[Published],
	"Disproved":             readBody[Disproved],
	"Vetoed":                readBody[Vetoed],
	"Executed":              readBody[Executed],
	"BondReleased":          readBody[BondReleased],
	"PublicationsWithdrawn": readBody[PublicationsWithdrawn],
	"Settled":               readBody[Settled],
}

func readBody[B Body](d *json.Decoder) (Body, error) {
	var b B
	err := d.Decode(&b)
	return b, err
}

// DecodeBody reads what json.Marshal wrote of a Body of this kind. JSON with other fields is refused.
func DecodeBody(kind string, text []byte) (Body, error) {
	read, ok := bodies[kind]
	if !ok {
		return nil, fmt.Errorf("%w: unknown kind %q", ErrFact, kind)
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	body, err := read(d)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrFact, kind, err)
	}
	if d.More() {
		return nil, fmt.Errorf("%w: %s: more than one value", ErrFact, kind)
	}
	return body, nil
}

// UnmarshalJSON implements json.Unmarshaler.
func (f *Fact) UnmarshalJSON(b []byte) error {
	var w wireFact
	if err := json.Unmarshal(b, &w); err != nil {
		return fmt.Errorf("%w: %w", ErrFact, err)
	}
	body, err := DecodeBody(w.Kind, w.Body)
	if err != nil {
		return err
	}
	*f = Fact{w.ID, w.Block, w.TxHash, body}
	return nil
}
