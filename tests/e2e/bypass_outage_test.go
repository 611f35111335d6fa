package e2e

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"sluice.dev/sluice/starter/watch/projection"
	"sluice.dev/sluice/tests/harness"
	"sluice.dev/sluice/workflows"
)

// slowlyReadyApp has pods that count two seconds after they are ready, so that
// something can happen before.
const slowlyReadyApp = `{"spec":{"minReadySeconds":2}}`

// TestBypassOutages changes the image while Temporal is away for a minute, kills
// the watcher that acts with -9 in every state of a step, and while the new
// revision is made stable, so that the other replica takes over, and restarts the
// API server.
func TestBypassOutages(t *testing.T) {
	b := newBypass(t, slowlyReadyApp)
	b.standBy()
	b.declare()
	require.NoError(t, b.Sandbox.Stop(b.ctx, "temporal"))
	away := time.After(time.Minute)
	d := b.setImage("v2")
	require.True(t, d.Spec.Paused)
	b.status("it says what it waits for", func(s projection.Status) bool { return strings.Contains(s.Message, "Temporal") })
	b.failOver()
	b.checkShare("nothing rolls out", "v1", 100)
	<-away
	require.NoError(t, b.Sandbox.Start(b.ctx, "temporal"))
	b.phase(projection.PhaseProgressing, 1, string(workflows.StepUpgrade))
	b.failOver()
	b.stepPaused(1)
	b.failOver()
	require.NoError(t, b.Sandbox.Restart(b.ctx, "apiserver"))
	require.NoError(t, harness.Await(b.ctx, "the API server answers", func(ctx context.Context) (bool, error) {
		_, _, err := b.read(ctx)
		return err == nil, err
	}))
	b.approve()
	b.phase(projection.PhaseProgressing, 2, string(workflows.StepTrafficRouting))
	b.failOver()
	b.paused(2, 30, "v2")
	b.failOver()
	b.approve() // while nobody leads
	b.finalising()
	b.failOver()
	b.healthy("True", "v2")
	s, err := b.Status(b.ctx, b.namespace)
	require.NoError(t, err)
	require.Len(t, s.Decisions, 2, "each approval has acted once: %v", s.Decisions)
	require.Equal(t, 1, b.runs(), "and the change has started one rollout")
	b.hasTold("BeforeStepUpgrade", "Progressing True Initializing")
	b.killedAroundTheEnd()
	b.finish()
}

// killedAroundTheEnd kills the watcher that acts when a change has just been held,
// while a rollout is cancelled, and while the Rollout is being disabled, which
// finishes the new revision.
func (b *bypass) killedAroundTheEnd() {
	b.t.Helper()
	b.setImage("v3")
	b.failOver() // what is before the first step lasts for a moment only
	b.paused(1, 10, "v3")
	b.setImage("v2")
	b.progressing(projection.ReasonCancelling)
	b.failOver()
	b.healthy("False", "v2")
	b.setImage("v3")
	b.stepPaused(1)
	b.patch(`{"spec":{"disabled":true}}`)
	b.phase(projection.PhaseDisabling, 0, "")
	b.failOver()
	b.phase(projection.PhaseDisabled, 0, "")
	b.checkShare("disabling has finished the new revision", "v3", 100)
	b.restored("v3")
	require.Equal(b.t, 3, b.runs())
}

// standBy starts the other replica of the watcher.
func (b *bypass) standBy() {
	b.t.Helper()
	second, err := b.StartWatch(b.ctx, holding, harness.HookArgs(1-b.replica)...)
	require.NoError(b.t, err)
	b.second = second
}

// failOver kills the watcher that acts with -9; the other one takes over, and a
// new one stands by in the place of the one that was killed.
func (b *bypass) failOver() {
	b.t.Helper()
	if b.watcher.Ended() { // with its lease, while the API server was away
		b.takeOver()
	}
	b.findLeader()
	require.NoError(b.t, b.watcher.Kill())
	b.takeOver()
}

// findLeader waits until one of the watchers has the lease: the one that has stood by,
// or the one that was started in the place of a killed one, if it was quicker.
func (b *bypass) findLeader() {
	b.t.Helper()
	leads := func(w *harness.Watcher) bool {
		log, err := w.Log()
		return err == nil && bytes.Contains(log, []byte("msg=leading"))
	}
	require.NoError(b.t, harness.Await(b.ctx, "a watcher leads", func(context.Context) (bool, error) {
		return leads(b.watcher) || leads(b.second), nil
	}))
	if !leads(b.watcher) {
		b.watcher, b.second, b.replica = b.second, b.watcher, 1-b.replica
	}
}

func (b *bypass) takeOver() {
	b.t.Helper()
	b.watcher, b.replica = b.second, 1-b.replica
	b.standBy()
}

