package preflight_test

import (
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// sleeping gives pods a preStop and a time to end, in seconds.
func sleeping(sleep, termination int64) func(*appsv1.Deployment) {
	return func(d *appsv1.Deployment) {
		spec := &d.Spec.Template.Spec
		spec.TerminationGracePeriodSeconds = new(termination)
		spec.Containers[0].Lifecycle = &corev1.Lifecycle{PreStop: &corev1.LifecycleHandler{Sleep: &corev1.SleepAction{Seconds: sleep}}}
	}
}

// endings are warnings about requests that depend on how pods end.
var endings = []warned{
	{"killed at once", func(d *appsv1.Deployment) { d.Spec.Template.Spec.TerminationGracePeriodSeconds = new(int64(0)) }, nil,
		[]string{"terminationGracePeriodSeconds: it is 0: pods are killed with the requests that they have"}},
	{"killed in their sleep", sleeping(30, 30), nil, []string{"container main lifecycle.preStop.sleep: it takes 30 s of the 30 s"}},
	{"time to end", sleeping(5, 30), nil, nil},
	{"a door of its own", nil, []runtime.Object{typed(corev1.ServiceTypeLoadBalancer)}, []string{"Service shop/demo: it is of type LoadBalancer: requests that come that way are not weighted"}},
}
