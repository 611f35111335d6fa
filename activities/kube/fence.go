package kube

import (
	"encoding/json"
	"strconv"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sluice.dev/sluice/activities/release"
)

// RecordOf reads the record of a rollout from a workload; nil if it carries
// none. A record that cannot be read is an error of type Drift.
func RecordOf(d *appsv1.Deployment) (*release.Record, error) {
	text, ok := d.Annotations[release.AnnotationRelease]
	if !ok {
		return nil, nil
	}
	r := &release.Record{}
	if err := json.Unmarshal([]byte(text), r); err != nil {
		return nil, Terminal(ErrDrift, "reading annotation %s of Deployment %s/%s: %w: remove the annotation if no rollout is open, or run sluice repair",
			release.AnnotationRelease, d.Namespace, d.Name, err)
	}
	return r, nil
}

// fenceWorkload refuses a write to a workload that a later operation of this
// rollout, or another rollout, has marked.
func fenceWorkload(d *appsv1.Deployment, ref release.Ref) error {
	record, err := RecordOf(d)
	if err != nil || record == nil {
		return err
	}
	if record.ID != ref.ID {
		return Terminal(ErrSuperseded, "writing Deployment %s/%s: it belongs to rollout %s of workflow %s: end that one first (sluice abort, or sluice repair if its workflow is gone)",
			d.Namespace, d.Name, record.ID, record.WorkflowID)
	}
	if record.Seq > ref.Seq {
		return superseded("Deployment", d, record.Seq, ref.Seq)
	}
	return nil
}

// fenceOwn refuses a write to an object that is not of this rollout, or that a
// later operation has written.
func fenceOwn(kind string, obj metav1.Object, ref release.Ref) error {
	if id := obj.GetLabels()[release.LabelRollout]; id != ref.ID {
		return Terminal(ErrRefused, "writing %s %s/%s: it exists and does not belong to rollout %s (label %s is %q): rename or remove it",
			kind, obj.GetNamespace(), obj.GetName(), ref.ID, release.LabelRollout, id)
	}
	if seq := SeqOf(obj); seq > ref.Seq {
		return superseded(kind, obj, seq, ref.Seq)
	}
	return nil
}

func superseded(kind string, obj metav1.Object, theirs, ours int64) error {
	return Terminal(ErrSuperseded, "writing %s %s/%s: operation %d of this rollout has overtaken operation %d: nothing is to be done",
		kind, obj.GetNamespace(), obj.GetName(), theirs, ours)
}

// SeqOf reads the fence of an object of ours; 0 if it has none.
func SeqOf(obj metav1.Object) int64 {
	n, err := strconv.ParseInt(obj.GetAnnotations()[release.AnnotationSeq], 10, 64)
	if err != nil {
		return 0
	}
	return n
}
