package workload_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/testsuite"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sluice.dev/sluice/activities/kube"
	"sluice.dev/sluice/activities/kube/kubetest"
	"sluice.dev/sluice/activities/release"
	"sluice.dev/sluice/activities/workload"
	"sluice.dev/sluice/config"
)

func TestCanaryStandsApart(t *testing.T) {
	onBench(t, 3, func(b *bench) {
		v2 := b.hold(1, "v2")
		b.server.ClearActions()
		pods, err := b.EnsureCanary(b.t.Context(), workload.CanaryRequest{
			Ref: kubetest.Ref(2), Revision: v2, Replicas: 2,
			Metadata: config.Metadata{Labels: map[string]string{"tier": "beta"}, Annotations: map[string]string{"note": "x"}},
		})
		require.NoError(t, err)
		require.Equal(t, readyPods(2), pods)
		require.Equal(t, []string{"create services demo-canary", "create poddisruptionbudgets demo-canary", "create deployments demo-canary"}, b.server.Writes())
		require.Empty(t, b.server.Reads())
		require.Equal(t, map[string]int{"version:v1": 3, "version:v2": 2}, b.tags())

		d := b.canaryDeployment()
		want := map[string]string{release.LabelRollout: "r1", release.LabelTrack: "canary"}
		require.Equal(t, want, d.Spec.Selector.MatchLabels)
		require.Equal(t, map[string]string{
			"app": "demo-canary", "tier": "beta", release.LabelRollout: "r1", release.LabelTrack: "canary",
			release.LabelRevision: v2, release.LabelWorkload: "demo",
		}, d.Spec.Template.Labels)
		require.Equal(t, map[string]string{"note": "x"}, d.Spec.Template.Annotations)
		require.Equal(t, "0", d.Spec.Strategy.RollingUpdate.MaxUnavailable.String())
		require.Empty(t, d.OwnerReferences)
		require.NotContains(t, d.Annotations, "deployment.kubernetes.io/revision")

		s, err := b.server.CoreV1().Services(kubetest.Namespace).Get(b.t.Context(), "demo-canary", metav1.GetOptions{})
		require.NoError(t, err)
		require.Equal(t, want, s.Spec.Selector)
		require.Equal(t, corev1.ServiceTypeClusterIP, s.Spec.Type)
		require.Zero(t, s.Spec.Ports[0].NodePort)
		require.Equal(t, "http", s.Spec.Ports[0].Name)
		require.Empty(t, s.Spec.ClusterIP)
		require.Equal(t, map[string]string{release.AnnotationSeq: "2", release.AnnotationMark: kube.Mark(s)}, s.Annotations, "no mark of other tools is copied")

		budget, err := b.server.PolicyV1().PodDisruptionBudgets(kubetest.Namespace).Get(b.t.Context(), "demo-canary", metav1.GetOptions{})
		require.NoError(t, err)
		require.Equal(t, want, budget.Spec.Selector.MatchLabels)
		require.Equal(t, "1", budget.Spec.MaxUnavailable.String())

		require.Len(t, b.Cluster.Endpoints(kubetest.Namespace, "demo"), 3, "the user's Service has stable pods only")
		require.Len(t, b.Cluster.Endpoints(kubetest.Namespace, "demo-canary"), 2)
	})
}

func TestCanaryTwiceAndScaled(t *testing.T) {
	onBench(t, 3, func(b *bench) {
		v2 := b.hold(1, "v2")
		b.canary(2, v2, 1)
		b.server.ClearActions()
		require.Equal(t, readyPods(1), b.canary(2, v2, 1))
		require.Empty(t, b.server.Writes())

		require.Equal(t, readyPods(3), b.canary(3, v2, 3))
		require.Equal(t, []string{"update deployments demo-canary"}, b.server.Writes())
		require.Equal(t, readyPods(1), b.canary(4, v2, 1))
		require.Equal(t, readyPods(0), b.canary(5, v2, 0))
	})
}

func TestCanaryIsReplacedInPlace(t *testing.T) {
	onBench(t, 3, func(b *bench) {
		b.canary(2, b.hold(1, "v2"), 2)
		v3 := b.hold(3, "v3")
		require.Equal(t, readyPods(2), b.canary(4, v3, 2))
		require.Equal(t, map[string]int{"version:v1": 3, "version:v3": 2}, b.tags())
	})
}

