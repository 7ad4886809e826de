package mudbridge

import (
	"context"
	"fmt"
	"math/big"
	"sync"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
)

// The tables in which a World keeps what it knows about itself.
var (
	tablesTable = mustTable("store__Tables", []string{"bytes32"}, []string{"bytes32", "bytes32", "bytes32", "bytes", "bytes"},
		[]string{"tableId"}, []string{"fieldLayout", "keySchema", "valueSchema", "abiEncodedKeyNames", "abiEncodedFieldNames"})
	namespaceOwnerTable = mustTable("world__NamespaceOwner", []string{"bytes32"}, []string{"address"},
		[]string{"namespaceId"}, []string{"owner"})
	resourceAccessTable = mustTable("world__ResourceAccess", []string{"bytes32", "address"}, []string{"bool"},
		[]string{"resourceId", "caller"}, []string{"access"})
)

func mustTable(label string, key, value, keyNames, fieldNames []string) Table {
	id, err := TableID(label)
	if err != nil {
		panic(err)
	}
	keySchema, err := ParseSchema(key...)
	if err != nil {
		panic(err)
	}
	valueSchema, err := ParseSchema(value...)
	if err != nil {
		panic(err)
	}
	t, err := NewTable(id, keySchema, valueSchema, keyNames, fieldNames)
	if err != nil {
		panic(err)
	}
	return t
}

// maxCachedTables bounds what one Reader remembers; a World has tens of tables.
const maxCachedTables = 1024

// Reader reads the tables of one World. It is safe for concurrent use.
type Reader struct {
	caller ethereum.ContractCaller
	world  common.Address
	block  *big.Int // nil: the newest

	mu     sync.Mutex
	tables map[ResourceID]Table // schemas never change once registered
}

// NewReader reads the newest state of a World through an ethclient.Client or anything else that can call contracts.
func NewReader(caller ethereum.ContractCaller, world common.Address) *Reader {
	return &Reader{caller: caller, world: world, tables: make(map[ResourceID]Table)}
}

// At is a reader of the same World as of a block, which may be one of go-ethereum's tags (rpc.SafeBlockNumber, …).
// It remembers no schemas of the other reader, because a table may be younger than the block.
func (r *Reader) At(block *big.Int) *Reader {
	at := NewReader(r.caller, r.world)
	at.block = block
	return at
}

// World is the contract that is read.
func (r *Reader) World() common.Address { return r.world }

// Table is the schema of a table as it is registered; [ErrTableNotFound] when it is not.
func (r *Reader) Table(ctx context.Context, id ResourceID) (Table, error) {
	r.mu.Lock()
	t, ok := r.tables[id]
	r.mu.Unlock()
	if ok {
		return t, nil
	}
	t, err := r.readTable(ctx, id)
	if err != nil {
		return Table{}, err
	}
	r.mu.Lock()
	if len(r.tables) < maxCachedTables {
		r.tables[id] = t
	}
	r.mu.Unlock()
	return t, nil
}

func (r *Reader) readTable(ctx context.Context, id ResourceID) (Table, error) {
	row, err := r.row(ctx, tablesTable, id.Hash())
	if err != nil {
		return Table{}, fmt.Errorf("reading the schema of %s: %w", id, err)
	}
	word := func(i int) common.Hash { return common.BytesToHash(row.Values[i].([]byte)) }
	if word(0) == (common.Hash{}) {
		return Table{}, fmt.Errorf("%w: %s in World %s", ErrTableNotFound, id, r.world)
	}
	malformed := func(err error) (Table, error) {
		return Table{}, fmt.Errorf("%w: table %s: %w", ErrWorldAnswer, id, err)
	}
	layout, err := DecodeFieldLayout(word(0))
	if err != nil {
		return malformed(err)
	}
	key, err := DecodeSchema(word(1))
	if err != nil {
		return malformed(err)
	}
	value, err := DecodeSchema(word(2))
	if err != nil {
		return malformed(err)
	}
	if value.Layout() != layout {
		return malformed(fmt.Errorf("field layout %s is not that of schema %s", layout.Hash(), value))
	}
	var names [2][]string
	for i := range names {
		if names[i], err = decodeNames(row.Values[3+i].([]byte)); err != nil {
			return malformed(err)
		}
	}
	t, err := NewTable(id, key, value, names[0], names[1])
	if err != nil {
		return malformed(err)
	}
	return t, nil
}

