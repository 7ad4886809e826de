package signer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"

	opcrypto "github.com/ethereum-optimism/optimism/op-service/crypto"
	opsigner "github.com/ethereum-optimism/optimism/op-service/signer"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/rpc"
	"github.com/evmts/channels/channel"
)

// The methods by which signers sign transactions: op-signer, Web3Signer and nodes know the first, Clef the second.
var transactionMethods = []string{"eth_signTransaction", "account_signTransaction"}

// Transactions signs transactions with the key, for a transaction manager of op-service. Unlike op-service's own client it starts
// while the signer is down, asks for no health_status, which op-signer alone knows, and takes no other transaction back than
// the one it showed. A manager has patience and tries of its own, so each question is put once.
func (s *Client) Transactions(chainID *big.Int) opcrypto.SignerFn {
	return func(ctx context.Context, from common.Address, tx *types.Transaction) (*types.Transaction, error) {
		if from != s.address {
			return nil, fmt.Errorf("a transaction of %s, but the signer holds the key of %s", from, s.address)
		}
		if tx.Type() != types.DynamicFeeTxType {
			return nil, channel.Refuse(channel.CodeInternal, "a remote signer is asked for transactions of type 2, not of type %d", tx.Type())
		}
		ctx, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		signed, f := s.transaction(ctx, chainID, tx)
		if f == nil {
			s.count(resultSigned)
			s.signs("")
			return signed, nil
		}
		if !errors.Is(ctx.Err(), context.Canceled) {
			s.count(f.result)
			s.fails(f)
		}
		return nil, f.refusal(s.key)
	}
}

func (s *Client) transaction(ctx context.Context, chainID *big.Int, tx *types.Transaction) (*types.Transaction, *fault) {
	args := opsigner.NewTransactionArgsFromTransaction(chainID, &s.address, tx)
	f := &fault{resultRefused, fmt.Errorf("it does not know %v", transactionMethods)}
	for _, method := range transactionMethods {
		var answer json.RawMessage
		err := s.rpc.CallContext(ctx, &answer, method, args)
		var unknown rpc.Error
		if errors.As(err, &unknown) && unknown.ErrorCode() == methodUnknown {
			continue
		}
		if err != nil {
			return nil, classify(err)
		}
		signed, err := readTransaction(answer, tx, types.LatestSignerForChainID(chainID), s.address)
		if err != nil {
			return nil, &fault{resultInvalid, err}
		}
		return signed, nil
	}
	return nil, f
}

// readTransaction takes the transaction that was shown, signed by the key, as bytes or, as nodes and Clef give it, as the field raw.
func readTransaction(answer json.RawMessage, shown *types.Transaction, kind types.Signer, key common.Address) (*types.Transaction, error) {
	var raw hexutil.Bytes
	if err := json.Unmarshal(answer, &raw); err != nil {
		var object struct {
			Raw hexutil.Bytes `json:"raw"`
		}
		if err := json.Unmarshal(answer, &object); err != nil {
			return nil, fmt.Errorf("%w: it is no transaction", channel.ErrSignature)
		}
		raw = object.Raw
	}
	signed := new(types.Transaction)
	if err := signed.UnmarshalBinary(raw); err != nil {
		return nil, fmt.Errorf("%w: it is no transaction", channel.ErrSignature)
	}
	if signed.Type() != shown.Type() || kind.Hash(signed) != kind.Hash(shown) {
		return nil, fmt.Errorf("%w: it is another transaction than the one shown", channel.ErrSignature)
	}
	from, err := types.Sender(kind, signed)
	if err != nil || from != key {
		return nil, fmt.Errorf("%w: the transaction is signed by %s, expected %s", channel.ErrSignature, from, key)
	}
	return signed, nil
}
