package preflight_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clienttesting "k8s.io/client-go/testing"

	"sluice.dev/sluice/activities/kube"
	"sluice.dev/sluice/activities/kube/kubetest"
	"sluice.dev/sluice/activities/preflight"
	"sluice.dev/sluice/activities/release"
	"sluice.dev/sluice/activities/traffic"
	"sluice.dev/sluice/activities/workload"
	"sluice.dev/sluice/config"
)

// request asks to release v2 of the fixtures.
func request() preflight.InspectRequest {
	return preflight.InspectRequest{
		ID: "r1", WorkflowID: "rollout:default:shop:Deployment:demo",
		Change: workload.Change{Images: map[string]string{"main": "version:v2"}},
		Rollout: config.Rollout{
			Namespace: kubetest.Namespace,
			Workload:  config.ObjectRef{APIVersion: "apps/v1", Kind: "Deployment", Name: "demo"},
			Traffic:   config.Traffic{Service: "demo", Ingress: config.IngressRef{Name: "demo", Class: "nginx"}},
		},
	}
}

// inspect runs the preflight on a server, as an activity.
func inspect(t *testing.T, server *kubetest.Server, req preflight.InspectRequest) (preflight.Observed, error) {
	t.Helper()
	a := &preflight.Activities{Cluster: kubetest.Cluster(t, server)}
	env := (&testsuite.WorkflowTestSuite{}).NewTestActivityEnvironment()
	env.RegisterActivity(a.InspectRelease)
	value, err := env.ExecuteActivity(a.InspectRelease, req)
	if err != nil {
		return preflight.Observed{}, err
	}
	var observed preflight.Observed
	require.NoError(t, value.Get(&observed))
	return observed, nil
}

// refused inspects and returns the problems.
func refused(t *testing.T, server *kubetest.Server, req preflight.InspectRequest) []preflight.Problem {
	t.Helper()
	_, err := inspect(t, server, req)
	var app *temporal.ApplicationError
	require.ErrorAs(t, err, &app)
	require.Equal(t, kube.ErrRefused, app.Type())
	require.True(t, app.NonRetryable())
	var problems []preflight.Problem
	require.NoError(t, app.Details(&problems))
	require.Empty(t, server.Writes(), "nothing was touched")
	for _, p := range problems {
		require.Contains(t, app.Message(), p.Object)
		require.Contains(t, app.Message(), p.Remedy)
	}
	return problems
}

// demo returns a server with the fixtures and more, after an edit of the
// workload.
func demo(edit func(d *appsv1.Deployment), more ...runtime.Object) *kubetest.Server {
	d := kubetest.Deployment(5)
	if edit != nil {
		edit(d)
	}
	return kubetest.New(append([]runtime.Object{d, typed(corev1.ServiceTypeClusterIP), kubetest.Ingress()}, more...)...)
}

// typed is the Service of the fixtures with another type.
func typed(t corev1.ServiceType) *corev1.Service {
	s := kubetest.Service()
	s.Spec.Type = t
	return s
}

func TestInspectObserves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := demo(nil)
		observed, err := inspect(t, server, request())
		require.NoError(t, err)
		require.Empty(t, server.Writes())
		require.Empty(t, server.Reads())

		ref := kubetest.Ref(0)
		require.Equal(t, ref, observed.Ref)
		require.Equal(t, 5, observed.Replicas)
		require.Equal(t, 5, observed.Ready)
		require.Equal(t, map[string]string{"main": "version:v1"}, observed.StableImages)
		require.Equal(t, map[string]string{"main": "version:v2"}, observed.CanaryImages)
		require.Equal(t, workload.Revision(kubetest.Deployment(5).Spec.Template), observed.StableRevision)
		require.Regexp(t, "^demo-", observed.StableReplicaSet)
		require.Equal(t, "25%", *observed.Baseline.MaxSurge)
		require.Nil(t, observed.Baseline.Paused)
		require.Empty(t, observed.Warnings)

		a := &workload.Activities{Cluster: kubetest.Cluster(t, server)}
		held, err := a.HoldRevision(t.Context(), workload.HoldRequest{Ref: ref, Change: request().Change, Stable: observed.StableReplicaSet, Baseline: observed.Baseline})
		require.NoError(t, err)
		require.Equal(t, held.Revision, observed.CanaryRevision, "it is what is held later")
	})
}

// routeChecker answers for the gateway.
type routeChecker struct {
	found traffic.Finding
	asked *traffic.Check
}

func (c routeChecker) CheckRoute(_ context.Context, check traffic.Check) traffic.Finding {
	*c.asked = check
	return c.found
}

func TestInspectAsksWhatTheGatewayCan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, asked := demo(nil), traffic.Check{}
		req := request()
		req.Rollout.Traffic.Confirm = config.Confirm{Level: config.ConfirmProbe, Probe: &config.Probe{}}
		a := &preflight.Activities{Cluster: kubetest.Cluster(t, server), Gateway: routeChecker{traffic.Finding{Confirm: "probe", StableAnswer: new("v1")}, &asked}}
		observed, err := a.InspectRelease(t.Context(), req)
		require.NoError(t, err)
		require.Equal(t, "probe", observed.Confirm)
		require.Equal(t, req.Rollout.Traffic.Confirm, observed.Ref.Confirm)
		require.Equal(t, "v1", *observed.Ref.StableAnswer)
		require.Equal(t, "demo", asked.Ingress.Name)
		require.Len(t, asked.All, 1)
		require.Equal(t, "version:v2", asked.Containers[0].Image)
		require.True(t, asked.Quiet)

		a.Gateway = routeChecker{traffic.Finding{Objections: []traffic.Objection{{Object: "step 2", Problem: "cannot be said", Remedy: "say less"}}}, &asked}
		_, err = a.InspectRelease(t.Context(), req)
		require.True(t, kube.IsType(err, kube.ErrRefused))
		require.ErrorContains(t, err, "step 2: cannot be said: say less")
		require.Empty(t, server.Writes())
	})
}

