package preflight_test

import (
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	scalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	netv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"sluice.dev/sluice/activities/kube/kubetest"
	"sluice.dev/sluice/activities/preflight"
	"sluice.dev/sluice/activities/release"
	"sluice.dev/sluice/activities/workload"
)

// refusals are one per reason. Each names the object and a part of the problem.
var refusals = []struct {
	name    string
	edit    func(d *appsv1.Deployment)
	more    []runtime.Object
	request func(r *preflight.InspectRequest)
	object  string
	problem string
}{
	{name: "workload missing", request: func(r *preflight.InspectRequest) { r.Rollout.Workload.Name = "none" },
		object: "Deployment shop/none", problem: "it does not exist"},
	{name: "another kind", request: func(r *preflight.InspectRequest) { r.Rollout.Workload.Kind = "StatefulSet" },
		object: "StatefulSet shop/demo", problem: "cannot be released"},
	{name: "paused by somebody", edit: func(d *appsv1.Deployment) { d.Spec.Paused = true },
		object: "Deployment shop/demo spec.paused", problem: "somebody paused it"},
	{name: "current template that is not held", request: func(r *preflight.InspectRequest) { r.Change = workload.Change{Current: true} },
		object: "Deployment shop/demo spec.paused", problem: "it is not held"},
	{name: "another workload of the name", edit: func(d *appsv1.Deployment) { d.UID, d.Spec.Paused = "u2", true }, request: func(r *preflight.InspectRequest) {
		r.Change, r.WorkloadUID = workload.Change{Current: true}, "u1"
	}, object: "Deployment shop/demo", problem: "not the one that the rollout was started for"},
	{name: "another template than it was started for", edit: func(d *appsv1.Deployment) { d.Spec.Paused = true }, request: func(r *preflight.InspectRequest) {
		r.Change, r.Revision = workload.Change{Current: true}, "0123456789"
	}, object: "Deployment shop/demo spec.template", problem: "not revision 0123456789"},
	{name: "recreate", edit: func(d *appsv1.Deployment) {
		d.Spec.Strategy = appsv1.DeploymentStrategy{Type: appsv1.RecreateDeploymentStrategyType}
	}, object: "Deployment shop/demo spec.strategy", problem: "Recreate"},
	{name: "no replicas", edit: func(d *appsv1.Deployment) { d.Spec.Replicas = new(int32(0)) },
		object: "Deployment shop/demo spec.replicas", problem: "it is 0"},
	{name: "no history", edit: func(d *appsv1.Deployment) { d.Spec.RevisionHistoryLimit = new(int32(0)) },
		object: "Deployment shop/demo spec.revisionHistoryLimit", problem: "stable template would be lost"},
	{name: "another rollout", edit: func(d *appsv1.Deployment) { record(d, "r9") },
		object: "Deployment shop/demo", problem: "rollout r9 of workflow rollout:other is open on it"},
	{name: "unreadable record", edit: func(d *appsv1.Deployment) { d.Annotations[release.AnnotationRelease] = "{" },
		object: "Deployment shop/demo annotation sluice.dev/release", problem: "it cannot be read"},
	{name: "unknown container", request: func(r *preflight.InspectRequest) { r.Change.Images = map[string]string{"web": "x"} },
		object: "Deployment shop/demo spec.template", problem: "no such container: name one of main"},
	{name: "nothing to roll out", request: func(r *preflight.InspectRequest) { r.Change.Images["main"] = "version:v1" },
		object: "Deployment shop/demo spec.template", problem: "what runs already"},
	{name: "canary labels that decide membership", request: func(r *preflight.InspectRequest) {
		r.Rollout.CanaryMetadata.Labels = map[string]string{"app": "x", "color": "blue"}
	}, object: "patchPodTemplateMetadata.labels", problem: "label app decides"},
	{name: "our labels", request: func(r *preflight.InspectRequest) {
		r.Rollout.CanaryMetadata.Labels = map[string]string{release.LabelTrack: "x"}
	}, object: "patchPodTemplateMetadata.labels", problem: "sluice.dev/track decides"},
	{name: "service missing", request: func(r *preflight.InspectRequest) { r.Rollout.Traffic.Service = "none" },
		more:   []runtime.Object{changedIngress(func(in *netv1.Ingress) { path(in).Backend.Service.Name = "none" })},
		object: "Service shop/none", problem: "it does not exist"},
	{name: "service without selector", more: []runtime.Object{changedService(func(s *corev1.Service) { s.Spec.Selector = nil })},
		object: "Service shop/demo spec.selector", problem: "it is empty"},
	{name: "service of other pods", more: []runtime.Object{changedService(func(s *corev1.Service) { s.Spec.Selector = map[string]string{"app": "x"} })},
		object: "Service shop/demo spec.selector", problem: "app=x does not select the pods of Deployment demo"},
	{name: "external service", more: []runtime.Object{changedService(func(s *corev1.Service) { s.Spec.Type = corev1.ServiceTypeExternalName })},
		object: "Service shop/demo spec.type", problem: "ExternalName"},
	{name: "ingress missing", request: func(r *preflight.InspectRequest) { r.Rollout.Traffic.Ingress.Name = "none" },
		object: "Ingress shop/none", problem: "it does not exist"},
	{name: "ingress for another service", more: []runtime.Object{changedIngress(func(in *netv1.Ingress) { path(in).Backend.Service.Name = "x" })},
		object: "Ingress shop/demo spec.rules", problem: "no rule has Service demo"},
	{name: "class by annotation", more: []runtime.Object{changedIngress(func(in *netv1.Ingress) { in.Annotations["kubernetes.io/ingress.class"] = "traefik" })},
		object: "Ingress shop/demo annotation kubernetes.io/ingress.class", problem: "class traefik is not known to read nginx"},
	{name: "class by name", more: []runtime.Object{changedIngress(func(in *netv1.Ingress) {
		in.Annotations, in.Spec.IngressClassName = nil, new("f5")
	}), class("f5", "nginx.org/ingress-controller")},
		object: "Ingress shop/demo spec.ingressClassName", problem: "class f5 is not known to read nginx"},
	{name: "the canary instead of its main", more: []runtime.Object{changedIngress(func(in *netv1.Ingress) { in.Annotations["nginx.ingress.kubernetes.io/canary"] = "true" })},
		object: "Ingress shop/demo", problem: "it is a canary Ingress itself"},
	{name: "another canary", more: []runtime.Object{changedIngress(func(in *netv1.Ingress) {
		in.Name = "theirs"
		in.Annotations["nginx.ingress.kubernetes.io/canary"] = "true"
		path(in).Backend.Service.Name = "theirs"
	})}, object: "Ingress shop/theirs", problem: "another canary for /version"},
	{name: "another canary of another Ingress to the Service", more: []runtime.Object{
		changedIngress(func(in *netv1.Ingress) { in.Name, path(in).Path = "inner", "/inner" }),
		changedIngress(func(in *netv1.Ingress) {
			in.Name, path(in).Path = "theirs", "/inner"
			in.Annotations["nginx.ingress.kubernetes.io/canary"] = "true"
			path(in).Backend.Service.Name = "theirs"
		}),
	}, object: "Ingress shop/theirs", problem: "another canary for /inner"},
	{name: "name of the canary Deployment", more: []runtime.Object{named(kubetest.Deployment(1), "demo-canary")},
		object: "Deployment shop/demo-canary", problem: "needs its name"},
	{name: "name of the canary Service", more: []runtime.Object{changedService(func(s *corev1.Service) {
		s.Name, s.Labels = "demo-canary", map[string]string{release.LabelRollout: "r9"}
	})}, object: "Service shop/demo-canary", problem: "it belongs to rollout r9"},
	{name: "name of the canary Ingress", more: []runtime.Object{changedIngress(func(in *netv1.Ingress) { in.Name = "demo-canary" })},
		object: "Ingress shop/demo-canary", problem: "needs its name"},
	{name: "a Service that selects canary pods", edit: func(d *appsv1.Deployment) { d.Spec.Template.Labels["tier"] = "web" },
		more:   []runtime.Object{changedService(func(s *corev1.Service) { s.Name, s.Spec.Selector = "all", map[string]string{"tier": "web"} })},
		object: "Service shop/all", problem: "it selects canary pods"},
	{name: "pods in a quota", more: []runtime.Object{quota(corev1.ResourceList{"pods": resource.MustParse("11")}, corev1.ResourceList{"pods": resource.MustParse("5")})},
		object: "ResourceQuota shop/team pods", problem: "7 more are needed at the peak of the release (7 pods beside the 5 of the workload), 6 are free"},
	{name: "cpu in a quota", edit: func(d *appsv1.Deployment) {
		d.Spec.Template.Spec.Containers[0].Resources.Requests = corev1.ResourceList{"cpu": resource.MustParse("500m")}
	}, more: []runtime.Object{quota(corev1.ResourceList{"requests.cpu": resource.MustParse("5")}, corev1.ResourceList{"requests.cpu": resource.MustParse("2500m")})},
		object: "ResourceQuota shop/team requests.cpu", problem: "3500m more are needed"},
	{name: "objects in a quota", more: []runtime.Object{quota(corev1.ResourceList{"count/deployments.apps": resource.MustParse("1")}, corev1.ResourceList{"count/deployments.apps": resource.MustParse("1")})},
		object: "ResourceQuota shop/team count/deployments.apps", problem: "1 more are needed"},
	{name: "a network policy of stable pods", more: []runtime.Object{policy(netv1.NetworkPolicySpec{PodSelector: metav1.LabelSelector{MatchLabels: map[string]string{"app": "demo"}}})},
		object: "NetworkPolicy shop/rules", problem: "spec.podSelector selects stable pods, but not canary pods, whose label app is demo-canary"},
	{name: "a network policy that lets stable pods in", more: []runtime.Object{policy(netv1.NetworkPolicySpec{
		PodSelector: metav1.LabelSelector{MatchLabels: map[string]string{"app": "db"}},
		Ingress:     []netv1.NetworkPolicyIngressRule{{From: []netv1.NetworkPolicyPeer{{PodSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "demo"}}}}}},
	})}, object: "NetworkPolicy shop/rules", problem: "the podSelector of a peer selects stable pods"},
}

