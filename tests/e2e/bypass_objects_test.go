package e2e

import (
	"context"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	arv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"

	kruisealpha "sluice.dev/sluice/config/kruise/v1alpha1"
	kruisebeta "sluice.dev/sluice/config/kruise/v1beta1"
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
	b := bypassOf(r, kruiseRollouts)
	b.sluice("crds", "--install")
	return b
}

// TestBypassBesideKruise finds an installed Kruise controller, refuses to act
// beside it, and follows the sluice.dev Rollouts of its own class where it has one:
// those of Kruise's group are Kruise's, whatever their class.
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
	document := strings.NewReplacer("name: rollouts-demo", "name: own\n  labels: {sluice.dev/class: canaries}",
		"name: demo}\n  prometheus", "name: third}\n  prometheus", "PROMETHEUS", "http://prometheus").Replace(ownDocument)
	require.NoError(t, b.Sandbox.Apply(b.ctx, b.namespace, []byte(document)))
	b.watcher, err = b.StartWatchOf(b.ctx, "canaries", "holding changes", harness.HookArgs(0)...)
	require.NoError(t, err)
	t.Cleanup(b.stop)
	t.Cleanup(b.explain)
	client, err := b.Sandbox.Dynamic()
	require.NoError(t, err)
	own := client.Resource(ownRollouts).Namespace(b.namespace)
	require.NoError(t, harness.Await(b.ctx, "our Rollout has a status", func(ctx context.Context) (bool, error) {
		obj, err := own.Get(ctx, "own", metav1.GetOptions{})
		if err != nil {
			return false, err
		}
		phase, _, err := unstructured.NestedString(obj.Object, "status", "phase")
		return phase == projection.PhaseInitial, err
	}))
	for _, name := range []string{seedRollout, "ours"} {
		obj, err := b.dynamic.Get(b.ctx, name, metav1.GetOptions{})
		require.NoError(t, err)
		require.NotContains(t, obj.Object, "status")
		require.Empty(t, obj.GetFinalizers())
	}
	require.NoError(t, own.Delete(b.ctx, "own", metav1.DeleteOptions{}))
}

// filled returns a value of a type, as JSON has it, with every field set.
func filled(t reflect.Type) any {
	switch {
	case t.Kind() == reflect.Pointer:
		return filled(t.Elem())
	case t == reflect.TypeFor[intstr.IntOrString]():
		return "50%"
	}
	switch t.Kind() {
	case reflect.Struct:
		fields := map[string]any{}
		fill(fields, t)
		return fields
	case reflect.Slice:
		return []any{filled(t.Elem()), filled(t.Elem())}
	case reflect.Map:
		return map[string]any{"key": filled(t.Elem())}
	case reflect.String:
		return "text"
	case reflect.Bool:
		return true
	case reflect.Interface:
		return map[string]any{"any": "thing"}
	default:
		return int64(7)
	}
}

// fill sets the fields of a struct; those of embedded ones are its own.
func fill(fields map[string]any, t reflect.Type) {
	for i := range t.NumField() {
		field := t.Field(i)
		if name, _, _ := strings.Cut(field.Tag.Get("json"), ","); name != "" {
			fields[name] = filled(field.Type)
		} else {
			fill(fields, field.Type)
		}
	}
}

// TestBypassVersions reads and writes Rollouts of each version of Kruise's, with
// every field that it has, in the other one: every field stays.
func TestBypassVersions(t *testing.T) {
	b := newObjects(t)
	client, err := b.Sandbox.Dynamic()
	require.NoError(t, err)
	for written, other := range map[string]string{"v1alpha1": "v1beta1", "v1beta1": "v1alpha1"} {
		t.Run(written, func(t *testing.T) {
			want := filled(map[string]reflect.Type{
				"v1alpha1": reflect.TypeFor[kruisealpha.Spec](), "v1beta1": reflect.TypeFor[kruisebeta.Spec](),
			}[written])
			obj := &unstructured.Unstructured{Object: map[string]any{
				"apiVersion": "rollouts.kruise.io/" + written, "kind": "Rollout", "metadata": map[string]any{"name": seedRollout}, "spec": want,
			}}
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
			require.Equal(t, want, made.Object["spec"])

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
