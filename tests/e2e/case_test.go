package e2e

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/serviceerror"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sluice.dev/sluice/tests/harness"
	"sluice.dev/sluice/tests/sandbox/load"
	"sluice.dev/sluice/workflows"
)

// limit bounds one case.
const limit = 4 * time.Minute

// rollout is one case: the seed's application in a namespace of its own, with a
// load client that runs from before the first write to after the last.
type rollout struct {
	*harness.Bed
	t         *testing.T
	ctx       context.Context
	namespace string
	load      *harness.Load
	before    harness.Snapshot
	// replaced says that pods of the stable revision may be others in the end,
	// although it stays: the case, or a promotion that it aborts, replaces them.
	replaced bool
	// sightings are how long it took until each drift was asked about.
	sightings []time.Duration
	// busy is what the machine took beside: the 99th percentile of the load
	// client's answers, which are there within milliseconds on an idle one.
	busy time.Duration
}

// newRollout deploys the seed's application, unmodified, and starts the load.
func newRollout(t *testing.T) *rollout {
	t.Helper()
	return newRolloutOf(t, "")
}

// newRolloutOf does the same with a patch of the Deployment.
func newRolloutOf(t *testing.T, patch string) *rollout {
	t.Helper()
	return newRolloutUnder(t, patch, harness.LoadOptions{})
}

// newRolloutUnder does the same under another load.
func newRolloutUnder(t *testing.T, patch string, under harness.LoadOptions) *rollout {
	t.Helper()
	return newRolloutAt(t, place{patch: patch}, under)
}

// newRolloutAt does the same at a place of its own.
func newRolloutAt(t *testing.T, at place, under harness.LoadOptions) *rollout {
	t.Helper()
	r := deployed(t, at)
	under.Duration = cmp.Or(at.limit, limit)
	var err error
	r.load, err = r.StartLoad(r.ctx, under)
	require.NoError(t, err)
	return r
}

// newIdleRollout deploys the seed's application for a case without any request.
func newIdleRollout(t *testing.T) *rollout {
	t.Helper()
	return deployed(t, place{})
}

// place is where and how the application of a case is deployed.
type place struct {
	// patch of the Deployment.
	patch string
	// host of the Ingress, with which cases can run side by side; without one a case
	// has to be alone.
	host string
	// limit bounds the case, where the usual one is too short.
	limit time.Duration
}

// deployed is a case whose application answers at every gateway.
func deployed(t *testing.T, at place) *rollout {
	t.Helper()
	b := start(t)
	ctx, cancel := context.WithTimeout(context.Background(), cmp.Or(at.limit, limit))
	t.Cleanup(cancel)
	r := &rollout{Bed: b, t: t, ctx: ctx, namespace: namespaceOf(t)}
	if at.host == "" {
		r.requireAlone()
	}
	t.Cleanup(r.remove)
	require.NoError(t, b.DeployAt(ctx, r.namespace, at.host, at.patch))
	// What is lost before every replica of the gateway routes to the application is
	// not a rollout's.
	require.NoError(t, r.AwaitAnswersAt(ctx, at.host, "v1"))
	r.remember()
	return r
}

// remember keeps what there is before the rollout, when the EndpointSlices have
// caught up with the pods.
func (r *rollout) remember() {
	r.t.Helper()
	d, err := r.Deployment(r.ctx, r.namespace)
	require.NoError(r.t, err)
	require.NoError(r.t, harness.Await(r.ctx, "all pods have endpoints", func(ctx context.Context) (bool, error) {
		var err error
		r.before, err = r.Snapshot(ctx, r.namespace)
		return r.before.Published(harness.Demo, int(*d.Spec.Replicas)), err
	}))
}

// requireAlone makes sure that no earlier case, of a run that was ended in the
// middle perhaps, still routes the path that is measured.
func (r *rollout) requireAlone() {
	r.t.Helper()
	others, err := r.Kube.NetworkingV1().Ingresses("").List(r.ctx, metav1.ListOptions{})
	require.NoError(r.t, err)
	for _, other := range others.Items {
		r.t.Fatalf("Ingress %s/%s is there already: delete its namespace first", other.Namespace, other.Name)
	}
}

