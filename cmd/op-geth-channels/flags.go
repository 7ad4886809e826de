package main

import (
	"reflect"
	"slices"
	"strings"

	"github.com/ethereum/go-ethereum/cmd/utils"
	"github.com/evmts/channels/plugin/opgeth"
	"github.com/urfave/cli/v2"
)

// The node's flags, as op-geth declares them. A test compares them with all that it declares; see omitted.
var nodeFlags = slices.Concat([]cli.Flag{
	utils.IdentityFlag, utils.BootnodesFlag, utils.MinFreeDiskSpaceFlag, utils.OverrideOsaka, utils.OverrideBPO1,
	utils.OverrideBPO2, utils.OverrideVerkle, utils.OverrideGenesisFlag, utils.OverrideOptimismCanyon,
	utils.OverrideOptimismEcotone, utils.OverrideOptimismFjord, utils.OverrideOptimismGranite, utils.OverrideOptimismHolocene,
	utils.OverrideOptimismIsthmus, utils.OverrideOptimismJovian, utils.OverrideOptimismKarst, utils.OverrideOptimismInterop,
	utils.TxPoolLocalsFlag, utils.TxPoolNoLocalsFlag, utils.TxPoolJournalFlag, utils.TxPoolJournalRemotesFlag,
	utils.TxPoolRejournalFlag, utils.TxPoolPriceLimitFlag, utils.TxPoolPriceBumpFlag, utils.TxPoolAccountSlotsFlag,
	utils.TxPoolGlobalSlotsFlag, utils.TxPoolAccountQueueFlag, utils.TxPoolGlobalQueueFlag, utils.TxPoolLifetimeFlag,
	utils.TxPoolMaxTxGasLimitFlag, utils.BlobPoolDataDirFlag, utils.BlobPoolDataCapFlag, utils.BlobPoolPriceBumpFlag,
	utils.SyncModeFlag, utils.SyncTargetFlag, utils.ExitWhenSyncedFlag, utils.GCModeFlag, utils.SnapshotFlag,
	utils.TransactionHistoryFlag, utils.ChainHistoryFlag, utils.LogHistoryFlag, utils.LogNoHistoryFlag,
	utils.LogExportCheckpointsFlag, utils.StateHistoryFlag, utils.TrienodeHistoryFlag, utils.TrienodeHistoryFullValueCheckpointFlag,
	utils.EthRequiredBlocksFlag, utils.CacheFlag, utils.CacheDatabaseFlag, utils.CacheTrieFlag, utils.CacheGCFlag,
	utils.CacheSnapshotFlag, utils.CacheNoPrefetchFlag, utils.CachePreimagesFlag, utils.CacheLogSizeFlag, utils.FDLimitFlag,
	utils.CryptoKZGFlag, utils.ListenPortFlag, utils.DiscoveryPortFlag, utils.MaxPeersFlag, utils.MaxPendingPeersFlag,
	utils.MinerGasLimitFlag, utils.MinerEffectiveGasLimitFlag, utils.MinerGasPriceFlag, utils.MinerExtraDataFlag,
	utils.MinerMaxBlobsFlag, utils.MinerRecommitIntervalFlag, utils.MinerPendingFeeRecipientFlag, utils.NATFlag,
	utils.NoDiscoverFlag, utils.DiscoveryV4Flag, utils.DiscoveryV5Flag, utils.NetrestrictFlag, utils.NodeKeyFileFlag,
	utils.NodeKeyHexFlag, utils.DNSDiscoveryFlag, utils.VMEnableDebugFlag, utils.VMTraceFlag, utils.VMTraceJsonConfigFlag,
	utils.VMWitnessStatsFlag, utils.VMStatelessSelfValidationFlag, utils.NetworkIdFlag, utils.EthStatsURLFlag, utils.GpoBlocksFlag,
	utils.GpoPercentileFlag, utils.GpoMaxGasPriceFlag, utils.GpoIgnoreGasPriceFlag, utils.GpoMinSuggestedPriorityFeeFlag,
	utils.RollupSequencerHTTPFlag, utils.RollupSequencerTxConditionalEnabledFlag,
	utils.RollupSequencerTxConditionalCostRateLimitFlag, utils.RollupHistoricalRPCFlag, utils.RollupHistoricalRPCTimeoutFlag,
	utils.RollupInteropRPCFlag, utils.RollupInteropMempoolFilteringFlag, utils.RollupTxPoolDisableGossipFlag,
	utils.RollupTxPoolNetrestrictFlag, utils.RollupTxPoolTrustedPeersOnlyFlag, utils.RollupTxPoolEnableAdmissionFlag,
	utils.RollupComputePendingBlock, utils.RollupHaltOnIncompatibleProtocolVersionFlag, utils.RollupSuperchainUpgradesFlag,
	utils.LogSlowBlockFlag,
}, utils.NetworkFlags, utils.DatabaseFlags)

