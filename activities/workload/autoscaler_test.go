package workload_test

import (
	"encoding/json"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
	scalingv2 "k8s.io/api/autoscaling/v2"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clienttesting "k8s.io/client-go/testing"

	"sluice.dev/sluice/activities/kube/kubetest"
	"sluice.dev/sluice/activities/release"
	"sluice.dev/sluice/activities/workload"
)

// autoscaler of a Deployment, with a behavior as JSON; none where it is empty.
func autoscaler(t *testing.T, of, behavior string) *scalingv2.HorizontalPodAutoscaler {
	t.Helper()
	h := &scalingv2.HorizontalPodAutoscaler{
		ObjectMeta: metav1.ObjectMeta{Namespace: kubetest.Namespace, Name: "auto"},
		Spec: scalingv2.HorizontalPodAutoscalerSpec{
			ScaleTargetRef: scalingv2.CrossVersionObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: of}, MaxReplicas: 10,
		},
	}
	if behavior != "" {
		require.NoError(t, json.Unmarshal([]byte(behavior), &h.Spec.Behavior))
	}
	return h
}

// behaviorNow reads the behavior of the autoscaler back.
func (b *bench) behaviorNow() (string, map[string]string) {
	h, err := b.server.AutoscalingV2().HorizontalPodAutoscalers(kubetest.Namespace).Get(b.t.Context(), "auto", metav1.GetOptions{})
	require.NoError(b.t, err)
	if h.Spec.Behavior == nil {
		return "", h.Annotations
	}
	data, err := json.Marshal(h.Spec.Behavior)
	require.NoError(b.t, err)
	return string(data), h.Annotations
}

// holdFrozen holds v2 with autoscalers frozen.
func (b *bench) holdFrozen(seq int64) (workload.Held, error) {
	return b.HoldRevision(b.t.Context(), workload.HoldRequest{
		Ref: kubetest.Ref(seq), Change: workload.Change{Images: map[string]string{"main": "version:v2"}}, Stable: b.stable, Freeze: true,
	})
}

// letGo ends the rollout as an abort does.
func (b *bench) letGo() workload.Pods {
	synctest.Wait()
	_, err := b.RestoreTemplate(b.t.Context(), workload.RestoreRequest{Ref: kubetest.Ref(8), Stable: b.stable})
	require.NoError(b.t, err)
	synctest.Wait()
	pods, err := b.ReleaseWorkload(b.t.Context(), workload.ReleaseRequest{Ref: kubetest.Ref(9)})
	require.NoError(b.t, err)
	return pods
}

const (
	disabled = `{"scaleDown":{"selectPolicy":"Disabled"}}`
	// defaulted is what the API server makes of it.
	defaulted = `{"scaleUp":{"stabilizationWindowSeconds":0,"selectPolicy":"Max","policies":[{"type":"Pods","value":4,"periodSeconds":15},{"type":"Percent","value":100,"periodSeconds":15}]},` +
		`"scaleDown":{"selectPolicy":"Disabled","policies":[{"type":"Percent","value":100,"periodSeconds":15}]}}`
	minimum = `{"scaleDown":{"stabilizationWindowSeconds":60,"selectPolicy":"Min"}}`
	frozen  = `{"scaleDown":{"stabilizationWindowSeconds":60,"selectPolicy":"Disabled"}}`
	upOnly  = `{"scaleUp":{"selectPolicy":"Max"}}`
)

// TestAutoscalersDoNotScaleDown freezes an autoscaler with the hold and requires
// that exactly what was there comes back, whatever somebody has done meanwhile.
func TestAutoscalersDoNotScaleDown(t *testing.T) {
	cases := map[string]struct {
		of, before, during, edit, after string
		kept                            int
	}{
		"no behavior":              {of: "demo", during: disabled},
		"no behavior, defaulted":   {of: "demo", during: disabled, edit: defaulted},
		"a policy":                 {of: "demo", before: minimum, during: frozen, after: minimum},
		"behavior of the way up":   {of: "demo", before: upOnly, during: `{"scaleUp":{"selectPolicy":"Max"},"scaleDown":{"selectPolicy":"Disabled"}}`, after: `{"scaleUp":{"selectPolicy":"Max"},"scaleDown":{"selectPolicy":"Max"}}`, kept: 1},
		"disabled by the user":     {of: "demo", before: disabled, during: disabled, after: disabled},
		"another workload's":       {of: "other"},
		"set again by somebody":    {of: "demo", before: minimum, during: frozen, edit: upOnly, after: upOnly, kept: 1},
		"more added by somebody":   {of: "demo", during: disabled, edit: frozen, after: `{"scaleDown":{"stabilizationWindowSeconds":60,"selectPolicy":"Max"}}`, kept: 1},
		"somebody's own, and kept": {of: "demo", before: minimum, during: frozen, edit: minimum, after: minimum, kept: 1},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			onBench(t, 3, func(b *bench) {
				b.server.Put(autoscaler(t, c.of, c.before))
				synctest.Wait()
				for seq := range int64(2) { // it is idempotent
					held, err := b.holdFrozen(seq + 1)
					require.NoError(t, err)
					require.Empty(t, held.Warnings)
					synctest.Wait()
				}
				now, marks := b.behaviorNow()
				require.Equal(t, c.during, now)
				require.Equal(t, c.during != c.before, marks[release.AnnotationRelease] != "")
				if c.edit != "" {
					h := autoscaler(t, c.of, c.edit)
					h.Annotations = marks
					b.server.Put(h)
				}
				pods := b.letGo()
				now, marks = b.behaviorNow()
				require.Equal(t, c.after, now)
				require.Empty(t, marks[release.AnnotationRelease])
				require.Len(t, pods.Kept, c.kept)
			})
		})
	}
}

