package workload_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"sluice.dev/sluice/activities/kube"
	"sluice.dev/sluice/activities/kube/kubetest"
	"sluice.dev/sluice/activities/workload"
)

func promote(seq int64, revision string) workload.PromoteRequest {
	return workload.PromoteRequest{Ref: kubetest.Ref(seq), Revision: revision}
}

func TestPromoteReplacesUnderCover(t *testing.T) {
	onBench(t, 3, func(b *bench) {
		v2 := b.hold(1, "v2")
		b.server.ClearActions()
		pods, err := b.PromoteStable(b.t.Context(), promote(2, v2))
		require.NoError(t, err)
		require.Equal(t, readyPods(3), pods)
		require.Equal(t, []string{"patch deployments demo"}, b.server.Writes())
		require.Empty(t, b.server.Reads())
		require.Equal(t, map[string]int{"version:v2": 3}, b.tags())
		require.Equal(t, 1, b.gateway.asked)

		d := b.live()
		require.False(t, d.Spec.Paused)
		require.Equal(t, "0", d.Spec.Strategy.RollingUpdate.MaxUnavailable.String())
		require.Equal(t, "25%", d.Spec.Strategy.RollingUpdate.MaxSurge.String())
		require.True(t, b.record().Promoting)
		require.Equal(t, int64(2), b.record().Seq)
	})
}

func TestPromoteTwice(t *testing.T) {
	onBench(t, 3, func(b *bench) {
		v2 := b.hold(1, "v2")
		b.gateway.err = errGateway
		_, err := b.PromoteStable(b.t.Context(), promote(2, v2))
		require.ErrorIs(t, err, errGateway)
		synctest.Wait()
		b.gateway.err = nil
		b.server.ClearActions()
		pods, err := b.PromoteStable(b.t.Context(), promote(2, v2))
		require.NoError(t, err)
		require.Equal(t, readyPods(3), pods)
		require.Empty(t, b.server.Writes())
	})
}

func TestPromoteNeedsASurge(t *testing.T) {
	onBench(t, 3, func(b *bench) {
		b.change(func(d *appsv1.Deployment) { d.Spec.Strategy.RollingUpdate.MaxSurge = new(intstr.FromInt32(0)) })
		req := b.holdRequest(1, image("v2"))
		req.Baseline = workload.BaselineOf(b.live(), false)
		held, err := b.HoldRevision(b.t.Context(), req)
		require.NoError(t, err)
		_, err = b.PromoteStable(b.t.Context(), promote(2, held.Revision))
		require.NoError(t, err)
		require.Equal(t, "1", b.live().Spec.Strategy.RollingUpdate.MaxSurge.String())
		_, err = b.ReleaseWorkload(b.t.Context(), workload.ReleaseRequest{Ref: kubetest.Ref(3)})
		require.NoError(t, err)
		require.Equal(t, "0", b.live().Spec.Strategy.RollingUpdate.MaxSurge.String())
		require.Equal(t, "25%", b.live().Spec.Strategy.RollingUpdate.MaxUnavailable.String())
	})
}

func TestPromoteFollowsReplicas(t *testing.T) {
	onBench(t, 3, func(b *bench) {
		v2 := b.hold(1, "v2")
		b.server.Freeze()
		done := make(chan workload.Pods)
		go func() {
			pods, err := b.PromoteStable(b.t.Context(), promote(2, v2))
			require.NoError(t, err)
			done <- pods
		}()
		synctest.Wait()
		d := b.live()
		d.Spec.Replicas = new(int32(5))
		b.server.Put(d)
		b.server.Thaw()
		require.Equal(t, readyPods(5), <-done)
		require.Equal(t, int32(5), *b.live().Spec.Replicas)
	})
}

func TestPromoteWaits(t *testing.T) {
	onBench(t, 3, func(b *bench) {
		v2 := b.hold(1, "v2")
		b.server.PodsReady(func(images map[string]string) bool { return images["main"] != "version:v2" }, "ImagePullBackOff")
		ctx, cancel := context.WithTimeout(b.t.Context(), time.Minute)
		defer cancel()
		pods, err := b.PromoteStable(ctx, promote(2, v2))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Contains(t, pods.Trouble, "ImagePullBackOff")
		require.Zero(t, b.gateway.asked)
		require.Equal(t, 3, b.tags()["version:v1"], "the old pods stay until the new ones are ready")
	})
}

func TestPromoteRefuses(t *testing.T) {
	cases := []struct {
		name   string
		before func(b *bench) string
		want   string
	}{
		{"no rollout open", func(b *bench) string { return b.v1 }, kube.ErrSuperseded},
		{"another template", func(b *bench) string {
			v2 := b.hold(1, "v2")
			b.change(func(d *appsv1.Deployment) { d.Spec.Template.Spec.Containers[0].Image = "version:v9" })
			return v2
		}, kube.ErrDrift},
		{"a later operation", func(b *bench) string { return b.hold(9, "v2") }, kube.ErrSuperseded},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			onBench(t, 2, func(b *bench) {
				revision := c.before(b)
				b.server.ClearActions()
				_, err := b.PromoteStable(b.t.Context(), promote(2, revision))
				requireType(t, err, c.want)
				require.Empty(t, b.server.Writes())
			})
		})
	}
}

func TestPromoteNoticesAChangeMeanwhile(t *testing.T) {
	onBench(t, 2, func(b *bench) {
		v2 := b.hold(1, "v2")
		b.server.Freeze()
		done := make(chan error)
		go func() {
			_, err := b.PromoteStable(b.t.Context(), promote(2, v2))
			done <- err
		}()
		synctest.Wait()
		d := b.live()
		d.Spec.Template.Spec.Containers[0].Image = "version:v9"
		b.server.Put(d)
		requireType(t, <-done, kube.ErrDrift)
	})
}

// TestHaltPromotion pauses a workload whose pods are being replaced, and lets it
// go on, forward and back.
func TestHaltPromotion(t *testing.T) {
	halt := func(b *bench, seq int64) error {
		defer synctest.Wait()
		return b.HaltPromotion(b.t.Context(), workload.HaltRequest{Ref: kubetest.Ref(seq)})
	}
	for name, on := range map[string]func(b *bench, v2 string) error{
		"forward": func(b *bench, v2 string) error {
			_, err := b.PromoteStable(b.t.Context(), promote(5, v2))
			return err
		},
		"back": func(b *bench, _ string) error {
			_, err := b.RestoreTemplate(b.t.Context(), workload.RestoreRequest{Ref: kubetest.Ref(5), Stable: b.stable, Settle: true})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			onBench(t, 3, func(b *bench) {
				v2 := b.hold(1, "v2")
				_, err := b.PromoteStable(b.t.Context(), promote(3, v2))
				require.NoError(b.t, err)
				require.NoError(b.t, halt(b, 4))
				require.True(b.t, b.live().Spec.Paused)
				require.True(b.t, b.record().Promoting)

				_, err = b.PromoteStable(b.t.Context(), promote(3, v2))
				require.True(b.t, kube.IsType(err, kube.ErrSuperseded), "one that comes late: %v", err)
				b.server.ClearActions()
				require.NoError(b.t, halt(b, 4))
				require.Empty(b.t, b.server.Writes(), "again")

				require.NoError(b.t, on(b, v2))
				require.False(b.t, b.live().Spec.Paused)
			})
		})
	}
	t.Run("ended", func(t *testing.T) {
		onBench(t, 1, func(b *bench) {
			require.True(b.t, kube.IsType(halt(b, 1), kube.ErrSuperseded))
		})
	})
}
