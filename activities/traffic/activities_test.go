package traffic

import (
	"context"
	"errors"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clienttesting "k8s.io/client-go/testing"

	"sluice.dev/sluice/activities/kube"
	"sluice.dev/sluice/activities/kube/kubetest"
	"sluice.dev/sluice/activities/release"
	"sluice.dev/sluice/activities/traffic/gateway"
	"sluice.dev/sluice/config"
)

func TestSetRouteCreates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, kubetest.Ingress())
		got, err := f.set(request(3, 0))
		require.NoError(t, err)
		require.Equal(t, Confirmation{Level: LevelState, Gateways: 1, Expected: 1, Millis: 100, Wrote: true}, got)
		require.Equal(t, []string{"create ingresses demo-canary"}, f.server.Writes())
		require.Empty(t, f.server.Reads())

		want, err := nginx{}.Render(kubetest.Ingress(), kubetest.Ref(3), Route{})
		require.NoError(t, err)
		require.Equal(t, want.Spec, f.live().Spec)
		want.Annotations[release.AnnotationMark] = kube.Mark(want)
		require.Equal(t, want.Annotations, f.live().Annotations)
		require.Equal(t, want.Labels, f.live().Labels)
	})
}

func TestSetRouteChangesByOneWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := canary("r1", 3, 10)
		k.Annotations["example.com/note"] = "keep"
		f := newFixture(t, kubetest.Ingress(), k)
		f.gateway.lag = 2 * time.Second
		got, err := f.set(request(4, 30))
		require.NoError(t, err)
		require.True(t, got.Wrote)
		require.GreaterOrEqual(t, got.Millis, int64(2000))
		require.Empty(t, got.Drift)
		require.Equal(t, []string{"update ingresses demo-canary"}, f.server.Writes())
		require.Empty(t, f.server.Reads())
		require.Equal(t, "30", f.live().Annotations[nginxWeight])
		require.Equal(t, "4", f.live().Annotations[release.AnnotationSeq])
		require.Equal(t, "keep", f.live().Annotations["example.com/note"])
	})
}

func TestSetRouteRepeatedOnlyConfirms(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, kubetest.Ingress(), canary("r1", 4, 30))
		req := request(4, 30)
		req.NeedCanary = 99 // The guard was met when the write was made.
		got, err := f.set(req)
		require.NoError(t, err)
		require.Equal(t, Confirmation{Level: LevelState, Gateways: 1, Expected: 1, Millis: 100}, got)
		require.Empty(t, f.server.Writes())
	})
}

func TestSetRouteRenewsTheFence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, kubetest.Ingress(), canary("r1", 3, 30))
		got, err := f.set(request(5, 30))
		require.NoError(t, err)
		require.False(t, got.Wrote)
		require.Equal(t, "5", f.live().Annotations[release.AnnotationSeq])

		_, err = f.set(request(4, 50))
		requireTerminal(t, err, kube.ErrSuperseded)
		require.Equal(t, "30", f.live().Annotations[nginxWeight])
	})
}

func TestSetRouteRefuses(t *testing.T) {
	two := []config.ValueMatch{{Name: "a", Type: config.MatchExact, Value: "x"}, {Name: "b", Type: config.MatchExact, Value: "y"}}
	cases := map[string]struct {
		objects []runtime.Object
		change  func(*RouteRequest)
		errType string
		says    string
	}{
		"a later operation": {[]runtime.Object{kubetest.Ingress(), canary("r1", 9, 30)}, nil, kube.ErrSuperseded, "operation 9"},
		"another rollout's": {[]runtime.Object{kubetest.Ingress(), canary("r0", 1, 30)}, nil, kube.ErrDrift, "does not belong to rollout r1"},
		"unknown class":     {[]runtime.Object{kubetest.Ingress()}, func(r *RouteRequest) { r.Ref.Class = "haproxy" }, ErrUnsupported, "use one of higress, nginx"},
		"two headers": {[]runtime.Object{kubetest.Ingress()}, func(r *RouteRequest) { r.Route.Matches = []config.Match{{Headers: two}} },
			ErrUnsupported, "rendering the route of Ingress shop/demo: class \"nginx\": matches[0] has several conditions"},
		"no Ingress":         {nil, nil, kube.ErrNotFound, "reading Ingress shop/demo: it does not exist: restore it or abort the rollout"},
		"no Ingress, weight": {[]runtime.Object{canary("r1", 1, 10)}, nil, kube.ErrNotFound, "reading Ingress shop/demo"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t, c.objects...)
				req := request(5, 10)
				if c.change != nil {
					c.change(&req)
				}
				_, err := f.set(req)
				requireTerminal(t, err, c.errType)
				require.ErrorContains(t, err, c.says)
				require.Empty(t, f.server.Writes())
			})
		})
	}
}

