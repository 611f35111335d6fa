package workload_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clienttesting "k8s.io/client-go/testing"

	"sluice.dev/sluice/activities/kube"
	"sluice.dev/sluice/activities/kube/kubetest"
	"sluice.dev/sluice/activities/release"
	"sluice.dev/sluice/activities/traffic"
	"sluice.dev/sluice/activities/workload"
	"sluice.dev/sluice/config"
)

// bySelector is the reference of a rollout in selector mode, for one operation.
func bySelector(seq int64) release.Ref {
	ref := kubetest.Ref(seq)
	ref.Isolation = release.Isolation{Mode: config.IsolateBySelector}
	return ref
}

// service is the user's Service as it is stored.
func (b *bench) service() *corev1.Service {
	b.t.Helper()
	obj, err := b.server.Tracker().Get(corev1.SchemeGroupVersion.WithResource("services"), kubetest.Namespace, "demo")
	require.NoError(b.t, err)
	s, ok := obj.(*corev1.Service)
	require.True(b.t, ok)
	return s.DeepCopy()
}

// holdBySelector holds a tag.
func (b *bench) holdBySelector(seq int64, tag string) string {
	b.t.Helper()
	req := b.holdRequest(seq, image(tag))
	req.Ref = bySelector(seq)
	held, err := b.HoldRevision(b.t.Context(), req)
	require.NoError(b.t, err)
	synctest.Wait()
	return held.Revision
}

func (b *bench) narrowStable(seq int64) (workload.Selection, error) {
	defer synctest.Wait()
	return b.NarrowService(b.t.Context(), workload.NarrowRequest{Ref: bySelector(seq), Side: release.SideStable, Stable: b.stable, Keep: true})
}

func (b *bench) widen(seq int64) workload.Selection {
	b.t.Helper()
	s, err := b.WidenService(b.t.Context(), workload.WidenRequest{Ref: bySelector(seq)})
	require.NoError(b.t, err)
	synctest.Wait()
	return s
}

func (b *bench) canaryBySelector(seq int64, revision string, n int) {
	b.t.Helper()
	_, err := b.EnsureCanary(b.t.Context(), workload.CanaryRequest{Ref: bySelector(seq), Revision: revision, Replicas: n})
	require.NoError(b.t, err)
	synctest.Wait()
}

// TestCanaryBySelectorBeginsWithoutPods: a Deployment that is created late must not
// bring pods behind the user's Service, which is as wide as before then.
func TestCanaryBySelectorBeginsWithoutPods(t *testing.T) {
	onBench(t, 3, func(b *bench) {
		v2 := b.holdBySelector(1, "v2")
		_, err := b.narrowStable(2)
		require.NoError(t, err)
		var created, scaled []int32
		note := func(sizes *[]int32) clienttesting.ReactionFunc {
			return func(a clienttesting.Action) (bool, runtime.Object, error) {
				if d, ok := a.(interface{ GetObject() runtime.Object }).GetObject().(*appsv1.Deployment); ok {
					*sizes = append(*sizes, *d.Spec.Replicas)
				}
				return false, nil, nil
			}
		}
		b.server.PrependReactor("create", "deployments", note(&created))
		b.server.PrependReactor("update", "deployments", note(&scaled))
		b.canaryBySelector(3, v2, 2)
		b.canaryBySelector(4, v2, 3)
		require.Equal(t, []int32{0}, created)
		require.Equal(t, []int32{2, 3}, slices.Compact(scaled), "a try may meet the controller's status")
		require.Equal(t, 3, b.tags()["version:v2"])
	})
}

// published counts the ready endpoints of the user's Service.
func (b *bench) published() int {
	n := 0
	for _, e := range b.Cluster.Endpoints(kubetest.Namespace, "demo") {
		if e.Ready {
			n++
		}
	}
	return n
}

