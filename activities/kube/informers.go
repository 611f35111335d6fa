package kube

import (
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
)

// newView prepares the informers of one namespace. Resources that a release
// only reads in its preflight are watched too: they are few and small, and a
// list for every release would cost the API server more.
func newView(client kubernetes.Interface, namespace string) *view {
	f := informers.NewSharedInformerFactoryWithOptions(client, 0,
		informers.WithNamespace(namespace), informers.WithTransform(trim))
	v := &view{factory: f, watched: []watched{
		{"deployments.apps", f.Apps().V1().Deployments().Informer()},
		{"replicasets.apps", f.Apps().V1().ReplicaSets().Informer()},
		{"pods", f.Core().V1().Pods().Informer()},
		{"services", f.Core().V1().Services().Informer()},
		{"endpointslices.discovery.k8s.io", f.Discovery().V1().EndpointSlices().Informer()},
		{"ingresses.networking.k8s.io", f.Networking().V1().Ingresses().Informer()},
		{"resourcequotas", f.Core().V1().ResourceQuotas().Informer()},
		{"networkpolicies.networking.k8s.io", f.Networking().V1().NetworkPolicies().Informer()},
		{"horizontalpodautoscalers.autoscaling", f.Autoscaling().V2().HorizontalPodAutoscalers().Informer()},
	}}
	v.addIndexers()
	return v
}

// addIndexers makes the look-ups that waits repeat independent of the size of
// the namespace. It cannot fail: the informers have not been started and no
// other index has these names.
func (v *view) addIndexers() {
	_ = v.factory.Core().V1().Pods().Informer().AddIndexers(cache.Indexers{byOwner: ownerKeys, byRollout: rolloutKeys})
	_ = v.factory.Apps().V1().ReplicaSets().Informer().AddIndexers(cache.Indexers{byOwner: ownerKeys})
	_ = v.factory.Discovery().V1().EndpointSlices().Informer().AddIndexers(cache.Indexers{byService: serviceKeys})
}
