package workload_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clienttesting "k8s.io/client-go/testing"

	"sluice.dev/sluice/activities/kube"
	"sluice.dev/sluice/activities/kube/kubetest"
	"sluice.dev/sluice/activities/release"
	"sluice.dev/sluice/activities/workload"
	"sluice.dev/sluice/config"
)

func TestHoldIsOneWrite(t *testing.T) {
	onBench(t, 3, func(b *bench) {
		held, err := b.HoldRevision(b.t.Context(), b.holdRequest(1, image("v2")))
		require.NoError(t, err)
		require.Equal(t, []string{"patch deployments demo"}, b.server.Writes())
		require.Empty(t, b.server.Reads())

		d := b.live()
		require.True(t, d.Spec.Paused)
		require.Equal(t, "version:v2", d.Spec.Template.Spec.Containers[0].Image)
		require.Equal(t, map[string]int{"version:v1": 3}, b.tags(), "no pod has changed")
		require.Equal(t, workload.Held{Revision: workload.Revision(d.Spec.Template), Images: map[string]string{"main": "version:v2"}, Version: d.ResourceVersion}, held)

		r := b.record()
		require.Equal(t, "r1", r.ID)
		require.Equal(t, int64(1), r.Seq)
		require.Equal(t, b.stable, r.Stable)
		require.Equal(t, held.Revision, r.Revision)
		require.Equal(t, "25%", *r.Baseline.MaxSurge)
		require.Nil(t, r.Baseline.Paused)
		require.False(t, r.Promoting)
		require.Equal(t, "demo-canary", r.Isolation.Value)
	})
}

// TestRecordKeepsTheGrace for a repair that knows no document. A later operation brings
// what the document has become.
func TestRecordKeepsTheGrace(t *testing.T) {
	onBench(t, 3, func(b *bench) {
		req := b.holdRequest(1, image("v2"))
		req.Ref.Grace = new(config.Duration(time.Minute))
		held, err := b.HoldRevision(b.t.Context(), req)
		require.NoError(t, err)
		require.Equal(t, time.Minute, b.record().Grace.Std())
		edited := promote(2, held.Revision)
		edited.Ref.Grace = new(config.Duration(2 * time.Minute))
		_, err = b.PromoteStable(b.t.Context(), edited)
		require.NoError(t, err)
		require.Equal(t, 2*time.Minute, b.record().Grace.Std())
	})
}

func TestHoldTwice(t *testing.T) {
	for name, change := range map[string]workload.Change{"the same change": image("v2"), "what is held": {Current: true}} {
		t.Run(name, func(t *testing.T) {
			onBench(t, 3, func(b *bench) {
				first := b.hold(1, "v2")
				b.server.ClearActions()
				held, err := b.HoldRevision(b.t.Context(), b.holdRequest(1, change))
				require.NoError(t, err)
				require.Equal(t, first, held.Revision)
				require.Empty(t, b.server.Writes())
			})
		})
	}
}

func TestHoldRevises(t *testing.T) {
	onBench(t, 3, func(b *bench) {
		v2 := b.hold(1, "v2")
		v3 := b.hold(2, "v3")
		require.NotEqual(t, v2, v3)
		r := b.record()
		require.Equal(t, v3, r.Revision)
		require.Equal(t, b.stable, r.Stable)
		require.Equal(t, "25%", *r.Baseline.MaxUnavailable, "the baseline stays that of the beginning")
		require.Equal(t, map[string]int{"version:v1": 3}, b.tags())
	})
}

func TestHoldTakesWhatSomebodyChanged(t *testing.T) {
	onBench(t, 3, func(b *bench) {
		b.hold(1, "v2")
		b.change(func(d *appsv1.Deployment) { d.Spec.Template.Spec.Containers[0].Image = "version:v3" })
		held, err := b.HoldRevision(b.t.Context(), b.holdRequest(2, workload.Change{Current: true}))
		require.NoError(t, err)
		require.Equal(t, map[string]string{"main": "version:v3"}, held.Images)
		require.Equal(t, held.Revision, b.record().Revision)
	})
}

func TestHoldOfAWholeTemplate(t *testing.T) {
	onBench(t, 3, func(b *bench) {
		for range 2 {
			held, err := b.HoldRevision(b.t.Context(), b.holdRequest(1, workload.Change{Template: templateJSON(t, "v4")}))
			require.NoError(t, err)
			require.Equal(t, map[string]string{"main": "version:v4"}, held.Images)
		}
		require.Equal(t, []string{"patch deployments demo"}, b.server.Writes())
	})
}

