package kube

import (
	"context"
	"maps"
	"sync"

	appsv1 "k8s.io/api/apps/v1"
	scalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	netv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
)

// The resources that are watched, as people know them. Those that a release
// only reads in its preflight are watched too: they are few and small, and a
// list for every release would cost the API server more.
const (
	deployments     = "deployments.apps"
	replicaSets     = "replicasets.apps"
	pods            = "pods"
	services        = "services"
	endpointSlices  = "endpointslices.discovery.k8s.io"
	ingresses       = "ingresses.networking.k8s.io"
	resourceQuotas  = "resourcequotas"
	networkPolicies = "networkpolicies.networking.k8s.io"
	autoscalers     = "horizontalpodautoscalers.autoscaling"
	budgets         = "poddisruptionbudgets.policy"
)

// view is the cache of one namespace, or of all (corev1.NamespaceAll): an
// informer for each resource.
type view struct {
	namespace string
	informers map[string]cache.SharedIndexInformer
	running   sync.WaitGroup
}

// newView prepares the informers of one namespace. Look-ups that waits repeat
// have an index, so that they do not depend on the size of the namespace.
func newView(client kubernetes.Interface, namespace string, note noteFunc) *view {
	v := &view{namespace: namespace, informers: map[string]cache.SharedIndexInformer{}}
	b := builder{view: v, client: client, note: note}
	add(b, deployments, &appsv1.Deployment{}, client.AppsV1().Deployments(namespace), nil)
	add(b, replicaSets, &appsv1.ReplicaSet{}, client.AppsV1().ReplicaSets(namespace), cache.Indexers{byOwner: ownerKeys})
	add(b, pods, &corev1.Pod{}, client.CoreV1().Pods(namespace), cache.Indexers{byOwner: ownerKeys, byRollout: rolloutKeys})
	add(b, services, &corev1.Service{}, client.CoreV1().Services(namespace), nil)
	add(b, endpointSlices, &discoveryv1.EndpointSlice{}, client.DiscoveryV1().EndpointSlices(namespace), cache.Indexers{byService: serviceKeys})
	add(b, ingresses, &netv1.Ingress{}, client.NetworkingV1().Ingresses(namespace), nil)
	add(b, resourceQuotas, &corev1.ResourceQuota{}, client.CoreV1().ResourceQuotas(namespace), nil)
	add(b, networkPolicies, &netv1.NetworkPolicy{}, client.NetworkingV1().NetworkPolicies(namespace), nil)
	add(b, autoscalers, &scalingv2.HorizontalPodAutoscaler{}, client.AutoscalingV2().HorizontalPodAutoscalers(namespace), nil)
	add(b, budgets, &policyv1.PodDisruptionBudget{}, client.PolicyV1().PodDisruptionBudgets(namespace), nil)
	return v
}

// builder makes the informers of a view.
type builder struct {
	view   *view
	client kubernetes.Interface
	note   noteFunc
}

// noteFunc is told what keeps a resource from being watched.
type noteFunc func(resource, namespace string, err error)

// add prepares one informer.
func add[L runtime.Object](b builder, resource string, example runtime.Object, client source[L], indexers cache.Indexers) {
	all := cache.Indexers{cache.NamespaceIndex: cache.MetaNamespaceIndexFunc}
	maps.Copy(all, indexers)
	patient := &patientSource[L]{source: client, note: func(err error) { b.note(resource, b.view.namespace, err) }}
	watcher := cache.ToListWatcherWithWatchListSemantics(&cache.ListWatch{
		ListWithContextFunc:  patient.list,
		WatchFuncWithContext: patient.watch,
	}, b.client)
	b.view.informers[resource] = cache.NewSharedIndexInformerWithOptions(watcher, example, cache.SharedIndexInformerOptions{
		Indexers: all, ObjectDescription: resource,
	})
}

// indexer returns the cache of one resource.
func (v *view) indexer(resource string) cache.Indexer { return v.informers[resource].GetIndexer() }

// run watches until ctx ends.
func (v *view) run(ctx context.Context) {
	for _, informer := range v.informers {
		v.running.Go(func() { informer.RunWithContext(ctx) })
	}
}
