package main

import dc "go.temporal.io/server/common/dynamicconfig"

// dynamicValues changes the server's defaults, which are made for clusters of
// many hosts and shards, to what one process with one shard needs.
func dynamicValues() dc.StaticClient {
	// Queues poll at most 20 times a second and shard, which with a single
	// shard would round every answer up to 50 ms.
	const pollsPerSecond = 2000
	// Enough for a benchmark of hundreds of workflows at once.
	const plenty = 20000
	return dc.StaticClient{
		dc.TransferProcessorMaxPollRPS.Key():   pollsPerSecond,
		dc.TimerProcessorMaxPollRPS.Key():      pollsPerSecond,
		dc.VisibilityProcessorMaxPollRPS.Key(): pollsPerSecond,
		dc.OutboundProcessorMaxPollRPS.Key():   pollsPerSecond,

		// In one process, partitions only add hops between them.
		dc.MatchingNumTaskqueueReadPartitions.Key():  1,
		dc.MatchingNumTaskqueueWritePartitions.Key(): 1,

		// A new search attribute can be used at once, not after a minute.
		dc.ForceSearchAttributesCacheRefreshOnRead.Key(): true,

		dc.FrontendRPS.Key():                                         plenty,
		dc.FrontendMaxNamespaceRPSPerInstance.Key():                  plenty,
		dc.FrontendMaxConcurrentLongRunningRequestsPerInstance.Key(): plenty,
		dc.FrontendPersistenceMaxQPS.Key():                           plenty,
		dc.HistoryPersistenceMaxQPS.Key():                            plenty,
		dc.MatchingPersistenceMaxQPS.Key():                           plenty,
		// Lists and counts: 10 a second and namespace by default.
		dc.FrontendMaxNamespaceVisibilityRPSPerInstance.Key(): 1000,
		// Making namespaces, one per test: 1 a second by default.
		dc.FrontendMaxNamespaceNamespaceReplicationInducingAPIsRPSPerInstance.Key(): 100,
		dc.FrontendMaxConcurrentBatchOperationPerNamespace.Key():                    10,

		// A cancelled activity hears of it at once instead of with its next
		// heartbeat.
		dc.EnableCancelActivityWorkerCommand.Key(): true,
		dc.WorkerCommandsEnabled.Key():             true,

		// Off by default; tests make use of them.
		dc.WorkflowPauseEnabled.Key():        true,
		dc.WorkflowTimeSkippingEnabled.Key(): true,
	}
}
