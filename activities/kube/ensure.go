package kube

import (
	"context"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	netv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"

	"sluice.dev/sluice/activities/release"
)

// EnsureDeployment creates or changes a Deployment of ours, so that it is what
// mutate makes of it; marks and fence are added. It returns the object as it is
// then (not to be changed), and whether it wrote. An object of that name that
// is not of this rollout is an error of type Refused, one that a later
// operation wrote an error of type Superseded.
func (c *Cluster) EnsureDeployment(ctx context.Context, ref release.Ref, name string, how Own, mutate func(*appsv1.Deployment)) (*appsv1.Deployment, bool, error) {
	return ensure(ctx, c.ownDeployments(ref.Namespace), ref, name, how, mutate)
}

// EnsureService is EnsureDeployment for a Service of ours.
func (c *Cluster) EnsureService(ctx context.Context, ref release.Ref, name string, how Own, mutate func(*corev1.Service)) (*corev1.Service, bool, error) {
	return ensure(ctx, c.ownServices(ref.Namespace), ref, name, how, mutate)
}

// EnsureIngress is EnsureDeployment for an Ingress of ours.
func (c *Cluster) EnsureIngress(ctx context.Context, ref release.Ref, name string, how Own, mutate func(*netv1.Ingress)) (*netv1.Ingress, bool, error) {
	return ensure(ctx, c.ownIngresses(ref.Namespace), ref, name, how, mutate)
}

// EnsureBudget is EnsureDeployment for a PodDisruptionBudget of ours.
func (c *Cluster) EnsureBudget(ctx context.Context, ref release.Ref, name string, how Own, mutate func(*policyv1.PodDisruptionBudget)) (*policyv1.PodDisruptionBudget, bool, error) {
	return ensure(ctx, c.ownBudgets(ref.Namespace), ref, name, how, mutate)
}

// RemoveDeployment deletes a Deployment of ours and reports whether there was
// one. It does not wait for its pods.
func (c *Cluster) RemoveDeployment(ctx context.Context, ref release.Ref, name string) (bool, error) {
	return remove(ctx, c.ownDeployments(ref.Namespace), ref, name)
}

// RemoveService deletes a Service of ours and reports whether there was one.
func (c *Cluster) RemoveService(ctx context.Context, ref release.Ref, name string) (bool, error) {
	return remove(ctx, c.ownServices(ref.Namespace), ref, name)
}

// RemoveIngress deletes an Ingress of ours and reports whether there was one.
func (c *Cluster) RemoveIngress(ctx context.Context, ref release.Ref, name string) (bool, error) {
	return remove(ctx, c.ownIngresses(ref.Namespace), ref, name)
}

// RemoveBudget deletes a PodDisruptionBudget of ours and reports whether there
// was one.
func (c *Cluster) RemoveBudget(ctx context.Context, ref release.Ref, name string) (bool, error) {
	return remove(ctx, c.ownBudgets(ref.Namespace), ref, name)
}

func (c *Cluster) ownDeployments(namespace string) resource[*appsv1.Deployment] {
	return resource[*appsv1.Deployment]{
		kind: "Deployment", client: c.client.AppsV1().Deployments(namespace), cached: c.Deployments(namespace),
		make: func() *appsv1.Deployment { return &appsv1.Deployment{} },
	}
}

func (c *Cluster) ownServices(namespace string) resource[*corev1.Service] {
	return resource[*corev1.Service]{
		kind: "Service", client: c.client.CoreV1().Services(namespace), cached: c.Services(namespace),
		make: func() *corev1.Service { return &corev1.Service{} },
	}
}

func (c *Cluster) ownIngresses(namespace string) resource[*netv1.Ingress] {
	return resource[*netv1.Ingress]{
		kind: "Ingress", client: c.client.NetworkingV1().Ingresses(namespace), cached: c.Ingresses(namespace),
		make: func() *netv1.Ingress { return &netv1.Ingress{} },
	}
}

func (c *Cluster) ownBudgets(namespace string) resource[*policyv1.PodDisruptionBudget] {
	return resource[*policyv1.PodDisruptionBudget]{
		kind: "PodDisruptionBudget", client: c.client.PolicyV1().PodDisruptionBudgets(namespace), cached: c.Budgets(namespace),
		make: func() *policyv1.PodDisruptionBudget { return &policyv1.PodDisruptionBudget{} },
	}
}
