package workload_test

import (
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clienttesting "k8s.io/client-go/testing"

	"sluice.dev/sluice/activities/kube"
	"sluice.dev/sluice/activities/kube/kubetest"
	"sluice.dev/sluice/activities/workload"
)

func (b *bench) restore(seq int64, settle bool) (workload.Pods, error) {
	pods, err := b.RestoreTemplate(b.t.Context(), workload.RestoreRequest{
		Ref: kubetest.Ref(seq), Stable: b.stable, Settle: settle, Baseline: workload.BaselineOf(kubetest.Deployment(1), false),
	})
	synctest.Wait()
	return pods, err
}

func TestRestoreOfAHeldRevisionTouchesNoPod(t *testing.T) {
	onBench(t, 3, func(b *bench) {
		before := b.live()
		b.hold(1, "v2")
		b.server.ClearActions()
		pods, err := b.restore(2, false)
		require.NoError(t, err)
		require.Equal(t, readyPods(3), pods)
		require.Equal(t, []string{"patch deployments demo"}, b.server.Writes())
		require.Zero(t, b.gateway.asked)

		d := b.live()
		require.Equal(t, before.Spec, d.Spec)
		require.Equal(t, int64(2), b.record().Seq, "earlier operations are fenced")
		require.Len(t, b.Cluster.ReplicaSetsOf(d), 1)

		b.server.ClearActions()
		_, err = b.restore(2, false)
		require.NoError(t, err)
		require.Empty(t, b.server.Writes(), "twice is once")
	})
}

func TestRestoreBeforeAnyHoldOnlyFences(t *testing.T) {
	onBench(t, 3, func(b *bench) {
		before := b.live()
		for range 2 {
			pods, err := b.restore(2, false)
			require.NoError(t, err)
			require.Empty(t, pods.Kept)
		}
		require.Equal(t, []string{"patch deployments demo"}, b.server.Writes())
		require.Equal(t, before.Spec, b.live().Spec)
		require.Equal(t, int64(2), b.record().Seq)
		_, err := b.HoldRevision(b.t.Context(), b.holdRequest(1, image("v2")))
		requireType(t, err, kube.ErrSuperseded)
		_, err = b.ReleaseWorkload(b.t.Context(), workload.ReleaseRequest{Ref: kubetest.Ref(3)})
		require.NoError(t, err)
		b.requireGone()
	})
}

func TestRestoreAfterPromotionSettles(t *testing.T) {
	for name, settle := range map[string]bool{"as asked": true, "although not asked, the record says so": false} {
		t.Run(name, func(t *testing.T) {
			onBench(t, 3, func(b *bench) {
				v2 := b.hold(1, "v2")
				_, err := b.PromoteStable(b.t.Context(), promote(2, v2))
				require.NoError(t, err)
				synctest.Wait()
				require.Equal(t, 1, b.gateway.asked)

				pods, err := b.restore(3, settle)
				require.NoError(t, err)
				require.Equal(t, readyPods(3), pods)
				require.Equal(t, map[string]int{"version:v1": 3}, b.tags())
				require.Equal(t, 2, b.gateway.asked)
				require.Equal(t, "0", b.live().Spec.Strategy.RollingUpdate.MaxUnavailable.String(), "until the end")
			})
		})
	}
}

func TestRestoreOfAPromotionThatIsStuck(t *testing.T) {
	onBench(t, 3, func(b *bench) {
		v2 := b.hold(1, "v2")
		b.server.PodsReady(func(images map[string]string) bool { return images["main"] != "version:v2" }, "CrashLoopBackOff")
		go func() { _, _ = b.PromoteStable(b.t.Context(), promote(2, v2)) }()
		synctest.Wait()
		require.Equal(t, 3, b.tags()["version:v2"])
		pods, err := b.restore(3, true)
		require.NoError(t, err)
		require.Equal(t, readyPods(3), pods)
		require.Equal(t, map[string]int{"version:v1": 3}, b.tags())
	})
}

