package watch

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"sluice.dev/sluice/activities/kube"
	"sluice.dev/sluice/activities/release"
	"sluice.dev/sluice/activities/workload"
	"sluice.dev/sluice/config"
	"sluice.dev/sluice/config/kruise"
	"sluice.dev/sluice/starter/control"
	"sluice.dev/sluice/starter/watch/admission"
	"sluice.dev/sluice/starter/watch/projection"
	"sluice.dev/sluice/workflows"
)

// subject is one Rollout and everything that is known about it.
type subject struct {
	key     key
	obj     *unstructured.Unstructured
	doc     *config.Rollout // nil where it is wrong
	problem string
	before  projection.Status

	kind, name string
	id         string             // of the workflow
	d          *appsv1.Deployment // nil where there is none
	revision   string
	record     *release.Record
	hold       *release.Hold
	queued     *release.Queued

	// rollout is the last that is known of the present or the last rollout.
	rollout *control.Status
	// missed says that it has ended while nobody followed it.
	missed bool
	// waiting says why a held revision is not rolled out.
	waiting string
	// unheld is how many pods of the workload run a revision that rolled out without
	// a hold and is told to be stable now.
	unheld int32
	// relayed identifies the message that was made of a patch of the status.
	relayed string
}

// look gathers what is known about a Rollout.
func (w *Watcher) look(ctx context.Context, obj *unstructured.Unstructured) (*subject, error) {
	s := &subject{key: keyOf(obj), obj: obj}
	s.kind, s.name = workloadRef(obj)
	s.id = w.workflowID(s)
	if doc, err := admission.Parse(obj.DeepCopy()); err != nil {
		s.problem = err.Error()
	} else {
		s.doc = &doc
	}
	status, _, _ := unstructured.NestedMap(obj.Object, "status")
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(status, &s.before); err != nil {
		s.before = projection.Status{}
	}
	if winner := w.winner(s.key.namespace, s.kind, s.name); winner != nil && keyOf(winner) != s.key {
		s.problem = fmt.Sprintf("%s %s has Rollout %s already: one Rollout per workload: delete one of them", s.kind, s.name, nameOf(winner, obj))
		s.doc = nil
		return s, nil
	}
	if err := w.findWorkload(ctx, s); err != nil {
		return nil, err
	}
	if f := w.follower(s.key); f != nil {
		s.rollout = f.status()
	}
	return s, nil
}

// workflowID of the rollouts of a workload.
func (w *Watcher) workflowID(s *subject) string {
	return workflows.WorkflowID(w.Cluster, s.key.namespace, config.ObjectRef{Kind: s.kind, Name: s.name})
}

// findWorkload reads the workload: from the cache where it carries our label,
// else from the API server, and then it gets the label.
func (w *Watcher) findWorkload(ctx context.Context, s *subject) error {
	if s.kind != "Deployment" {
		return nil
	}
	d := w.caches.workload(s.key.namespace, s.name)
	if d == nil {
		live, err := w.Kube.AppsV1().Deployments(s.key.namespace).Get(ctx, s.name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading Deployment %s/%s: %w", s.key.namespace, s.name, err)
		}
		d = live
	}
	return s.take(d)
}

// take reads the marks of a workload.
func (s *subject) take(d *appsv1.Deployment) error {
	record, err := kube.RecordOf(d)
	hold, holdErr := release.HoldIn(d.Annotations)
	queued, queuedErr := release.QueuedIn(d.Annotations)
	if err := errors.Join(err, holdErr, queuedErr); err != nil {
		return fmt.Errorf("reading the marks on Deployment %s/%s: %w", d.Namespace, d.Name, err)
	}
	s.d, s.record, s.hold, s.queued = d, record, hold, queued
	s.revision = workload.Revision(d.Spec.Template)
	return nil
}

func (s *subject) deleting() bool { return s.obj.GetDeletionTimestamp() != nil }

func (s *subject) disabled() bool { return disabled(s.obj) }

// open says that a rollout goes on.
func (s *subject) open() bool {
	return s.rollout != nil && s.rollout.Closed == nil && !s.rollout.Phase.Ended()
}

// stable is the revision that the status tells to be stable.
func (s *subject) stable() string {
	if c := s.before.CanaryStatus; c != nil {
		return c.StableRevision
	}
	return ""
}

// complete says that all pods run the present template and no other pod is left.
func complete(d *appsv1.Deployment) bool {
	n := int32(kube.SizeOf(d))
	return d.Status.ObservedGeneration >= d.Generation && d.Status.Replicas == n && d.Status.UpdatedReplicas == n
}

// slipping says that a template rolls out that nobody has held.
func (s *subject) slipping() bool {
	return !s.d.Spec.Paused && s.stable() != "" && s.revision != s.stable() && !complete(s.d) && !s.sameID()
}

// sameID says that a new template is no change, because the workload has a
// rollout-id and it is the one that the status tells.
func (s *subject) sameID() bool {
	id := s.d.Annotations[kruise.RolloutID]
	return id != "" && s.before.CanaryStatus != nil && s.before.CanaryStatus.ObservedRolloutID == id
}

// plan names the plan of a document: what a running rollout has to take over.
func plan(doc *config.Rollout) string {
	d := *doc
	d.Paused, d.Disabled, d.Source = false, false, ""
	data, _ := json.Marshal(d) // a document is made of texts and numbers
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])[:12]
}

// facts for the status.
func (s *subject) facts(w *Watcher) projection.Facts {
	f := projection.Facts{
		Generation: s.obj.GetGeneration(), Deleting: s.deleting(), Disabled: s.disabled(), Problem: s.problem,
		Open: s.open(), Held: s.hold != nil || s.queued != nil, Waiting: s.waiting, Relayed: s.relayed, Now: w.Now(),
	}
	if s.queued != nil && s.hold == nil {
		f.Queued = s.queued.Revision
	}
	if s.doc != nil {
		f.Steps, f.RolloutHash = len(s.doc.Steps), plan(s.doc)
	} else if c := s.before.CanaryStatus; c != nil {
		f.Steps, f.RolloutHash = int(s.before.CurrentStepIndex), c.RolloutHash
	}
	if s.rollout != nil {
		f.Rollout = &s.rollout.Status
		if s.open() && s.rollout.Phase == control.PhaseUnknown {
			f.Silent = cmp.Or(s.rollout.Note, "no worker answers")
		}
	}
	if s.d != nil {
		f.Workload = &projection.Workload{
			Generation: s.d.Generation, Revision: s.revision, Complete: complete(s.d), Replicas: int32(kube.SizeOf(s.d)), RolloutID: kruise.RolloutIDOf(s.d.Annotations, s.d.Labels),
			Marked: s.record != nil,
		}
	}
	return f
}
