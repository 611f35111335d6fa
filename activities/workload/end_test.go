package workload_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
	clienttesting "k8s.io/client-go/testing"

	"sluice.dev/sluice/activities/kube"
	"sluice.dev/sluice/activities/kube/kubetest"
	"sluice.dev/sluice/activities/release"
	"sluice.dev/sluice/activities/workload"
)

func (b *bench) release(seq int64) (workload.Pods, error) {
	ctx, cancel := context.WithTimeout(b.t.Context(), time.Hour)
	defer cancel()
	pods, err := b.ReleaseWorkload(ctx, workload.ReleaseRequest{Ref: kubetest.Ref(seq)})
	synctest.Wait()
	return pods, err
}

// promoted goes all the way to the last operation.
func (b *bench) promoted() {
	b.t.Helper()
	v2 := b.hold(1, "v2")
	b.canary(2, v2, 3)
	_, err := b.PromoteStable(b.t.Context(), promote(3, v2))
	require.NoError(b.t, err)
	synctest.Wait()
	b.managed()
}

// managed adds our entry among the managers of fields, as the API server does.
func (b *bench) managed() {
	b.t.Helper()
	b.change(func(d *appsv1.Deployment) {
		ours := metav1.ManagedFieldsEntry{Manager: release.FieldManager, Operation: metav1.ManagedFieldsOperationUpdate}
		d.ManagedFields = append([]metav1.ManagedFieldsEntry{ours}, d.ManagedFields...)
	})
}

func TestReleaseAfterSuccess(t *testing.T) {
	onBench(t, 3, func(b *bench) {
		before := b.live()
		b.promoted()
		b.server.ClearActions()
		pods, err := b.release(4)
		require.NoError(t, err)
		require.Empty(t, pods.Kept)
		require.Equal(t, []string{
			"delete deployments demo-canary", "delete poddisruptionbudgets demo-canary", "delete services demo-canary",
			"patch deployments demo", "patch deployments demo",
		}, b.server.Writes())
		require.Empty(t, b.server.Reads())
		b.requireGone()
		require.Equal(t, map[string]int{"version:v2": 3}, b.tags())

		d := b.live()
		before.Spec.Template.Spec.Containers[0].Image = "version:v2"
		require.Equal(t, before.Spec, d.Spec, "it differs by the revision only")
		require.Equal(t, before.Annotations, d.Annotations)
		require.Equal(t, before.ManagedFields, d.ManagedFields)
	})
}

func TestReleaseAfterAbort(t *testing.T) {
	onBench(t, 3, func(b *bench) {
		before := b.live()
		b.canary(2, b.hold(1, "v2"), 2)
		b.managed()
		_, err := b.restore(3, false)
		require.NoError(t, err)
		_, err = b.release(4)
		require.NoError(t, err)
		b.requireGone()
		d := b.live()
		require.Equal(t, before.Spec, d.Spec)
		require.Equal(t, before.Annotations, d.Annotations)
		require.Equal(t, map[string]int{"version:v1": 3}, b.tags())
	})
}

func TestReleaseTwice(t *testing.T) {
	onBench(t, 3, func(b *bench) {
		b.promoted()
		for range 2 {
			_, err := b.release(4)
			require.NoError(t, err)
		}
		b.requireGone()
		b.server.ClearActions()
		_, err := b.release(4)
		require.NoError(t, err)
		require.Empty(t, b.server.Writes())
	})
}

func TestReleaseKeepsWhatSomebodyWrote(t *testing.T) {
	onBench(t, 3, func(b *bench) {
		b.promoted()
		b.change(func(d *appsv1.Deployment) { d.Spec.Strategy.RollingUpdate.MaxUnavailable = new(intstr.FromInt32(2)) })
		pods, err := b.release(4)
		require.NoError(t, err)
		require.Equal(t, []string{"spec.strategy.rollingUpdate.maxUnavailable: somebody set it to 2"}, pods.Kept)
		require.Equal(t, "2", b.live().Spec.Strategy.RollingUpdate.MaxUnavailable.String())
		b.requireGone()
	})
}

func TestReleaseRefusesWhileARevisionIsHeld(t *testing.T) {
	onBench(t, 3, func(b *bench) {
		b.hold(1, "v2")
		_, err := b.release(2)
		requireType(t, err, kube.ErrDrift)
		require.NotNil(t, b.record(), "the way back stays")
	})
}

// late is the canary Ingress, or another object of the rollout, that the API server
// creates late.
func late(o metav1.Object) {
	o.SetName("demo-canary")
	o.SetLabels(map[string]string{release.LabelRollout: "r1"})
	o.SetAnnotations(map[string]string{release.AnnotationSeq: "2"})
}

func TestReleaseWaitsForTheRouteToGo(t *testing.T) {
	onBench(t, 3, func(b *bench) {
		b.promoted()
		route := kubetest.Ingress()
		late(route)
		route.DeletionTimestamp, route.Finalizers = new(metav1.Now()), []string{"example.com/gateway"}
		b.server.Put(route)
		synctest.Wait()
		ctx, cancel := context.WithTimeout(b.t.Context(), time.Minute)
		defer cancel()
		_, err := b.ReleaseWorkload(ctx, workload.ReleaseRequest{Ref: kubetest.Ref(4)})
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, 3, b.tags()["version:v2"]-3, "no canary pod was stopped")
		b.server.Delete(route)
		_, err = b.release(4)
		require.NoError(t, err)
	})
}