func TestCanaryIsRepairedAfterDrift(t *testing.T) {
	drifts := map[string]func(b *bench){
		"scaled by hand": func(b *bench) {
			d := b.canaryDeployment()
			d.Spec.Replicas = new(int32(7))
			b.server.Put(d)
		},
		"deleted by hand": func(b *bench) { b.server.Delete(b.canaryDeployment()) },
		"Service deleted by hand": func(b *bench) {
			s, err := b.server.CoreV1().Services(kubetest.Namespace).Get(b.t.Context(), "demo-canary", metav1.GetOptions{})
			require.NoError(b.t, err)
			b.server.Delete(s)
		},
	}
	for name, drift := range drifts {
		t.Run(name, func(t *testing.T) {
			onBench(t, 3, func(b *bench) {
				v2 := b.hold(1, "v2")
				b.canary(2, v2, 2)
				drift(b)
				synctest.Wait()
				require.Equal(t, readyPods(2), b.canary(2, v2, 2))
			})
		})
	}
}

// TestCanaryThatServesIsNotReplaced: what somebody has changed on its template, or the
// document says otherwise now, waits until its pods have no requests.
func TestCanaryThatServesIsNotReplaced(t *testing.T) {
	restarted := func(d *appsv1.Deployment) {
		d.Spec.Template.Annotations = map[string]string{"kubectl.kubernetes.io/restartedAt": "now"}
	}
	cases := map[string]struct {
		serving bool
		edit    func(d *appsv1.Deployment)
		kept    bool
	}{
		"restarted":                   {true, restarted, true},
		"restarted, without requests": {false, restarted, false},
		"a variable": {true, func(d *appsv1.Deployment) {
			d.Spec.Template.Spec.Containers[0].Env = []corev1.EnvVar{{Name: "A", Value: "b"}}
		}, true},
		"another image": {true, func(d *appsv1.Deployment) { d.Spec.Template.Spec.Containers[0].Image = "version:v3" }, false},
		"labels by which the Service would find its pods": {true, func(d *appsv1.Deployment) { d.Spec.Template.Labels["app"] = "demo" }, false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			onBench(t, 3, func(b *bench) {
				v2 := b.hold(1, "v2")
				b.canary(2, v2, 1)
				d := b.canaryDeployment().DeepCopy()
				c.edit(d)
				edited := d.Spec.Template
				b.server.Put(d)
				synctest.Wait()
				_, err := b.EnsureCanary(b.t.Context(), workload.CanaryRequest{
					Ref: kubetest.Ref(3), Revision: v2, Replicas: 2, Serving: c.serving, Metadata: config.Metadata{Labels: map[string]string{"tier": "beta"}},
				})
				require.NoError(t, err)
				after := b.canaryDeployment()
				require.EqualValues(t, 2, *after.Spec.Replicas)
				if c.kept {
					require.Equal(t, edited, after.Spec.Template)
					return
				}
				require.NotEqual(t, edited, after.Spec.Template)
				require.Equal(t, "beta", after.Spec.Template.Labels["tier"])
				require.Equal(t, "version:v2", after.Spec.Template.Spec.Containers[0].Image)
			})
		})
	}
}

func TestCanaryRefuses(t *testing.T) {
	cases := []struct {
		name   string
		before func(b *bench) (revision string)
		want   string
	}{
		{"no rollout open", func(b *bench) string { return b.v1 }, kube.ErrSuperseded},
		{"another revision held", func(b *bench) string {
			v2 := b.hold(1, "v2")
			b.hold(2, "v3")
			return v2
		}, kube.ErrSuperseded},
		{"a later operation", func(b *bench) string { return b.hold(9, "v2") }, kube.ErrSuperseded},
		{"a canary that a later operation wrote", func(b *bench) string {
			v2 := b.hold(1, "v2")
			b.canary(9, v2, 1)
			return v2
		}, kube.ErrSuperseded},
		{"somebody's Deployment of that name", func(b *bench) string {
			d := kubetest.Deployment(1)
			d.Name = "demo-canary"
			b.server.Put(d)
			return b.hold(1, "v2")
		}, kube.ErrRefused},
		{"a missing Service", func(b *bench) string {
			b.server.Delete(kubetest.Service())
			return b.hold(1, "v2")
		}, kube.ErrNotFound},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			onBench(t, 2, func(b *bench) {
				_, err := b.EnsureCanary(b.t.Context(), workload.CanaryRequest{Ref: kubetest.Ref(4), Revision: c.before(b), Replicas: 1})
				requireType(t, err, c.want)
			})
		})
	}
}

