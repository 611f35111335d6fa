package workflows_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"

	"sluice.dev/sluice/activities/preflight"
	"sluice.dev/sluice/activities/release"
	"sluice.dev/sluice/activities/traffic"
	"sluice.dev/sluice/activities/workload"
	"sluice.dev/sluice/config"
	"sluice.dev/sluice/workflows"
)

// cluster stands in for the activities: it has their names, remembers what they
// were asked, and refuses what would lose requests.
type cluster struct {
	// again are the weights that were asked for with a wait for the gateway, sizes
	// those of the workload that routes were planned for.
	again, sizes []int
	// watches counts how often the watch has begun.
	watches int
	mu      sync.Mutex
	// log of operations, as short text.
	log []string
	// fail returns an error for an operation, by its text.
	fail func(op string) error
	// block makes an operation hang until the test completes it.
	block func(op string) bool
	// blocked and watched are the tokens of what hangs; the environment's clock
	// runs on meanwhile, as it does not for a running activity.
	blocked, watched []byte

	// left by an earlier rollout, for a repair; uncovered says that it had begun
	// to promote and has no route any more.
	left      preflight.Remains
	uncovered bool
	// kept is what somebody else has changed on the Service.
	kept []string
	// keptAtEnd is what somebody else has changed on the workload.
	keptAtEnd []string
	// metadata of the canary.
	metadata config.Metadata

	// inspected is what the preflight was asked.
	inspected preflight.InspectRequest

	held     string
	weight   int
	route    bool
	canary   int
	promoted bool
	lastSeq  int64
	measured
}

func newCluster() *cluster {
	return &cluster{held: "v2"}
}