// TestBypassWebhookAway changes the image while no webhook answers: the watcher
// takes back what slips through and then rolls it out. So it does while the webhook
// of another takes connections and answers nothing. Where its failurePolicy is Fail,
// changes are refused meanwhile, and nothing else is.
func TestBypassWebhookAway(t *testing.T) {
	b := newBypass(t, wellProbedApp)
	b.declare()
	require.NoError(t, b.watcher.Kill())
	begin := time.Now()
	require.NoError(t, b.noteOn("deployments"))
	require.Less(t, time.Since(begin), 8*time.Second, "it does not wait as long as an API server waits by default")
	b.failClosed()
	var err error
	b.before, err = b.Snapshot(b.ctx, b.namespace)
	require.NoError(t, err)
	b.startWatch("--webhook-address", "")
	require.NoError(t, b.watcher.Await(b.ctx, "msg=leading"))
	d := b.setImage("v2")
	require.False(t, d.Spec.Paused)
	require.NoError(t, b.watcher.Await(b.ctx, unheld))
	b.paused(1, 10, "v2")
	require.Contains(t, b.events(), "Warning Unheld")
	b.approve()
	b.stepPaused(2)
	b.approve()
	b.healthy("True", "v2")
	b.webhookHangs()
	b.logUnheld()
	b.nobodyThere()
	b.finish()
}

// nobodyThere changes the image while there is neither a webhook nor a watcher, and
// all pods are replaced: that is told, the new revision is the stable one, and the
// next one is rolled out from it.
func (b *bypass) nobodyThere() {
	b.t.Helper()
	for _, w := range []*harness.Watcher{b.second, b.watcher} {
		require.NoError(b.t, w.Kill())
	}
	b.second = nil
	before := b.runs()
	b.setImage("v4")
	require.NoError(b.t, b.Sandbox.AwaitDeployment(b.ctx, b.namespace, harness.Demo))
	b.startWatch(harness.HookArgs(0)...)
	b.status("the new revision is stable", func(s projection.Status) bool {
		return s.Phase == projection.PhaseHealthy && strings.Contains(b.events(), "rolled out unheld and is stable now (5 pods)")
	})
	require.Equal(b.t, before, b.runs())
	require.True(b.t, b.setImage("v5").Spec.Paused)
	b.paused(1, 10, "v5")
	b.checkShare("the rest is what nobody has held", "v4", 90)
	b.setImage("v4")
	b.healthy("False", "v4")
}

// unheld is what the watcher logs of a change that nobody has held.
const unheld = "began to roll out unheld"

// webhookHangs changes the image while the process that serves the webhook is
// stopped: its socket takes connections, and nobody answers.
func (b *bypass) webhookHangs() {
	b.t.Helper()
	b.standBy()
	hanging := b.second
	require.NoError(b.t, hanging.Stall())
	b.t.Cleanup(func() { _ = hanging.Resume() }) // it could not end otherwise
	begin := time.Now()
	d := b.setImage("v3")
	took := time.Since(begin)
	require.False(b.t, d.Spec.Paused)
	require.GreaterOrEqual(b.t, took, 2*time.Second, "the write has waited for the webhook")
	require.Less(b.t, took, 8*time.Second, "it does not wait as long as an API server waits by default")
	begin = time.Now()
	require.NoError(b.t, b.noteOn("services"))
	require.Less(b.t, time.Since(begin), 2*time.Second, "nothing else waits")
	require.NoError(b.t, harness.Await(b.ctx, "v3 holds at step 1", b.holdsImage("v3")))
	b.paused(1, 10, "v3")
	require.NoError(b.t, hanging.Resume())
	b.setImage("v2")
	b.healthy("False", "v2")
}

// logUnheld shows how many pods have slipped through.
func (b *bypass) logUnheld() {
	b.t.Helper()
	log, err := b.watcher.Log()
	require.NoError(b.t, err)
	require.Equal(b.t, 2, bytes.Count(log, []byte(unheld)))
	for line := range bytes.Lines(log) {
		if bytes.Contains(line, []byte(unheld)) {
			b.t.Logf("%s", line)
		}
	}
}

// failClosed registers the webhook so that its absence refuses changes: of labelled
// workloads only. Then it is registered as before, and away.
func (b *bypass) failClosed() {
	b.t.Helper()
	b.startWatch(append(harness.HookArgs(0), "--webhook-failure-policy", "Fail")...)
	require.NoError(b.t, b.watcher.Kill())
	require.ErrorContains(b.t, b.noteOn("deployments"), "hold.sluice.dev")
	require.NoError(b.t, b.noteOn("services"))
	require.NoError(b.t, b.otherDeployment())
	b.startWatch(harness.HookArgs(0)...)
	require.NoError(b.t, b.watcher.Kill())
}

// otherDeployment makes and changes a Deployment that has no Rollout.
func (b *bypass) otherDeployment() error {
	manifest, _, _ := strings.Cut(b.document("app.yaml", "replicas: 5", "replicas: 0", "name: demo", "name: other", "app: demo", "app: other"), "\n---")
	for _, version := range []string{"v1", "v2"} {
		if err := b.Sandbox.Apply(b.ctx, b.namespace, []byte(strings.ReplaceAll(manifest, "version:v1", "version:"+version))); err != nil {
			return err
		}
	}
	return b.Kube.AppsV1().Deployments(b.namespace).Delete(b.ctx, "other", metav1.DeleteOptions{})
}

// noteOn writes an annotation on an object of the application.
func (b *bypass) noteOn(resource string) error {
	client := b.Kube.AppsV1().RESTClient()
	if resource == "services" {
		client = b.Kube.CoreV1().RESTClient()
	}
	return client.Patch(types.MergePatchType).Namespace(b.namespace).Resource(resource).Name(harness.Demo).
		Body([]byte(`{"metadata":{"annotations":{"example.com/note":"x"}}}`)).Do(b.ctx).Error()
}
