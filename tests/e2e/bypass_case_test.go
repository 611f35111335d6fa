package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"

	"sluice.dev/sluice/activities/release"
	"sluice.dev/sluice/starter/watch/projection"
	"sluice.dev/sluice/tests/harness"
)

// kruiseRollouts is the resource of the seed's document, ownRollouts that of ours.
var (
	kruiseRollouts = schema.GroupVersionResource{Group: "rollouts.kruise.io", Version: "v1beta1", Resource: "rollouts"}
	ownRollouts    = schema.GroupVersionResource{Group: "sluice.dev", Version: "v1alpha1", Resource: "rollouts"}
)

// seedRollout is the name of the seed's canary document.
const seedRollout = "rollouts-demo"

// bypass is a case of the bypass mode: nothing but the Kubernetes API is used.
type bypass struct {
	*rollout
	name    string // of the Rollout
	host    string // of the Ingress; may be empty
	watcher *harness.Watcher
	second  *harness.Watcher // another replica, if there is one
	replica int              // which of the addresses the watcher has
	dynamic dynamic.ResourceInterface
	told    *told
}

// bypassRate is the rate of requests; there are many cases, and each waits for
// samples.
const bypassRate = 240

// newBypass deploys the seed's application, with a patch, and starts a watcher.
func newBypass(t *testing.T, patch string) *bypass {
	t.Helper()
	return newBypassOf(t, patch, kruiseRollouts)
}

// newBypassOf does so for a case with Rollouts of a resource.
func newBypassOf(t *testing.T, patch string, rollouts schema.GroupVersionResource) *bypass {
	t.Helper()
	_, err := kubectlPath() // before the case's time begins
	require.NoError(t, err)
	b := bypassOf(newRolloutUnder(t, patch, harness.LoadOptions{Rate: bypassRate}), rollouts)
	b.sluice("crds", "--install")
	b.listen()
	b.startWatch(harness.HookArgs(0)...)
	t.Cleanup(b.stop)
	t.Cleanup(b.explain)
	return b
}

// bypassOf is a case with a Rollout of a resource.
func bypassOf(r *rollout, rollouts schema.GroupVersionResource) *bypass {
	r.t.Helper()
	client, err := r.Sandbox.Dynamic()
	require.NoError(r.t, err)
	return &bypass{rollout: r, name: seedRollout, dynamic: client.Resource(rollouts).Namespace(r.namespace)}
}

// startLoad starts a load of its own for a case that has none.
func (b *bypass) startLoad(rate float64) {
	b.t.Helper()
	var err error
	b.load, err = b.StartLoad(b.ctx, harness.LoadOptions{Rate: rate, Duration: limit, Host: b.host})
	require.NoError(b.t, err)
}

// holding is what the watcher logs when the webhooks are registered.
const holding = "holding changes of workloads"

func (b *bypass) startWatch(args ...string) {
	b.t.Helper()
	until := "leading"
	if len(args) > 0 && args[1] != "" {
		until = holding
	}
	w, err := b.StartWatch(b.ctx, until, args...)
	require.NoError(b.t, err)
	b.watcher = w
}

// explain logs how a case that has failed stands.
func (b *bypass) explain() {
	if !b.t.Failed() {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	log, _ := b.watcher.Log()
	b.t.Logf("the watcher: %s", log)
	if obj, err := b.dynamic.Get(ctx, b.name, metav1.GetOptions{}); err == nil {
		text, _ := json.MarshalIndent(obj.Object["status"], "", "  ")
		b.t.Logf("the Rollout at the end: %s", text)
	}
	if d, err := b.Deployment(ctx, b.namespace); err == nil {
		b.t.Logf("the workload at the end: paused %v, image %s, %v", d.Spec.Paused, d.Spec.Template.Spec.Containers[0].Image, d.Annotations)
	}
}

// stop ends the watchers, and lets go whatever Rollouts are left.
func (b *bypass) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	var errs []error
	for _, w := range []*harness.Watcher{b.watcher, b.second} {
		if w != nil {
			errs = append(errs, w.Stop())
		}
	}
	require.NoError(b.t, errors.Join(errs...))
	// Nobody is left to take the finalizers away.
	client, err := b.Sandbox.Dynamic()
	require.NoError(b.t, err)
	for _, resource := range []schema.GroupVersionResource{kruiseRollouts, ownRollouts} {
		list, err := client.Resource(resource).List(ctx, metav1.ListOptions{})
		require.NoError(b.t, err)
		for _, obj := range list.Items {
			_, _ = client.Resource(resource).Namespace(obj.GetNamespace()).Patch(ctx, obj.GetName(), types.MergePatchType, []byte(`{"metadata":{"finalizers":null}}`), metav1.PatchOptions{})
		}
	}
}

// apply applies the seed's canary document, with texts replaced in pairs, as
// `kubectl apply` does.
func (b *bypass) apply(replace ...string) error {
	b.t.Helper()
	return b.Sandbox.Apply(b.ctx, b.namespace, []byte(b.document("rollout-canary.yaml", replace...)))
}

// declare applies the document and waits until the watcher has taken it up.
func (b *bypass) declare(replace ...string) {
	b.t.Helper()
	b.declareBy(func() { require.NoError(b.t, b.apply(replace...)) })
}

func (b *bypass) declareBy(apply func()) {
	b.t.Helper()
	apply()
	b.phase(projection.PhaseHealthy, 0, "")
	d, err := b.Deployment(b.ctx, b.namespace)
	require.NoError(b.t, err)
	require.Equal(b.t, "true", d.Labels[release.LabelBypass])
	b.snap()
}

// snap keeps what there is now as what shall be there in the end.
func (b *bypass) snap() {
	b.t.Helper()
	var err error
	b.before, err = b.Snapshot(b.ctx, b.namespace)
	require.NoError(b.t, err)
}

