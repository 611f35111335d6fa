package traffic

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
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
	appsv1 "k8s.io/api/apps/v1"
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

// TestSetRouteAfterAnUnconfirmedOne goes back to the weight that the gateway has:
// only a header that no route before has had tells that it has not stayed behind.
func TestSetRouteAfterAnUnconfirmedOne(t *testing.T) {
	const lag = 30 * time.Second
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, kubetest.Ingress(), canary("r1", 3, 30))
		_, err := f.gateway.RoundTrip(httptest.NewRequest(http.MethodGet, "/", nil))
		require.NoError(t, err)
		f.gateway.lag = lag
		req := request(4, 30)
		req.Unsure = true
		got, err := f.set(req)
		require.NoError(t, err)
		require.Equal(t, LevelState, got.Level)
		require.GreaterOrEqual(t, got.Millis, lag.Milliseconds())
		require.Equal(t, config.ProbeHeader, f.live().Annotations[nginxHeader])
		require.Equal(t, nonce(req.Ref), f.live().Annotations[nginxHeaderValue])

		f.gateway.lag = 0
		_, err = f.set(request(5, 30))
		require.NoError(t, err)
		require.NotContains(t, f.live().Annotations, nginxHeader)
	})
}

// TestUnconfirmedRoutesByHeader have no header to spare: time has to tell.
func TestUnconfirmedRoutesByHeader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, kubetest.Ingress(), canary("r1", 3, 0))
		req := request(4, 0)
		req.Unsure, req.Route.Matches = true, []config.Match{{Headers: []config.ValueMatch{{Name: "x-team", Type: config.MatchExact, Value: "a"}}}}
		change, err := f.plan(t.Context(), nginx{}, req)
		require.NoError(t, err)
		require.Empty(t, change.want().Nonce)
		require.Equal(t, "x-team", change.rendered.Annotations[nginxHeader])
		req.Route.Matches = []config.Match{{Cookies: []config.ValueMatch{{Name: "team", Type: config.MatchExact, Value: cookieAlways}}}}
		change, err = f.plan(t.Context(), nginx{}, req)
		require.NoError(t, err)
		require.Equal(t, nonce(req.Ref), change.want().Nonce)
	})
}

// TestSetRouteInTheWordsOfTheProduct is the class nginx that Higress serves: there
// an exact value would also be met by another word, and a weight would be cut.
func TestSetRouteInTheWordsOfTheProduct(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, kubetest.Ingress())
		f.configure(gateway.Config{Kind: gateway.KindHigress, Grace: new(time.Second)})
		req := request(3, 0)
		req.Route.Matches = []config.Match{{Headers: []config.ValueMatch{{Name: "user-agent", Type: config.MatchExact, Value: "android"}}}}
		_, err := f.set(req)
		require.NoError(t, err)
		require.Equal(t, "^android$", f.live().Annotations[nginxHeaderPattern])
		require.NotContains(t, f.live().Annotations, nginxHeaderValue)
		look := Looker{Cluster: f.Cluster, Gateways: f.Gateways}.LookAtRoute(kubetest.Ref(3))
		require.Equal(t, req.Route, look.Route)

		_, err = f.set(request(4, 53))
		require.NoError(t, err)
		require.Equal(t, "531", f.live().Annotations[nginxWeight])
		require.Equal(t, "1000", f.live().Annotations[nginxWeightTotal])
	})
}

// TestSetRouteGivesTheClassBack is a canary Ingress that somebody has taken away from
// its gateway, by either field.
func TestSetRouteGivesTheClassBack(t *testing.T) {
	for name, edit := range map[string]func(k *networkingv1.Ingress){
		"by name":       func(k *networkingv1.Ingress) { k.Spec.IngressClassName = new("other") },
		"by annotation": func(k *networkingv1.Ingress) { k.Annotations[kube.AnnotationClass] = "other" },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				base, k := kubetest.Ingress(), canary("r1", 3, 10)
				for _, in := range []*networkingv1.Ingress{base, k} {
					delete(in.Annotations, kube.AnnotationClass)
					in.Spec.IngressClassName = new("nginx")
				}
				k.Annotations[release.AnnotationMark] = kube.Mark(k)
				edit(k)
				f := newFixture(t, base, k)
				require.True(t, Looker{Cluster: f.Cluster}.LookAtRoute(kubetest.Ref(3)).Edited)
				_, err := f.set(request(4, 10))
				require.NoError(t, err)
				require.Equal(t, "nginx", *f.live().Spec.IngressClassName)
				require.NotContains(t, f.live().Annotations, kube.AnnotationClass)
				require.False(t, Looker{Cluster: f.Cluster}.LookAtRoute(kubetest.Ref(4)).Edited)
			})
		})
	}
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
				f.configure(c.config)
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
				f.configure(gateway.Config{Grace: new(grace)})
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

// TestRetryFitsIntoTheLeastTime is a route after one that was not confirmed, in the
// least time to confirm that the preflight accepts.
func TestRetryFitsIntoTheLeastTime(t *testing.T) {
	const grace = 5 * time.Second
	for name, c := range map[string]struct {
		config gateway.Config
		absent bool // a removal has no route that could be marked
		least  time.Duration
	}{
		"state": {gateway.Config{Kind: gateway.KindTraefik, Service: "edge/traefik", APIPort: "http"}, true, grace + graceMargin},
		"grace": {gateway.Config{Grace: new(grace)}, false, 2*grace + graceMargin},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t, kubetest.Ingress(), canary("r1", 3, 10))
				f.configure(c.config)
				req := request(4, 30)
				req.Again, req.Unsure, req.NeedCanary, req.Absent = true, true, 1, c.absent
				ctx, cancel := context.WithTimeout(t.Context(), c.least)
				defer cancel()
				_, err := f.SetRoute(ctx, req)
				require.NoError(t, err)

				req.Ref.Seq, req.Route.Weight = 5, 50
				ctx, cancel = context.WithTimeout(t.Context(), c.least-graceMargin)
				defer cancel()
				_, err = f.SetRoute(ctx, req)
				require.ErrorContains(t, err, "confirming the route")
			})
		})
	}
}