func TestHoldNamesWhatAWebhookMadeOfIt(t *testing.T) {
	onBench(t, 3, func(b *bench) {
		b.server.Admit = func(o runtime.Object) {
			if d, ok := o.(*appsv1.Deployment); ok {
				d.Spec.Template.Annotations = map[string]string{"injected": "true"}
			}
		}
		held, err := b.HoldRevision(b.t.Context(), b.holdRequest(1, image("v2")))
		require.NoError(t, err)
		require.Equal(t, held.Revision, b.record().Revision)
		require.Contains(t, b.live().Spec.Template.Annotations, "injected")
	})
}

func TestHoldRefuses(t *testing.T) {
	cases := []struct {
		name   string
		before func(b *bench)
		change workload.Change
		want   string
	}{
		{"a change since the preflight", func(b *bench) {
			b.change(func(d *appsv1.Deployment) { d.Spec.Template.Spec.Containers[0].Image = "version:v9" })
		}, image("v2"), kube.ErrDrift},
		{"nothing to roll out", func(*bench) {}, image("v1"), kube.ErrDrift},
		{"the stable template as the present one", func(*bench) {}, workload.Change{Current: true}, kube.ErrDrift},
		{"an unknown container", func(*bench) {}, workload.Change{Images: map[string]string{"web": "x"}}, kube.ErrInvalid},
		{"a later operation", func(b *bench) { b.hold(2, "v2") }, image("v3"), kube.ErrSuperseded},
		{"a lost stable revision", func(b *bench) { b.stable = "demo-none" }, image("v2"), kube.ErrDrift},
		{"a promotion under way", func(b *bench) {
			_, err := b.PromoteStable(b.t.Context(), workload.PromoteRequest{Ref: kubetest.Ref(1), Revision: b.hold(1, "v2")})
			require.NoError(b.t, err)
		}, image("v3"), kube.ErrDrift},
		{"a missing workload", func(b *bench) { b.server.Delete(b.live()) }, image("v2"), kube.ErrNotFound},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			onBench(t, 2, func(b *bench) {
				c.before(b)
				synctest.Wait()
				b.server.ClearActions()
				_, err := b.HoldRevision(b.t.Context(), b.holdRequest(1, c.change))
				requireType(t, err, c.want)
				require.Empty(t, b.server.Writes())
			})
		})
	}
}

func TestLateHoldLoses(t *testing.T) {
	onBench(t, 2, func(b *bench) {
		// While the hold is under way, the rollout is aborted and ends: its fence
		// comes and goes.
		before := b.live()
		ended := false
		b.server.PrependReactor("patch", "deployments", func(clienttesting.Action) (bool, runtime.Object, error) {
			if !ended {
				ended = true
				fenced := before.DeepCopy()
				fenced.Annotations[release.AnnotationRelease] = `{"id":"r1","seq":2}`
				b.server.Put(fenced)
				b.server.Put(before)
			}
			return false, nil, nil
		})
		_, err := b.HoldRevision(b.t.Context(), b.holdRequest(1, image("v2")))
		requireType(t, err, kube.ErrConflict)
		require.False(t, b.live().Spec.Paused)
		b.requireGone()
	})
}

func TestHoldOfARevisionMeetsAnotherWrite(t *testing.T) {
	onBench(t, 2, func(b *bench) {
		b.hold(1, "v2")
		held := b.live()
		scaled := false
		b.server.PrependReactor("patch", "deployments", func(clienttesting.Action) (bool, runtime.Object, error) {
			if !scaled {
				scaled = true
				held.Spec.Replicas = new(int32(4))
				b.server.Put(held)
			}
			return false, nil, nil
		})
		b.hold(2, "v3")
		require.Equal(t, "version:v3", b.live().Spec.Template.Spec.Containers[0].Image)
		require.Equal(t, int32(4), *b.live().Spec.Replicas)
	})
}

func TestLateHoldOfARevisionLoses(t *testing.T) {
	onBench(t, 2, func(b *bench) {
		before := b.live()
		b.hold(1, "v2")
		ended := false
		b.server.PrependReactor("patch", "deployments", func(clienttesting.Action) (bool, runtime.Object, error) {
			if !ended {
				ended = true
				b.server.Put(before)
			}
			return false, nil, nil
		})
		_, err := b.HoldRevision(b.t.Context(), b.holdRequest(2, image("v3")))
		requireType(t, err, kube.ErrSuperseded)
		require.False(t, b.live().Spec.Paused)
		b.requireGone()
	})
}