// namespaceOf names the namespace of a case after its test and the time, so that
// a case can run again while its last namespace is still being deleted.
func namespaceOf(t *testing.T) string {
	name := strings.ToLower(strings.NewReplacer("/", "-", "_", "-").Replace(strings.TrimPrefix(t.Name(), "Test")))
	return fmt.Sprintf("%.40s-%d", name, time.Now().Unix()%100000)
}

// remove ends what is left of a case that has failed, and its objects.
func (r *rollout) remove() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if r.t.Failed() {
		if s, err := r.Status(ctx, r.namespace); err == nil {
			text, _ := json.Marshal(s)
			r.t.Logf("%s at the end, at step %d: %s\n%s", s.Phase, s.Step, s.Message, text)
		}
		if k, err := r.Kube.NetworkingV1().Ingresses(r.namespace).Get(ctx, harness.Demo+"-canary", metav1.GetOptions{}); err == nil {
			r.t.Logf("canary Ingress at the end: %v", k.Annotations)
		}
		_ = r.Temporal.TerminateWorkflow(ctx, harness.DemoWorkflow(r.namespace), "", "the case has failed")
	}
	r.record(ctx)
	require.NoError(r.t, r.RemoveDemo(ctx, r.namespace))
}

// recordVariable names the folder to which the histories of cases are written,
// for the replay tests.
const recordVariable = "SLUICE_RECORD"

// record keeps the history of a case that has passed.
func (r *rollout) record(ctx context.Context) {
	dir := os.Getenv(recordVariable)
	if dir == "" || r.t.Failed() {
		return
	}
	history, err := r.History(ctx, harness.DemoWorkflow(r.namespace), "")
	var none *serviceerror.NotFound
	if errors.As(err, &none) {
		return
	}
	require.NoError(r.t, err)
	name := strings.TrimPrefix(strings.NewReplacer("/", "-", " ", "_").Replace(r.t.Name()), "Test")
	require.NoError(r.t, harness.RecordHistory(filepath.Join(dir, name+".json.gz"), history))
}

// start runs `sluice start` with a seed document.
func (r *rollout) start(document, version string, args ...string) {
	r.t.Helper()
	file, err := harness.SeedFile(document)
	require.NoError(r.t, err)
	r.sluice(append([]string{"start", "-f", file, "--image", "main=" + harness.Image(version)}, args...)...)
}

// sluice runs the command line tool and requires that it succeeds.
func (r *rollout) sluice(args ...string) string {
	r.t.Helper()
	out, err := r.Sluice(r.ctx, r.namespace, args...)
	require.NoError(r.t, err)
	require.Zero(r.t, out.Code, "sluice %v: %s%s", args, out.Stdout, out.Stderr)
	return out.Stdout
}

// await waits until the rollout is in a phase, at a step (from 1; 0 is any).
func (r *rollout) await(phase workflows.Phase, step int) workflows.Status {
	r.t.Helper()
	var last workflows.Status
	err := harness.Await(r.ctx, fmt.Sprintf("the rollout is %s at step %d", phase, step), func(ctx context.Context) (bool, error) {
		s, err := r.Status(ctx, r.namespace)
		if err != nil {
			return false, err
		}
		last = s
		if s.Phase.Ended() && !phase.Ended() {
			return false, fmt.Errorf("it has ended: %s", s.Message)
		}
		return s.Phase == phase && (step == 0 || s.Step == step), nil
	})
	require.NoError(r.t, err, "last seen: %s %s", last.Phase, last.Message)
	return last
}

// holdAt waits for the hold of a step and checks that the clients see the weight
// that was asked for.
func (r *rollout) holdAt(step, weight int, version string) {
	r.t.Helper()
	s := r.await(workflows.PhaseHolding, step)
	require.Equal(r.t, weight, s.Confirmed.Weight)
	r.checkShare(fmt.Sprint("hold ", step, " ", version), version, weight)
}

