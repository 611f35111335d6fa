package kube_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	netv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"sluice.dev/sluice/activities/kube"
	"sluice.dev/sluice/activities/kube/kubetest"
	"sluice.dev/sluice/activities/release"
)

// TestMark changes one thing after the other: what decides about requests makes
// another mark, what others fill in does not.
func TestMark(t *testing.T) {
	weight := "nginx.ingress.kubernetes.io/canary-weight"
	ingress, service, deployment := kubetest.Ingress(), kubetest.Service(), kubetest.Deployment(3)
	ingress.Annotations[weight] = "10"
	classless := ingress.DeepCopy()
	delete(classless.Annotations, kube.AnnotationClass)
	cases := []struct {
		name   string
		of     metav1.Object
		edit   func(metav1.Object)
		edited bool
	}{
		{"weight", ingress, func(o metav1.Object) { o.GetAnnotations()[weight] = "50" }, true},
		{"no weight", ingress, func(o metav1.Object) { delete(o.GetAnnotations(), weight) }, true},
		{"another rule of the route", ingress, func(o metav1.Object) { o.GetAnnotations()["higress.io/canary-by-cookie"] = "x" }, true},
		{"path", ingress, func(o metav1.Object) { o.(*netv1.Ingress).Spec.Rules[0].HTTP.Paths[0].Path = "/other" }, true},
		{"somebody's annotation", ingress, func(o metav1.Object) { o.GetAnnotations()["team"] = "a" }, false},
		{"class by the other field", ingress, func(o metav1.Object) {
			delete(o.GetAnnotations(), kube.AnnotationClass)
			o.(*netv1.Ingress).Spec.IngressClassName = new("nginx")
		}, false},
		{"class", ingress, func(o metav1.Object) { o.GetAnnotations()[kube.AnnotationClass] = "other" }, true},
		{"no class", ingress, func(o metav1.Object) { delete(o.GetAnnotations(), kube.AnnotationClass) }, true},
		{"default class", classless, func(o metav1.Object) { o.(*netv1.Ingress).Spec.IngressClassName = new("nginx") }, false},
		{"default class, and a weight", classless, func(o metav1.Object) {
			o.(*netv1.Ingress).Spec.IngressClassName = new("nginx")
			o.GetAnnotations()[weight] = "50"
		}, true},
		{"selector", service, func(o metav1.Object) { o.(*corev1.Service).Spec.Selector = map[string]string{"a": "b"} }, true},
		{"port", service, func(o metav1.Object) { o.(*corev1.Service).Spec.Ports[0].TargetPort = intstr.FromString("http") }, true},
		{"address", service, func(o metav1.Object) { o.(*corev1.Service).Spec.ClusterIP = "10.0.0.9" }, false},
		{"image", deployment, func(o metav1.Object) { o.(*appsv1.Deployment).Spec.Template.Spec.Containers[0].Image = "x" }, true},
		{"pause", deployment, func(o metav1.Object) { o.(*appsv1.Deployment).Spec.Paused = true }, true},
		{"size", deployment, func(o metav1.Object) { o.(*appsv1.Deployment).Spec.Replicas = new(int32(4)) }, true},
		{"sidecar's annotation", deployment, func(o metav1.Object) { o.(*appsv1.Deployment).Spec.Template.Annotations = map[string]string{"a": "b"} }, false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var o metav1.Object
			switch of := c.of.(type) {
			case *netv1.Ingress:
				o = of.DeepCopy()
			case *corev1.Service:
				o = of.DeepCopy()
			case *appsv1.Deployment:
				o = of.DeepCopy()
			}
			require.False(t, kube.Edited(o), "without a mark nothing can be told")
			annotations := o.GetAnnotations()
			if annotations == nil {
				annotations = map[string]string{}
			}
			annotations[release.AnnotationMark] = kube.Mark(o)
			o.SetAnnotations(annotations)
			require.False(t, kube.Edited(o))
			c.edit(o)
			require.Equal(t, c.edited, kube.Edited(o))
			if d, ok := o.(*appsv1.Deployment); ok {
				require.Equal(t, c.name == "size" || !c.edited, kube.OnlyScaled(d))
			}
		})
	}
	require.Empty(t, kube.Mark(&policyv1.PodDisruptionBudget{}))
}