// TestSetRouteWaitsUntilTheGatewayKnowsNewEndpoints loses the pod of canary after
// it was confirmed behind the route: the gateway has the one that is gone.
func TestSetRouteWaitsUntilTheGatewayKnowsNewEndpoints(t *testing.T) {
	const grace = 10 * time.Second
	for name, c := range map[string]struct {
		config gateway.Config
		// after is when the route is written; zero is never.
		after time.Duration
	}{
		"by grace":              {gateway.Config{Grace: new(grace)}, grace},
		"by state, never known": {gateway.Config{Kind: gateway.KindTraefik, Service: "edge/traefik", APIPort: "http"}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t, kubetest.Ingress(), canary("r1", 3, 0))
				var err error
				f.Gateways, err = gateway.New(map[string]gateway.Config{"nginx": c.config}, f.Cluster, f.gateway)
				require.NoError(t, err)
				f.server.Put(slice(kubetest.Namespace, "demo-canary"))
				synctest.Wait()
				req := request(4, 10)
				req.NeedCanary = 1
				done := make(chan error, 1)
				go func() {
					_, err := f.set(req)
					done <- err
				}()
				synctest.Wait()
				f.server.Put(slice(kubetest.Namespace, "demo-canary", "10.1.0.8"))
				time.Sleep(grace - time.Millisecond)
				require.Empty(t, f.server.Writes(), "the gateway may send requests to the pod that is gone")
				if c.after == 0 {
					require.ErrorContains(t, <-done, "0 of the 1 that are ready")
					require.Empty(t, f.server.Writes())
					return
				}
				require.NoError(t, <-done)
				require.Equal(t, []string{"update ingresses demo-canary"}, f.server.Writes())
			})
		})
	}
}

// TestSetRouteWaitsAgain finds all endpoints ready, but somebody has waited for
// them before: the gateway may not know those that have replaced lost ones.
func TestSetRouteWaitsAgain(t *testing.T) {
	const grace = 10 * time.Second
	for name, c := range map[string]struct {
		live  int
		left  trail
		again bool
		waits bool
	}{
		"a first attempt":                        {0, trail{}, false, false},
		"after a crash":                          {0, trail{Again: true}, false, true},
		"after a route that was never confirmed": {0, trail{}, true, true},
		"again, for fewer requests":              {30, trail{Again: true}, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t, kubetest.Ingress(), canary("r1", 3, c.live))
				var err error
				f.Gateways, err = gateway.New(map[string]gateway.Config{"nginx": {Grace: new(grace)}}, f.Cluster, f.gateway)
				require.NoError(t, err)
				req := request(4, 10)
				req.NeedCanary, req.Again, req.Unsure = 1, c.again, true
				done := make(chan error, 1)
				go func() {
					_, err := f.setRoute(t.Context(), req, c.left)
					done <- err
				}()
				time.Sleep(grace - time.Millisecond)
				require.Equal(t, c.waits, len(f.server.Writes()) == 0)
				require.NoError(t, <-done)
				require.Equal(t, []string{"update ingresses demo-canary"}, f.server.Writes())
			})
		})
	}
}

// TestSecondAttempt is told by Temporal, whatever the first one has left.
func TestSecondAttempt(t *testing.T) {
	var found []bool
	attempt := func(ctx context.Context) error {
		if found = append(found, lastTrail(ctx).Again); len(found) < 2 {
			return errors.New("the worker is gone")
		}
		return nil
	}
	env := (&testsuite.WorkflowTestSuite{}).NewTestWorkflowEnvironment()
	env.RegisterActivity(attempt)
	env.ExecuteWorkflow(func(ctx workflow.Context) error {
		ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: time.Minute})
		return workflow.ExecuteActivity(ctx, attempt).Get(ctx, nil)
	})
	require.NoError(t, env.GetWorkflowError())
	require.Equal(t, []bool{false, true}, found)
}

