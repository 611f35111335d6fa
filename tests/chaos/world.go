package chaos

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"testing/synctest"
	"time"

	scalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	netv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"

	"sluice.dev/sluice/activities/kube"
	"sluice.dev/sluice/activities/kube/kubetest"
	"sluice.dev/sluice/activities/release"
	"sluice.dev/sluice/tests/chaos/cluster"
	fakegateway "sluice.dev/sluice/tests/chaos/gateway"
	"sluice.dev/sluice/tests/chaos/watcher"
)

// path is what the Ingress of the application routes.
const path = "/version"

// oddClass is a class of Ingresses that is not called like its gateway.
const oddClass = "edge"

// delays of the cluster. A pod that is told to stop dies at once: whatever was
// routed to it, or is in flight, is lost.
var delays = cluster.Delays{
	React: 20 * time.Millisecond, PodReady: 1500 * time.Millisecond, PodGone: 2 * time.Second, Publish: 300 * time.Millisecond,
}

// lags of the replicas of a gateway: nearly the worst that a worker reckons with,
// and a fast one that sees endpoints later than routes.
var lags = map[fakegateway.Personality][]fakegateway.Lag{
	fakegateway.Traefik: {
		{Routes: 2 * time.Second, Endpoints: 2 * time.Second}, {Routes: 200 * time.Millisecond, Endpoints: 900 * time.Millisecond},
	},
	fakegateway.Nginx: {
		{Routes: 8 * time.Second, Endpoints: 8 * time.Second}, {Routes: 100 * time.Millisecond, Endpoints: 3 * time.Second},
	},
	fakegateway.GatewayAPI: {
		{Routes: 3 * time.Second, Endpoints: time.Second}, {Routes: 100 * time.Millisecond, Endpoints: 4 * time.Second},
	},
}

// furnish makes the cluster with the application and its gateway, and waits
// until the gateway routes to all pods.
func (s *sim) furnish() {
	s.cluster = cluster.New(delays)
	for i, lag := range lags[s.run.Personality] {
		s.replicas = append(s.replicas, fakegateway.New(fmt.Sprint("replica ", i), fmt.Sprintf("10.9.0.%d:8080", i+1), s.run.Personality, lag))
	}
	s.watcher = watcher.New(watcher.Options{
		Cluster: s.cluster, Replicas: s.replicas, Document: s.doc, Pods: s.run.Scenario.Pods, Path: path,
		EmptyStableFails: s.run.Personality == fakegateway.Nginx,
	})
	s.cluster.Watch(func(event watch.EventType, obj runtime.Object) {
		s.journal.add(event, obj)
		for _, g := range s.replicas {
			g.See(event, obj)
		}
		s.watcher.See(event, obj)
	})
	go s.cluster.Run(s.ctx)
	s.furnishGateway()
	ingress := kubetest.Ingress()
	if s.run.odd {
		ingress.Annotations[kube.AnnotationClass] = oddClass
		s.cluster.Put(&netv1.IngressClass{ObjectMeta: metav1.ObjectMeta{Name: oddClass}, Spec: netv1.IngressClassSpec{Controller: "k8s.io/ingress-nginx"}})
	}
	for _, o := range []runtime.Object{kubetest.Deployment(int32(s.run.Scenario.Pods)), kubetest.Service(), ingress} {
		s.cluster.Put(o)
	}
	if s.run.Scenario.Autoscaled {
		s.cluster.Put(s.autoscaler())
	}
	time.Sleep(20 * time.Second)
	synctest.Wait()
	s.watcher.Start()
}

