package workload

import (
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
)

// podTrouble says why a pod is not ready, in the cluster's words; nothing if it
// is ready.
func podTrouble(p *corev1.Pod) string {
	if podReady(p) {
		return ""
	}
	for _, statuses := range [][]corev1.ContainerStatus{p.Status.InitContainerStatuses, p.Status.ContainerStatuses} {
		for i := range statuses {
			if text := containerTrouble(&statuses[i]); text != "" {
				return fmt.Sprintf("%s (%s)", text, p.Name)
			}
		}
	}
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse {
			return fmt.Sprintf("%s: %s (%s)", c.Reason, c.Message, p.Name)
		}
	}
	if p.Status.Reason != "" {
		return fmt.Sprintf("%s: %s (%s)", p.Status.Reason, p.Status.Message, p.Name)
	}
	return fmt.Sprintf("not ready yet (%s)", p.Name)
}

// containerTrouble says why a container does not run; nothing where it runs, or
// has not been started yet.
func containerTrouble(c *corev1.ContainerStatus) string {
	switch {
	case c.State.Waiting != nil && c.State.Waiting.Reason != "ContainerCreating" && c.State.Waiting.Reason != "PodInitializing":
		if last := c.LastTerminationState.Terminated; last != nil {
			return fmt.Sprintf("%s: %s", c.State.Waiting.Reason, ended(last))
		}
		if c.State.Waiting.Message != "" {
			return fmt.Sprintf("%s: %s", c.State.Waiting.Reason, c.State.Waiting.Message)
		}
		return c.State.Waiting.Reason
	case c.State.Terminated != nil && c.State.Terminated.ExitCode != 0:
		return ended(c.State.Terminated)
	}
	return ""
}

// ended says how a container came to its end.
func ended(t *corev1.ContainerStateTerminated) string {
	text := fmt.Sprintf("exit code %d", t.ExitCode)
	if t.Reason != "" && t.Reason != "Error" {
		text += ", " + t.Reason
	}
	return text
}

func podReady(p *corev1.Pod) bool {
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}

// conditionTrouble says why a Deployment cannot create pods: a quota, a policy.
func conditionTrouble(d *appsv1.Deployment) string {
	for _, c := range d.Status.Conditions {
		if c.Type == appsv1.DeploymentReplicaFailure && c.Status == corev1.ConditionTrue {
			return c.Reason + ": " + c.Message
		}
	}
	return ""
}
