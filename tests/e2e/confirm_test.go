package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sluice.dev/sluice/tests/harness"
	"sluice.dev/sluice/workflows"
)

// The annotations that pin a level in the seed's documents.
const (
	byVersion = "sluice.dev/confirm: probe\n    sluice.dev/probe: '{header: X-Version, equals: \"{tag}\"}'"
	byPod     = "sluice.dev/confirm: probe\n    sluice.dev/probe: '{header: X-Pod, equals: \"{pod}\"}'"
	byMetrics = "sluice.dev/confirm: probe\n    sluice.dev/probe: '{metrics: true}'"
	byGrace   = "sluice.dev/confirm: grace"
)

// startFile runs `sluice start` with a document.
func (r *rollout) startFile(file string, args ...string) {
	r.t.Helper()
	r.sluice(append([]string{"start", "-f", file, "--image", "main=" + harness.Image("v2")}, args...)...)
}

// routeLines are the lines of the timeline that tell of the route.
func routeLines(s workflows.Status) []string {
	var lines []string
	for _, e := range s.Timeline {
		if strings.Contains(e.Text, "(confirmed by ") {
			lines = append(lines, e.Text)
		}
	}
	return lines
}

func TestCanaryConfirmedByProbe(t *testing.T) {
	r := newRollout(t)
	gateways := len(r.Sandbox.State().Gateways)
	r.startFile(r.variant(byVersion))
	r.holdAt(1, 10, "v2")
	s := r.await(workflows.PhaseHolding, 1)
	require.EqualValues(t, "probe", s.Confirmation.Level)
	require.Equal(t, gateways, s.Confirmation.Gateways)
	require.GreaterOrEqual(t, s.Confirmation.Millis, int64(1000), "the processes of a replica take a change one by one")
	r.sluice("promote", harness.Demo)
	r.holdAt(2, 30, "v2")
	r.sluice("promote", harness.Demo)
	s = r.await(workflows.PhasePromoted, 0)
	r.checkShare("promoted", "v2", 100)
	r.finish()
	r.restored("v2")
	lines := routeLines(s)
	t.Log(strings.Join(lines, "\n"))
	require.Contains(t, strings.Join(lines[:4], "\n"), fmt.Sprintf("route weight 100 (confirmed by probe at %d of %d gateway replicas", gateways, gateways))
	for _, line := range lines[4:] {
		require.Contains(t, line, "confirmed by grace", "both sides run v2 then")
		require.Contains(t, line, "both sides may run the same revision")
	}
}

// TestCanaryConfirmedByMetrics knows nothing of the application: Traefik counts
// which router a probe came by, also when both sides run the same revision.
func TestCanaryConfirmedByMetrics(t *testing.T) {
	r := newRollout(t)
	gateways := len(r.Sandbox.State().Gateways)
	r.startFile(r.variant(byMetrics))
	r.holdAt(1, 10, "v2")
	s := r.await(workflows.PhaseHolding, 1)
	require.True(t, s.Confirmation.Counted)
	require.Equal(t, gateways, s.Confirmation.Gateways)
	r.sluice("promote", harness.Demo)
	r.holdAt(2, 30, "v2")
	r.sluice("promote", harness.Demo)
	s = r.await(workflows.PhasePromoted, 0)
	r.checkShare("promoted", "v2", 100)
	r.finish()
	r.restored("v2")
	lines := routeLines(s)
	t.Log(strings.Join(lines, "\n"))
	require.Len(t, lines, 6)
	for _, line := range lines {
		require.Contains(t, line, fmt.Sprintf("confirmed by probe and metrics at %d of %d gateway replicas", gateways, gateways))
	}
}

func TestABConfirmedByProbe(t *testing.T) {
	r := newRollout(t)
	r.startFile(r.variantOf("rollout-ab.yaml", byPod))
	r.await(workflows.PhaseHolding, 1)
	_, err := r.load.Mark(r.ctx, "hold")
	require.NoError(t, err)
	w := r.awaitAnswers("hold", sample)
	require.InDelta(t, 1, w.Cohorts[harness.Android].Share("v2"), 0)
	require.InDelta(t, 1, w.Cohorts[harness.Everyone].Share("v1"), 0)
	r.sluice("promote", harness.Demo)
	s := r.await(workflows.PhasePromoted, 0)
	r.checkShare("promoted", "v2", 100)
	r.finish()
	r.restored("v2")
	lines := routeLines(s)
	t.Log(strings.Join(lines, "\n"))
	for _, line := range lines {
		require.Contains(t, line, "confirmed by probe", "the names of pods tell the sides apart to the end")
	}
}

