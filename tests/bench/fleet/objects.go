package fleet

import (
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// What keeps pods of a fleet on nodes that run nothing, and others off them.
const (
	fakeLabel, fakeValue = "type", "fake"
	fakeTaint            = "sluice.dev/fake"
)

// Container is the name of the one container of every application.
const Container = "main"

// Image returns the image of a version.
func Image(version string) string { return "fleet.example/app:" + version }

func newNamespace(name string) *corev1.Namespace {
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
}

func meta(app App) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: app.Namespace, Name: app.Name}
}

// newDeployment has the shape of the seed's.
func newDeployment(app App, replicas int) *appsv1.Deployment {
	labels := map[string]string{"app": app.Name}
	return &appsv1.Deployment{
		ObjectMeta: meta(app),
		Spec: appsv1.DeploymentSpec{
			Replicas: new(int32(replicas)),
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec: corev1.PodSpec{
					NodeSelector: map[string]string{fakeLabel: fakeValue},
					Tolerations:  []corev1.Toleration{{Key: fakeTaint, Operator: corev1.TolerationOpExists}},
					Containers: []corev1.Container{{
						Name: Container, Image: Image("v1"), Ports: []corev1.ContainerPort{{ContainerPort: 8080}},
					}},
				},
			},
		},
	}
}

func newService(app App) *corev1.Service {
	return &corev1.Service{
		ObjectMeta: meta(app),
		Spec: corev1.ServiceSpec{
			Selector: map[string]string{"app": app.Name},
			Ports:    []corev1.ServicePort{{Name: "http", Port: 80, TargetPort: intstr.FromInt32(8080)}},
		},
	}
}

func newIngress(app App) *networkingv1.Ingress {
	exact := networkingv1.PathTypeExact
	path := networkingv1.HTTPIngressPath{
		Path: "/version", PathType: &exact,
		Backend: networkingv1.IngressBackend{Service: &networkingv1.IngressServiceBackend{
			Name: app.Name, Port: networkingv1.ServiceBackendPort{Number: 80},
		}},
	}
	return &networkingv1.Ingress{
		ObjectMeta: meta(app),
		Spec: networkingv1.IngressSpec{
			IngressClassName: new("nginx"),
			Rules: []networkingv1.IngressRule{{
				Host: app.Name + ".example",
				IngressRuleValue: networkingv1.IngressRuleValue{
					HTTP: &networkingv1.HTTPIngressRuleValue{Paths: []networkingv1.HTTPIngressPath{path}},
				},
			}},
		},
	}
}