func TestInspectRefuses(t *testing.T) {
	for _, c := range refusals {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := demo(c.edit, c.more...)
				req := request()
				if c.request != nil {
					c.request(&req)
				}
				problems := refused(t, server, req)
				require.Len(t, problems, 1, "%v", problems)
				require.Equal(t, c.object, problems[0].Object)
				require.Contains(t, problems[0].Problem, c.problem)
				require.NotEmpty(t, problems[0].Remedy)
			})
		})
	}
}

func TestInspectRefusesUnreadyPods(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := demo(nil)
		server.PodsReady(func(map[string]string) bool { return false }, "CrashLoopBackOff")
		problems := refused(t, server, request())
		require.Len(t, problems, 1)
		require.Equal(t, "none of its 5 pods is ready", problems[0].Problem)
	})
}

func TestInspectRefusesWhileSomethingRolls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := demo(nil)
		server.PodsReady(func(images map[string]string) bool { return images["main"] != "version:v9" }, "CrashLoopBackOff")
		d := kubetest.Deployment(5)
		d.Spec.Template.Spec.Containers[0].Image = "version:v9"
		server.Put(d)
		problems := refused(t, server, request())
		require.Contains(t, problems[0].Problem, "a rolling update is under way")
	})
}

func TestInspectRefusesATemplateThatDoesNotRunYet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := demo(nil)
		server.Freeze()
		d := kubetest.Deployment(5)
		d.Spec.Template.Spec.Containers[0].Image = "version:v9"
		server.Put(d)
		problems := refused(t, server, request())
		require.Contains(t, problems[0].Problem, "not running yet")
	})
}

