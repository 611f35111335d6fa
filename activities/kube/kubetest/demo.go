package kubetest

import (
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	netv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"sluice.dev/sluice/activities/release"
	"sluice.dev/sluice/config"
)

// Namespace of the fixtures.
const Namespace = "shop"

// Deployment returns the workload of the fixtures, with the defaults of the API
// server: demo, n pods of image version:v1.
func Deployment(n int32) *appsv1.Deployment {
	selector := map[string]string{"app": "demo"}
	quarter := intstr.FromString("25%")
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{
			Name: "demo", Namespace: Namespace, Annotations: map[string]string{"deployment.kubernetes.io/revision": "1"},
			ManagedFields: []metav1.ManagedFieldsEntry{{Manager: "kubectl", Operation: metav1.ManagedFieldsOperationUpdate}},
		},
		Spec: appsv1.DeploymentSpec{
			Replicas: &n,
			Selector: &metav1.LabelSelector{MatchLabels: selector},
			Strategy: appsv1.DeploymentStrategy{
				Type:          appsv1.RollingUpdateDeploymentStrategyType,
				RollingUpdate: &appsv1.RollingUpdateDeployment{MaxSurge: &quarter, MaxUnavailable: &quarter},
			},
			RevisionHistoryLimit:    new(int32(10)),
			ProgressDeadlineSeconds: new(int32(600)),
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "demo"}},
				Spec: corev1.PodSpec{
					RestartPolicy: corev1.RestartPolicyAlways,
					Containers:    []corev1.Container{{Name: "main", Image: "version:v1", Ports: []corev1.ContainerPort{{ContainerPort: 8080}}}},
				},
			},
		},
	}
}

// Service returns the Service of the fixtures.
func Service() *corev1.Service {
	return &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: "demo", Namespace: Namespace, Annotations: map[string]string{"helm.sh/hook": "x"}},
		Spec: corev1.ServiceSpec{
			Type: corev1.ServiceTypeNodePort, ClusterIP: "10.96.0.7", Selector: map[string]string{"app": "demo"},
			Ports: []corev1.ServicePort{{Name: "http", Port: 80, NodePort: 30080, TargetPort: intstr.FromInt32(8080), Protocol: corev1.ProtocolTCP}},
		},
	}
}

// Ingress returns the Ingress of the fixtures.
func Ingress() *netv1.Ingress {
	exact := netv1.PathTypeExact
	return &netv1.Ingress{
		ObjectMeta: metav1.ObjectMeta{Name: "demo", Namespace: Namespace, Annotations: map[string]string{"kubernetes.io/ingress.class": "nginx"}},
		Spec: netv1.IngressSpec{Rules: []netv1.IngressRule{{IngressRuleValue: netv1.IngressRuleValue{HTTP: &netv1.HTTPIngressRuleValue{
			Paths: []netv1.HTTPIngressPath{{Path: "/version", PathType: &exact, Backend: netv1.IngressBackend{
				Service: &netv1.IngressServiceBackend{Name: "demo", Port: netv1.ServiceBackendPort{Number: 80}},
			}}},
		}}}}},
	}
}

// Ref returns the reference of a rollout of the fixtures, for one operation.
func Ref(seq int64) release.Ref {
	return release.Ref{
		ID: "r1", WorkflowID: "rollout:default:shop:Deployment:demo", Namespace: Namespace,
		Workload: config.ObjectRef{APIVersion: "apps/v1", Kind: "Deployment", Name: "demo"},
		Service:  "demo", Ingress: "demo", Class: "nginx",
		Isolation: release.Isolation{Key: "app", Value: "demo-canary"}, Seq: seq,
	}
}
