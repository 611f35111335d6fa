package kube

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"sluice.dev/sluice/activities/release"
)

// ServiceRecordOf reads the record of a rollout from the user's Service; nil if
// it carries none. A record that cannot be read is an error of type Drift.
func ServiceRecordOf(s *corev1.Service) (*release.ServiceRecord, error) {
	text, ok := s.Annotations[release.AnnotationRelease]
	if !ok {
		return nil, nil
	}
	r := &release.ServiceRecord{}
	if err := json.Unmarshal([]byte(text), r); err != nil {
		return nil, Terminal(ErrDrift, "reading annotation %s of Service %s/%s: %w: remove the annotation and label pod-template-hash from spec.selector if no rollout is open, or run sluice repair",
			release.AnnotationRelease, s.Namespace, s.Name, err)
	}
	return r, nil
}

// OwnSelector is the selector of a Service as the user wrote it: without the key
// that a rollout has added, which its record names.
func OwnSelector(s *corev1.Service) map[string]string {
	selector := maps.Clone(s.Spec.Selector)
	if _, ours := s.Annotations[release.AnnotationRelease]; ours {
		delete(selector, appsv1.DefaultDeploymentUniqueLabelKey)
	}
	return selector
}

// fenceService refuses a write to a Service that a later operation of this
// rollout, or another rollout, has marked.
func fenceService(s *corev1.Service, ref release.Ref) error {
	record, err := ServiceRecordOf(s)
	if err != nil || record == nil {
		return err
	}
	if record.ID != ref.ID {
		return Terminal(ErrSuperseded, "writing Service %s/%s: its selector belongs to rollout %s of workflow %s: end that one first (sluice abort, or sluice repair if its workflow is gone)",
			s.Namespace, s.Name, record.ID, record.WorkflowID)
	}
	if record.Seq > ref.Seq {
		return superseded("Service", s, record.Seq, ref.Seq)
	}
	return nil
}

// EditService changes the user's Service of ref by a JSON patch that applies to
// exactly the version that edit saw, which is read from the API server. An empty
// patch means that the Service is as it should be. It returns the Service as it
// is then. A write that meets another one is evaluated again where again is
// true, and else left to the retries of the activity, of which there are none
// once the rollout has gone on without it.
func (c *Cluster) EditService(ctx context.Context, ref release.Ref, again bool, edit func(*corev1.Service) (Patch, error)) (*corev1.Service, error) {
	doing := fmt.Sprintf("changing Service %s/%s", ref.Namespace, ref.Service)
	client := c.client.CoreV1().Services(ref.Namespace)
	for range maxTries {
		s, err := client.Get(ctx, ref.Service, metav1.GetOptions{})
		if err != nil {
			return nil, Failure(err, doing)
		}
		if err := fenceService(s, ref); err != nil {
			return nil, err
		}
		patch, err := edit(s)
		if err != nil || len(patch) == 0 {
			return s, err
		}
		data, err := patch.lock(s.ResourceVersion).encode()
		if err != nil {
			return nil, err
		}
		written, err := client.Patch(ctx, s.Name, types.JSONPatchType, data, metav1.PatchOptions{FieldManager: release.FieldManager})
		if err == nil {
			return written, nil
		}
		if !IsConflict(err) || !again {
			return nil, Failure(err, doing)
		}
	}
	return nil, Retryable(ErrConflict, "%s: it is being written to by others all the time, it will be tried again", doing)
}

// OpenLive is OpenWorkload that believes the API server only: for writes that
// would harm if they came late.
func (c *Cluster) OpenLive(ctx context.Context, ref release.Ref) error {
	d, err := c.readDeployment(ctx, ref, nil, true)
	if err != nil {
		return Failure(err, fmt.Sprintf("reading Deployment %s/%s", ref.Namespace, ref.Workload.Name))
	}
	return open(d, ref)
}