func TestInspectAllows(t *testing.T) {
	cases := []struct {
		name string
		more runtime.Object
	}{
		{"a policy for all pods", policy(netv1.NetworkPolicySpec{})},
		{"a policy for both sides", policy(netv1.NetworkPolicySpec{PodSelector: metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{
			{Key: "app", Operator: metav1.LabelSelectorOpIn, Values: []string{"demo", "demo-canary"}}}}})},
		{"a canary of another path", changedIngress(func(in *netv1.Ingress) {
			in.Name, path(in).Path = "theirs", "/other"
			in.Annotations["nginx.ingress.kubernetes.io/canary"] = "true"
		})},
		{"a quota with room", quota(corev1.ResourceList{"pods": resource.MustParse("12")}, corev1.ResourceList{"pods": resource.MustParse("5")})},
		{"a quota for other pods", scoped(quota(corev1.ResourceList{"pods": resource.MustParse("5")}, corev1.ResourceList{"pods": resource.MustParse("5")}), corev1.ResourceQuotaScopeTerminating)},
		{"a class with another name", class("nginx", "example.com/other")},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, err := inspect(t, demo(nil, c.more), request())
				require.NoError(t, err)
			})
		})
	}
}

func TestInspectKnowsClassesByTheirController(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in := changedIngress(func(in *netv1.Ingress) { in.Annotations, in.Spec.IngressClassName = nil, new("internal") })
		_, err := inspect(t, demo(nil, in, class("internal", "k8s.io/ingress-nginx")), request())
		require.NoError(t, err)
		ofHigress := request()
		ofHigress.Rollout.Traffic.Ingress.Class = "higress"
		_, err = inspect(t, demo(nil, in, class("internal", "higress.io/higress-controller")), ofHigress)
		require.NoError(t, err)
	})
}