// do logs an operation and fails or blocks as the test wants.
func (c *cluster) do(ctx context.Context, ref release.Ref, format string, args ...any) error {
	op := fmt.Sprintf(format, args...)
	if c.block != nil && c.block(op) {
		c.blocked = activity.GetInfo(ctx).TaskToken
		return activity.ErrResultPending
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fail != nil {
		if err := c.fail(op); err != nil {
			return err
		}
	}
	if ref.Seq <= c.lastSeq && ref.Seq != 0 {
		return temporal.NewNonRetryableApplicationError("an earlier operation came late", "TestFence", nil)
	}
	if ref.Seq != 0 && ref.Grace == nil {
		return temporal.NewNonRetryableApplicationError("a repair would not know how long requests may take", "TestGrace", nil)
	}
	c.lastSeq = ref.Seq
	c.log = append(c.log, op)
	return nil
}

func (c *cluster) InspectRelease(ctx context.Context, req preflight.InspectRequest) (preflight.Observed, error) {
	if err := c.do(ctx, release.Ref{}, "inspect"); err != nil {
		return preflight.Observed{}, err
	}
	c.inspected = req
	return preflight.Observed{
		Ref:      release.Ref{ID: req.ID, Namespace: "shop", Workload: req.Rollout.Workload, Service: "demo", Ingress: "demo", Class: "nginx"},
		Replicas: 5, Ready: 5, StableRevision: "v1", CanaryRevision: "v2", StableReplicaSet: "demo-1",
	}, nil
}

func (c *cluster) InspectRemains(ctx context.Context, req preflight.RemainsRequest) (preflight.Remains, error) {
	if err := c.do(ctx, release.Ref{}, "look at %s/%s", req.Namespace, req.Workload.Name); err != nil {
		return preflight.Remains{}, err
	}
	c.weight = c.left.Weight
	return c.left, nil
}

func (c *cluster) HoldRevision(ctx context.Context, req workload.HoldRequest) (workload.Held, error) {
	for _, image := range req.Change.Images {
		c.held = image
	}
	if err := c.do(ctx, req.Ref, "hold %s", c.held); err != nil {
		return workload.Held{}, err
	}
	return workload.Held{Revision: c.held, Version: fmt.Sprint(req.Ref.Seq)}, nil
}

func (c *cluster) EnsureCanary(ctx context.Context, req workload.CanaryRequest) (workload.Pods, error) {
	if err := c.do(ctx, req.Ref, "canary %s %d", req.Revision, req.Replicas); err != nil {
		return workload.Pods{}, err
	}
	c.canary, c.metadata = req.Replicas, req.Metadata
	return workload.Pods{Total: req.Replicas, Ready: req.Replicas}, nil
}

func (c *cluster) SetRoute(ctx context.Context, req traffic.RouteRequest) (traffic.Confirmation, error) {
	text := fmt.Sprintf("route %d", req.Route.Weight)
	if len(req.Route.Matches) > 0 {
		text += " " + config.MatchesText(req.Route.Matches)
	}
	if req.Absent {
		text = "unroute"
	}
	if req.Again {
		c.again = append(c.again, req.Route.Weight)
	}
	c.sizes = append(c.sizes, req.Size)
	if err := c.do(ctx, req.Ref, "%s", text); err != nil {
		return traffic.Confirmation{}, err
	}
	c.route, c.weight = !req.Absent, req.Route.Weight
	return traffic.Confirmation{Level: traffic.LevelState, Gateways: 1, Expected: 1, Wrote: true}, nil
}

func (c *cluster) PromoteStable(ctx context.Context, req workload.PromoteRequest) (workload.Pods, error) {
	if err := c.do(ctx, req.Ref, "promote %s", req.Revision); err != nil {
		return workload.Pods{}, err
	}
	if c.weight != 100 && !c.uncovered {
		return workload.Pods{}, errors.New("promoted without cover")
	}
	c.promoted = true
	return workload.Pods{Total: 5, Ready: 5}, nil
}

func (c *cluster) HaltPromotion(ctx context.Context, req workload.HaltRequest) error {
	return c.do(ctx, req.Ref, "halt")
}

func (c *cluster) RestoreTemplate(ctx context.Context, req workload.RestoreRequest) (workload.Pods, error) {
	return workload.Pods{Kept: c.keptAtEnd}, c.do(ctx, req.Ref, "restore settle=%v", req.Settle)
}

func (c *cluster) ReleaseWorkload(ctx context.Context, req workload.ReleaseRequest) (workload.Pods, error) {
	return workload.Pods{Kept: c.keptAtEnd}, c.do(ctx, req.Ref, "release")
}

func (c *cluster) NarrowService(ctx context.Context, req workload.NarrowRequest) (workload.Selection, error) {
	return workload.Selection{Hash: "h"}, c.do(ctx, req.Ref, "narrow %s", req.Side)
}

func (c *cluster) WidenService(ctx context.Context, req workload.WidenRequest) (workload.Selection, error) {
	return workload.Selection{Kept: c.kept}, c.do(ctx, req.Ref, "widen")
}

func (c *cluster) RemoveCanary(ctx context.Context, req workload.RemoveRequest) (workload.Pods, error) {
	return workload.Pods{}, c.do(ctx, req.Ref, "remove canary")
}

func (c *cluster) WatchWorkload(ctx context.Context, req workload.WatchRequest) (workload.Changed, error) {
	c.watches++
	c.watched = activity.GetInfo(ctx).TaskToken
	return workload.Changed{}, activity.ErrResultPending
}

func (c *cluster) ops() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]string(nil), c.log...)
}

// seed is the canary document of the project's seed, in the internal form.
func seed() config.Rollout {
	ten, thirty := 10, 30
	hold := config.Hold{Mode: config.HoldApproval}
	return config.Rollout{
		Source: "rollouts.kruise.io/v1alpha1", Name: "rollouts-demo", Namespace: "shop",
		Workload: config.ObjectRef{APIVersion: "apps/v1", Kind: "Deployment", Name: "demo"},
		Steps: []config.Step{
			{Weight: &ten, Replicas: config.Amount{Value: 1}, Hold: hold},
			{Weight: &thirty, Replicas: config.Amount{Value: 2}, Hold: hold},
		},
		Traffic: config.Traffic{
			Service: "demo", Ingress: config.IngressRef{Name: "demo", Class: "nginx"},
			Grace: config.Duration(3 * time.Second), ConfirmTimeout: config.Duration(time.Minute),
		},
		Deadline: config.Duration(10 * time.Minute), OnFailure: config.FailurePause,
	}
}