var rpcFlags = []cli.Flag{
	utils.HTTPEnabledFlag, utils.HTTPListenAddrFlag, utils.HTTPPortFlag, utils.HTTPCORSDomainFlag, utils.AuthListenFlag,
	utils.AuthPortFlag, utils.AuthVirtualHostsFlag, utils.JWTSecretFlag, utils.HTTPVirtualHostsFlag, utils.GraphQLEnabledFlag,
	utils.GraphQLCORSDomainFlag, utils.GraphQLVirtualHostsFlag, utils.HTTPApiFlag, utils.HTTPPathPrefixFlag, utils.WSEnabledFlag,
	utils.WSListenAddrFlag, utils.WSPortFlag, utils.WSApiFlag, utils.WSAllowedOriginsFlag, utils.WSPathPrefixFlag,
	utils.IPCDisabledFlag, utils.IPCPathFlag, utils.RPCGlobalGasCapFlag, utils.RPCGlobalEVMTimeoutFlag, utils.RPCGlobalTxFeeCapFlag,
	utils.RPCGlobalLogQueryLimit, utils.AllowUnprotectedTxs, utils.BatchRequestLimit, utils.BatchResponseMaxSize,
	utils.RPCTxSyncDefaultTimeoutFlag, utils.RPCTxSyncMaxTimeoutFlag, utils.RPCGlobalRangeLimitFlag,
}

var metricsFlags = []cli.Flag{
	utils.MetricsEnabledFlag, utils.MetricsHTTPFlag, utils.MetricsPortFlag, utils.MetricsEnableInfluxDBFlag,
	utils.MetricsInfluxDBEndpointFlag, utils.MetricsInfluxDBDatabaseFlag, utils.MetricsInfluxDBUsernameFlag,
	utils.MetricsInfluxDBPasswordFlag, utils.MetricsInfluxDBTagsFlag, utils.MetricsInfluxDBIntervalFlag,
	utils.MetricsEnableInfluxDBV2Flag, utils.MetricsInfluxDBTokenFlag, utils.MetricsInfluxDBBucketFlag,
	utils.MetricsInfluxDBOrganizationFlag, utils.StateSizeTrackingFlag,
}

func allFlags() []cli.Flag {
	own := slices.Concat(nodeFlags, rpcFlags, metricsFlags, logFlags)
	for _, f := range own {
		addEnv(f)
	}
	return slices.Concat(opgeth.Flags(), own) // the sidecar's have variables OP_CHANNELS_…
}

// addEnv gives a flag the environment variable that it has in op-geth, GETH_…. Some flags are of types that only op-geth can name.
func addEnv(f cli.Flag) {
	name := "GETH_" + strings.NewReplacer(".", "_", "-", "_").Replace(strings.ToUpper(f.Names()[0]))
	v := reflect.ValueOf(f).Elem().FieldByName("EnvVars")
	if !v.IsValid() || !v.CanSet() || v.Type() != reflect.TypeFor[[]string]() {
		return
	}
	if vars := v.Interface().([]string); !slices.Contains(vars, name) {
		v.Set(reflect.ValueOf(append(slices.Clone(vars), name)))
	}
}
