package fakenodes

import (
	"encoding/json"
	"fmt"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
)

// readyPatch returns the patch that makes the pod run and be ready.
func (p *pods) readyPatch(pod *v1.Pod) ([]byte, error) {
	address, err := p.addresses.take(pod.UID)
	if err != nil {
		return nil, err
	}
	patch, err := json.Marshal(map[string]any{
		// The UID keeps the patch from a pod of the same name that came after.
		"metadata": map[string]any{"uid": pod.UID},
		"status":   runningStatus(pod, address, metav1.Now()),
	})
	if err != nil {
		return nil, fmt.Errorf("encoding the status of pod %s/%s: %w", pod.Namespace, pod.Name, err)
	}
	return patch, nil
}

func runningStatus(pod *v1.Pod, address string, now metav1.Time) v1.PodStatus {
	status := v1.PodStatus{
		Phase: v1.PodRunning, StartTime: &now,
		PodIP: address, PodIPs: []v1.PodIP{{IP: address}},
	}
	for _, condition := range []v1.PodConditionType{v1.PodInitialized, v1.ContainersReady, v1.PodReady} {
		status.Conditions = append(status.Conditions, v1.PodCondition{
			Type: condition, Status: v1.ConditionTrue, LastTransitionTime: now,
		})
	}
	for _, c := range pod.Spec.InitContainers {
		status.InitContainerStatuses = append(status.InitContainerStatuses, v1.ContainerStatus{
			Name: c.Name, Image: c.Image, Ready: true,
			State: v1.ContainerState{Terminated: &v1.ContainerStateTerminated{Reason: "Completed", StartedAt: now, FinishedAt: now}},
		})
	}
	for _, c := range pod.Spec.Containers {
		status.ContainerStatuses = append(status.ContainerStatuses, v1.ContainerStatus{
			Name: c.Name, Image: c.Image, Ready: true, Started: ptr.To(true),
			State: v1.ContainerState{Running: &v1.ContainerStateRunning{StartedAt: now}},
		})
	}
	return status
}
