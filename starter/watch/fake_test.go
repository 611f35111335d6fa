package watch

import (
	"context"
	"iter"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	fakediscovery "k8s.io/client-go/discovery/fake"
	dynamicfake "k8s.io/client-go/dynamic/fake"
	"sigs.k8s.io/yaml"

	"sluice.dev/sluice/activities/kube/kubetest"
	"sluice.dev/sluice/activities/release"
	"sluice.dev/sluice/activities/workload"
	"sluice.dev/sluice/starter/control"
	"sluice.dev/sluice/starter/watch/projection"
	"sluice.dev/sluice/workflows"
)

// temporal is a Control that keeps what it was told.
type temporal struct {
	last    *control.Status
	away    error
	started []workflows.Input
	asked   []string // request IDs of starts
	sent    []sent
	refuse  string
	news    chan control.Status
}

// sent is one message.
type sent struct {
	verb workflows.Verb
	m    workflows.Message
	id   string
}

func (f *temporal) Start(_ context.Context, in workflows.Input, o control.StartOptions) (control.Run, error) {
	if f.away != nil {
		return control.Run{}, f.away
	}
	f.asked = append(f.asked, o.RequestID)
	f.started = append(f.started, in)
	return control.Run{ID: "id", RunID: "run-1"}, nil
}

func (f *temporal) Input(context.Context, control.Run) (workflows.Input, error) {
	if len(f.started) == 0 {
		return workflows.Input{}, nil
	}
	return f.started[len(f.started)-1], nil
}

func (f *temporal) Send(_ context.Context, _ string, verb workflows.Verb, m workflows.Message, o control.SendOptions) (workflows.Answer, error) {
	if f.away != nil {
		return workflows.Answer{}, f.away
	}
	f.sent = append(f.sent, sent{verb, m, o.RequestID})
	if f.refuse != "" && verb != workflows.VerbPause {
		return workflows.Answer{}, &control.Refused{Text: f.refuse}
	}
	return workflows.Answer{}, nil
}

func (f *temporal) Status(_ context.Context, id string) (control.Status, error) {
	switch {
	case f.away != nil:
		return control.Status{}, f.away
	case f.last == nil:
		return control.Status{}, &control.NotFound{ID: id}
	}
	return *f.last, nil
}

func (f *temporal) Watch(ctx context.Context, _ string) iter.Seq2[control.Status, error] {
	return func(yield func(control.Status, error) bool) {
		for {
			select {
			case <-ctx.Done():
				return
			case s := <-f.news:
				if !yield(s, nil) || s.Closed != nil {
					return
				}
			}
		}
	}
}

// verbs that were sent.
func (f *temporal) verbs() []workflows.Verb {
	var verbs []workflows.Verb
	for _, s := range f.sent {
		verbs = append(verbs, s.verb)
	}
	return verbs
}

// bench is a watcher over fakes, inside of a synctest bubble.
type bench struct {
	*Watcher
	t        *testing.T
	ctx      context.Context
	server   *kubetest.Server
	client   *dynamicfake.FakeDynamicClient
	temporal *temporal
}

var betaRollouts = schema.GroupVersionResource{Group: "rollouts.kruise.io", Version: "v1beta1", Resource: "rollouts"}

var ownRollouts = schema.GroupVersionResource{Group: "sluice.dev", Version: "v1alpha1", Resource: "rollouts"}

const document = `
apiVersion: rollouts.kruise.io/v1beta1
kind: Rollout
metadata: {name: web, namespace: shop, uid: u1, generation: 1}
spec:
  objectRef: {workloadRef: {apiVersion: apps/v1, kind: Deployment, name: demo}}
  strategy:
    canary:
      steps: [{weight: 10, replicas: 1, pause: {}}, {weight: 30, replicas: 2, pause: {}}]
      trafficRoutings: [{service: demo, type: nginx, ingress: {name: demo}}]
`

var (
	webKey = key{"rollouts.kruise.io", "shop", "web"}
	ownKey = key{"sluice.dev", "shop", "web"}
)

// ownObject returns the same Rollout in our own group, made later.
func ownObject(t *testing.T, change func(*unstructured.Unstructured)) *unstructured.Unstructured {
	t.Helper()
	return rolloutObject(t, func(o *unstructured.Unstructured) {
		o.SetAPIVersion("sluice.dev/v1alpha1")
		o.SetCreationTimestamp(metav1.Now())
		ref, _, _ := unstructured.NestedMap(o.Object, "spec", "objectRef", "workloadRef")
		unstructured.RemoveNestedField(o.Object, "spec", "objectRef")
		require.NoError(t, unstructured.SetNestedMap(o.Object, ref, "spec", "workloadRef"))
		require.NoError(t, unstructured.SetNestedMap(o.Object, map[string]any{
			"steps":           []any{map[string]any{"traffic": "10%", "replicas": int64(1), "pause": map[string]any{}}},
			"trafficRoutings": []any{map[string]any{"service": "demo", "ingress": map[string]any{"name": "demo"}}},
		}, "spec", "strategy", "canary"))
		if change != nil {
			change(o)
		}
	})
}

// rolloutObject returns the document as the API server would.
func rolloutObject(t *testing.T, change func(*unstructured.Unstructured)) *unstructured.Unstructured {
	t.Helper()
	obj := &unstructured.Unstructured{}
	data, err := yaml.YAMLToJSON([]byte(document))
	require.NoError(t, err)
	require.NoError(t, obj.UnmarshalJSON(data))
	if change != nil {
		change(obj)
	}
	return obj
}