func TestAbortConfirmedByProbe(t *testing.T) {
	r := newRollout(t)
	r.startFile(r.variant(byVersion))
	r.holdAt(1, 10, "v2")
	r.sluice("abort", harness.Demo)
	s := r.await(workflows.PhaseRolledBack, 0)
	r.checkShare("rolled back", "v2", 0)
	r.finish()
	r.restored("v1")
	for _, line := range routeLines(s) {
		require.Contains(t, line, "confirmed by probe")
	}
}

func TestCanaryConfirmedByGrace(t *testing.T) {
	r := newRollout(t)
	r.startFile(r.variant(byGrace))
	r.holdAt(1, 10, "v2")
	s := r.await(workflows.PhaseHolding, 1)
	require.EqualValues(t, "grace", s.Confirmation.Level)
	require.GreaterOrEqual(t, s.Confirmation.Millis, int64(5000))
	r.sluice("promote", harness.Demo, "--full")
	r.promoted("v2")
}

// TestWorkerKilledInAGrace kills the worker in the middle of a wait that nothing
// but time ends: it must not end earlier for that.
func TestWorkerKilledInAGrace(t *testing.T) {
	r := newRollout(t)
	r.startFile(r.variant(byGrace))
	weight := func(ctx context.Context) (bool, error) {
		k, err := r.Kube.NetworkingV1().Ingresses(r.namespace).Get(ctx, harness.Demo+"-canary", metav1.GetOptions{})
		return err == nil && k.Annotations["nginx.ingress.kubernetes.io/canary-weight"] == "10", err
	}
	require.NoError(t, harness.Await(r.ctx, "weight 10 is written", weight))
	written := time.Now()
	time.Sleep(2 * time.Second)
	r.crashWorker()
	s := r.await(workflows.PhaseHolding, 1)
	require.GreaterOrEqual(t, time.Since(written), 5*time.Second)
	t.Logf("held %s after the write; %s", time.Since(written).Round(time.Millisecond), s.Confirmation)
	r.sluice("abort", harness.Demo)
	r.await(workflows.PhaseRolledBack, 0)
	r.finish()
	r.restored("v1")
}

// TestPinnedLevelThatIsNotThere is refused before anything is touched.
func TestPinnedLevelThatIsNotThere(t *testing.T) {
	r := newRollout(t)
	require.NoError(t, r.AwaitPods(r.ctx, 2))
	for problem, annotations := range map[string]string{
		"404":            "sluice.dev/confirm: probe\n    sluice.dev/probe: '{path: /elsewhere}'",
		"already":        "sluice.dev/confirm: probe\n    sluice.dev/probe: '{header: X-Version, equals: v1}'",
		"answers differ": "sluice.dev/confirm: probe\n    sluice.dev/probe: '{header: X-Pod}'",
	} {
		out, err := r.Sluice(r.ctx, r.namespace, "start", "-f", r.variant(annotations), "--image", "main="+harness.Image("v2"), "--wait")
		require.NoError(t, err)
		require.Equal(t, 1, out.Code, "%s%s", out.Stdout, out.Stderr)
		require.Contains(t, out.Stdout+out.Stderr, problem)
	}
	r.finish()
	r.restored("v1")
}

// behindTwo is a case whose requests through the second replica of the gateway are
// counted apart: those that wait in it are answered when it goes on.
type behindTwo struct {
	*rollout
	second *harness.Load
	frozen bool
}

// newRolloutBehindTwo deploys the seed's application behind two replicas.
func newRolloutBehindTwo(t *testing.T) *behindTwo {
	t.Helper()
	gateways := start(t).Sandbox.State().Gateways
	if len(gateways) < 2 {
		t.Fatal("this case needs a sandbox with --gateways 2")
	}
	r := &behindTwo{rollout: newRolloutUnder(t, "", harness.LoadOptions{Gateways: gateways[:1]})}
	// Those that wait for the frozen replica wait longer than it is frozen.
	var err error
	r.second, err = r.StartLoad(r.ctx, harness.LoadOptions{Gateways: gateways[1:2], Timeout: time.Minute, Duration: limit})
	require.NoError(t, err)
	return r
}

// freeze keeps the second replica from running, until thaw or the end of the case.
func (r *behindTwo) freeze() {
	r.t.Helper()
	require.NoError(r.t, r.Sandbox.Freeze(r.ctx, "traefik-2"))
	r.frozen = true
	r.t.Cleanup(func() {
		if r.frozen {
			_ = r.Sandbox.Thaw(context.Background(), "traefik-2")
		}
	})
}