// sample is how many answers a share is measured with.
const sample = 400

// checkShare requires that the share of a version's answers to everybody is what its
// weight makes it. Only requests that are sent from now on count.
func (r *rollout) checkShare(name, version string, weight int) {
	r.t.Helper()
	_, err := r.load.Mark(r.ctx, name)
	require.NoError(r.t, err)
	w := r.awaitAnswers(name, sample)
	require.InDelta(r.t, float64(weight)/100, w.Share(version), shareBound(weight, w.Good), "answers: %v", w.Versions)
}

// shareBound is how far the share of a weight may be off in so many answers: 4.5 sigma
// of the binomial distribution, and 1 % for the gateway's own rounding. Where one
// version has every request, nothing is rounded and there is no chance: not one answer
// may be wrong.
func shareBound(weight int, answers int64) float64 {
	if weight == 0 || weight == 100 {
		return 0
	}
	p := float64(weight) / 100
	return 4.5*math.Sqrt(p*(1-p)/float64(answers)) + 0.01
}

// awaitAnswers waits until a window has a number of good answers.
func (r *rollout) awaitAnswers(name string, n int64) load.Window {
	r.t.Helper()
	var w load.Window
	require.NoError(r.t, harness.Await(r.ctx, "enough requests were answered", func(ctx context.Context) (bool, error) {
		var err error
		w, err = r.load.Window(ctx, name)
		return err == nil && w.Good >= n, err
	}))
	return w
}

// finish ends the load and requires that no request was lost.
func (r *rollout) finish() load.Report {
	r.t.Helper()
	r.settle()
	report, err := r.load.Finish(r.ctx)
	require.NoError(r.t, err)
	w := report.Whole
	require.Zero(r.t, w.Server5xx, "5xx: %v", w.Examples)
	require.Zero(r.t, w.TransportErrors, "transport errors: %v", w.Examples)
	require.Zero(r.t, w.Lost(), "not answered with 2xx: %v", w.Examples)
	require.Greater(r.t, w.Good, int64(sample))
	r.busy = w.Latency.P99
	r.t.Logf("%d requests, 0 lost, longest gap %s, p99 %s, versions %v", w.Requests, w.Gap.Longest.Round(time.Millisecond), w.Latency.P99.Round(time.Millisecond), w.Versions)
	return report
}

// settle lets the load run on for a moment, so that a late loss is seen.
func (r *rollout) settle() {
	r.t.Helper()
	_, err := r.load.Mark(r.ctx, "after the end")
	require.NoError(r.t, err)
	r.awaitAnswers("after the end", sample)
}

// cleanup is how long controllers may take to follow: the EndpointSlices of a
// Service outlive it for a moment, and those of another get its pods a moment later.
const cleanup = 15 * time.Second

// restored requires that everything is as before, but for the image if the
// rollout was promoted. Where it was not, the stable pods are the same ones, and no
// other ReplicaSet was made, unless they were replaced on the way.
func (r *rollout) restored(image string) {
	r.t.Helper()
	want := harness.Snapshot{}
	same := true
	for key, text := range r.before {
		want[key] = strings.ReplaceAll(text, harness.Image("v1"), harness.Image(image))
		same = same && want[key] == text
	}
	var others []string
	if !same || r.replaced {
		others = []string{harness.Pods, harness.ReplicaSets}
	}
	want = want.Without(others...)
	after, err := r.Snapshot(r.ctx, r.namespace)
	require.NoError(r.t, err)
	require.Equal(r.t, want.Objects(), after.Objects())
	ctx, cancel := context.WithTimeout(r.ctx, cleanup)
	defer cancel()
	err = harness.Await(ctx, "what controllers make is as before", func(ctx context.Context) (bool, error) {
		var err error
		after, err = r.Snapshot(ctx, r.namespace)
		after = after.Without(others...)
		return maps.Equal(want, after), err
	})
	require.Equal(r.t, want, after)
	require.NoError(r.t, err)
}
