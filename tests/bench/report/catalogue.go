// Package report keeps what the benchmark has measured, next to its targets and
// to the figures of its peers, and prints it as a table and as JSON.
package report

// The identities of the rows.
const (
	WarmStart        = "sandbox.start"
	FirstWeightP50   = "first-weight.p50"
	FirstWeightMax   = "first-weight.max"
	FirstWeightStart = "first-weight.from-start"
	PromoteP50       = "promote.p50"
	PromoteP95       = "promote.p95"
	PromoteMax       = "promote.max"
	AbortP50         = "abort.p50"
	AbortMax         = "abort.max"
	AbortClientP50   = "abort-client.p50"
	AbortClientP99   = "abort-client.p99"
	AbortWriteP50    = "abort-client.write.p50"
	AbortWriteP99    = "abort-client.write.p99"
	SeedWall         = "seed.wall"
	SeedMax          = "seed.max"
	SeedRequests     = "seed.requests"
	SeedEvents       = "seed.events"
	MassWall         = "mass.wall"
	MassCPU          = "mass.cpu"
	MassPeak         = "mass.peak"
	MassRequests     = "mass.requests"
	MassEvents       = "mass.events"
	GraceWall        = "mass-grace.wall"
	GraceCPU         = "mass-grace.cpu"
	GracePeak        = "mass-grace.peak"
	GraceRequests    = "mass-grace.requests"
	GraceEvents      = "mass-grace.events"
	HeldMemory       = "held.memory"
	HeldIdle         = "held.idle-cpu"
	HeldEach         = "held.each"
	HeldTenThousand  = "held.10000"
	RestartFirst     = "restart.first"
	RestartAll       = "restart.all"
	BypassWrite      = "bypass.write"
	BypassWriteP99   = "bypass.write.p99"
	BypassHeldP50    = "bypass.held.p50"
	BypassHeldP99    = "bypass.held.p99"
	BypassStart      = "bypass.workflow"
	BypassFirst      = "bypass.canary"
	BypassTold       = "bypass.told"
	BypassToldMax    = "bypass.told.max"
	BypassTaken      = "bypass.taken-back"
	BypassSlipped    = "bypass.slipped"
	BypassSlippedMax = "bypass.slipped.max"
	BypassRequests   = "bypass.rest.requests"
	BypassLease      = "bypass.rest.lease"
	BypassMemory     = "bypass.rest.memory"
)

// The units.
const (
	seconds      = "s"
	milliseconds = "ms"
	mebibytes    = "MiB"
	kibibytes    = "KiB"
	percent      = "%"
	none         = ""
)

// Peers are what others need for the same, as text; empty where not known.
type Peers struct {
	Argo    string `json:"argoRollouts,omitempty"`
	Kruise  string `json:"kruiseRollouts,omitempty"`
	Flagger string `json:"flagger,omitempty"`
}

// PeersNote says where the figures of the peers come from.
const PeersNote = "Argo Rollouts 1.10.1, Kruise Rollouts 9dd6279 and Flagger 1.44, measured once on a cluster of the same kind " +
	"(2 processors, the same application, medians); not in this run."

// definition is what is known of a row before anything is measured.
type definition struct {
	id, title, unit string
	// target that the value must not exceed; 0 is none.
	target float64
	peers  Peers
}

