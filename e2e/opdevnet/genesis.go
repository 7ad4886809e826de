package opdevnet

import (
	"fmt"
	"math/big"

	"github.com/ethereum-optimism/optimism/op-core/forks"
	"github.com/ethereum-optimism/optimism/op-core/nuts/state"
	opparams "github.com/ethereum-optimism/optimism/op-core/params"
	"github.com/ethereum-optimism/optimism/op-core/predeploys"
	"github.com/ethereum-optimism/optimism/op-node/rollup"
	"github.com/ethereum-optimism/optimism/op-service/eth"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/consensus/misc/eip1559"
	"github.com/ethereum/go-ethereum/core"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/params"
	"github.com/evmts/channels/plugin/anvil"
)

const (
	l1ChainID = 900
	gasLimit  = 60_000_000 // of a block

	elasticity        = 6
	denominator       = 50
	denominatorCanyon = 250

	// The two scalars of the L1 fee, as OP Mainnet had them at Ecotone.
	baseFeeScalar     = 1368
	blobBaseFeeScalar = 810_949

	sequencerDrift  = 600  // seconds
	sequencerWindow = 3600 // L1 blocks; far more than a devnet lives without its batcher
	channelTimeout  = 300  // L1 blocks
)

// batchInbox is where batches are sent to on L1: an address that nobody has the key of.
var batchInbox = common.HexToAddress("0xff00000000000000000000000000000000000901")

// funded is what every account of anvil.Keys has on L2 too.
var funded = new(big.Int).Mul(big.NewInt(10_000), big.NewInt(params.Ether))

// L2Genesis is the L2's first block: the predeploys of Jovian, and money for the accounts of every development chain.
func L2Genesis(chainID, time uint64) (*core.Genesis, error) {
	alloc, err := state.PreForkState(forks.Karst) // Karst follows Jovian
	if err != nil {
		return nil, fmt.Errorf("predeploys of the L2: %w", err)
	}
	// Not among the predeploys, because every Ethereum chain has them.
	alloc[predeploys.EIP4788ContractAddr] = types.Account{Nonce: 1, Balance: new(big.Int), Code: predeploys.EIP4788ContractCode}
	alloc[predeploys.EIP2935ContractAddr] = types.Account{Nonce: 1, Balance: new(big.Int), Code: predeploys.EIP2935ContractCode}
	for _, k := range anvil.Keys() {
		alloc[crypto.PubkeyToAddress(k.PublicKey)] = types.Account{Balance: funded}
	}
	return &core.Genesis{
		Config: l2Config(chainID), Timestamp: time, ExtraData: eip1559.EncodeJovianExtraData(denominatorCanyon, elasticity, 0), GasLimit: gasLimit,
		Difficulty: new(big.Int), Coinbase: predeploys.SequencerFeeVaultAddr, BaseFee: big.NewInt(params.GWei), ExcessBlobGas: new(uint64), BlobGasUsed: new(uint64),
		Alloc: alloc,
	}, nil
}

// l1Forks has every fork of Ethereum up to Prague from the beginning.
func l1Forks(chainID uint64) *params.ChainConfig {
	return &params.ChainConfig{
		ChainID: new(big.Int).SetUint64(chainID), HomesteadBlock: new(big.Int), EIP150Block: new(big.Int), EIP155Block: new(big.Int), EIP158Block: new(big.Int),
		ByzantiumBlock: new(big.Int), ConstantinopleBlock: new(big.Int), PetersburgBlock: new(big.Int), IstanbulBlock: new(big.Int), MuirGlacierBlock: new(big.Int),
		BerlinBlock: new(big.Int), LondonBlock: new(big.Int), ArrowGlacierBlock: new(big.Int), GrayGlacierBlock: new(big.Int), MergeNetsplitBlock: new(big.Int),
		TerminalTotalDifficulty: new(big.Int), ShanghaiTime: new(uint64), CancunTime: new(uint64), PragueTime: new(uint64),
	}
}

func l2Config(chainID uint64) *params.ChainConfig {
	c := l1Forks(chainID)
	c.BedrockBlock = new(big.Int)
	c.RegolithTime, c.CanyonTime, c.EcotoneTime, c.FjordTime, c.GraniteTime = new(uint64), new(uint64), new(uint64), new(uint64), new(uint64)
	c.HoloceneTime, c.IsthmusTime, c.JovianTime = new(uint64), new(uint64), new(uint64)
	canyon := uint64(denominatorCanyon)
	c.Optimism = &params.OptimismConfig{EIP1559Elasticity: elasticity, EIP1559Denominator: denominator, EIP1559DenominatorCanyon: &canyon}
	return c
}

// l1Config tells op-node what L1's blobs cost.
func l1Config() *params.ChainConfig {
	c := l1Forks(l1ChainID)
	c.BlobScheduleConfig = &params.BlobScheduleConfig{Cancun: params.DefaultCancunBlobConfig, Prague: params.DefaultPragueBlobConfig}
	return c
}

// rollupConfig joins the two chains: the L2 begins after the L1 block anchor.
func rollupConfig(chainID, blockTime uint64, anchor, l2 *types.Header, portal, systemConfig, batcher common.Address) *rollup.Config {
	canyon := uint64(denominatorCanyon)
	return &rollup.Config{
		Genesis: rollup.Genesis{
			L1: eth.HeaderBlockID(anchor), L2: eth.HeaderBlockID(l2), L2Time: l2.Time,
			SystemConfig: eth.SystemConfig{
				BatcherAddr: batcher, GasLimit: gasLimit,
				Scalar: eth.EncodeScalar(eth.EcotoneScalars{BaseFeeScalar: baseFeeScalar, BlobBaseFeeScalar: blobBaseFeeScalar}),
			},
		},
		BlockTime: blockTime, MaxSequencerDrift: sequencerDrift, SeqWindowSize: sequencerWindow, ChannelTimeoutBedrock: channelTimeout,
		L1ChainID: big.NewInt(l1ChainID), L2ChainID: new(big.Int).SetUint64(chainID),
		RegolithTime: new(uint64), CanyonTime: new(uint64), DeltaTime: new(uint64), EcotoneTime: new(uint64), FjordTime: new(uint64),
		GraniteTime: new(uint64), HoloceneTime: new(uint64), IsthmusTime: new(uint64), JovianTime: new(uint64),
		BatchInboxAddress: batchInbox, DepositContractAddress: portal, L1SystemConfigAddress: systemConfig,
		ChainOpConfig: &opparams.OptimismConfig{EIP1559Elasticity: elasticity, EIP1559Denominator: denominator, EIP1559DenominatorCanyon: &canyon},
	}
}