// autoscaler of the application, which nothing lets scale: what is played is what
// the rollout writes to it.
func (s *sim) autoscaler() *scalingv2.HorizontalPodAutoscaler {
	return &scalingv2.HorizontalPodAutoscaler{
		ObjectMeta: metav1.ObjectMeta{Name: "demo", Namespace: s.doc.Namespace, Annotations: map[string]string{"example.com/team": "web"}},
		Spec: scalingv2.HorizontalPodAutoscalerSpec{
			ScaleTargetRef: scalingv2.CrossVersionObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: s.doc.Workload.Name},
			MaxReplicas:    10,
			Behavior:       &scalingv2.HorizontalPodAutoscalerBehavior{ScaleDown: &scalingv2.HPAScalingRules{SelectPolicy: new(scalingv2.MinChangePolicySelect)}},
		},
	}
}

// furnishGateway puts the gateway's own Service there, by which its replicas are
// found.
func (s *sim) furnishGateway() {
	meta := metav1.ObjectMeta{Name: "traefik", Namespace: "gateway"}
	s.cluster.Put(&corev1.Service{ObjectMeta: meta, Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{{Name: "api", Port: 8080}}}})
	slice := &discoveryv1.EndpointSlice{
		ObjectMeta:  metav1.ObjectMeta{Name: "traefik-1", Namespace: "gateway", Labels: map[string]string{discoveryv1.LabelServiceName: "traefik"}},
		AddressType: discoveryv1.AddressTypeIPv4, Ports: []discoveryv1.EndpointPort{{Name: new("api"), Port: new(int32(8080))}, {Name: new("web"), Port: new(int32(fakegateway.DoorPort))}},
	}
	for _, g := range s.replicas {
		slice.Endpoints = append(slice.Endpoints, discoveryv1.Endpoint{Addresses: []string{strings.TrimSuffix(g.Address, ":8080")}})
	}
	s.cluster.Put(slice)
}

// application answers for the pod with an address.
func (s *sim) application(ip string) (pod, tag string, answers bool) {
	s.probes.Add(1)
	_, tag, _ = strings.Cut(s.cluster.ImageOf(ip), ":")
	return s.cluster.NameOf(ip), tag, s.cluster.Answers(ip)
}

// sizeOf begins the keys under which a state tells the sizes of workloads.
const sizeOf = "replicas of "

// marked says whether the cluster has anything of a rollout's.
func (s *sim) marked() bool {
	for _, text := range s.state() {
		if strings.Contains(text, release.LabelRollout) || strings.Contains(text, release.AnnotationRelease) {
			return true
		}
	}
	return false
}

// state is what there is in the end, without what every write changes.
func (s *sim) state() map[string]string {
	out := map[string]string{}
	put := func(kind string, m metav1.ObjectMeta, spec any) {
		if m.Annotations[watcher.Stranger] != "" {
			return
		}
		notes := maps.Clone(m.Annotations)
		delete(notes, touched)
		text, err := json.MarshalIndent(map[string]any{
			"labels": m.Labels, "annotations": notes, "finalizers": m.Finalizers, "owners": m.OwnerReferences, "spec": spec,
		}, "", " ")
		s.must(err)
		out[kind+" "+m.Namespace+"/"+m.Name] = string(text)
	}
	for _, d := range s.cluster.Deployments() {
		if d.Annotations[watcher.Stranger] != "" {
			continue
		}
		out[sizeOf+d.Namespace+"/"+d.Name] = fmt.Sprint(*d.Spec.Replicas)
		d.Spec.Replicas = nil
		put("Deployment", d.ObjectMeta, d.Spec)
	}
	for _, o := range s.cluster.Services() {
		put("Service", o.ObjectMeta, o.Spec)
	}
	for _, o := range s.cluster.Ingresses() {
		put("Ingress", o.ObjectMeta, o.Spec)
	}
	for _, o := range s.cluster.Budgets() {
		put("PodDisruptionBudget", o.ObjectMeta, o.Spec)
	}
	for _, o := range s.cluster.Autoscalers() {
		put("HorizontalPodAutoscaler", o.ObjectMeta, o.Spec)
	}
	images := map[string]bool{}
	for _, p := range s.cluster.Pods() {
		images[p.Spec.Containers[0].Image] = true
	}
	out["pods run"] = fmt.Sprint(images)
	return out
}