func requireTerminal(t *testing.T, err error, errType string) {
	t.Helper()
	var app *temporal.ApplicationError
	require.ErrorAs(t, err, &app)
	require.Equal(t, errType, app.Type(), app.Error())
	require.True(t, app.NonRetryable())
}

func TestSetRouteWaitsForEndpoints(t *testing.T) {
	cases := map[string]func(*RouteRequest){
		"canary": func(r *RouteRequest) { r.NeedCanary = 1 },
		"stable": func(r *RouteRequest) { r.NeedStable = 3 },
	}
	for name, need := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t, kubetest.Ingress(), canary("r1", 3, 0))
				f.server.Put(slice(kubetest.Namespace, "demo-canary"))
				synctest.Wait()
				req := request(4, 0)
				need(&req)
				done := make(chan error)
				go func() {
					_, err := f.set(req)
					done <- err
				}()
				synctest.Wait()
				require.Empty(t, f.server.Writes())
				f.server.Put(slice(kubetest.Namespace, "demo", "10.1.0.1", "10.1.0.2", "10.1.0.3"))
				f.server.Put(slice(kubetest.Namespace, "demo-canary", "10.1.0.9"))
				require.NoError(t, <-done)
				require.Equal(t, []string{"update ingresses demo-canary"}, f.server.Writes())
			})
		})
	}
}

func TestSetRouteSaysWhatWasMissing(t *testing.T) {
	cases := map[string]struct {
		prepare func(f *fixture, req *RouteRequest)
		errType string
		says    string
	}{
		"endpoints": {func(_ *fixture, req *RouteRequest) { req.NeedCanary = 2 }, ErrUnready,
			"setting the route of Ingress shop/demo: 1 of 2 canary endpoints and 2 of 0 stable endpoints are ready"},
		"gateway": {func(f *fixture, _ *RouteRequest) { f.gateway.lag = time.Hour }, ErrUnconfirmed,
			"confirming the route of Ingress shop/demo: confirmed by 0 of 1 gateway replicas; 10.0.0.1:8080 has no canary yet"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t, kubetest.Ingress())
				req := request(4, 10)
				c.prepare(f, &req)
				begun := time.Now()
				_, err := f.set(req)
				var app *temporal.ApplicationError
				require.ErrorAs(t, err, &app)
				require.Equal(t, c.errType, app.Type())
				require.False(t, app.NonRetryable())
				require.ErrorContains(t, err, c.says)
				require.Equal(t, time.Minute-lastWords, time.Since(begun), "before the server gives up on the activity")
				require.Equal(t, lastWords, app.NextRetryDelay(), "no attempt in what is left hides it")
			})
		})
	}
}

func TestSetRouteAbsent(t *testing.T) {
	absent := request(5, 0)
	absent.Absent = true
	t.Run("removes", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := newFixture(t, kubetest.Ingress(), canary("r1", 4, 0))
			f.gateway.lag = time.Second
			got, err := f.set(absent)
			require.NoError(t, err)
			require.True(t, got.Wrote)
			require.Equal(t, []string{"delete ingresses demo-canary"}, f.server.Writes())
			require.GreaterOrEqual(t, got.Millis, int64(1000))
			require.False(t, got.Carried)
		})
	})
	t.Run("removes one that somebody else has edited", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := newFixture(t, kubetest.Ingress(), canary("r1", 4, 20))
			got, err := f.set(absent)
			require.NoError(t, err)
			require.True(t, got.Carried, "requests may be in flight to canary")
		})
	})
	t.Run("nothing there", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := newFixture(t, kubetest.Ingress())
			got, err := f.set(absent)
			require.NoError(t, err)
			require.Equal(t, Confirmation{Level: LevelState, Gateways: 1, Expected: 1, Millis: 100}, got)
			require.Empty(t, f.server.Writes())
		})
	})
	t.Run("another rollout's stays", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			k := canary("r0", 1, 30)
			k.Annotations[nginxWeight] = "" // It is of a Service that is not asked about.
			f := newFixture(t, kubetest.Ingress(), k)
			got, err := f.set(absent)
			require.NoError(t, err)
			require.False(t, got.Wrote)
			require.Empty(t, f.server.Writes())
		})
	})
	t.Run("without the user's Ingress", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := newFixture(t, canary("r1", 4, 30))
			got, err := f.set(absent)
			require.NoError(t, err)
			require.Equal(t, LevelGrace, got.Level)
			require.Equal(t, []string{"delete ingresses demo-canary"}, f.server.Writes())
		})
	})
}