// thaw lets the second replica go on.
func (r *behindTwo) thaw() {
	r.t.Helper()
	require.NoError(r.t, r.Sandbox.Thaw(r.ctx, "traefik-2"))
	r.frozen = false
}

// finish ends both loads and requires that no request was lost through either
// replica, and that some waited in the frozen one for at least a time.
func (r *behindTwo) finish(waited time.Duration) {
	r.t.Helper()
	r.rollout.finish()
	report, err := r.second.Finish(r.ctx)
	require.NoError(r.t, err)
	require.Zero(r.t, report.Whole.Lost(), "%v", report.Whole.Examples)
	require.Greater(r.t, report.Whole.Latency.Max, waited, "requests waited in the frozen replica")
	r.t.Logf("through the frozen replica: %d requests, 0 lost, longest %s", report.Whole.Requests, report.Whole.Latency.Max.Round(time.Millisecond))
}

// TestFrozenGateway keeps one replica of the gateway from running for 30 s while
// a weight changes. Requests that wait in it are answered when it goes on, by
// pods that are still there.
func TestFrozenGateway(t *testing.T) {
	const frozen = 30 * time.Second
	r := newRolloutBehindTwo(t)
	r.start("rollout-canary.yaml", "v2")
	r.await(workflows.PhaseHolding, 1)
	r.freeze()
	begun := time.Now()
	r.sluice("promote", harness.Demo)
	require.NoError(t, harness.Await(r.ctx, "weight 30 is asked for", func(ctx context.Context) (bool, error) {
		s, err := r.Status(ctx, r.namespace)
		return err == nil && s.Asked.Weight == 30, err
	}))
	r.staysAt(10, 30, begun.Add(frozen/2))
	r.checkShare("the other replica follows", "v2", 30)
	r.staysAt(10, 30, begun.Add(frozen))
	r.thaw()
	r.holdAt(2, 30, "v2")
	r.sluice("promote", harness.Demo)
	r.await(workflows.PhasePromoted, 0)
	r.finish(frozen - 5*time.Second)
	r.restored("v2")
}

// staysAt requires until a time that a weight is asked for and not confirmed.
func (r *rollout) staysAt(confirmed, asked int, until time.Time) {
	r.t.Helper()
	for time.Now().Before(until) {
		s, err := r.Status(r.ctx, r.namespace)
		require.NoError(r.t, err)
		require.NotEqual(r.t, workflows.PhaseHolding, s.Phase, "the step goes on although a replica has not confirmed: %s", s.Message)
		require.Equal(r.t, confirmed, s.Confirmed.Weight)
		require.Equal(r.t, asked, s.Asked.Weight)
		time.Sleep(time.Second)
	}
}

// slowApp answers one request in twenty after 5 s, and its pods end at once on
// SIGTERM, whatever is under way.
const slowApp = `{"spec":{"template":{"spec":{"containers":[{"name":"main","env":[
	{"name":"TERM","value":"die"},{"name":"LATENCY","value":"5s"},{"name":"LATENCY_SHARE","value":"0.05"}]}]}}}}`

// graceOf changes how long requests in flight are waited for.
func (r *rollout) graceOf(seconds int) string {
	r.t.Helper()
	file, err := harness.SeedFile("rollout-canary.yaml")
	require.NoError(r.t, err)
	text, err := os.ReadFile(file)
	require.NoError(r.t, err)
	changed := strings.Replace(string(text), "      - service: demo\n", fmt.Sprintf("      - service: demo\n        gracePeriodSeconds: %d\n", seconds), 1)
	require.NotEqual(r.t, string(text), changed)
	path := filepath.Join(r.t.TempDir(), "rollout.yaml")
	require.NoError(r.t, os.WriteFile(path, []byte(changed), 0o600))
	return path
}

func TestSlowRequestsOnPodsThatDieAtOnce(t *testing.T) {
	r := newRolloutUnder(t, slowApp, harness.LoadOptions{Clients: 64})
	r.startFile(r.graceOf(7))
	r.await(workflows.PhaseHolding, 1)
	r.sluice("abort", harness.Demo)
	r.await(workflows.PhaseRolledBack, 0)
	r.startFile(r.graceOf(7))
	r.holdAt(1, 10, "v2")
	r.sluice("promote", harness.Demo, "--full")
	r.await(workflows.PhasePromoted, 0)
	report := r.finish()
	require.GreaterOrEqual(t, report.Whole.Latency.Max, 5*time.Second)
	r.restored("v2")
}
