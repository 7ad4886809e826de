package anvil

import (
	"context"
	"crypto/ecdsa"
	"fmt"
	"math/big"

	"github.com/ethereum-optimism/optimism/op-node/bindings"
	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
)

// portalABI is the OptimismPortal's.
var portalABI = func() *abi.ABI {
	a, err := bindings.OptimismPortalMetaData.GetAbi()
	if err != nil {
		panic(err) // a constant of optimism is broken
	}
	return a
}()

// The limits of deposits in the place of SystemConfig, as op-stack chains have them: resourceConfig() returns
// (maxResourceLimit, elasticityMultiplier, baseFeeMaxChangeDenominator, minimumBaseFee, systemTxMaxGas, maximumBaseFee).
var depositLimits = []*big.Int{
	big.NewInt(20_000_000), big.NewInt(10), big.NewInt(8), big.NewInt(1e9), big.NewInt(1_000_000),
	new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 128), big.NewInt(1)),
}

// limitsCode is creation code of a contract that answers every call with depositLimits.
func limitsCode() []byte {
	var data []byte
	for _, word := range depositLimits {
		data = append(data, common.BigToHash(word).Bytes()...)
	}
	size := byte(len(data))
	// codecopy(0, 12, size) return(0, size)
	runtime := append([]byte{0x60, size, 0x60, 12, 0x60, 0, 0x39, 0x60, size, 0x60, 0, 0xf3}, data...)
	return append([]byte{0x60, byte(len(runtime)), 0x60, 12, 0x60, 0, 0x39, 0x60, byte(len(runtime)), 0x60, 0, 0xf3}, runtime...)
}

// cloneCode is creation code of a minimal proxy (ERC-1167). The portal's constructor uses up its initializer, so that it is
// used behind a proxy only, as in production.
func cloneCode(of common.Address) []byte {
	code := common.FromHex("0x3d602d80600a3d3981f3363d3d373d3d3d363d73")
	code = append(code, of.Bytes()...)
	return append(code, common.FromHex("0x5af43d82803e903d91602b57fd5bf3")...)
}

// DeployPortal makes the chain an L1 that forces transactions on an L2: it puts the OptimismPortal there. systemConfig is a contract that
// knows the limits of deposits and nothing else.
func (n *Node) DeployPortal(ctx context.Context, key *ecdsa.PrivateKey) (portal, systemConfig common.Address, err error) {
	create := func(what string, code []byte) (common.Address, error) {
		r, err := n.Send(ctx, key, nil, nil, code)
		if err == nil && r.Status != types.ReceiptStatusSuccessful {
			err = fmt.Errorf("transaction %s reverted", r.TxHash)
		}
		if err != nil {
			return common.Address{}, fmt.Errorf("deploy %s on L1: %w", what, err)
		}
		return r.ContractAddress, nil
	}
	if systemConfig, err = create("the limits of deposits", limitsCode()); err != nil {
		return portal, systemConfig, err
	}
	implementation, err := create("the OptimismPortal", common.FromHex(bindings.OptimismPortalMetaData.Bin))
	if err != nil {
		return portal, systemConfig, err
	}
	if portal, err = create("the OptimismPortal's proxy", cloneCode(implementation)); err != nil {
		return portal, systemConfig, err
	}
	// There is no oracle of outputs and no superchain: both matter to withdrawals only.
	call, err := portalABI.Pack("initialize", common.Address{}, systemConfig, common.Address{})
	if err != nil {
		return portal, systemConfig, fmt.Errorf("initialize the OptimismPortal: %w", err)
	}
	r, err := n.Send(ctx, key, &portal, nil, call)
	if err == nil && r.Status != types.ReceiptStatusSuccessful {
		err = fmt.Errorf("transaction %s reverted", r.TxHash)
	}
	if err != nil {
		return portal, systemConfig, fmt.Errorf("initialize the OptimismPortal: %w", err)
	}
	return portal, systemConfig, nil
}