func TestSetRouteWayBackNeedsNoIngress(t *testing.T) {
	other := kubetest.Ingress()
	other.Spec.Rules[0].HTTP.Paths[0].Backend.Service.Name = "other"
	for name, objects := range map[string][]runtime.Object{"gone": nil, "routes elsewhere": {other}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t, append(objects, canary("r1", 4, 30))...)
				got, err := f.set(request(5, 0))
				require.NoError(t, err)
				require.Equal(t, LevelGrace, got.Level)
				require.Equal(t, "0", f.live().Annotations[nginxWeight])
				require.Len(t, f.live().Spec.Rules, 1)
			})
		})
	}
}

func TestSetRouteFollowsThePathsOfTheIngress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		base := kubetest.Ingress()
		paths := &base.Spec.Rules[0].HTTP.Paths
		added := *(*paths)[0].DeepCopy()
		added.Path = "/more"
		*paths = append(*paths, added)
		f := newFixture(t, base, canary("r1", 4, 30))
		got, err := f.set(request(5, 30))
		require.NoError(t, err)
		require.True(t, got.Wrote)
		require.Len(t, f.live().Spec.Rules[0].HTTP.Paths, 2)
		require.Equal(t, "demo-canary", f.live().Spec.Rules[0].HTTP.Paths[1].Backend.Service.Name)
	})
}

func TestSetRouteMeetsAnotherWriter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, kubetest.Ingress(), canary("r1", 4, 30))
		once := true
		f.server.PrependReactor("update", "ingresses", func(clienttesting.Action) (bool, runtime.Object, error) {
			if !once {
				return false, nil, nil
			}
			once = false
			return true, nil, apierrors.NewConflict(networkingv1.Resource("ingresses"), "demo-canary", errors.New("modified"))
		})
		_, err := f.set(request(5, 50))
		require.NoError(t, err)
		require.Equal(t, "50", f.live().Annotations[nginxWeight])
	})
}

func TestSetRouteReportsDrift(t *testing.T) {
	entry := func(manager, fields string) metav1.ManagedFieldsEntry {
		return metav1.ManagedFieldsEntry{Manager: manager, Operation: metav1.ManagedFieldsOperationUpdate,
			FieldsV1: &metav1.FieldsV1{Raw: []byte(fields)}}
	}
	weight := `{"f:metadata":{"f:annotations":{"f:nginx.ingress.kubernetes.io/canary-weight":{}}}}`
	cases := map[string]struct {
		entries []metav1.ManagedFieldsEntry
		want    string
	}{
		"ours":          {[]metav1.ManagedFieldsEntry{entry(release.FieldManager, weight)}, ""},
		"weight edited": {[]metav1.ManagedFieldsEntry{entry("kubectl-edit", weight)}, `canary Ingress shop/demo-canary: kubectl-edit set nginx.ingress.kubernetes.io/canary-weight to "30"`},
		"a label":       {[]metav1.ManagedFieldsEntry{entry("kubectl-label", `{"f:metadata":{"f:labels":{"f:a":{}}}}`)}, ""},
		"rules":         {[]metav1.ManagedFieldsEntry{entry("argocd", `{"f:spec":{"f:rules":{}}}`)}, "canary Ingress shop/demo-canary: argocd set spec"},
		"unreadable":    {[]metav1.ManagedFieldsEntry{entry("odd", `"x"`), {Manager: "none"}}, ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				k := canary("r1", 4, 30)
				k.ManagedFields = c.entries
				f := newFixture(t, kubetest.Ingress(), k)
				got, err := f.set(request(5, 10))
				require.NoError(t, err)
				require.Equal(t, c.want, got.Drift)
				require.Equal(t, "10", f.live().Annotations[nginxWeight])
			})
		})
	}
}

