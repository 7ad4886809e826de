package plugin

import (
	"errors"
	"fmt"
	"strings"

	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/rpc"
)

// RevertError says that a contract refused a call.
type RevertError struct {
	Data   []byte // what the contract returned: a selector and arguments, or nothing; at most 4 KiB of it
	Reason string // Data for people, or what the node said
	Mined  bool   // false: found by simulation, nothing was sent
}

func (e *RevertError) Error() string {
	if e.Mined {
		return "the transaction was mined but had no effect: the contract refused it: " + e.Reason
	}
	return "not sent: the contract refuses the call: " + e.Reason
}

// Is makes errors.Is(err, ErrReverted) true.
func (e *RevertError) Is(target error) bool { return target == ErrReverted }

// ErrReverted matches every *RevertError.
var ErrReverted = errors.New("the contract refused the call")

const maxRevertData = 4 << 10

// asRevert finds out whether an error of eth_call or eth_estimateGas means that the contract refused. Nodes say so by
// attaching data, by code 3 (geth's), or, when there is no data, only in words.
func asRevert(err error, decode func([]byte) (string, bool)) (*RevertError, bool) {
	var coded rpc.Error
	if !errors.As(err, &coded) {
		return nil, false
	}
	data, hasData := revertData(err)
	if !hasData && coded.ErrorCode() != 3 && !strings.Contains(strings.ToLower(coded.Error()), "revert") {
		return nil, false
	}
	r := &RevertError{Data: data}
	r.Reason = describeRevert(data, coded.Error(), decode)
	return r, true
}

func revertData(err error) ([]byte, bool) {
	var withData rpc.DataError
	if !errors.As(err, &withData) {
		return nil, false
	}
	text, ok := withData.ErrorData().(string)
	if !ok {
		return nil, false
	}
	data, decodeErr := hexutil.Decode(text)
	if decodeErr != nil {
		return nil, false
	}
	return data[:min(len(data), maxRevertData)], true
}

// describeRevert asks the decoder of the contracts' own errors first, then knows Error(string) and Panic(uint256).
func describeRevert(data []byte, fallback string, decode func([]byte) (string, bool)) string {
	if decode != nil {
		if reason, ok := decode(data); ok {
			return reason
		}
	}
	if reason, err := abi.UnpackRevert(data); err == nil {
		return reason
	}
	if len(data) >= 4 {
		return fmt.Sprintf("unknown error %s with %d bytes", hexutil.Encode(data[:4]), len(data)-4)
	}
	if fallback == "" {
		return "it gave no reason"
	}
	return fallback
}
