package preflight

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sluice.dev/sluice/activities/kube"
	"sluice.dev/sluice/activities/release"
	"sluice.dev/sluice/activities/workload"
	"sluice.dev/sluice/config"
)

// readMarkedServices finds the user's Service that has the record of a rollout
// of the workload. It is not ours, so that no label leads to it.
func (l *leavings) readMarkedServices(ctx context.Context) error {
	all, err := l.cluster.Client().CoreV1().Services(l.req.Namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return kube.Failure(err, "listing Services in "+l.req.Namespace)
	}
	for n := range all.Items {
		s := &all.Items[n]
		record, err := kube.ServiceRecordOf(s)
		object := fmt.Sprintf("Service %s/%s", s.Namespace, s.Name)
		switch {
		case err != nil:
			l.refuse(object+" annotation "+release.AnnotationRelease, "it is not a record of a rollout", serviceByHand)
		case record == nil || record.Workload != l.req.Workload.Name:
		case l.selection != nil:
			l.refuse(object, "it has the record of a rollout, as Service "+l.marked.Name+" has", serviceByHand)
		default:
			l.marked, l.selection = s, record
		}
	}
	return nil
}

// serviceByHand is the way out where the record of a Service cannot be used.
const serviceByHand = "remove " + appsv1.DefaultDeploymentUniqueLabelKey + " from its spec.selector if a rollout has put it there, remove the annotation " + release.AnnotationRelease + " and the label " + release.LabelSelected + ", and repair again"

// readSelection finds out whether the user's Service is narrowed, and to what.
func (l *leavings) readSelection(ctx context.Context) error {
	ref := &l.found.Observed.Ref
	s := l.marked
	if s != nil {
		ref.Isolation = release.Isolation{Mode: config.IsolateBySelector}
		if ref.Service == "" {
			ref.Service = s.Name
		}
	}
	if s == nil && ref.Isolation.BySelector() {
		live, err := l.cluster.Client().CoreV1().Services(ref.Namespace).Get(ctx, ref.Service, metav1.GetOptions{})
		if err = kube.Failure(err, "reading Service "+ref.Namespace+"/"+ref.Service); err != nil && !kube.IsType(err, kube.ErrNotFound) {
			return err
		}
		if err == nil && live.Spec.Selector[appsv1.DefaultDeploymentUniqueLabelKey] != "" {
			s = live
		}
	}
	if s == nil {
		return nil
	}
	l.found.Narrowed = true
	return l.nameSelection(ctx, s)
}

// nameSelection tells which revision of the workload a Service is narrowed to.
func (l *leavings) nameSelection(ctx context.Context, s *corev1.Service) error {
	hash, o := s.Spec.Selector[appsv1.DefaultDeploymentUniqueLabelKey], &l.found.Observed
	if hash == "" || l.workload == nil {
		return nil
	}
	selects := metav1.ListOptions{LabelSelector: appsv1.DefaultDeploymentUniqueLabelKey + "=" + hash}
	sets, err := l.cluster.Client().AppsV1().ReplicaSets(l.req.Namespace).List(ctx, selects)
	if err != nil {
		return kube.Failure(err, "listing ReplicaSets in "+l.req.Namespace)
	}
	for n := range sets.Items {
		rs := &sets.Items[n]
		if !metav1.IsControlledBy(rs, l.workload) {
			continue
		}
		switch revision := workload.Revision(rs.Spec.Template); {
		case rs.Name == o.StableReplicaSet:
			l.found.Selects = release.SideStable
		case revision == o.CanaryRevision:
			l.found.Selects = release.SideNew
		}
	}
	return nil
}
