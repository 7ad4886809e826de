package mudbridge

import (
	"math/big"

	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
)

// method is a function of a World; MUD overloads several names, so functions are known by their whole signature.
type method struct {
	selector []byte
	args     abi.Arguments
}

func newMethod(name string, types ...string) method {
	signature := name + "("
	for i, t := range types {
		if i > 0 {
			signature += ","
		}
		signature += t
	}
	return method{crypto.Keccak256([]byte(signature + ")"))[:4], abiArguments(types...)}
}

func (m method) calldata(values ...any) []byte {
	return append(append([]byte(nil), m.selector...), packABI(m.args, values...)...)
}

var (
	methodGetRecord    = newMethod("getRecord", "bytes32", "bytes32[]")
	methodSetRecord    = newMethod("setRecord", "bytes32", "bytes32[]", "bytes", "bytes32", "bytes")
	methodSetField     = newMethod("setField", "bytes32", "bytes32[]", "uint8", "bytes")
	methodSpliceStatic = newMethod("spliceStaticData", "bytes32", "bytes32[]", "uint48", "bytes")
	methodPush         = newMethod("pushToDynamicField", "bytes32", "bytes32[]", "uint8", "bytes")
	methodPop          = newMethod("popFromDynamicField", "bytes32", "bytes32[]", "uint8", "uint256")
	methodDelete       = newMethod("deleteRecord", "bytes32", "bytes32[]")
	methodGrant        = newMethod("grantAccess", "bytes32", "address")
	methodRevoke       = newMethod("revokeAccess", "bytes32", "address")
	methodRegisterNS   = newMethod("registerNamespace", "bytes32")
	methodTransferNS   = newMethod("transferOwnership", "bytes32", "address")
	methodRegister     = newMethod("registerTable", "bytes32", "bytes32", "bytes32", "bytes32", "string[]", "string[]")
)

// GrantAccessCall is the calldata of World.grantAccess: the grantee may then write the table (or call the system, or
// everything in the namespace). Only the namespace's owner may send it.
func GrantAccessCall(resource ResourceID, grantee common.Address) []byte {
	return methodGrant.calldata([32]byte(resource), grantee)
}

// RevokeAccessCall is the calldata of World.revokeAccess, for the namespace's owner.
func RevokeAccessCall(resource ResourceID, grantee common.Address) []byte {
	return methodRevoke.calldata([32]byte(resource), grantee)
}

// SetRecordCall is the calldata of World.setRecord. MUD does not check the record: call [Record.Check] before.
func SetRecordCall(table ResourceID, key []common.Hash, r Record) []byte {
	return methodSetRecord.calldata([32]byte(table), toWords(key), r.StaticData, [32]byte(r.EncodedLengths), r.DynamicData)
}

// SetFieldCall is the calldata of World.setField; field counts static and dynamic fields together, data is what
// [Schema.EncodeField] gives.
func SetFieldCall(table ResourceID, key []common.Hash, field uint8, data []byte) []byte {
	return methodSetField.calldata([32]byte(table), toWords(key), field, data)
}

// PushCall is the calldata of World.pushToDynamicField; dynamicField counts dynamic fields only.
func PushCall(table ResourceID, key []common.Hash, dynamicField uint8, data []byte) []byte {
	return methodPush.calldata([32]byte(table), toWords(key), dynamicField, data)
}

// PopCall is the calldata of World.popFromDynamicField: it cuts n bytes off the end of a dynamic field.
func PopCall(table ResourceID, key []common.Hash, dynamicField uint8, n uint64) []byte {
	return methodPop.calldata([32]byte(table), toWords(key), dynamicField, new(big.Int).SetUint64(n))
}

// SpliceStaticDataCall is the calldata of World.spliceStaticData: it overwrites data at an offset below 2^48. MUD does
// not check that the data ends where the record does.
func SpliceStaticDataCall(table ResourceID, key []common.Hash, start uint64, data []byte) []byte {
	return methodSpliceStatic.calldata([32]byte(table), toWords(key), new(big.Int).SetUint64(start), data)
}

// DeleteRecordCall is the calldata of World.deleteRecord.
func DeleteRecordCall(table ResourceID, key []common.Hash) []byte {
	return methodDelete.calldata([32]byte(table), toWords(key))
}

// RegisterNamespaceCall is the calldata of World.registerNamespace, which makes the sender its owner.
func RegisterNamespaceCall(namespace ResourceID) []byte {
	return methodRegisterNS.calldata([32]byte(namespace))
}

// TransferOwnershipCall is the calldata of World.transferOwnership of a namespace, for its owner.
func TransferOwnershipCall(namespace ResourceID, owner common.Address) []byte {
	return methodTransferNS.calldata([32]byte(namespace), owner)
}

// RegisterTableCall is the calldata of World.registerTable, for the namespace's owner.
func RegisterTableCall(t Table) []byte {
	return methodRegister.calldata([32]byte(t.ID), [32]byte(t.Value.Layout()), [32]byte(t.Key.Word()), [32]byte(t.Value.Word()),
		nonNil(t.KeyNames), nonNil(t.FieldNames))
}

func nonNil(names []string) []string {
	if names == nil {
		return []string{}
	}
	return names
}
