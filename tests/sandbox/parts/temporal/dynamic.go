package main

import "go.temporal.io/server/common/dynamicconfig"

// dynamicValues changes the server's defaults, which are made for clusters of
// many hosts and shards, to what one process with one shard needs.
func dynamicValues() dynamicconfig.StaticClient {
	// Queues poll at most 20 times a second and shard, which with a single
	// shard would round every answer up to 50 ms.
	const pollsPerSecond = 2000
	values := map[dynamicconfig.Key]any{
		dynamicconfig.TransferProcessorMaxPollRPS.Key():   pollsPerSecond,
		dynamicconfig.TimerProcessorMaxPollRPS.Key():      pollsPerSecond,
		dynamicconfig.VisibilityProcessorMaxPollRPS.Key(): pollsPerSecond,
		dynamicconfig.OutboundProcessorMaxPollRPS.Key():   pollsPerSecond,

		// A new search attribute can be used at once, not after a minute.
		dynamicconfig.ForceSearchAttributesCacheRefreshOnRead.Key(): true,

		// Lists and counts are allowed 10 a second and namespace by default.
		dynamicconfig.FrontendMaxNamespaceVisibilityRPSPerInstance.Key():                       1000,
		dynamicconfig.FrontendMaxNamespaceVisibilityBurstRatioPerInstance.Key():                2.0,
		dynamicconfig.FrontendMaxNamespaceRPSPerInstance.Key():                                 20000,
		dynamicconfig.FrontendRPS.Key():                                                        40000,
		dynamicconfig.FrontendMaxConcurrentLongRunningRequestsPerInstance.Key():                20000,
		dynamicconfig.FrontendMaxConcurrentBatchOperationPerNamespace.Key():                    10,
		dynamicconfig.FrontendPersistenceMaxQPS.Key():                                          20000,
		dynamicconfig.HistoryPersistenceMaxQPS.Key():                                           20000,
		dynamicconfig.MatchingPersistenceMaxQPS.Key():                                          20000,
		dynamicconfig.MatchingNumTaskqueueReadPartitions.Key():                                 1,
		dynamicconfig.MatchingNumTaskqueueWritePartitions.Key():                                1,
		dynamicconfig.FrontendMaxNamespaceNamespaceReplicationInducingAPIsRPSPerInstance.Key(): 100,

		// A cancelled activity hears of it at once instead of with its next
		// heartbeat.
		dynamicconfig.EnableCancelActivityWorkerCommand.Key(): true,
		dynamicconfig.WorkerCommandsEnabled.Key():             true,

		// Features that are off by default and that tests make use of.
		dynamicconfig.WorkflowPauseEnabled.Key():        true,
		dynamicconfig.WorkflowTimeSkippingEnabled.Key(): true,
	}
	return values
}
