package e2e

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sluice.dev/sluice/tests/harness"
	"sluice.dev/sluice/workflows"
)

// canaryName is the name of all objects of the canary.
const canaryName = harness.Demo + "-canary"

// TestObjectsThatComeLate lets objects of the canary come again after they were
// deleted on the way back, as an API server creates them that has not answered in
// time. The canary Ingress comes while the gateway still has to forget the first one,
// the others while the canary goes.
func TestObjectsThatComeLate(t *testing.T) {
	r := newRollout(t)
	r.start("rollout-canary.yaml", "v2")
	r.holdAt(1, 10, "v2")
	route, rest := r.copies()
	r.sluice("abort", harness.Demo, "--reason", "changed our mind")
	r.gone(func(ctx context.Context) error {
		_, err := r.Kube.NetworkingV1().Ingresses(r.namespace).Get(ctx, canaryName, metav1.GetOptions{})
		return err
	})
	route(r.ctx)
	r.gone(func(ctx context.Context) error {
		_, err := r.Kube.AppsV1().Deployments(r.namespace).Get(ctx, canaryName, metav1.GetOptions{})
		return err
	})
	rest(r.ctx)
	r.await(workflows.PhaseRolledBack, 0)
	r.checkShare("after the abort", "v2", 0)
	r.finish()
	r.restored("v1")
}

// gone waits until an object is gone, looking more often than a rollout goes on.
func (r *rollout) gone(get func(context.Context) error) {
	r.t.Helper()
	for {
		err := get(r.ctx)
		if apierrors.IsNotFound(err) {
			return
		}
		require.NoError(r.t, err)
		time.Sleep(5 * time.Millisecond)
	}
}

// copies returns what creates the canary Ingress, as it was first, and the other
// objects of the canary again.
func (r *rollout) copies() (route, rest func(context.Context)) {
	r.t.Helper()
	k, err := r.Kube.NetworkingV1().Ingresses(r.namespace).Get(r.ctx, canaryName, metav1.GetOptions{})
	require.NoError(r.t, err)
	s, err := r.Kube.CoreV1().Services(r.namespace).Get(r.ctx, canaryName, metav1.GetOptions{})
	require.NoError(r.t, err)
	b, err := r.Kube.PolicyV1().PodDisruptionBudgets(r.namespace).Get(r.ctx, canaryName, metav1.GetOptions{})
	require.NoError(r.t, err)
	d, err := r.Kube.AppsV1().Deployments(r.namespace).Get(r.ctx, canaryName, metav1.GetOptions{})
	require.NoError(r.t, err)
	anew := func(m metav1.ObjectMeta) metav1.ObjectMeta {
		return metav1.ObjectMeta{Namespace: m.Namespace, Name: m.Name, Labels: m.Labels, Annotations: m.Annotations}
	}
	route = func(ctx context.Context) {
		ingress := &networkingv1.Ingress{ObjectMeta: anew(k.ObjectMeta), Spec: k.Spec}
		ingress.Annotations["nginx.ingress.kubernetes.io/canary-weight"] = "0"
		_, err := r.Kube.NetworkingV1().Ingresses(r.namespace).Create(ctx, ingress, metav1.CreateOptions{})
		require.NoError(r.t, err)
	}
	rest = func(ctx context.Context) {
		_, err := r.Kube.AppsV1().Deployments(r.namespace).Create(ctx, &appsv1.Deployment{ObjectMeta: anew(d.ObjectMeta), Spec: d.Spec}, metav1.CreateOptions{})
		require.NoError(r.t, err)
		_, err = r.Kube.PolicyV1().PodDisruptionBudgets(r.namespace).Create(ctx, &policyv1.PodDisruptionBudget{ObjectMeta: anew(b.ObjectMeta), Spec: b.Spec}, metav1.CreateOptions{})
		if !apierrors.IsAlreadyExists(err) {
			require.NoError(r.t, err)
		}
		service := &corev1.Service{ObjectMeta: anew(s.ObjectMeta), Spec: corev1.ServiceSpec{Selector: s.Spec.Selector, Ports: s.Spec.Ports}}
		_, err = r.Kube.CoreV1().Services(r.namespace).Create(ctx, service, metav1.CreateOptions{})
		if !apierrors.IsAlreadyExists(err) {
			require.NoError(r.t, err)
		}
	}
	return route, rest
}