func TestConfirmEndpoints(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, kubetest.Ingress(), canary("r1", 4, 30))
		endpoints := Endpoints{Cluster: f.Cluster, Gateways: f.Gateways}
		got, err := f.ConfirmEndpoints(t.Context(), EndpointsRequest{Ref: kubetest.Ref(5)})
		require.NoError(t, err)
		require.Equal(t, Confirmation{Level: LevelState, Gateways: 1, Expected: 1, Millis: 100}, got)
		require.NoError(t, endpoints.ConfirmServiceEndpoints(t.Context(), kubetest.Ref(5)))

		f.server.Put(slice(kubetest.Namespace, "demo", "10.1.0.1"))
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		err = endpoints.ConfirmServiceEndpoints(ctx, kubetest.Ref(5))
		require.ErrorContains(t, err, "10.0.0.1:8080 has 2 servers of stable, 1 of the 1 that are ready")
	})
}

func TestSetRouteBeatsAndStopsAsAnActivity(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, kubetest.Ingress())
		f.gateway.lag = time.Hour
		env := (&testsuite.WorkflowTestSuite{}).NewTestActivityEnvironment()
		stop := make(chan struct{})
		env.SetWorkerStopChannel(stop)
		var beaten string
		env.SetOnActivityHeartbeatListener(func(_ *activity.Info, details converter.EncodedValues) {
			require.NoError(t, details.Get(&beaten))
		})
		env.RegisterActivity(f.Activities)
		time.AfterFunc(5*time.Second, func() { close(stop) })
		_, err := env.ExecuteActivity(f.SetRoute, request(4, 10))
		var app *temporal.ApplicationError
		require.ErrorAs(t, err, &app)
		require.Equal(t, kube.ErrWorkerStopping, app.Type())
		require.False(t, app.NonRetryable())
		require.Equal(t, "confirmed by 0 of 1 gateway replicas; 10.0.0.1:8080 has no canary yet", beaten)
	})
}

// TestActivityNames pins the names: they are in the histories of rollouts.
func TestActivityNames(t *testing.T) {
	var names []string
	for method := range reflect.TypeFor[*Activities]().Methods() {
		names = append(names, method.Name)
	}
	require.Equal(t, []string{"ConfirmEndpoints", "SetRoute"}, names)
}

// TestSetRouteRefusesAShadow meets a path that was not there when the rollout was
// checked.
func TestSetRouteRefusesAShadow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		base, other := kubetest.Ingress(), kubetest.Ingress()
		for in, path := range map[*networkingv1.Ingress]string{base: "/", other: "/api"} {
			in.Spec.Rules[0].HTTP.Paths[0].Path = path
			in.Spec.Rules[0].HTTP.Paths[0].PathType = new(networkingv1.PathTypePrefix)
		}
		other.Name = "other"
		other.Spec.Rules[0].HTTP.Paths[0].Backend.Service.Name = "other"
		f := newFixture(t, base, canary("r1", 4, 0), other)
		req := request(5, 0)
		req.Route.Matches = []config.Match{{Headers: []config.ValueMatch{{Name: "user-agent", Type: config.MatchExact, Value: "android"}}}}
		_, err := f.set(req)
		require.True(t, kube.IsType(err, ErrUnsupported), "%v", err)
		require.ErrorContains(t, err, "the longest rule wins")
		require.Empty(t, f.server.Writes())

		_, err = f.set(request(6, 0))
		require.NoError(t, err, "the way back is open")
		look := Looker{Cluster: f.Cluster, Gateways: f.Gateways}
		require.Empty(t, look.LookAtRoute(kubetest.Ref(7)).Shadows)
		live := f.live()
		live.Annotations["nginx.ingress.kubernetes.io/canary-by-header"] = "user-agent"
		live.Annotations["nginx.ingress.kubernetes.io/canary-by-header-value"] = "android"
		f.server.Put(live)
		synctest.Wait()
		require.Len(t, look.LookAtRoute(kubetest.Ref(7)).Shadows, 1)
	})
}