func TestRestoreKeepsWhatSomebodyWrote(t *testing.T) {
	onBench(t, 3, func(b *bench) {
		b.hold(1, "v2")
		b.change(func(d *appsv1.Deployment) { d.Spec.Template.Spec.Containers[0].Image = "version:v9" })
		for range 2 {
			pods, err := b.restore(2, false)
			require.NoError(t, err)
			require.Len(t, pods.Kept, 2)
			require.Contains(t, pods.Kept[0], "spec.template: ")
			require.Contains(t, pods.Kept[1], "spec.paused: ")
		}
		d := b.live()
		require.Equal(t, "version:v9", d.Spec.Template.Spec.Containers[0].Image)
		require.True(t, d.Spec.Paused, "a template that nobody watches does not begin to run")
		require.Equal(t, map[string]int{"version:v1": 3}, b.tags())

		_, err := b.ReleaseWorkload(b.t.Context(), workload.ReleaseRequest{Ref: kubetest.Ref(3)})
		require.NoError(t, err)
		b.requireGone()
		require.True(t, b.live().Spec.Paused)
	})
}

func TestRestoreOfATemplateThatSomebodyRestored(t *testing.T) {
	onBench(t, 3, func(b *bench) {
		b.hold(1, "v2")
		b.change(func(d *appsv1.Deployment) { d.Spec.Template.Spec.Containers[0].Image = "version:v1" })
		pods, err := b.restore(2, false)
		require.NoError(t, err)
		require.Empty(t, pods.Kept)
		require.False(t, b.live().Spec.Paused)
	})
}

func TestRestoreRefuses(t *testing.T) {
	cases := []struct {
		name   string
		before func(b *bench)
		settle bool
		want   string
	}{
		{"another template during promotion", func(b *bench) {
			v2 := b.hold(1, "v2")
			_, err := b.PromoteStable(b.t.Context(), promote(2, v2))
			require.NoError(b.t, err)
			b.change(func(d *appsv1.Deployment) { d.Spec.Template.Spec.Containers[0].Image = "version:v9" })
		}, true, kube.ErrDrift},
		{"a lost stable template", func(b *bench) {
			b.hold(1, "v2")
			b.stable = "demo-none"
		}, false, kube.ErrDrift},
		{"a later operation", func(b *bench) { b.hold(9, "v2") }, false, kube.ErrSuperseded},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			onBench(t, 2, func(b *bench) {
				c.before(b)
				b.server.ClearActions()
				_, err := b.restore(3, c.settle)
				requireType(t, err, c.want)
				require.Empty(t, b.server.Writes())
			})
		})
	}
}

func TestRestoreOfAWorkloadThatIsGone(t *testing.T) {
	onBench(t, 2, func(b *bench) {
		v2 := b.hold(1, "v2")
		b.canary(2, v2, 1)
		b.server.Delete(b.live())
		synctest.Wait()
		_, err := b.restore(3, false)
		require.NoError(t, err)
		_, err = b.ReleaseWorkload(b.t.Context(), workload.ReleaseRequest{Ref: kubetest.Ref(4)})
		require.NoError(t, err)
		require.Empty(t, b.tags())
	})
}

func TestLateRestoreLeavesNothing(t *testing.T) {
	for name, held := range map[string]bool{"after a hold": true, "before any": false} {
		t.Run(name, func(t *testing.T) {
			onBench(t, 2, func(b *bench) {
				before := b.live()
				want := kube.ErrConflict
				if held {
					b.hold(1, "v2")
					want = kube.ErrSuperseded
				}
				// While it is under way, its successor restores and the rollout ends.
				ended := false
				b.server.PrependReactor("patch", "deployments", func(clienttesting.Action) (bool, runtime.Object, error) {
					if !ended {
						ended = true
						b.server.Put(before)
					}
					return false, nil, nil
				})
				_, err := b.restore(2, false)
				requireType(t, err, want)
				b.requireGone()
			})
		})
	}
}
