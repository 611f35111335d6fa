package workload

import (
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
)

func TestPodTrouble(t *testing.T) {
	condition := func(kind corev1.PodConditionType, status corev1.ConditionStatus, reason, message string) []corev1.PodCondition {
		return []corev1.PodCondition{{Type: kind, Status: status, Reason: reason, Message: message}}
	}
	waiting := func(reason, message string, last *corev1.ContainerStateTerminated) []corev1.ContainerStatus {
		s := corev1.ContainerStatus{Name: "main"}
		s.State.Waiting = &corev1.ContainerStateWaiting{Reason: reason, Message: message}
		s.LastTerminationState.Terminated = last
		return []corev1.ContainerStatus{s}
	}
	cases := []struct {
		name  string
		given corev1.PodStatus
		want  string
	}{
		{"ready", corev1.PodStatus{Conditions: condition(corev1.PodReady, corev1.ConditionTrue, "", "")}, ""},
		{"crash loop", corev1.PodStatus{ContainerStatuses: waiting("CrashLoopBackOff", "back-off 10s", &corev1.ContainerStateTerminated{ExitCode: 1, Reason: "Error"})}, "CrashLoopBackOff: exit code 1 (p)"},
		{"out of memory", corev1.PodStatus{ContainerStatuses: waiting("CrashLoopBackOff", "", &corev1.ContainerStateTerminated{ExitCode: 137, Reason: "OOMKilled"})}, "CrashLoopBackOff: exit code 137, OOMKilled (p)"},
		{"image", corev1.PodStatus{ContainerStatuses: waiting("ErrImagePull", "not found", nil)}, "ErrImagePull: not found (p)"},
		{"init container", corev1.PodStatus{InitContainerStatuses: waiting("ImagePullBackOff", "", nil), ContainerStatuses: waiting("PodInitializing", "", nil)}, "ImagePullBackOff (p)"},
		{"starting", corev1.PodStatus{ContainerStatuses: waiting("ContainerCreating", "", nil)}, "not ready yet (p)"},
		{"ended", corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 2}}}}}, "exit code 2 (p)"},
		{"unschedulable", corev1.PodStatus{Conditions: condition(corev1.PodScheduled, corev1.ConditionFalse, "Unschedulable", "0/1 nodes")}, "Unschedulable: 0/1 nodes (p)"},
		{"evicted", corev1.PodStatus{Reason: "Evicted", Message: "disk"}, "Evicted: disk (p)"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			p := &corev1.Pod{Status: c.given}
			p.Name = "p"
			require.Equal(t, c.want, podTrouble(p))
		})
	}
}
