package watch

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"sluice.dev/sluice/activities/kube/kubetest"
	"sluice.dev/sluice/activities/release"
	"sluice.dev/sluice/activities/workload"
	"sluice.dev/sluice/starter/control"
)

// hanging is a Temporal that lets everybody wait for the whole timeout while it is
// away.
type hanging struct {
	*temporal
	asked atomic.Int32
}

func (h *hanging) Status(ctx context.Context, id string) (control.Status, error) {
	h.asked.Add(1)
	if h.away != nil {
		time.Sleep(10 * time.Second)
	}
	return h.temporal.Status(ctx, id)
}

// TestTakeBackDoesNotWaitForTemporal: more changes are held than are looked at at
// once, and then a change of another workload slips through.
func TestTakeBackDoesNotWaitForTemporal(t *testing.T) {
	inBench(t, nil, func(b *bench) {
		b.look()
		require.IsType(t, &circuit{}, b.Control)
		h := &hanging{temporal: b.temporal}
		b.Control = &circuit{Control: h, now: time.Now}
		h.away = &control.Unreachable{Address: "t:1", Cause: errors.New("refused")}
		for i := range 5 * workers {
			b.held(fmt.Sprint("held-", i))
		}
		go b.act(b.ctx)
		time.Sleep(time.Minute)
		require.LessOrEqual(t, h.asked.Load(), int32(workers+7), "one at a time")
		b.server.Freeze()
		b.image("version:v2")
		time.Sleep(time.Second)
		synctest.Wait()
		require.Equal(t, "version:v1", b.deployment().Spec.Template.Spec.Containers[0].Image)
		require.Contains(t, b.deployment().Annotations, release.AnnotationQueued)

		h.away = nil
		time.Sleep(15 * time.Second)
		require.Len(t, b.temporal.started, 5*workers)
	})
}

// held adds a workload whose change is held, and its Rollout.
func (b *bench) held(name string) {
	b.t.Helper()
	d := kubetest.Deployment(1)
	labels := map[string]string{"app": name}
	d.Name, d.UID = name, types.UID(name)
	d.Spec.Selector.MatchLabels, d.Spec.Template.Labels = labels, labels
	d.Labels = map[string]string{release.LabelBypass: release.BypassUnclassed}
	b.server.Put(d)
	held, err := b.server.AppsV1().Deployments("shop").Get(b.ctx, name, metav1.GetOptions{})
	require.NoError(b.t, err)
	held.Spec.Paused = true
	held.Spec.Template.Spec.Containers[0].Image = "version:v2"
	held.Annotations[release.AnnotationHold] = release.Text(release.Hold{Revision: workload.Revision(held.Spec.Template), By: "ann"})
	b.server.Put(held)
	_, err = b.client.Resource(betaRollouts).Namespace("shop").Create(b.ctx, rolloutObject(b.t, func(o *unstructured.Unstructured) {
		o.SetName(name)
		o.SetUID(types.UID("r-" + name))
		require.NoError(b.t, unstructured.SetNestedField(o.Object, name, "spec", "objectRef", "workloadRef", "name"))
	}), metav1.CreateOptions{})
	require.NoError(b.t, err)
	synctest.Wait()
}

// TestCircuitAsksAgainAndForgets.
func TestCircuitAsksAgainAndForgets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &temporal{away: &control.Unreachable{Address: "t:1", Cause: errors.New("refused")}}
		h := &hanging{temporal: f}
		c := &circuit{Control: h, now: time.Now}
		ask := func() error { _, err := c.Status(t.Context(), "id"); return err }
		require.ErrorIs(t, ask(), f.away)
		begun := time.Now()
		require.ErrorIs(t, ask(), f.away)
		require.Equal(t, begun, time.Now(), "nobody waits")
		require.EqualValues(t, 1, h.asked.Load())
		time.Sleep(probePause)
		go func() { _ = ask() }()
		synctest.Wait()
		require.ErrorIs(t, ask(), f.away, "one at a time")
		require.EqualValues(t, 2, h.asked.Load())
		time.Sleep(11 * time.Second)
		f.away = nil
		require.True(t, control.IsNotFound(ask()))
		require.True(t, control.IsNotFound(ask()))
		require.EqualValues(t, 4, h.asked.Load())
	})
}