func TestInspectWarns(t *testing.T) {
	other := named(kubetest.Deployment(1), "other")
	other.Spec.Selector.MatchLabels["tier"], other.Spec.Template.Labels["tier"] = "x", "x"
	scaler := &scalingv2.HorizontalPodAutoscaler{Spec: scalingv2.HorizontalPodAutoscalerSpec{ScaleTargetRef: scalingv2.CrossVersionObjectReference{Kind: "Deployment", Name: "demo"}, MinReplicas: new(int32(5))}}
	scaler.Name, scaler.Namespace = "auto", kubetest.Namespace
	cases := []struct {
		name string
		more runtime.Object
		want string
	}{
		{"an autoscaler", scaler, "HorizontalPodAutoscaler shop/auto: it scales the stable pods only"},
		{"pods of others behind the Service", other, "Service shop/demo: it also selects pods of other workloads (other-"},
		{"no class", changedIngress(func(in *netv1.Ingress) { in.Annotations = nil }), "Ingress shop/demo: it names no class"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				observed, err := inspect(t, demo(nil, c.more), request())
				require.NoError(t, err)
				require.Len(t, observed.Warnings, 1)
				require.Contains(t, observed.Warnings[0], c.want)
			})
		})
	}
}

func TestIsolation(t *testing.T) {
	cases := []struct {
		name     string
		service  map[string]string
		workload map[string]string
		others   map[string]string
		want     release.Isolation
	}{
		{"the only label", map[string]string{"app": "demo"}, map[string]string{"app": "demo"}, nil, release.Isolation{Key: "app", Value: "demo-canary"}},
		{"rather not the name", map[string]string{"app": "demo", "tier": "web"}, map[string]string{"app": "demo", "tier": "web"}, nil, release.Isolation{Key: "tier", Value: "web-canary"}},
		{"rather one of the workload's selector", map[string]string{"app": "demo", "tier": "web"}, map[string]string{"app": "demo"}, nil, release.Isolation{Key: "app", Value: "demo-canary"}},
		{"rather one that keeps others out", map[string]string{"app": "demo", "tier": "web"}, map[string]string{"app": "demo", "tier": "web"}, map[string]string{"app": "demo"}, release.Isolation{Key: "app", Value: "demo-canary"}},
		{"a long value is cut", map[string]string{"app": long}, map[string]string{"app": long}, nil, release.Isolation{Key: "app", Value: long[:55] + "-canary"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				objects := []runtime.Object{changedService(func(s *corev1.Service) { s.Spec.Selector = c.service })}
				if c.others != nil {
					objects = append(objects, changedService(func(s *corev1.Service) { s.Name, s.Spec.Selector = "metrics", c.others }))
				}
				observed, err := inspect(t, demo(func(d *appsv1.Deployment) {
					d.Spec.Selector.MatchLabels = c.workload
					d.Spec.Template.Labels = c.service
				}, objects...), request())
				require.NoError(t, err)
				require.Equal(t, c.want, observed.Ref.Isolation)
			})
		})
	}
}

// long is a label value of the greatest length, with a character at the cut at
// which no value may end.
var long = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.aaaaaaa"

func changedService(edit func(*corev1.Service)) *corev1.Service {
	s := typed(corev1.ServiceTypeClusterIP)
	edit(s)
	return s
}

func changedIngress(edit func(*netv1.Ingress)) *netv1.Ingress {
	in := kubetest.Ingress()
	edit(in)
	return in
}

func path(in *netv1.Ingress) *netv1.HTTPIngressPath { return &in.Spec.Rules[0].HTTP.Paths[0] }

func named(d *appsv1.Deployment, name string) *appsv1.Deployment {
	d.Name = name
	return d
}

func policy(spec netv1.NetworkPolicySpec) *netv1.NetworkPolicy {
	p := &netv1.NetworkPolicy{Spec: spec}
	p.Name, p.Namespace = "rules", kubetest.Namespace
	return p
}

func class(name, controller string) *netv1.IngressClass {
	c := &netv1.IngressClass{Spec: netv1.IngressClassSpec{Controller: controller}}
	c.Name = name
	return c
}

func scoped(q *corev1.ResourceQuota, scope corev1.ResourceQuotaScope) *corev1.ResourceQuota {
	q.Spec.Scopes = []corev1.ResourceQuotaScope{scope}
	return q
}
