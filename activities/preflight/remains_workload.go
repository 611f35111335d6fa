package preflight

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sluice.dev/sluice/activities/kube"
	"sluice.dev/sluice/activities/release"
	"sluice.dev/sluice/activities/workload"
)

// byHand is the way out where the record cannot be used.
const byHand = "give spec.template and spec.paused their previous values (kubectl rollout undo, kubectl rollout resume), " +
	"and spec.strategy.rollingUpdate those of your manifest, remove the annotation (kubectl annotate %s -n %s %s %s-), and repair again: the canary is removed then"

// readRecord reads the workload and its record, and refuses a record that does
// not say enough.
func (l *leavings) readRecord(ctx context.Context) error {
	d, err := l.cluster.Client().AppsV1().Deployments(l.req.Namespace).Get(ctx, l.req.Workload.Name, metav1.GetOptions{})
	err = kube.Failure(err, "reading "+l.subject())
	if kube.IsType(err, kube.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	l.workload = d
	object := l.subject() + " annotation " + release.AnnotationRelease
	record, err := kube.RecordOf(d)
	if err != nil {
		l.refuse(object, fmt.Sprintf("it is not a record of a rollout: %.200q", d.Annotations[release.AnnotationRelease]), l.byHand())
		return nil
	}
	l.record = record
	if record == nil {
		return nil
	}
	if missing := missingFields(record); len(missing) > 0 {
		l.refuse(object, "its fields "+strings.Join(missing, ", ")+" are missing", l.byHand())
	}
	if record.WorkflowID != "" && record.WorkflowID != l.req.WorkflowID {
		l.refuse(object, fmt.Sprintf("it is of workflow %s, not of %s", record.WorkflowID, l.req.WorkflowID),
			"if that workflow is open, end it (sluice abort); otherwise repair with the --cluster that its ID names, or correct workflowId in the annotation")
	}
	return nil
}

// missingFields names the fields without which nothing can be put back.
func missingFields(r *release.Record) []string {
	var missing []string
	for _, field := range []struct{ name, value string }{
		{"id", r.ID}, {"stable", r.Stable}, {"service", r.Service}, {"ingress", r.Ingress}, {"class", r.Class},
	} {
		if field.value == "" {
			missing = append(missing, field.name)
		}
	}
	return missing
}

func (l *leavings) byHand() string {
	return fmt.Sprintf(byHand, strings.ToLower(l.req.Workload.Kind), l.req.Namespace, l.req.Workload.Name, release.AnnotationRelease)
}

// readWorkload finds out how far the workload is on its way.
func (l *leavings) readWorkload(ctx context.Context) error {
	if l.workload == nil {
		if l.found.Found {
			l.warn("%s: it is gone; only the canary is removed", l.subject())
		}
		return nil
	}
	o := &l.found.Observed
	o.Replicas, o.Ready = kube.SizeOf(l.workload), int(l.workload.Status.ReadyReplicas)
	r := l.record
	if r == nil {
		if l.found.Found {
			l.warn("%s: it has no record of the rollout: its template, pause and strategy stay as they are", l.subject())
		}
		return nil
	}
	l.found.Held, l.found.Promoting = true, r.Promoting
	o.Ref.Service, o.Ref.Ingress, o.Ref.Class, o.Ref.Isolation, o.Ref.Grace = r.Service, r.Ingress, r.Class, r.Isolation, r.Grace
	o.CanaryRevision, o.StableReplicaSet, o.Baseline = r.Revision, r.Stable, r.Baseline
	stable, err := l.cluster.LiveReplicaSet(ctx, l.req.Namespace, r.Stable)
	if err != nil && !kube.IsType(err, kube.ErrNotFound) {
		return err
	}
	if err == nil {
		o.StableRevision, o.StableImages = workload.Revision(stable.Spec.Template), workload.Images(stable.Spec.Template)
	}
	l.compare()
	return nil
}

// compare tells from template and pods where between both revisions the workload
// is. What somebody else has released meanwhile, another template or the held
// one, is completed as if the rollout had done so: nothing is lost by that.
func (l *leavings) compare() {
	d, o := l.workload, &l.found.Observed
	now := workload.Revision(d.Spec.Template)
	complete := !d.Spec.Paused && replaced(d)
	resumed := !l.found.Promoting && !d.Spec.Paused && o.CanaryRevision != "" && now != o.StableRevision
	changed := l.found.Promoting && now != o.StableRevision && now != o.CanaryRevision
	if now != o.StableRevision {
		o.CanaryImages = workload.Images(d.Spec.Template)
	}
	switch {
	case o.StableRevision == "" && !(complete && (l.found.Promoting || resumed)):
		l.refuse(l.subject(), fmt.Sprintf("ReplicaSet %s, which holds its stable template, is gone", o.StableReplicaSet), l.byHand())
	case (resumed || changed) && !complete:
		l.refuse(l.subject(), fmt.Sprintf("its pods are being replaced by somebody else (revision %s)", now),
			"wait until all of them run it (kubectl rollout resume, kubectl rollout status), or put the stable template back (kubectl rollout undo), and repair again")
	case resumed || changed:
		l.found.Promoting, l.found.Promoted, o.CanaryRevision = true, true, now
		l.warn("%s: somebody else has released revision %s: it stays", l.subject(), now)
	case !l.found.Promoting:
	case now == o.StableRevision:
		l.found.Returning, l.found.Restored = true, complete
	default:
		l.found.Promoted = complete
	}
}

// replaced says whether every pod of a Deployment runs its template and is
// available.
func replaced(d *appsv1.Deployment) bool {
	want, s := int32(kube.SizeOf(d)), d.Status
	return s.ObservedGeneration >= d.Generation && s.Replicas == want && s.UpdatedReplicas == want && s.AvailableReplicas == want
}

// readRoute reads the canary Ingress. One that cannot be read is taken to send
// requests to canary.
func (l *leavings) readRoute(ctx context.Context) error {
	if len(l.ingresses) == 1 {
		in := &l.ingresses[0]
		class, weight, carries, err := l.routes.DecodeRoute(in)
		if err != nil {
			l.warn("%v: it is taken to send requests to canary", err)
			carries = true
		}
		l.found.Routed, l.found.Weight, l.found.Carries = true, weight, carries
		l.found.Observed.Ref.Class = cmp.Or(l.found.Observed.Ref.Class, class)
	}
	if l.record == nil && l.found.Found {
		return l.guessNames(ctx)
	}
	return nil
}

// readCanary reads the canary Deployment and Service.
func (l *leavings) readCanary(context.Context) error {
	l.found.Backed = len(l.services) == 1
	l.found.Canary = len(l.deployments)+len(l.services)+len(l.budgets) > 0
	if len(l.deployments) == 0 {
		return nil
	}
	d, o := &l.deployments[0], &l.found.Observed
	l.found.Replicas = kube.SizeOf(d)
	if o.CanaryImages == nil {
		o.CanaryImages = workload.Images(d.Spec.Template)
	}
	revision := d.Spec.Template.Labels[release.LabelRevision]
	if o.CanaryRevision == "" {
		o.CanaryRevision = revision
	}
	if l.workload != nil && l.record != nil && workload.Revision(l.workload.Spec.Template) == revision {
		l.addMetadata(d, revision)
	}
	return nil
}

// addMetadata finds what the document had added to the pods of the canary, so
// that it can be scaled without being replaced.
func (l *leavings) addMetadata(canary *appsv1.Deployment, revision string) {
	plain := workload.CanaryTemplate(l.workload.Spec.Template, workload.CanaryRequest{Ref: l.found.Observed.Ref, Revision: revision})
	l.found.Metadata.Labels = added(canary.Spec.Template.Labels, plain.Labels)
	l.found.Metadata.Annotations = added(canary.Spec.Template.Annotations, plain.Annotations)
}

// added is what is in one map and not, or otherwise, in another.
func added(in, plain map[string]string) map[string]string {
	var more map[string]string
	for key, value := range in {
		if have, ok := plain[key]; ok && have == value {
			continue
		}
		if more == nil {
			more = map[string]string{}
		}
		more[key] = value
	}
	return more
}