// inBench runs a test with a watcher that has seen the Rollout and a Deployment
// of five pods at v1.
func inBench(t *testing.T, change func(*unstructured.Unstructured), test func(b *bench)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		b := &bench{t: t, ctx: ctx, server: kubetest.New(kubetest.Deployment(5)), temporal: &temporal{news: make(chan control.Status)}}
		discovery, ok := b.server.Discovery().(*fakediscovery.FakeDiscovery)
		require.True(t, ok)
		known := []metav1.APIResource{{Name: "rollouts"}}
		discovery.Resources = []*metav1.APIResourceList{{GroupVersion: "rollouts.kruise.io/v1beta1", APIResources: known}, {GroupVersion: "sluice.dev/v1alpha1", APIResources: known}}
		kinds := map[schema.GroupVersionResource]string{betaRollouts: "RolloutList", ownRollouts: "RolloutList"}
		b.client = dynamicfake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(), kinds, rolloutObject(t, change))
		b.Watcher = New(Options{
			Kube: b.server, Dynamic: b.client, Control: b.temporal, Cluster: "default", Home: "sluice-system", Identity: "me",
			Log: slog.New(slog.DiscardHandler),
		})
		require.NoError(t, openCaches(ctx, b.Watcher))
		b.stopped = ctx
		defer func() {
			cancel()
			b.queue.ShutDown()
			synctest.Wait()
		}()
		synctest.Wait()
		test(b)
	})
}

// look lets the watcher look at the Rollout until it is content, and returns the
// status that it tells.
func (b *bench) look() projection.Status {
	b.t.Helper()
	for range 6 {
		_, err := b.reconcile(b.ctx, webKey)
		if err != nil && !expected(err) {
			require.NoError(b.t, err)
		}
		synctest.Wait()
	}
	return b.status()
}

func (b *bench) status() projection.Status {
	b.t.Helper()
	var status projection.Status
	fields, _, err := unstructured.NestedMap(b.object().Object, "status")
	require.NoError(b.t, err)
	require.NoError(b.t, runtime.DefaultUnstructuredConverter.FromUnstructured(fields, &status))
	return status
}

func (b *bench) object() *unstructured.Unstructured {
	b.t.Helper()
	obj, err := b.client.Resource(betaRollouts).Namespace("shop").Get(b.ctx, "web", metav1.GetOptions{})
	require.NoError(b.t, err)
	return obj
}

// edit changes the Rollout as somebody else.
func (b *bench) edit(change func(*unstructured.Unstructured)) {
	b.t.Helper()
	obj := b.object()
	change(obj)
	_, err := b.client.Resource(betaRollouts).Namespace("shop").Update(b.ctx, obj, metav1.UpdateOptions{})
	require.NoError(b.t, err)
	synctest.Wait()
}

func (b *bench) deployment() *appsv1.Deployment {
	b.t.Helper()
	d, err := b.server.AppsV1().Deployments("shop").Get(b.ctx, "demo", metav1.GetOptions{})
	require.NoError(b.t, err)
	return d
}

// change writes the Deployment as somebody else.
func (b *bench) change(change func(*appsv1.Deployment)) {
	b.t.Helper()
	d := b.deployment().DeepCopy()
	change(d)
	b.server.Put(d)
	synctest.Wait()
}

// hold changes the image as the webhook lets it be stored.
func (b *bench) hold(image string) string {
	b.t.Helper()
	var revision string
	b.change(func(d *appsv1.Deployment) {
		d.Spec.Paused = true
		d.Spec.Template.Spec.Containers[0].Image = image
		revision = workload.Revision(d.Spec.Template)
		d.Annotations[release.AnnotationHold] = release.Text(release.Hold{Revision: revision, By: "ann"})
	})
	return revision
}

// record lets the rollout take the held revision over.
func (b *bench) record() {
	b.change(func(d *appsv1.Deployment) {
		delete(d.Annotations, release.AnnotationHold)
		d.Annotations[release.AnnotationRelease] = release.Text(release.Record{ID: "r1", WorkflowID: "id", Revision: workload.Revision(d.Spec.Template)})
	})
}

// tellNews lets the rollout say where it stands.
func (b *bench) tellNews(s control.Status) {
	b.t.Helper()
	select {
	case b.temporal.news <- s:
	case <-time.After(time.Minute):
		require.Fail(b.t, "nobody follows the rollout")
	}
	synctest.Wait()
}

// holdingAt is a rollout that waits at a step.
func holdingAt(step int) control.Status {
	var s control.Status
	s.WorkflowID, s.Run, s.Phase, s.Step, s.Replicas = "id", "run-1", workflows.PhaseHolding, step, 5
	s.StableRevision, s.Revision, s.Message = "stable", "canary", "it waits"
	s.Since = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for i := range 3 {
		state := workflows.StepPending
		if i+1 < step {
			state = workflows.StepCompleted
		} else if i+1 == step {
			state = workflows.StepPaused
		}
		s.Steps = append(s.Steps, workflows.StepStatus{Hold: "approval", State: state})
	}
	return s
}

// ended is a rollout that has ended.
func ended(phase workflows.Phase, revision string) control.Status {
	s := holdingAt(1)
	at := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	s.Phase, s.Revision, s.Closed, s.Message = phase, revision, &at, "how it ended"
	return s
}