// TestCanaryThatNeverBecomesReady runs as an activity and looks at what a person
// sees of it.
func TestCanaryThatNeverBecomesReady(t *testing.T) {
	onBench(t, 3, func(b *bench) {
		v2 := b.hold(1, "v2")
		b.server.PodsReady(func(images map[string]string) bool { return images["main"] != "version:v2" }, "CrashLoopBackOff")
		env := (&testsuite.WorkflowTestSuite{}).NewTestActivityEnvironment()
		var told []string
		env.SetOnActivityHeartbeatListener(func(_ *activity.Info, details converter.EncodedValues) {
			var text string
			require.NoError(t, details.Get(&text))
			told = append(told, text)
			if strings.Contains(text, "CrashLoopBackOff") {
				b.server.PodsReady(nil, "")
			}
		})
		env.RegisterActivity(b.EnsureCanary)
		_, err := env.ExecuteActivity(b.EnsureCanary, workload.CanaryRequest{Ref: kubetest.Ref(2), Revision: v2, Replicas: 2})
		require.NoError(t, err)
		require.NotEmpty(t, told)
		require.Regexp(t, `^0 of 2 canary pods ready: CrashLoopBackOff \(demo-canary-[0-9a-f]+-0\)$`, told[len(told)-1])
	})
}

func TestCanaryWaitsForOldPodsAndEndpoints(t *testing.T) {
	onBench(t, 3, func(b *bench) {
		v2 := b.hold(1, "v2")
		b.canary(2, v2, 1)
		v3 := b.hold(3, "v3")
		b.server.Freeze()
		ctx, cancel := context.WithTimeout(b.t.Context(), time.Minute)
		defer cancel()
		_, err := b.EnsureCanary(ctx, workload.CanaryRequest{Ref: kubetest.Ref(4), Revision: v3, Replicas: 1})
		require.ErrorIs(t, err, context.DeadlineExceeded, "the controllers do nothing")
		b.server.Thaw()
		require.Equal(t, readyPods(1), b.canary(4, v3, 1))
	})
}

func TestCanaryNoticesDisturbance(t *testing.T) {
	onBench(t, 3, func(b *bench) {
		v2 := b.hold(1, "v2")
		b.server.Freeze()
		done := make(chan error)
		go func() {
			_, err := b.EnsureCanary(b.t.Context(), workload.CanaryRequest{Ref: kubetest.Ref(2), Revision: v2, Replicas: 2})
			done <- err
		}()
		synctest.Wait()
		d := b.canaryDeployment()
		d.Spec.Replicas = new(int32(9))
		b.server.Put(d)
		requireType(t, <-done, kube.ErrConflict)
	})
}

func TestCanaryTemplateKeepsTheHeldOne(t *testing.T) {
	held := kubetest.Deployment(1).Spec.Template
	held.Labels[appsv1.DefaultDeploymentUniqueLabelKey] = "abc"
	before := held.DeepCopy()
	made := workload.CanaryTemplate(held, workload.CanaryRequest{Ref: kubetest.Ref(1), Revision: "x"})
	require.Equal(t, *before, held)
	require.NotContains(t, made.Labels, appsv1.DefaultDeploymentUniqueLabelKey)
	require.Equal(t, held.Spec, made.Spec)
}

func TestCanaryRightAfterAHold(t *testing.T) {
	onBench(t, 3, func(b *bench) {
		b.hold(1, "v2")
		// Both requests are over before the cache has seen the first.
		held, err := b.HoldRevision(b.t.Context(), b.holdRequest(2, image("v3")))
		require.NoError(t, err)
		pods, err := b.EnsureCanary(b.t.Context(), workload.CanaryRequest{Ref: kubetest.Ref(3), Revision: held.Revision, Replicas: 1})
		require.NoError(t, err)
		require.Equal(t, readyPods(1), pods)
	})
}

// TestCanaryOfOneBudget gives canary pods a budget only where the user's does not
// cover them.
func TestCanaryOfOneBudget(t *testing.T) {
	for label, writes := range map[string]int{"demo": 1, "demo-canary": 0} {
		t.Run(label, func(t *testing.T) {
			onBench(t, 3, func(b *bench) {
				b.server.Put(&policyv1.PodDisruptionBudget{
					ObjectMeta: metav1.ObjectMeta{Namespace: kubetest.Namespace, Name: "users"},
					Spec:       policyv1.PodDisruptionBudgetSpec{Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": label}}},
				})
				v2 := b.hold(1, "v2")
				b.server.ClearActions()
				_, err := b.EnsureCanary(b.t.Context(), workload.CanaryRequest{Ref: kubetest.Ref(2), Revision: v2, Replicas: 1})
				require.NoError(t, err)
				made := 0
				for _, w := range b.server.Writes() {
					if strings.HasPrefix(w, "create poddisruptionbudgets") {
						made++
					}
				}
				require.Equal(t, writes, made)
			})
		})
	}
}