func TestNarrowedServiceLeavesTheCanaryOut(t *testing.T) {
	onBench(t, 3, func(b *bench) {
		before := b.service()
		v2 := b.holdBySelector(1, "v2")
		b.server.ClearActions()
		got, err := b.narrowStable(2)
		require.NoError(t, err)
		require.Equal(t, []string{"patch services demo"}, b.server.Writes())
		require.Equal(t, map[string]string{"app": "demo", "pod-template-hash": got.Hash}, b.service().Spec.Selector)
		require.Equal(t, 1, b.gateway.asked)

		b.server.ClearActions()
		_, err = b.narrowStable(2)
		require.NoError(t, err)
		require.Empty(t, b.server.Writes(), "the same operation again")

		b.canaryBySelector(3, v2, 2)
		labels := b.canaryDeployment().Spec.Template.Labels
		require.Equal(t, "demo", labels["app"], "canary pods keep the labels of the workload")
		require.Equal(t, "canary", labels[release.LabelTrack])
		require.Equal(t, 3, b.published())

		_, err = b.RemoveCanary(b.t.Context(), workload.RemoveRequest{Ref: bySelector(4)})
		require.NoError(t, err)
		b.widen(5)
		require.Equal(t, 3, b.published())
		_, err = b.RestoreTemplate(b.t.Context(), workload.RestoreRequest{Ref: bySelector(6), Stable: b.stable})
		require.NoError(t, err)
		_, err = b.ReleaseWorkload(b.t.Context(), workload.ReleaseRequest{Ref: bySelector(7)})
		require.NoError(t, err)
		b.requireGone()
		b.requireServiceAs(before)
	})
}

// requireServiceAs makes sure that the user's Service has nothing of ours left.
func (b *bench) requireServiceAs(before *corev1.Service) {
	b.t.Helper()
	after := b.service()
	require.Equal(b.t, before.Spec, after.Spec)
	require.Equal(b.t, before.Annotations, after.Annotations)
	require.Empty(b.t, after.Labels)
	for _, m := range after.ManagedFields {
		require.NotEqual(b.t, release.FieldManager, m.Manager)
	}
}

// TestNarrowConfirmsTheWidening narrows after a widening of which nobody knows
// whether the gateway has taken it.
func TestNarrowConfirmsTheWidening(t *testing.T) {
	onBench(t, 3, func(b *bench) {
		v2 := b.holdBySelector(1, "v2")
		_, err := b.narrowStable(2)
		require.NoError(t, err)
		b.canaryBySelector(3, v2, 3)
		b.widen(4)
		b.server.ClearActions()
		refusing, gateway := errors.New("replica 1 has 3 of 6 servers"), b.gateway
		gateway.err = refusing
		narrow := workload.NarrowRequest{Ref: bySelector(5), Side: release.SideStable, Stable: b.stable, Need: 3}
		_, err = b.NarrowService(b.t.Context(), narrow)
		require.ErrorIs(t, err, refusing)
		require.Empty(t, b.server.Writes(), "the gateway does not follow the widening yet")
		gateway.err, gateway.asked = nil, 0
		_, err = b.NarrowService(b.t.Context(), narrow)
		require.NoError(t, err)
		require.Equal(t, []string{"patch services demo"}, b.server.Writes())
		require.Equal(t, 2, gateway.asked, "before and after")
	})
}

func TestServiceDuringAPromotion(t *testing.T) {
	onBench(t, 3, func(b *bench) {
		v2 := b.holdBySelector(1, "v2")
		_, err := b.narrowStable(2)
		require.NoError(t, err)
		b.canaryBySelector(3, v2, 3)
		b.widen(4)
		require.Equal(t, 6, b.published(), "stable and canary")
		_, err = b.PromoteStable(b.t.Context(), workload.PromoteRequest{Ref: bySelector(5), Revision: v2})
		require.NoError(t, err)
		synctest.Wait()
		got, err := b.NarrowService(b.t.Context(), workload.NarrowRequest{Ref: bySelector(6), Side: release.SideNew, Revision: v2, Need: 3})
		require.NoError(t, err)
		synctest.Wait()
		require.Equal(t, 3, b.published())
		for _, e := range b.Cluster.Endpoints(kubetest.Namespace, "demo") {
			p, err := b.Cluster.Pods(kubetest.Namespace).Get(e.Pod)
			require.NoError(t, err)
			require.Equal(t, got.Hash, p.Labels[appsv1.DefaultDeploymentUniqueLabelKey])
			require.NotContains(t, p.Labels, release.LabelRollout)
		}
	})
}