// catalogue lists all rows in the order in which they are printed.
var catalogue = []definition{
	{WarmStart, "sandbox, all parts built: from nothing to ready", seconds, 20, Peers{}},
	{FirstWeightP50, "image change to first weight, median", seconds, 0.6, Peers{"0.7", "20-22", "13-17"}},
	{FirstWeightMax, "  slowest", seconds, 0, Peers{}},
	{FirstWeightStart, "  from the call of `sluice start`, median", seconds, 0, Peers{}},
	{PromoteP50, "promote to weight on the Ingress, p50", milliseconds, 50, Peers{"120", "7800", "4200"}},
	{PromoteP95, "  p95", milliseconds, 100, Peers{"570", "9400", "8000"}},
	{PromoteMax, "  slowest", milliseconds, 0, Peers{}},
	{AbortP50, "abort to weight 0, p50", milliseconds, 40, Peers{"66", "191", "9000"}},
	{AbortMax, "  slowest", milliseconds, 100, Peers{"264", "1700", "12400"}},
	{AbortClientP50, "abort to the last answer of the new version, at the client, p50", milliseconds, 0, Peers{}},
	{AbortClientP99, "  p99", milliseconds, 0, Peers{}},
	{AbortWriteP50, "  of it until weight 0 is written, p50", milliseconds, 0, Peers{}},
	{AbortWriteP99, "  p99", milliseconds, 0, Peers{}},
	{SeedWall, "the seed's rollout, 3 s of thought per step, median", seconds, 15, Peers{}},
	{SeedMax, "  slowest", seconds, 0, Peers{}},
	{SeedRequests, "API requests of a 3-step rollout, median", none, 24, Peers{"27.6", "109", "199"}},
	{SeedEvents, "Temporal history events of a rollout, median", none, 120, Peers{}},
	{MassWall, "many 3-step rollouts at once: wall", seconds, 80, Peers{"106", "598", "350"}},
	{MassCPU, "  CPU of the worker", seconds, 12, Peers{"15.3", "157", "45"}},
	{MassPeak, "  peak memory of the worker", mebibytes, 80, Peers{"161", "145", "90"}},
	{MassRequests, "  API requests per rollout, mean", none, 0, Peers{}},
	{MassEvents, "  history events per rollout, mean", none, 0, Peers{}},
	{GraceWall, "the same without asking the gateway: wall", seconds, 0, Peers{}},
	{GraceCPU, "  CPU of the worker", seconds, 0, Peers{}},
	{GracePeak, "  peak memory of the worker", mebibytes, 0, Peers{}},
	{GraceRequests, "  API requests per rollout, mean", none, 0, Peers{}},
	{GraceEvents, "  history events per rollout, mean", none, 0, Peers{}},
	{HeldMemory, "many held rollouts: memory of the worker", mebibytes, 0, Peers{}},
	{HeldEach, "  of that for each rollout in the cache", kibibytes, 0, Peers{}},
	{HeldIdle, "  CPU of the worker meanwhile, of one processor", percent, 0, Peers{}},
	{HeldTenThousand, "  memory for 10,000, extrapolated", mebibytes, 150, Peers{}},
	{RestartFirst, "worker killed: first progress after restart", seconds, 3, Peers{"18.8", "20.1", "29.5"}},
	{RestartAll, "  until every rollout has gone on", seconds, 0, Peers{}},
	{BypassWrite, "bypass mode: write of an image without a Rollout, p50", milliseconds, 0, Peers{}},
	{BypassWriteP99, "  p99", milliseconds, 0, Peers{}},
	{BypassHeldP50, "  the same, held by the webhook, p50", milliseconds, 0, Peers{}},
	{BypassHeldP99, "  p99", milliseconds, 0, Peers{}},
	{BypassStart, "  image change to workflow started, median", milliseconds, 0, Peers{}},
	{BypassFirst, "  image change to the first canary pod created, median", milliseconds, 0, Peers{}},
	{BypassTold, "  a hold to its being readable in the Rollout, median", milliseconds, 0, Peers{}},
	{BypassToldMax, "  slowest", milliseconds, 0, Peers{}},
	{BypassTaken, "  webhook away: image change to taken back, median", milliseconds, 0, Peers{}},
	{BypassSlipped, "  pods of 5 that slip through meanwhile, median", none, 0, Peers{}},
	{BypassSlippedMax, "  at most", none, 0, Peers{}},
	{BypassRequests, "  API requests per Rollout at rest and hour, lease not counted", none, 0, Peers{}},
	{BypassLease, "  those of the watcher for its lease, per hour", none, 0, Peers{}},
	{BypassMemory, "  memory of the watcher with many Rollouts at rest", mebibytes, 0, Peers{}},
}

// unexplained is said of a target that is missed for the first time.
const unexplained = "not known: look at the details, and at how busy the machine was"

// reasons say what is known to hold a figure above its target, measured as
// docs/benchmark.md says.
var reasons = map[string]string{
	WarmStart:       "the API server and Temporal start side by side with everything else: on 2 busy processors they wait for each other",
	FirstWeightP50:  "a canary pod has to be published first, and then a route of weight 0 confirmed by the gateway",
	SeedWall:        "the gateway applies what it has collected every 2 s, and two drains take the document's gracePeriodSeconds of 3 s each",
	SeedRequests:    "four reads of the workload's size: a route that needs pods is written for the size that the API server tells, not for that of a cache",
	MassWall:        "the machine: on 2 processors API server, Temporal and gateway take most of it",
	MassCPU:         "conversation with Temporal, no single piece of the worker",
	MassPeak:        "pages of the executable and stacks; Go's collector lets the heap double",
	HeldTenThousand: "the cache of workflows, which --workflow-cache-size bounds, and the worker's view of the cluster",
}

// Definitions returns the identities of all rows.
func Definitions() []string {
	ids := make([]string, len(catalogue))
	for i, d := range catalogue {
		ids[i] = d.id
	}
	return ids
}
