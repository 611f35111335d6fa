package e2e

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	arv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/yaml"

	"sluice.dev/sluice/starter/watch/projection"
	"sluice.dev/sluice/tests/harness"
)

// newObjects is a case about Rollout objects alone: no application, no watcher.
func newObjects(t *testing.T) *bypass {
	t.Helper()
	bed := start(t)
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	t.Cleanup(cancel)
	r := &rollout{Bed: bed, t: t, ctx: ctx, namespace: namespaceOf(t)}
	_, err := bed.Kube.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: r.namespace}}, metav1.CreateOptions{})
	require.NoError(t, err)
	t.Cleanup(r.remove)
	client, err := bed.Sandbox.Dynamic()
	require.NoError(t, err)
	b := &bypass{rollout: r, dynamic: client.Resource(kruiseRollouts).Namespace(r.namespace)}
	b.sluice("crds", "--install")
	return b
}

// TestBypassBesideKruise finds an installed Kruise controller, refuses to act
// beside it, and follows the Rollouts of its own class where it has one.
func TestBypassBesideKruise(t *testing.T) {
	b := newObjects(t)
	theirs := &arv1.MutatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: "kruise-rollout-mutating-webhook-configuration"}}
	hooks := b.Kube.AdmissionregistrationV1().MutatingWebhookConfigurations()
	_, err := hooks.Create(b.ctx, theirs, metav1.CreateOptions{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, hooks.Delete(context.Background(), theirs.Name, metav1.DeleteOptions{})) })

	_, err = b.StartWatch(b.ctx, "leading", "--webhook-address", "")
	require.ErrorContains(t, err, "a Kruise Rollouts controller is installed")
	require.ErrorContains(t, err, "give --class")

	require.NoError(t, b.apply())
	require.NoError(t, b.apply("name: rollouts-demo", "name: ours\n  labels: {sluice.dev/class: canaries}", "name: demo\n  strategy", "name: other\n  strategy"))
	b.watcher, err = b.StartWatchOf(b.ctx, "canaries", "holding changes", harness.HookArgs(0)...)
	require.NoError(t, err)
	t.Cleanup(b.stop)
	require.NoError(t, harness.Await(b.ctx, "our Rollout has a status", func(ctx context.Context) (bool, error) {
		obj, err := b.dynamic.Get(ctx, "ours", metav1.GetOptions{})
		if err != nil {
			return false, err
		}
		phase, _, err := unstructured.NestedString(obj.Object, "status", "phase")
		return phase == projection.PhaseInitial, err
	}))
	obj, status, err := b.read(b.ctx)
	require.NoError(t, err)
	require.Empty(t, status.Phase)
	require.Empty(t, obj.GetFinalizers())
	require.NoError(t, b.dynamic.Delete(b.ctx, "ours", metav1.DeleteOptions{}))
}

// allOfAlpha and allOfBeta have every field that the other version lacks.
const (
	allOfAlpha = `
apiVersion: rollouts.kruise.io/v1alpha1
kind: Rollout
metadata: {name: rollouts-demo}
spec:
  rolloutID: "7"
  objectRef: {type: workloadRef, workloadRef: {apiVersion: apps/v1, kind: Deployment, name: demo}}
  strategy:
    type: canary
    canary:
      failureThreshold: 10%
      disableGenerateCanaryService: true
      patchPodTemplateMetadata: {labels: {a: b}}
      steps:
      - {weight: 10, replicas: 1, pause: {duration: 60}}
      - matches: [{headers: [{name: user-agent, type: Exact, value: android}]}]
        requestHeaderModifier: {set: [{name: x, value: z}]}
        replicas: 50%
        pause: {}
      trafficRoutings: [{service: demo, type: nginx, gracePeriodSeconds: 0, ingress: {classType: nginx, name: demo}}]
`
	allOfBeta = `
apiVersion: rollouts.kruise.io/v1beta1
kind: Rollout
metadata: {name: rollouts-demo}
spec:
  workloadRef: {apiVersion: apps/v1, kind: Deployment, name: demo}
  strategy:
    canary:
      enableExtraWorkloadForCanary: true
      disableGenerateCanaryService: true
      trafficRoutingRef: shared
      steps:
      - traffic: 10%
        replicas: 1
        pause: {duration: 60}
      - matches:
        - path: {type: PathPrefix, value: /a}
          queryParams: [{name: q, type: RegularExpression, value: ".*"}]
        replicas: 50%
        pause: {}
      trafficRoutings: [{service: demo, gracePeriodSeconds: 0, ingress: {name: demo}}]
`
)

// TestBypassVersions reads and writes Rollouts of each version of Kruise's in the
// other one: every field stays.
func TestBypassVersions(t *testing.T) {
	b := newObjects(t)
	client, err := b.Sandbox.Dynamic()
	require.NoError(t, err)
	for written, other := range map[string]string{"v1alpha1": "v1beta1", "v1beta1": "v1alpha1"} {
		t.Run(written, func(t *testing.T) {
			text := map[string]string{"v1alpha1": allOfAlpha, "v1beta1": allOfBeta}[written]
			obj := &unstructured.Unstructured{}
			require.NoError(t, yaml.Unmarshal([]byte(text), &obj.Object))
			of := func(version string) *unstructured.Unstructured {
				resource := kruiseRollouts.GroupResource().WithVersion(version)
				found, err := client.Resource(resource).Namespace(b.namespace).Get(b.ctx, seedRollout, metav1.GetOptions{})
				require.NoError(t, err)
				return found
			}
			mine := client.Resource(kruiseRollouts.GroupResource().WithVersion(written)).Namespace(b.namespace)
			theirs := client.Resource(kruiseRollouts.GroupResource().WithVersion(other)).Namespace(b.namespace)
			made, err := mine.Create(b.ctx, obj, metav1.CreateOptions{FieldValidation: metav1.FieldValidationStrict})
			require.NoError(t, err)
			want := made.Object["spec"]

			read := of(other)
			require.Equal(t, "rollouts.kruise.io/"+other, read.GetAPIVersion())
			require.Equal(t, want, read.Object["spec"])
			read.SetLabels(map[string]string{"read": "and-written"})
			_, err = theirs.Update(b.ctx, read, metav1.UpdateOptions{FieldValidation: metav1.FieldValidationStrict})
			require.NoError(t, err)
			_, err = theirs.Patch(b.ctx, seedRollout, types.MergePatchType, []byte(`{"status":{"phase":"Healthy"}}`), metav1.PatchOptions{}, "status")
			require.NoError(t, err)
			again := of(written)
			require.Equal(t, want, again.Object["spec"])
			require.Equal(t, "and-written", again.GetLabels()["read"])
			require.NoError(t, mine.Delete(b.ctx, seedRollout, metav1.DeleteOptions{}))
		})
	}
}