// TestAutoscalerOfAnotherRollout is left alone: its record says what it was.
func TestAutoscalerOfAnotherRollout(t *testing.T) {
	onBench(t, 3, func(b *bench) {
		h := autoscaler(t, "demo", disabled)
		h.Annotations = map[string]string{release.AnnotationRelease: `{"id":"r0","workflowId":"w0","before":"Min"}`}
		b.server.Put(h)
		synctest.Wait()
		_, err := b.holdFrozen(1)
		require.ErrorContains(t, err, "rollout r0 of workflow w0 has it")
		b.letGo()
		now, marks := b.behaviorNow()
		require.Equal(t, disabled, now)
		require.NotEmpty(t, marks)
	})
}

// TestAutoscalerWithoutRights is told and does not stop the rollout.
func TestAutoscalerWithoutRights(t *testing.T) {
	onBench(t, 3, func(b *bench) {
		b.server.Put(autoscaler(t, "demo", ""))
		synctest.Wait()
		b.server.PrependReactor("patch", "horizontalpodautoscalers", func(clienttesting.Action) (bool, runtime.Object, error) {
			return true, nil, apierrors.NewForbidden(schema.GroupResource{Resource: "horizontalpodautoscalers"}, "auto", errors.New("no"))
		})
		held, err := b.holdFrozen(1)
		require.NoError(t, err)
		require.Len(t, held.Warnings, 1)
		require.Contains(t, held.Warnings[0], "HorizontalPodAutoscaler shop/auto may scale the workload down")
		require.Empty(t, b.letGo().Kept)
	})
}

// ownEntry is what a write of the worker leaves among the managers of fields.
var ownEntry = metav1.ManagedFieldsEntry{Manager: release.FieldManager, Operation: metav1.ManagedFieldsOperationUpdate}

// TestAutoscalerDisownedAfterACrash is a worker that died when it had given the
// behavior back and had yet to remove its entry.
func TestAutoscalerDisownedAfterACrash(t *testing.T) {
	for name, c := range map[string]struct {
		record string
		left   int
	}{
		"no record":         {"", 0},
		"another rollout's": {`{"id":"r0","workflowId":"w0"}`, 1},
	} {
		t.Run(name, func(t *testing.T) {
			onBench(t, 3, func(b *bench) {
				_, err := b.holdFrozen(1)
				require.NoError(t, err)
				h := autoscaler(t, "demo", minimum)
				h.ManagedFields = []metav1.ManagedFieldsEntry{ownEntry}
				if c.record != "" {
					h.Annotations = map[string]string{release.AnnotationRelease: c.record}
				}
				b.server.Put(h)
				b.letGo()
				h, err = b.server.AutoscalingV2().HorizontalPodAutoscalers(kubetest.Namespace).Get(t.Context(), "auto", metav1.GetOptions{})
				require.NoError(t, err)
				require.Len(t, h.ManagedFields, c.left)
			})
		})
	}
}

// TestAutoscalerOfAnotherTarget was frozen with the workload and scales another one
// in the end.
func TestAutoscalerOfAnotherTarget(t *testing.T) {
	onBench(t, 3, func(b *bench) {
		b.server.Put(autoscaler(t, "demo", minimum))
		synctest.Wait()
		_, err := b.holdFrozen(1)
		require.NoError(t, err)
		_, marks := b.behaviorNow()
		h := autoscaler(t, "other", frozen)
		h.Annotations = marks
		b.server.Put(h)
		require.Empty(t, b.letGo().Kept)
		now, marks := b.behaviorNow()
		require.Equal(t, minimum, now)
		require.Empty(t, marks)
	})
}

// TestAutoscalerThatStaysFrozen is told in the end, with what to do about it.
func TestAutoscalerThatStaysFrozen(t *testing.T) {
	onBench(t, 3, func(b *bench) {
		b.server.Put(autoscaler(t, "demo", ""))
		synctest.Wait()
		_, err := b.holdFrozen(1)
		require.NoError(t, err)
		b.server.PrependReactor("patch", "horizontalpodautoscalers", func(clienttesting.Action) (bool, runtime.Object, error) {
			return true, nil, apierrors.NewForbidden(schema.GroupResource{Resource: "horizontalpodautoscalers"}, "auto", errors.New("no"))
		})
		kept := b.letGo().Kept
		require.Len(t, kept, 1)
		require.Contains(t, kept[0], "HorizontalPodAutoscaler shop/auto does not scale down: set spec.behavior.scaleDown.selectPolicy as you want it and remove the annotation sluice.dev/release: ")
	})
}