// TestPodsThatAreLostWhileTheGatewayIsWaitedFor are waited for again, and so is the
// gateway that has to know those that replace them.
func TestPodsThatAreLostWhileTheGatewayIsWaitedFor(t *testing.T) {
	const grace = 10 * time.Second
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, kubetest.Ingress(), canary("r1", 3, 0))
		f.configure(gateway.Config{Grace: new(grace)})
		publish := func(addresses ...string) { f.server.Put(slice(kubetest.Namespace, "demo-canary", addresses...)) }
		publish()
		synctest.Wait()
		time.AfterFunc(time.Second, func() { publish("10.1.0.9") })
		time.AfterFunc(5*time.Second, func() { publish() })
		time.AfterFunc(20*time.Second, func() { publish("10.1.0.10") })
		req := request(4, 10)
		req.NeedCanary = 1
		done := make(chan error, 1)
		go func() {
			_, err := f.set(req)
			done <- err
		}()
		time.Sleep(20*time.Second + grace - time.Millisecond)
		require.Empty(t, f.server.Writes())
		require.NoError(t, <-done)
		require.Equal(t, []string{"update ingresses demo-canary"}, f.server.Writes())
	})
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

// sized is the workload of the fixture with n pods.
func sized(n int32) *appsv1.Deployment {
	d := workload("r1", false)
	d.Spec.Replicas = &n
	return d
}

// TestSetRouteOfAnotherSize: needs that were computed for another size of the
// workload are not those of the requests.
func TestSetRouteOfAnotherSize(t *testing.T) {
	refused := func(t *testing.T, f *fixture, err error) {
		t.Helper()
		requireTerminal(t, err, kube.ErrScaled)
		require.ErrorContains(t, err, "Deployment shop/demo has 6 replicas, and had 3 when this was planned")
		size, is := kube.ScaledTo(err)
		require.True(t, is)
		require.Equal(t, 6, size.Pods)
		require.NotEmpty(t, size.Version)
		require.Empty(t, f.server.Writes())
	}
	planned := func(f *fixture, need int) (Confirmation, error) {
		req := request(4, 10)
		req.NeedCanary, req.Size = need, 3
		return f.set(req)
	}
	t.Run("before", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := newFixture(t, kubetest.Ingress(), canary("r1", 3, 0), sized(6))
			_, err := planned(f, 1)
			refused(t, f, err)
		})
	})
	t.Run("while endpoints are waited for", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := newFixture(t, kubetest.Ingress(), canary("r1", 3, 0), sized(3))
			begun := time.Now()
			time.AfterFunc(5*time.Second, func() { f.server.Put(sized(6)) })
			_, err := planned(f, 2)
			refused(t, f, err)
			require.Equal(t, 5*time.Second, time.Since(begun), "two pods for the old size are not waited for")
		})
	})
	t.Run("the size that was planned for", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := newFixture(t, kubetest.Ingress(), canary("r1", 3, 0), sized(3))
			_, err := planned(f, 1)
			require.NoError(t, err)
		})
	})
	t.Run("after the write", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := newFixture(t, kubetest.Ingress(), canary("r1", 4, 10), sized(6))
			_, err := planned(f, 1)
			require.NoError(t, err, "it is confirmed; what comes next is planned for the new size")
		})
	})
}

func TestSetRouteSaysWhatWasMissing(t *testing.T) {
	cases := map[string]struct {
		prepare func(f *fixture, req *RouteRequest)
		errType string
		says    string
	}{
		"endpoints": {func(_ *fixture, req *RouteRequest) { req.NeedCanary = 2 }, ErrUnready,
			"setting the route of Ingress shop/demo: 1 of 2 canary endpoints and 2 of 0 stable endpoints are ready"},
		"endpoints of a workload that was scaled down": {
			func(f *fixture, req *RouteRequest) { f.server.Put(sized(0)); req.NeedStable = 3 }, ErrUnready,
			"setting the route of Ingress shop/demo: 1 of 0 canary endpoints and 2 of 3 stable endpoints are ready; Deployment shop/demo asks for 0 pods only: scale it to 3 or more, or abort",
		},
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
	t.Run("removes one that comes late, too", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := newFixture(t, kubetest.Ingress(), canary("r1", 4, 20))
			f.gateway.lag = 2 * time.Second
			begun := time.Now()
			time.AfterFunc(time.Second, func() { f.server.Put(canary("r1", 3, 0)) })
			got, err := f.set(absent)
			require.NoError(t, err)
			require.Equal(t, []string{"delete ingresses demo-canary", "delete ingresses demo-canary"}, f.server.Writes())
			require.GreaterOrEqual(t, time.Since(begun), 2*time.Second, "the gateway has seen it")
			require.True(t, got.Carried, "of the first one requests may be in flight")
		})
	})
	t.Run("removes one that comes late where there was none", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := newFixture(t, kubetest.Ingress())
			f.gateway.known.weight = "0" // Of one that was removed before.
			f.gateway.changed, f.gateway.lag = time.Now(), 2*time.Second
			f.gateway.used = f.gateway.known
			time.AfterFunc(time.Second, func() { f.server.Put(canary("r1", 3, 0)) })
			_, err := f.set(absent)
			require.NoError(t, err)
			require.Equal(t, []string{"delete ingresses demo-canary"}, f.server.Writes())
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