var namesArgs = abiArguments("string[]")

const maxNamesBytes = 16 << 10 // 28 names of half a kilobyte

// decodeNames looks at the number of names first: offsets may overlap, so that a small encoding of many long names
// would unpack to gigabytes.
func decodeNames(b []byte) ([]string, error) {
	if len(b) < 2*common.HashLength || len(b) > maxNamesBytes {
		return nil, fmt.Errorf("%d bytes of names, at most %d are read", len(b), maxNamesBytes)
	}
	count := new(big.Int).SetBytes(b[common.HashLength : 2*common.HashLength])
	if count.Cmp(big.NewInt(MaxFields)) > 0 {
		return nil, fmt.Errorf("%s names, at most %d are possible", count, MaxFields)
	}
	v, err := unpackABI(namesArgs, b)
	if err != nil {
		return nil, fmt.Errorf("names: %w", err)
	}
	return v[0].([]string), nil
}

// Record reads one record by the values of its key; it is all zeros when it was never set.
func (r *Reader) Record(ctx context.Context, id ResourceID, key ...any) (Row, error) {
	t, err := r.Table(ctx, id)
	if err != nil {
		return Row{}, err
	}
	return r.row(ctx, t, key...)
}

func (r *Reader) row(ctx context.Context, t Table, key ...any) (Row, error) {
	words, err := t.EncodeKey(key...)
	if err != nil {
		return Row{}, err
	}
	record, err := r.RawRecord(ctx, t.ID, words)
	if err != nil {
		return Row{}, err
	}
	row, err := t.DecodeRow(words, record)
	if err != nil {
		return Row{}, fmt.Errorf("%w: %w", ErrWorldAnswer, err)
	}
	return row, nil
}

var recordArgs = abiArguments("bytes", "bytes32", "bytes")

// RawRecord reads one record in the encoding of the store, whatever the table is.
func (r *Reader) RawRecord(ctx context.Context, id ResourceID, key []common.Hash) (Record, error) {
	out, err := r.caller.CallContract(ctx, ethereum.CallMsg{
		To:   &r.world,
		Data: methodGetRecord.calldata([32]byte(id), toWords(key)),
	}, r.block)
	if err != nil {
		return Record{}, fmt.Errorf("calling getRecord of %s in World %s: %w", id, r.world, err)
	}
	if len(out) == 0 {
		return Record{}, fmt.Errorf("%w: getRecord returned nothing, is there a World at %s?", ErrWorldAnswer, r.world)
	}
	v, err := unpackABI(recordArgs, out)
	if err != nil {
		return Record{}, fmt.Errorf("%w: getRecord of %s: %w", ErrWorldAnswer, id, err)
	}
	return Record{StaticData: v[0].([]byte), EncodedLengths: EncodedLengths(v[1].([32]byte)), DynamicData: v[2].([]byte)}, nil
}

// NamespaceOwner is who may grant access to a namespace and sets its settlement policy; the zero address when the
// namespace does not exist or was renounced.
func (r *Reader) NamespaceOwner(ctx context.Context, namespace ResourceID) (common.Address, error) {
	if namespace.Type() != TypeNamespace {
		return common.Address{}, fmt.Errorf("%w: %s is no namespace", ErrResourceID, namespace)
	}
	row, err := r.row(ctx, namespaceOwnerTable, namespace.Hash())
	if err != nil {
		return common.Address{}, fmt.Errorf("reading the owner of %s: %w", namespace, err)
	}
	return row.Values[0].(common.Address), nil
}

// HasAccess says whether who may write a table or call a system: by a grant for the resource itself or for its
// namespace. (Systems may also be open to all, which this does not look at.)
func (r *Reader) HasAccess(ctx context.Context, resource ResourceID, who common.Address) (bool, error) {
	for _, id := range []ResourceID{resource.NamespaceID(), resource} {
		row, err := r.row(ctx, resourceAccessTable, id.Hash(), who)
		if err != nil {
			return false, fmt.Errorf("reading access to %s: %w", id, err)
		}
		if row.Values[0].(bool) {
			return true, nil
		}
	}
	return false, nil
}