// bench is one workflow under test.
type bench struct {
	*testsuite.TestWorkflowEnvironment
	t       *testing.T
	cluster *cluster
}

func newBench(t *testing.T) *bench {
	t.Helper()
	var suite testsuite.WorkflowTestSuite
	env := suite.NewTestWorkflowEnvironment()
	c := newCluster()
	env.RegisterActivity(c)
	workflows.Register(env)
	env.SetTestTimeout(20 * time.Second)
	return &bench{TestWorkflowEnvironment: env, t: t, cluster: c}
}

// run executes the rollout of a document to its end.
func (b *bench) run(doc config.Rollout) (workflows.Result, error) {
	b.t.Helper()
	return b.execute(workflows.Input{
		Cluster: "default", Rollout: doc, Change: workload.Change{Images: map[string]string{"main": "v2"}},
	})
}

func (b *bench) execute(in workflows.Input) (workflows.Result, error) {
	b.t.Helper()
	b.ExecuteWorkflow(workflows.WorkflowType, in)
	require.True(b.t, b.IsWorkflowCompleted())
	var result workflows.Result
	if err := b.GetWorkflowError(); err != nil {
		for _, e := range b.status().Timeline {
			b.t.Log(e.At.Format(time.TimeOnly), e.Text)
		}
		return result, err
	}
	require.NoError(b.t, b.GetWorkflowResult(&result))
	return result, nil
}

// status queries the workflow.
func (b *bench) status() workflows.Status {
	b.t.Helper()
	value, err := b.QueryWorkflow(workflows.StatusQuery)
	require.NoError(b.t, err)
	var s workflows.Status
	require.NoError(b.t, value.Get(&s))
	return s
}

// at does something after a virtual delay.
func (b *bench) at(delay time.Duration, do func()) { b.RegisterDelayedCallback(do, delay) }

// change lets the watch report a change of the workload after a virtual delay.
func (b *bench) change(delay time.Duration, changed workload.Changed) {
	b.at(delay, func() { require.NoError(b.t, b.CompleteActivity(b.cluster.watched, changed, nil)) })
}

// expire ends the operation that hangs by its deadline after a virtual delay.
func (b *bench) expire(delay time.Duration, progress string) {
	b.at(delay, func() {
		err := temporal.NewTimeoutError(enums.TIMEOUT_TYPE_SCHEDULE_TO_CLOSE, nil, progress)
		require.NoError(b.t, b.CompleteActivity(b.cluster.blocked, nil, err))
	})
}

// signal sends a verb after a virtual delay.
func (b *bench) signal(delay time.Duration, verb workflows.Verb, payload any) {
	b.at(delay, func() { b.SignalWorkflow(string(verb), payload) })
}

// answer is what an Update was answered.
type answer struct {
	text     string
	rejected error
	done     bool
}

// update sends a verb as an Update after a virtual delay.
func (b *bench) update(delay time.Duration, verb workflows.Verb, m any) *answer {
	a := &answer{}
	b.at(delay, func() {
		b.UpdateWorkflow(string(verb), "", &testsuite.TestUpdateCallback{
			OnAccept: func() {},
			OnReject: func(err error) { a.rejected, a.done = err, true },
			OnComplete: func(value any, err error) {
				a.rejected, a.done = err, true
				if answered, ok := value.(workflows.Answer); ok {
					a.text = answered.Text
				}
			},
		}, m)
	})
	return a
}
