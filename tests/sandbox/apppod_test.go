package sandbox_test

import (
	"strings"
	"testing"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"sluice.dev/sluice/tests/sandbox"
)

// appImage runs the demo application.
const appImage = "registry.cn-hangzhou.aliyuncs.com/mse-ingress/version:v1"

// appPod returns a pod of the demo application with variables, as NAME=VALUE, that
// is asked every second whether it is ready. Seconds of grace 0 are the default.
func appPod(name string, grace int64, env ...string) *v1.Pod {
	main := v1.Container{Name: "main", Image: appImage}
	for _, pair := range env {
		key, value, _ := strings.Cut(pair, "=")
		main.Env = append(main.Env, v1.EnvVar{Name: key, Value: value})
	}
	pod := &v1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"app": name}},
		Spec:       v1.PodSpec{Containers: []v1.Container{main}},
	}
	if grace > 0 {
		pod.Spec.TerminationGracePeriodSeconds = &grace
	}
	return readyBy(pod, "/readyz")
}

// readyBy asks the pod every second, by a path, whether it is ready.
func readyBy(pod *v1.Pod, path string) *v1.Pod {
	pod.Spec.Containers[0].ReadinessProbe = everySecond(path)
	return pod
}

// alive asks the pod every second whether it lives.
func alive(pod *v1.Pod) *v1.Pod {
	pod.Spec.Containers[0].LivenessProbe = everySecond("/")
	return pod
}

// preStop sets what is done before the container is told to end.
func preStop(pod *v1.Pod, hook v1.LifecycleHandler) *v1.Pod {
	pod.Spec.Containers[0].Lifecycle = &v1.Lifecycle{PreStop: &hook}
	return pod
}

func sleeps(seconds int64) v1.LifecycleHandler {
	return v1.LifecycleHandler{Sleep: &v1.SleepAction{Seconds: seconds}}
}

func asks(path string) v1.LifecycleHandler { return v1.LifecycleHandler{HTTPGet: getOf(path)} }

// everySecond is a probe that one failure decides.
func everySecond(path string) *v1.Probe {
	return &v1.Probe{
		ProbeHandler:     v1.ProbeHandler{HTTPGet: getOf(path)},
		PeriodSeconds:    1,
		FailureThreshold: 1,
	}
}

func getOf(path string) *v1.HTTPGetAction {
	return &v1.HTTPGetAction{Path: path, Port: intstr.FromInt32(8080)}
}

// inside returns what a URL answers inside the sandbox, or nothing.
func inside(t *testing.T, s *sandbox.Sandbox, url string) string {
	t.Helper()
	// Who asks may be too early or too late, and asks again.
	text, _ := s.Command(t.Context(), testBinary(t), roleGet, url).Output()
	return string(text)
}