func TestNarrowWaits(t *testing.T) {
	cases := map[string]struct {
		before func(b *bench)
		req    func(b *bench) workload.NarrowRequest
		what   string
	}{
		"for ready pods": {
			func(b *bench) {},
			func(b *bench) workload.NarrowRequest {
				return workload.NarrowRequest{Side: release.SideStable, Stable: b.stable, Need: 4}
			}, "3 of 4 pods",
		},
		"while it would take endpoints away": {
			func(b *bench) {
				d := kubetest.Deployment(1)
				d.Name = "other"
				d.Spec.Template.Labels["team"] = "b"
				b.server.Put(d)
			},
			func(b *bench) workload.NarrowRequest {
				return workload.NarrowRequest{Side: release.SideStable, Stable: b.stable, Keep: true}
			}, "would lose ready endpoints",
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			onBench(t, 3, func(b *bench) {
				b.holdBySelector(1, "v2")
				c.before(b)
				synctest.Wait()
				b.server.ClearActions()
				req := c.req(b)
				req.Ref = bySelector(2)
				ctx, cancel := context.WithTimeout(b.t.Context(), time.Minute)
				defer cancel()
				_, err := b.NarrowService(ctx, req)
				require.ErrorIs(t, err, context.DeadlineExceeded)
				require.Empty(t, b.server.Writes())
			})
		})
	}
}

// TestNarrowWaitsForTheEndpointController: that the ready endpoints stay the same
// does not prove that the controller has seen the selector.
func TestNarrowWaitsForTheEndpointController(t *testing.T) {
	onBench(t, 3, func(b *bench) {
		b.holdBySelector(1, "v2")
		b.server.Freeze()
		done := make(chan error)
		go func() {
			_, err := b.narrowStable(2)
			done <- err
		}()
		synctest.Wait()
		require.Zero(t, b.gateway.asked)
		b.server.Thaw()
		require.NoError(t, <-done)
		require.Equal(t, 1, b.gateway.asked)
	})
}

func TestLateNarrowFails(t *testing.T) {
	cases := map[string]func(b *bench){
		"after the Service was widened": func(b *bench) { b.widen(5) },
		"after the canary was removed": func(b *bench) {
			_, err := b.RemoveCanary(b.t.Context(), workload.RemoveRequest{Ref: bySelector(5)})
			require.NoError(b.t, err)
		},
		"after the end": func(b *bench) {
			b.widen(5)
			_, err := b.RestoreTemplate(b.t.Context(), workload.RestoreRequest{Ref: bySelector(6), Stable: b.stable})
			require.NoError(b.t, err)
			_, err = b.ReleaseWorkload(b.t.Context(), workload.ReleaseRequest{Ref: bySelector(7)})
			require.NoError(b.t, err)
		},
	}
	for name, later := range cases {
		t.Run(name, func(t *testing.T) {
			onBench(t, 2, func(b *bench) {
				b.holdBySelector(1, "v2")
				later(b)
				synctest.Wait()
				_, err := b.narrowStable(2)
				requireType(t, err, kube.ErrSuperseded)
				require.Equal(t, map[string]string{"app": "demo"}, b.service().Spec.Selector)
			})
		})
	}
}