func TestInspectWaitsForWhatWasJustApplied(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := kubetest.New(kubetest.Deployment(5), kubetest.Service())
		a := &preflight.Activities{Cluster: kubetest.Cluster(t, server)}
		done := make(chan error)
		begun := time.Now()
		go func() {
			_, err := a.InspectRelease(t.Context(), request())
			done <- err
		}()
		synctest.Wait()
		server.Put(kubetest.Ingress())
		require.NoError(t, <-done)
		require.Zero(t, time.Since(begun))
	})
}

func TestInspectOfItsOwnRollout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := demo(nil)
		first, err := inspect(t, server, request())
		require.NoError(t, err)
		a := &workload.Activities{Cluster: kubetest.Cluster(t, server)}
		ref := kubetest.Ref(1)
		held, err := a.HoldRevision(t.Context(), workload.HoldRequest{Ref: ref, Change: request().Change, Stable: first.StableReplicaSet, Baseline: first.Baseline})
		require.NoError(t, err)
		_, err = a.EnsureCanary(t.Context(), workload.CanaryRequest{Ref: ref, Revision: held.Revision, Replicas: 1})
		require.NoError(t, err)
		again, err := inspect(t, server, request())
		require.NoError(t, err)
		require.Equal(t, first, again)
	})
}

func TestInspectOfTheCurrentTemplate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := demo(nil)
		d := kubetest.Deployment(5)
		d.Spec.Paused, d.Spec.Template.Spec.Containers[0].Image = true, "version:v2"
		server.Put(d)
		req := request()
		req.Change = workload.Change{Current: true}
		observed, err := inspect(t, server, req)
		require.NoError(t, err)
		require.Equal(t, "version:v1", observed.StableImages["main"])
		require.Equal(t, "version:v2", observed.CanaryImages["main"])
		require.Nil(t, observed.Baseline.Paused, "the pause was made in order to hold")
	})
}

func TestInspectReportsEverythingAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := kubetest.Deployment(5)
		d.Spec.Strategy = appsv1.DeploymentStrategy{Type: appsv1.RecreateDeploymentStrategyType}
		problems := refused(t, kubetest.New(d), request())
		require.Len(t, problems, 3)
		require.Equal(t, "Deployment shop/demo spec.strategy", problems[0].Object)
		require.Equal(t, "Service shop/demo", problems[1].Object)
		require.Equal(t, "Ingress shop/demo", problems[2].Object)
	})
}

func TestInspectOfANamespaceThatIsNotWatched(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := demo(nil)
		c := kube.New(kube.Options{Client: server, Namespaces: []string{"other"}})
		require.NoError(t, c.Start(t.Context()))
		defer c.Stop()
		_, err := (&preflight.Activities{Cluster: c}).InspectRelease(t.Context(), request())
		require.True(t, kube.IsType(err, kube.ErrRefused))
		require.ErrorContains(t, err, "the worker does not watch it")
	})
}

func TestInspectAsksTheAPIServer(t *testing.T) {
	deployments := schema.GroupResource{Group: "apps", Resource: "deployments"}
	cases := []struct {
		name   string
		answer error
		want   string
	}{
		{"invalid", apierrors.NewInvalid(schema.GroupKind{Group: "apps", Kind: "Deployment"}, "demo", nil), kube.ErrRefused},
		{"forbidden", apierrors.NewForbidden(deployments, "demo", errors.New("no right")), kube.ErrRefused},
		{"unreachable", errors.New("connection refused"), kube.ErrUnavailable},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := demo(nil)
				server.PrependReactor("patch", "deployments", func(clienttesting.Action) (bool, runtime.Object, error) { return true, nil, c.answer })
				_, err := inspect(t, server, request())
				require.True(t, kube.IsType(err, c.want), "%v", err)
				require.ErrorContains(t, err, c.answer.Error())
			})
		})
	}
}

func TestInspectWithAStaleCache(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := demo(nil)
		scaled := false
		server.PrependReactor("patch", "deployments", func(clienttesting.Action) (bool, runtime.Object, error) {
			if !scaled {
				scaled = true
				server.Put(kubetest.Deployment(6))
			}
			return false, nil, nil
		})
		observed, err := inspect(t, server, request())
		require.NoError(t, err)
		require.Equal(t, "version:v2", observed.CanaryImages["main"])
		require.Equal(t, []string{"get deployments demo"}, server.Reads())
	})
}

// record is the mark of a rollout on the workload.
func record(d *appsv1.Deployment, id string) {
	d.Annotations[release.AnnotationRelease] = `{"id":"` + id + `","workflowId":"rollout:other"}`
}

func quota(hard, used corev1.ResourceList) *corev1.ResourceQuota {
	q := &corev1.ResourceQuota{Status: corev1.ResourceQuotaStatus{Hard: hard, Used: used}}
	q.Name, q.Namespace = "team", kubetest.Namespace
	return q
}
