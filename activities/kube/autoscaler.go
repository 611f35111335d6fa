package kube

import (
	"context"
	"encoding/json"
	"fmt"

	scalingv2 "k8s.io/api/autoscaling/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"

	"sluice.dev/sluice/activities/release"
)

// AutoscalersOf returns the cached HorizontalPodAutoscalers that scale a
// Deployment.
func (c *Cluster) AutoscalersOf(namespace, deployment string) []*scalingv2.HorizontalPodAutoscaler {
	// The cache cannot fail to list.
	all, _ := c.HorizontalPodAutoscalers(namespace).List(labels.Everything())
	var found []*scalingv2.HorizontalPodAutoscaler
	for _, h := range all {
		if Scales(h, deployment) {
			found = append(found, h)
		}
	}
	return found
}

// Scales says whether an autoscaler scales a Deployment.
func Scales(h *scalingv2.HorizontalPodAutoscaler, deployment string) bool {
	return h.Spec.ScaleTargetRef.Kind == "Deployment" && h.Spec.ScaleTargetRef.Name == deployment
}

// AutoscalerRecordOf reads the record of a rollout from an autoscaler of the
// user; nil if it carries none. One that cannot be read is an error of type
// Drift.
func AutoscalerRecordOf(h *scalingv2.HorizontalPodAutoscaler) (*release.AutoscalerRecord, error) {
	text, ok := h.Annotations[release.AnnotationRelease]
	if !ok {
		return nil, nil
	}
	r := &release.AutoscalerRecord{}
	if err := json.Unmarshal([]byte(text), r); err != nil {
		return nil, Terminal(ErrDrift, "reading annotation %s of HorizontalPodAutoscaler %s/%s: %w: set spec.behavior.scaleDown.selectPolicy as you want it and remove the annotation",
			release.AnnotationRelease, h.Namespace, h.Name, err)
	}
	return r, nil
}

// EditAutoscaler changes an autoscaler of the user by a JSON patch that applies
// to exactly the version that edit saw, which is read from the API server. An
// empty patch means that it is as it should be.
func (c *Cluster) EditAutoscaler(ctx context.Context, namespace, name string, edit func(*scalingv2.HorizontalPodAutoscaler) (Patch, error)) error {
	doing := fmt.Sprintf("changing HorizontalPodAutoscaler %s/%s", namespace, name)
	client := c.client.AutoscalingV2().HorizontalPodAutoscalers(namespace)
	for range maxTries {
		h, err := client.Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return Failure(err, doing)
		}
		patch, err := edit(h)
		if err != nil || len(patch) == 0 {
			return err
		}
		data, err := patch.lock(h.ResourceVersion).encode()
		if err != nil {
			return err
		}
		_, err = client.Patch(ctx, name, types.JSONPatchType, data, metav1.PatchOptions{FieldManager: release.FieldManager})
		if err == nil || !IsConflict(err) {
			return Failure(err, doing)
		}
	}
	return Retryable(ErrConflict, "%s: it is being written to by others all the time, it will be tried again", doing)
}
