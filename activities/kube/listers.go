package kube

import (
	appslisters "k8s.io/client-go/listers/apps/v1"
	scalinglisters "k8s.io/client-go/listers/autoscaling/v2"
	corelisters "k8s.io/client-go/listers/core/v1"
	discoverylisters "k8s.io/client-go/listers/discovery/v1"
	netlisters "k8s.io/client-go/listers/networking/v1"
	policylisters "k8s.io/client-go/listers/policy/v1"
	"k8s.io/client-go/tools/cache"
)

// nothing is the cache of a namespace that is not watched: everything in it is
// not found. The preflight refuses such a namespace with a clear message.
var nothing = cache.NewIndexer(cache.MetaNamespaceKeyFunc, cache.Indexers{cache.NamespaceIndex: cache.MetaNamespaceIndexFunc})

// indexer returns the cache of one resource in a namespace.
func (c *Cluster) indexer(namespace, resource string) cache.Indexer {
	if v := c.view(namespace); v != nil {
		return v.indexer(resource)
	}
	return nothing
}

// Deployments returns the cached Deployments of a namespace.
func (c *Cluster) Deployments(namespace string) appslisters.DeploymentNamespaceLister {
	return appslisters.NewDeploymentLister(c.indexer(namespace, deployments)).Deployments(namespace)
}

// ReplicaSets returns the cached ReplicaSets of a namespace.
func (c *Cluster) ReplicaSets(namespace string) appslisters.ReplicaSetNamespaceLister {
	return appslisters.NewReplicaSetLister(c.indexer(namespace, replicaSets)).ReplicaSets(namespace)
}

// Pods returns the cached pods of a namespace. Only their identity, owner,
// address and status are kept.
func (c *Cluster) Pods(namespace string) corelisters.PodNamespaceLister {
	return corelisters.NewPodLister(c.indexer(namespace, pods)).Pods(namespace)
}

// Services returns the cached Services of a namespace.
func (c *Cluster) Services(namespace string) corelisters.ServiceNamespaceLister {
	return corelisters.NewServiceLister(c.indexer(namespace, services)).Services(namespace)
}

// EndpointSlices returns the cached EndpointSlices of a namespace; SlicesOf
// finds those of one Service faster.
func (c *Cluster) EndpointSlices(namespace string) discoverylisters.EndpointSliceNamespaceLister {
	return discoverylisters.NewEndpointSliceLister(c.indexer(namespace, endpointSlices)).EndpointSlices(namespace)
}

// Ingresses returns the cached Ingresses of a namespace.
func (c *Cluster) Ingresses(namespace string) netlisters.IngressNamespaceLister {
	return netlisters.NewIngressLister(c.indexer(namespace, ingresses)).Ingresses(namespace)
}

// ResourceQuotas returns the cached quotas of a namespace.
func (c *Cluster) ResourceQuotas(namespace string) corelisters.ResourceQuotaNamespaceLister {
	return corelisters.NewResourceQuotaLister(c.indexer(namespace, resourceQuotas)).ResourceQuotas(namespace)
}

// NetworkPolicies returns the cached network policies of a namespace.
func (c *Cluster) NetworkPolicies(namespace string) netlisters.NetworkPolicyNamespaceLister {
	return netlisters.NewNetworkPolicyLister(c.indexer(namespace, networkPolicies)).NetworkPolicies(namespace)
}

// HorizontalPodAutoscalers returns the cached autoscalers of a namespace.
func (c *Cluster) HorizontalPodAutoscalers(namespace string) scalinglisters.HorizontalPodAutoscalerNamespaceLister {
	return scalinglisters.NewHorizontalPodAutoscalerLister(c.indexer(namespace, autoscalers)).HorizontalPodAutoscalers(namespace)
}

// Budgets returns the cached PodDisruptionBudgets of a namespace.
func (c *Cluster) Budgets(namespace string) policylisters.PodDisruptionBudgetNamespaceLister {
	return policylisters.NewPodDisruptionBudgetLister(c.indexer(namespace, budgets)).PodDisruptionBudgets(namespace)
}