// TestReleaseFindsALateRoute: nobody but the workflow can let the gateway forget it.
func TestReleaseFindsALateRoute(t *testing.T) {
	for name, when := range map[string]time.Duration{"before the canary goes": 0, "while the canary goes": time.Second} {
		t.Run(name, func(t *testing.T) {
			onBench(t, 3, func(b *bench) {
				b.promoted()
				b.server.Freeze()
				time.AfterFunc(when, func() {
					route := kubetest.Ingress()
					late(route)
					b.server.Put(route)
					b.server.Thaw()
				})
				time.Sleep(when / 2)
				if when == 0 {
					synctest.Wait()
				}
				_, err := b.release(4)
				requireType(t, err, kube.ErrRouted)
				require.ErrorContains(t, err, "canary Ingress demo-canary is there again")
			})
		})
	}
}

// TestReleaseDeletesACanaryThatComesLate, while it waits for the pods of the first one.
func TestReleaseDeletesACanaryThatComesLate(t *testing.T) {
	onBench(t, 3, func(b *bench) {
		b.promoted()
		again := b.canaryDeployment()
		again.ObjectMeta = metav1.ObjectMeta{Namespace: again.Namespace, Name: again.Name, Labels: again.Labels, Annotations: again.Annotations}
		b.server.Freeze()
		time.AfterFunc(time.Second, func() { b.server.Put(again); b.server.Thaw() })
		_, err := b.release(4)
		require.NoError(t, err)
		b.requireGone()
		require.Equal(t, map[string]int{"version:v2": 3}, b.tags())
	})
}

// TestReleaseDeletesWhatComesLate: an operation that was given up may create objects
// after they were deleted.
func TestReleaseDeletesWhatComesLate(t *testing.T) {
	onBench(t, 3, func(b *bench) {
		b.promoted()
		service, budget := kubetest.Service(), &policyv1.PodDisruptionBudget{ObjectMeta: metav1.ObjectMeta{Namespace: kubetest.Namespace}}
		late(service)
		late(budget)
		b.server.PrependReactor("delete", "services", func(clienttesting.Action) (bool, runtime.Object, error) {
			// After the Service is gone, and before the workload is let go.
			time.AfterFunc(time.Millisecond, func() { b.server.Put(service); b.server.Put(budget) })
			return false, nil, nil
		})
		b.server.PrependReactor("patch", "deployments", func(clienttesting.Action) (bool, runtime.Object, error) {
			time.Sleep(time.Second)
			return false, nil, nil
		})
		b.server.ClearActions()
		_, err := b.release(4)
		require.NoError(t, err)
		deleted := slices.DeleteFunc(b.server.Writes(), func(w string) bool { return w != "delete services demo-canary" })
		require.Len(t, deleted, 2)
		b.requireGone()
	})
}

func TestReleaseWaitsForPodsToEnd(t *testing.T) {
	onBench(t, 3, func(b *bench) {
		b.promoted()
		b.server.Freeze()
		done := make(chan error)
		go func() {
			_, err := b.ReleaseWorkload(b.t.Context(), workload.ReleaseRequest{Ref: kubetest.Ref(4)})
			done <- err
		}()
		synctest.Wait()
		_, err := b.server.CoreV1().Services(kubetest.Namespace).Get(b.t.Context(), "demo-canary", metav1.GetOptions{})
		require.NoError(t, err, "the Service stays as long as there are pods")
		b.server.Thaw()
		require.NoError(t, <-done)
		b.requireGone()
	})
}

func TestReleaseLeavesWhatIsNotOurs(t *testing.T) {
	onBench(t, 3, func(b *bench) {
		other := kubetest.Service()
		other.Name = "demo-canary"
		b.server.Put(other)
		_, err := b.release(4)
		require.NoError(t, err)
		_, err = b.server.CoreV1().Services(kubetest.Namespace).Get(b.t.Context(), "demo-canary", metav1.GetOptions{})
		require.NoError(t, err)
	})
}

func TestPodsOfOtherWorkloadsDoNotHinder(t *testing.T) {
	onBench(t, 2, func(b *bench) {
		other := kubetest.Deployment(1)
		other.Name = "other"
		other.Spec.Selector.MatchLabels["tier"] = "x"
		other.Spec.Template.Labels["tier"] = "x"
		b.server.Put(other)
		synctest.Wait()
		require.Len(t, b.Cluster.Endpoints(kubetest.Namespace, "demo"), 3)
		pods, err := b.PromoteStable(b.t.Context(), promote(2, b.hold(1, "v2")))
		require.NoError(t, err)
		require.Equal(t, readyPods(2), pods)
	})
}

func TestTerminatingPodsDoNotCount(t *testing.T) {
	onBench(t, 2, func(b *bench) {
		v2 := b.hold(1, "v2")
		b.canary(2, v2, 1)
		pods, err := b.server.CoreV1().Pods(kubetest.Namespace).List(b.t.Context(), metav1.ListOptions{})
		require.NoError(t, err)
		b.server.Freeze()
		for i := range pods.Items {
			if pods.Items[i].Labels[release.LabelTrack] == release.TrackCanary {
				terminating(&pods.Items[i])
				b.server.Put(&pods.Items[i])
			}
		}
		synctest.Wait()
		ctx, cancel := context.WithTimeout(b.t.Context(), time.Minute)
		defer cancel()
		seen, err := b.EnsureCanary(ctx, workload.CanaryRequest{Ref: kubetest.Ref(2), Revision: v2, Replicas: 1})
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Zero(t, seen.Ready)
		require.Equal(t, "0 of 1 pods exist", seen.Trouble)
	})
}