// read returns the Rollout and its status.
func (b *bypass) read(ctx context.Context) (*unstructured.Unstructured, projection.Status, error) {
	var status projection.Status
	obj, err := b.dynamic.Get(ctx, b.name, metav1.GetOptions{})
	if err != nil {
		return nil, status, err
	}
	fields, _, err := unstructured.NestedMap(obj.Object, "status")
	if err != nil {
		return nil, status, err
	}
	return obj, status, runtime.DefaultUnstructuredConverter.FromUnstructured(fields, &status)
}

// status waits until the status of the Rollout is as it should.
func (b *bypass) status(what string, is func(projection.Status) bool) projection.Status {
	b.t.Helper()
	var last projection.Status
	err := harness.Await(b.ctx, what, func(ctx context.Context) (bool, error) {
		_, s, err := b.read(ctx)
		last = s
		return err == nil && is(s), err
	})
	require.NoError(b.t, err, "last seen: %+v", last)
	return last
}

// phase waits for a phase, at a step and in a state where they are named.
func (b *bypass) phase(phase string, step int, state string) projection.Status {
	b.t.Helper()
	return b.status(fmt.Sprintf("the Rollout is %s at step %d %s", phase, step, state), func(s projection.Status) bool {
		return s.Phase == phase && (step == 0 || int(s.CurrentStepIndex) == step) && (state == "" || s.CurrentStepState == state)
	})
}

// stepPaused waits for the hold of a step.
func (b *bypass) stepPaused(step int) projection.Status {
	b.t.Helper()
	return b.phase(projection.PhaseProgressing, step, projection.StepPaused)
}

// paused waits for the hold of a step and checks that clients see its weight.
func (b *bypass) paused(step, weight int, version string) projection.Status {
	b.t.Helper()
	s := b.stepPaused(step)
	b.checkShare(fmt.Sprint("hold ", step, " ", version, " ", time.Now().UnixNano()), version, weight)
	return s
}

// patchStatus patches the status as `kubectl kruise` does.
func (b *bypass) patchStatus(patch string) {
	b.patchStatusBy("kubectl-kruise", `{"canaryStatus":`+patch+`}`)
}

// patchStatusBy patches the status as a manager of fields.
func (b *bypass) patchStatusBy(manager, patch string) {
	b.t.Helper()
	_, err := b.dynamic.Patch(b.ctx, b.name, types.MergePatchType, []byte(`{"status":`+patch+`}`), metav1.PatchOptions{FieldManager: manager}, "status")
	require.NoError(b.t, err)
}

// approve is `kubectl kruise rollout approve`.
func (b *bypass) approve() { b.patchStatus(`{"currentStepState":"StepReady"}`) }

// patch patches the Rollout itself.
func (b *bypass) patch(patch string) {
	b.t.Helper()
	_, err := b.dynamic.Patch(b.ctx, b.name, types.MergePatchType, []byte(patch), metav1.PatchOptions{FieldManager: "kubectl-edit"})
	require.NoError(b.t, err)
}

// setImage is `kubectl set image`; it returns the Deployment as it was stored.
func (b *bypass) setImage(version string) *appsv1.Deployment {
	b.t.Helper()
	require.NoError(b.t, b.SetImage(b.ctx, b.namespace, version))
	d, err := b.Deployment(b.ctx, b.namespace)
	require.NoError(b.t, err)
	return d
}

// events returns the messages of the events of the Rollout.
func (b *bypass) events() string {
	b.t.Helper()
	list, err := b.Kube.CoreV1().Events(b.namespace).List(b.ctx, metav1.ListOptions{FieldSelector: "involvedObject.kind=Rollout"})
	require.NoError(b.t, err)
	var all []string
	for _, e := range list.Items {
		all = append(all, e.Type+" "+e.Reason+": "+e.Message)
	}
	return strings.Join(all, "\n")
}

// healthy waits for the end and checks whether it is told as a success, and that
// the workload is as it was but for the image.
func (b *bypass) healthy(succeeded, image string) {
	b.t.Helper()
	s := b.status("the rollout has ended", func(s projection.Status) bool {
		done := s.Condition(projection.Succeeded)
		return s.Phase == projection.PhaseHealthy && done != nil && done.Status == succeeded
	})
	require.Equal(b.t, projection.StepCompleted, s.CurrentStepState)
	require.NoError(b.t, harness.Await(b.ctx, "the marks are gone", func(ctx context.Context) (bool, error) {
		d, err := b.Deployment(ctx, b.namespace)
		return err == nil && !d.Spec.Paused && d.Annotations[release.AnnotationHold]+d.Annotations[release.AnnotationRelease] == "", err
	}))
	b.restored(image)
}

// gone deletes the Rollout and waits until nothing of it is left.
func (b *bypass) gone() {
	b.t.Helper()
	require.NoError(b.t, b.dynamic.Delete(b.ctx, b.name, metav1.DeleteOptions{}))
	b.nothingLeft()
}

// nothingLeft waits until a deleted Rollout is gone and requires that the
// workload carries no mark.
func (b *bypass) nothingLeft() {
	b.t.Helper()
	require.NoError(b.t, harness.Await(b.ctx, "the Rollout is gone", func(ctx context.Context) (bool, error) {
		list, err := b.dynamic.List(ctx, metav1.ListOptions{})
		return err == nil && len(list.Items) == 0, err
	}))
	d, err := b.Deployment(b.ctx, b.namespace)
	require.NoError(b.t, err)
	require.NotContains(b.t, d.Labels, release.LabelBypass)
	for key := range d.Annotations {
		require.NotContains(b.t, key, "sluice.dev")
	}
}
