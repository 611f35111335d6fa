package traffic

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"

	"sluice.dev/sluice/activities/kube"
	"sluice.dev/sluice/activities/kube/kubetest"
	"sluice.dev/sluice/activities/traffic/gateway"
	"sluice.dev/sluice/config"
)

// check is one of the seed's A/B release behind the Ingress of the fixtures.
func check(change func(*Check)) Check {
	in := Check{
		Ref: kubetest.Ref(0), Ingress: kubetest.Ingress(), Quiet: true,
		Containers: []corev1.Container{{Name: "main", Image: "version:v2"}},
		Rollout: config.Rollout{
			Steps: []config.Step{{Weight: new(10)}, {Matches: []config.Match{{Headers: []config.ValueMatch{{Name: "user-agent", Type: config.MatchExact, Value: "android"}}}}}},
		},
	}
	in.All = []*networkingv1.Ingress{in.Ingress}
	if change != nil {
		change(&in)
	}
	return in
}

func probeOf(probe config.Probe) func(*Check) {
	return func(in *Check) { in.Ref.Confirm.Probe = &probe }
}

func confirmTimeout(d time.Duration) func(*Check) {
	return func(in *Check) { in.Rollout.Traffic.ConfirmTimeout = config.Duration(d) }
}

// longer is an Ingress of another Service with a rule that is longer than that of
// the fixtures, and shorter than that of their canary by header.
func longer(class string) *networkingv1.Ingress {
	other := kubetest.Ingress()
	other.Name, other.Annotations[kube.AnnotationClass] = "other", class
	other.Spec.Rules[0].Host = "a.b"
	other.Spec.Rules[0].HTTP.Paths[0].Backend.Service.Name = "other"
	return other
}

// otherWay is another Ingress that leads to the Service of the fixtures.
func otherWay(change func(*networkingv1.Ingress)) *networkingv1.Ingress {
	other := kubetest.Ingress()
	other.Name = "other"
	other.Spec.Rules[0].HTTP.Paths[0].Path = "/other"
	if change != nil {
		change(other)
	}
	return other
}

