package mudbridge

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/ethereum/go-ethereum/common"
)

// ResourceType is the first two bytes of a resource id.
type ResourceType string

const (
	TypeTable         ResourceType = "tb" // stored on chain and in logs
	TypeOffchainTable ResourceType = "ot" // in logs only
	TypeNamespace     ResourceType = "ns"
	TypeSystem        ResourceType = "sy"
)

const (
	namespaceStart = 2
	nameStart      = 16
	namespaceBytes = nameStart - namespaceStart
	nameBytes      = common.HashLength - nameStart
)

func (t ResourceType) known() bool {
	return t == TypeTable || t == TypeOffchainTable || t == TypeNamespace || t == TypeSystem
}

// ResourceID names a table, namespace or system of a World.
type ResourceID common.Hash

// NewResourceID builds an id. The namespace has at most 14 bytes ("" is the root namespace), the name at most 16; a
// namespace's own id has no name. Where MUD's TypeScript cuts a long name short, this is [ErrResourceID]: a name that
// silently becomes another one is not worth having where names decide about access.
func NewResourceID(t ResourceType, namespace, name string) (ResourceID, error) {
	var id ResourceID
	switch {
	case !t.known():
		return id, fmt.Errorf("%w: type %q is none of tb, ot, ns, sy", ErrResourceID, string(t))
	case len(namespace) > namespaceBytes:
		return id, fmt.Errorf("%w: namespace %q has %d bytes, at most %d fit", ErrResourceID, namespace, len(namespace), namespaceBytes)
	case len(name) > nameBytes:
		return id, fmt.Errorf("%w: name %q has %d bytes, at most %d fit", ErrResourceID, name, len(name), nameBytes)
	}
	copy(id[:], t)
	copy(id[namespaceStart:], namespace)
	copy(id[nameStart:], name)
	return DecodeResourceID(common.Hash(id))
}

// DecodeResourceID checks that a word is a resource id that [NewResourceID] could have made.
func DecodeResourceID(word common.Hash) (ResourceID, error) {
	id := ResourceID(word)
	switch {
	case !id.Type().known():
		return ResourceID{}, fmt.Errorf("%w: %s has type %q, which is none of tb, ot, ns, sy", ErrResourceID, word, string(id.Type()))
	case !cleanText(word[namespaceStart:nameStart]) || !cleanText(word[nameStart:]):
		return ResourceID{}, fmt.Errorf("%w: %s holds something other than zero-padded text", ErrResourceID, word)
	case id.Type() == TypeNamespace && id.Name() != "":
		return ResourceID{}, fmt.Errorf("%w: %s is a namespace with a name", ErrResourceID, word)
	}
	return id, nil
}

// cleanText says whether b is UTF-8 text followed by zeros only.
func cleanText(b []byte) bool {
	text := bytes.TrimRight(b, "\x00")
	return bytes.IndexByte(text, 0) < 0 && utf8.Valid(text)
}

// TableID is the id of an on-chain table given by its label, such as "raid__Loot".
func TableID(label string) (ResourceID, error) {
	namespace, name := SplitLabel(label)
	return NewResourceID(TypeTable, namespace, name)
}

// NamespaceID is the id of a namespace itself; "" is the root namespace.
func NamespaceID(namespace string) (ResourceID, error) {
	return NewResourceID(TypeNamespace, namespace, "")
}

// SplitLabel splits "namespace__name" at the first "__" (a namespace may not contain one); a label without it is a
// name in the root namespace.
func SplitLabel(label string) (namespace, name string) {
	if namespace, name, ok := strings.Cut(label, "__"); ok {
		return namespace, name
	}
	return "", label
}

// Type is the kind of resource.
func (id ResourceID) Type() ResourceType { return ResourceType(id[:namespaceStart]) }

// Namespace is the namespace's text, "" for the root namespace.
func (id ResourceID) Namespace() string { return trimZeros(id[namespaceStart:nameStart]) }

// Name is the resource's own name, "" for a namespace.
func (id ResourceID) Name() string { return trimZeros(id[nameStart:]) }

// NamespaceID is the id of the namespace that the resource is in. Its owner decides who may write the resource.
func (id ResourceID) NamespaceID() ResourceID {
	var ns ResourceID
	copy(ns[:], TypeNamespace)
	copy(ns[namespaceStart:nameStart], id[namespaceStart:nameStart])
	return ns
}

// Label is what MUD calls the resource in code: namespace__name, or name alone in the root namespace.
func (id ResourceID) Label() string {
	if id.Namespace() == "" {
		return id.Name()
	}
	return id.Namespace() + "__" + id.Name()
}

// Hash is the id as the word that goes into calls, logs and effects.
func (id ResourceID) Hash() common.Hash { return common.Hash(id) }

// String is type:namespace:name, or the hex word when it is no valid id.
func (id ResourceID) String() string {
	if _, err := DecodeResourceID(common.Hash(id)); err != nil {
		return common.Hash(id).String()
	}
	return string(id.Type()) + ":" + orRoot(id.Namespace()) + ":" + orRoot(id.Name())
}

// MarshalText writes the id as 0x-prefixed hex.
func (id ResourceID) MarshalText() ([]byte, error) { return common.Hash(id).MarshalText() }

// UnmarshalText reads 0x-prefixed hex and checks that it is a resource id.
func (id *ResourceID) UnmarshalText(text []byte) error {
	var word common.Hash
	if err := word.UnmarshalText(text); err != nil {
		return fmt.Errorf("%w: %w", ErrResourceID, err)
	}
	decoded, err := DecodeResourceID(word)
	if err != nil {
		return err
	}
	*id = decoded
	return nil
}

func trimZeros(b []byte) string { return string(bytes.TrimRight(b, "\x00")) }

func orRoot(s string) string {
	if s == "" {
		return "<root>"
	}
	return s
}