func TestWidenKeepsWhatOthersWrote(t *testing.T) {
	onBench(t, 2, func(b *bench) {
		b.holdBySelector(1, "v2")
		_, err := b.narrowStable(2)
		require.NoError(t, err)
		s := b.service()
		s.Spec.Selector["tier"] = "web"
		b.server.Put(s)
		synctest.Wait()
		require.Empty(t, b.widen(3).Kept)
		require.Equal(t, map[string]string{"app": "demo", "tier": "web"}, b.service().Spec.Selector)

		s = b.service()
		s.Spec.Selector["pod-template-hash"] = "theirs"
		b.server.Put(s)
		synctest.Wait()
		require.Equal(t, []string{"spec.selector: somebody set pod-template-hash: theirs in it"}, b.widen(4).Kept)
		require.Equal(t, "theirs", b.service().Spec.Selector["pod-template-hash"])
		_, err = b.narrowStable(5)
		requireType(t, err, kube.ErrDrift)
	})
}

func TestWidenWithoutItsRecord(t *testing.T) {
	onBench(t, 2, func(b *bench) {
		b.holdBySelector(1, "v2")
		_, err := b.narrowStable(2)
		require.NoError(t, err)
		s := b.service()
		delete(s.Annotations, release.AnnotationRelease)
		b.server.Put(s)
		synctest.Wait()
		b.widen(3)
		require.Equal(t, map[string]string{"app": "demo"}, b.service().Spec.Selector)
	})
}

func TestWidenOfNoService(t *testing.T) {
	onBench(t, 2, func(b *bench) {
		b.holdBySelector(1, "v2")
		b.server.Delete(b.service())
		require.Empty(t, b.widen(2))
	})
}

func TestCanaryIsNotStoppedUnderTheService(t *testing.T) {
	onBench(t, 2, func(b *bench) {
		v2 := b.holdBySelector(1, "v2")
		_, err := b.narrowStable(2)
		require.NoError(t, err)
		b.canaryBySelector(3, v2, 1)
		s := b.service()
		delete(s.Spec.Selector, "pod-template-hash")
		b.server.Put(s)
		synctest.Wait()
		_, err = b.RemoveCanary(b.t.Context(), workload.RemoveRequest{Ref: bySelector(4)})
		requireType(t, err, kube.ErrDrift)
		require.ErrorContains(t, err, "add pod-template-hash: ")
		require.Equal(t, 1, b.tags()["version:v2"])
	})
}

func TestReleaseRefusesANarrowService(t *testing.T) {
	onBench(t, 2, func(b *bench) {
		b.holdBySelector(1, "v2")
		_, err := b.narrowStable(2)
		require.NoError(t, err)
		_, err = b.RestoreTemplate(b.t.Context(), workload.RestoreRequest{Ref: bySelector(3), Stable: b.stable})
		require.NoError(t, err)
		_, err = b.ReleaseWorkload(b.t.Context(), workload.ReleaseRequest{Ref: bySelector(4)})
		requireType(t, err, kube.ErrDrift)
		require.NotNil(t, b.record())
	})
}

// TestNarrowThatMeetsAnotherWrite gives up: whoever wrote may have ended the
// rollout, and then nobody tries again.
func TestNarrowThatMeetsAnotherWrite(t *testing.T) {
	onBench(t, 2, func(b *bench) {
		b.holdBySelector(1, "v2")
		met := false
		b.server.PrependReactor("patch", "services", func(clienttesting.Action) (bool, runtime.Object, error) {
			if !met {
				met = true
				s := b.service()
				s.Annotations["note"] = "x"
				b.server.Put(s)
			}
			return false, nil, nil
		})
		_, err := b.narrowStable(2)
		requireType(t, err, kube.ErrConflict)
		require.Equal(t, map[string]string{"app": "demo"}, b.service().Spec.Selector)
		_, err = b.narrowStable(2)
		require.NoError(t, err)
	})
}

// narrowing is a watch of a Service that is narrowed.
func (b *bench) narrowing(v2 string) chan workload.Changed {
	b.t.Helper()
	b.Routes = traffic.Looker{Cluster: b.Cluster}
	found := b.watches.start(workload.WatchRequest{
		Ref: bySelector(9), Replicas: 3, Revision: v2, StableRevision: b.v1, Paused: true,
		Objects: true, Selector: map[string]string{"app": "demo"},
	})
	synctest.Wait()
	return found
}