func TestCheckRoute(t *testing.T) {
	type gateways = gateway.Config
	cases := map[string]struct {
		gateway gateways
		in      Check
		stable  string
		confirm string
		object  string
		problem string
	}{
		"nothing wrong": {in: check(nil), gateway: gateways{Kind: gateway.KindNginx}, confirm: "grace: 10s after each change"},
		"state": {in: check(nil), gateway: gateways{Kind: gateway.KindTraefik, Service: "edge/traefik", APIPort: "http"},
			confirm: "state: the API of every replica of edge/traefik"},
		"a step that cannot be rendered": {in: check(func(in *Check) {
			in.Rollout.Steps[1].Matches[0].Headers[0].Value = "a;b"
		}), object: "step 2", problem: "has characters that are not accepted"},
		"an Ingress that cannot have a canary": {in: check(func(in *Check) { in.Ingress.Annotations[nginxPassthrough] = "true" }),
			object: "step 1", problem: "passes TLS through unread"},
		"unknown class": {in: check(func(in *Check) { in.Ref.Class = "haproxy" }), object: "trafficRoutings[].ingress.classType", problem: "is not a known class"},
		"a match takes others' requests": {in: check(func(in *Check) { in.All = append(in.All, longer("nginx")) }),
			gateway: gateways{Kind: gateway.KindTraefik}, object: "step 2 matches",
			problem: "Ingress shop/other: requests for a.b/version that match would go to the canary of path /version"},
		"not on another gateway": {in: check(func(in *Check) { in.All = append(in.All, longer("nginx")) }), gateway: gateways{Kind: gateway.KindNginx}, confirm: "grace: 10s after each change"},
		"not of another class":   {in: check(func(in *Check) { in.All = append(in.All, longer("inner")) }), gateway: gateways{Kind: gateway.KindTraefik}, confirm: "grace: 5s after each change"},
		"affinity": {in: check(func(in *Check) { in.Ingress.Annotations[annotationAffinity] = "cookie" }), gateway: gateways{Kind: gateway.KindNginx},
			object: "Ingress shop/demo annotation nginx.ingress.kubernetes.io/affinity", problem: "a client stays on the side that answered it first"},
		"affinity of another Ingress of the Service": {in: check(func(in *Check) {
			in.All = append(in.All, otherWay(func(other *networkingv1.Ingress) { other.Annotations[annotationAffinity] = "cookie" }))
		}), gateway: gateways{Kind: gateway.KindNginx}, object: "Ingress shop/other annotation", problem: "a client stays"},
		"affinity below the weight": {in: check(func(in *Check) { in.Ingress.Annotations[annotationAffinity] = "cookie" }), gateway: gateways{Kind: gateway.KindTraefik},
			confirm: "grace: 5s after each change"},
		"another Ingress of the Service": {in: check(func(in *Check) { in.All = append(in.All, otherWay(nil)) }), gateway: gateways{Kind: gateway.KindNginx},
			confirm: "grace: 10s after each change"},
		"another Ingress of the Service, by Higress": {in: check(func(in *Check) {
			in.Ref.Class = ClassHigress
			in.All = append(in.All, otherWay(nil))
		}), gateway: gateways{Kind: gateway.KindHigress}, object: "Ingress shop/other", problem: "it routes to Service demo too"},
		"another Ingress of the Service, by Higress with class nginx": {in: check(func(in *Check) { in.All = append(in.All, otherWay(nil)) }),
			gateway: gateways{Kind: gateway.KindHigress}, object: "Ingress shop/other", problem: "it routes to Service demo too"},
		"a weight beside a match, by Higress with class nginx": {in: check(func(in *Check) { in.Rollout.Steps[1].Weight = new(20) }),
			gateway: gateways{Kind: gateway.KindHigress}, object: "step 2", problem: `class "higress": weight would be ignored beside a match`},
		"the default backend": {in: check(func(in *Check) {
			in.Ingress.Spec.DefaultBackend = &networkingv1.IngressBackend{Service: &networkingv1.IngressServiceBackend{Name: in.Ref.Service}}
		}), gateway: gateways{Kind: gateway.KindTraefik}, object: "Ingress shop/demo spec.defaultBackend", problem: "no canary takes requests of a default backend"},
		"the default backend of ingress-nginx": {in: check(func(in *Check) {
			in.Ingress.Spec.DefaultBackend = &networkingv1.IngressBackend{Service: &networkingv1.IngressServiceBackend{Name: in.Ref.Service}}
		}), gateway: gateways{Kind: gateway.KindNginx}, confirm: "grace: 10s after each change"},
		"pinned state": {in: check(func(in *Check) { in.Ref.Confirm.Level = LevelState }), gateway: gateways{Kind: gateway.KindNginx},
			object: "trafficRoutings[].confirm.level: state", problem: "has no state API"},
		"too little time": {in: check(confirmTimeout(21 * time.Second)), gateway: gateways{Kind: gateway.KindNginx},
			object: "trafficRoutings[].confirmTimeout", problem: "21s is over before the gateway has certainly taken a change that follows an unconfirmed one, after 20s"},
		"enough time": {in: check(confirmTimeout(22 * time.Second)), gateway: gateways{Kind: gateway.KindNginx}, confirm: "grace: 10s after each change"},
		"too little time to retry by state": {in: check(confirmTimeout(6 * time.Second)), gateway: gateways{Kind: gateway.KindTraefik, Service: "edge/traefik", APIPort: "http"},
			object: "trafficRoutings[].confirmTimeout", problem: "6s is over before the gateway has certainly taken a change that follows an unconfirmed one, after 5s"},
		"enough time by state": {in: check(confirmTimeout(7 * time.Second)), gateway: gateways{Kind: gateway.KindTraefik, Service: "edge/traefik", APIPort: "http"},
			confirm: "state: the API of every replica of edge/traefik"},
		"probe":        {in: check(probeOf(config.Probe{Header: "X-Version", Equals: "{tag}"})), stable: "v1", confirm: "probe: requests through every replica of edge/traefik"},
		"whatever":     {in: check(probeOf(config.Probe{})), stable: "v1", confirm: "probe: requests through every replica of edge/traefik"},
		"same answer":  {in: check(probeOf(config.Probe{Contains: "{tag:main}"})), stable: "is v2 now", object: "the probe of the body", problem: `stable answers "is v2 now" already`},
		"no tag":       {in: check(probeOf(config.Probe{Equals: "{tag:side}"})), stable: "v1", object: "the probe of the body", problem: "the new image has no tag"},
		"no JSON":      {in: check(probeOf(config.Probe{JSON: "version"})), stable: "v1", object: "the probe of field version", problem: "not JSON"},
		"no answer":    {in: check(probeOf(config.Probe{})), stable: "", object: "the probe of the body", problem: "gateway replica 10.0.0.1:8080 answers GET /version with 404"},
		"many answers": {in: check(probeOf(config.Probe{})), stable: "random", object: "the probe of the body", problem: "stable's own answers differ"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, d := doorFixture(t)
				d.stable = c.stable
				cfg := c.gateway
				if cfg.Kind == "" {
					cfg = gateway.Config{Kind: gateway.KindNginx, Service: "edge/traefik"}
				}
				known, err := gateway.New(map[string]gateway.Config{"nginx": cfg}, f.Cluster, d)
				require.NoError(t, err)
				found := Checker{Gateways: known, Reach: true}.CheckRoute(t.Context(), c.in)
				if c.problem == "" {
					require.Empty(t, found.Objections)
					require.Equal(t, c.confirm, found.Confirm)
					if c.stable != "" {
						require.Equal(t, c.stable, *found.StableAnswer)
					}
					return
				}
				require.NotEmpty(t, found.Objections)
				require.Contains(t, found.Objections[0].Object, c.object)
				require.Contains(t, found.Objections[0].Problem, c.problem)
				require.NotEmpty(t, found.Objections[0].Remedy)
			})
		})
	}
}

// TestCheckRouteAsksOnlyWhereItCan is a check from outside of the cluster, and
// one of a release that is under way.
func TestCheckRouteAsksOnlyWhereItCan(t *testing.T) {
	for name, c := range map[string]struct{ reach, quiet bool }{"outside": {false, true}, "under way": {true, false}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, d := doorFixture(t)
				in := check(probeOf(config.Probe{}))
				in.Quiet = c.quiet
				found := Checker{Gateways: f.Gateways, Reach: c.reach}.CheckRoute(t.Context(), in)
				require.Empty(t, found.Objections)
				require.Nil(t, found.StableAnswer)
				require.Empty(t, d.paths)
			})
		})
	}
}