// selectBy writes the selector of the user's Service as somebody else.
func (b *bench) selectBy(selector map[string]string, edit func(*corev1.Service)) {
	b.t.Helper()
	s := b.service()
	s.Spec.Selector = selector
	if edit != nil {
		edit(s)
	}
	b.server.Put(s)
	synctest.Wait()
}

// TestWatchSeesWhatNarrowsTheService lets somebody else write the key by which
// the Service is narrowed, and the rollout itself, which is silent.
func TestWatchSeesWhatNarrowsTheService(t *testing.T) {
	cases := map[string]struct {
		selector map[string]string
		edit     func(*corev1.Service)
		what     string
	}{
		"reset":                    {map[string]string{"app": "demo"}, nil, "was removed from its selector"},
		"replaced with its record": {map[string]string{"app": "demo"}, func(s *corev1.Service) { s.Annotations = nil }, "was removed from its selector"},
		"changed":                  {map[string]string{"app": "demo", "pod-template-hash": "abc"}, nil, "became abc instead of"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			onBench(t, 3, func(b *bench) {
				v2 := b.holdBySelector(1, "v2")
				_, err := b.narrowStable(2)
				require.NoError(t, err)
				b.canaryBySelector(3, v2, 2)
				found := b.narrowing(v2)
				require.Empty(t, found, "nobody else has written")
				b.selectBy(c.selector, c.edit)
				require.Len(t, found, 1, "it is seen at once")
				drifts := (<-found).Drifts
				require.Len(t, drifts, 1)
				require.Equal(t, workload.DriftNarrowed, drifts[0].Kind)
				require.Contains(t, drifts[0].What, c.what)

				_, err = b.NarrowService(b.t.Context(), workload.NarrowRequest{
					Ref: bySelector(10), Side: release.SideStable, Stable: b.stable, Need: 1, Again: true,
				})
				require.NoError(t, err)
				synctest.Wait()
				require.Equal(t, 3, b.published(), "canary pods are out of it again")
				require.Empty(t, b.narrowing(v2), "it is as it should be")
			})
		})
	}
	t.Run("by the rollout", func(t *testing.T) {
		onBench(t, 3, func(b *bench) {
			v2 := b.holdBySelector(1, "v2")
			found := b.narrowing(v2)
			_, err := b.narrowStable(2)
			require.NoError(t, err)
			b.canaryBySelector(3, v2, 2)
			b.widen(4)
			require.Empty(t, found)
			b.selectBy(map[string]string{"app": "demo", "pod-template-hash": "abc"}, nil)
			require.Contains(t, (<-found).Drifts[0].What, "abc was added to its selector")
		})
	})
}

// TestReleaseKeepsCanaryPodsThatTheServiceSelects is about a selector that was
// edited so that it finds the pods which a label keeps apart.
func TestReleaseKeepsCanaryPodsThatTheServiceSelects(t *testing.T) {
	onBench(t, 3, func(b *bench) {
		b.change(func(d *appsv1.Deployment) { d.Spec.Template.Labels["tier"] = "web" })
		for _, rs := range b.Cluster.ReplicaSetsOf(b.live()) {
			if rs.Spec.Template.Labels["tier"] == "web" {
				b.stable = rs.Name
			}
		}
		b.canary(2, b.hold(1, "v2"), 2)
		b.selectBy(map[string]string{"tier": "web"}, nil)
		_, err := b.release(3)
		require.True(t, kube.IsType(err, kube.ErrDrift), "%v", err)
		require.ErrorContains(t, err, "let it select by the app of the workload again")
		require.Len(t, b.Cluster.PodsOfRollout(kubetest.Namespace, "r1"), 2)

		b.selectBy(map[string]string{"app": "demo"}, nil)
		_, err = b.RestoreTemplate(b.t.Context(), workload.RestoreRequest{Ref: kubetest.Ref(4), Stable: b.stable})
		require.NoError(t, err)
		_, err = b.release(5)
		require.NoError(t, err)
		b.requireGone()
	})
}
