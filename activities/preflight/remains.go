package preflight

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	netv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"sluice.dev/sluice/activities/kube"
	"sluice.dev/sluice/activities/release"
	"sluice.dev/sluice/activities/workload"
)

// InspectRemains reads what an earlier rollout has left on a workload: from its
// record, or, where that is gone, from the objects with its label. Of several
// rollouts it reports one at a time. It writes nothing. A record that cannot be
// read is an error of type Drift.
func (a *Activities) InspectRemains(ctx context.Context, req RemainsRequest) (Remains, error) {
	l := &leftovers{cluster: a.Cluster, req: req}
	if err := l.findWorkload(ctx); err != nil {
		return Remains{}, err
	}
	l.findObjects()
	if l.record == nil && l.id == "" {
		return Remains{}, nil
	}
	if err := l.findStable(ctx); err != nil {
		return Remains{}, err
	}
	return l.remains(), nil
}

// leftovers is what one rollout has left.
type leftovers struct {
	cluster *kube.Cluster
	req     RemainsRequest

	workload *appsv1.Deployment // nil if it was deleted
	record   *release.Record    // nil if it is gone
	stable   *appsv1.ReplicaSet // nil if it is gone
	id       string

	deployment *appsv1.Deployment
	service    *corev1.Service
	ingress    *netv1.Ingress
}

// findWorkload reads the workload from the API server: a repair must not start
// from an old view.
func (l *leftovers) findWorkload(ctx context.Context) error {
	name := l.req.Workload.Name
	d, err := l.cluster.Client().AppsV1().Deployments(l.req.Namespace).Get(ctx, name, metav1.GetOptions{})
	err = kube.Failure(err, fmt.Sprintf("reading Deployment %s/%s", l.req.Namespace, name))
	if kube.IsType(err, kube.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	l.workload = d
	if l.record, err = kube.RecordOf(d); err != nil || l.record == nil {
		return err
	}
	l.id = l.record.ID
	return nil
}

// findObjects finds the canary objects of the rollout of the record, or of the
// first one that has any. The cache cannot fail to list.
func (l *leftovers) findObjects() {
	ours := labels.SelectorFromSet(labels.Set{release.LabelWorkload: kube.LabelValue(l.req.Workload.Name)})
	deployments, _ := l.cluster.Deployments(l.req.Namespace).List(ours)
	services, _ := l.cluster.Services(l.req.Namespace).List(ours)
	ingresses, _ := l.cluster.Ingresses(l.req.Namespace).List(ours)
	if l.id == "" {
		l.id = cmp.Or(firstRollout(ingresses), firstRollout(services), firstRollout(deployments))
	}
	l.deployment, l.service, l.ingress = ofRollout(deployments, l.id), ofRollout(services, l.id), ofRollout(ingresses, l.id)
}

// firstRollout names a rollout that has objects, the same one every time.
func firstRollout[T metav1.Object](objects []T) string {
	var ids []string
	for _, o := range objects {
		if id := o.GetLabels()[release.LabelRollout]; id != "" {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		return ""
	}
	return slices.Min(ids)
}

// ofRollout returns the object of a rollout; the zero value if it has none.
func ofRollout[T metav1.Object](objects []T, id string) T {
	var none T
	for _, o := range objects {
		if id != "" && o.GetLabels()[release.LabelRollout] == id {
			return o
		}
	}
	return none
}

// findStable finds the ReplicaSet with the stable template: that of the record,
// or the one that runs.
func (l *leftovers) findStable(ctx context.Context) error {
	if l.workload == nil {
		return nil
	}
	name := ""
	for _, rs := range l.cluster.ReplicaSetsOf(l.workload) {
		if rs.Spec.Replicas != nil && *rs.Spec.Replicas > 0 {
			name = rs.Name
		}
	}
	if l.record != nil {
		name = l.record.Stable
	}
	if name == "" {
		return nil
	}
	rs, err := l.cluster.LiveReplicaSet(ctx, l.req.Namespace, name)
	if kube.IsType(err, kube.ErrNotFound) {
		return nil
	}
	l.stable = rs
	return err
}

func (l *leftovers) remains() Remains {
	m := Remains{
		Found: true, Observed: l.observed(), Held: l.record != nil,
		Canary: l.deployment != nil || l.service != nil, Routed: l.ingress != nil,
	}
	if l.record != nil {
		m.Promoting = l.record.Promoting
		m.Promoted = m.Promoting && l.runs(l.record.Revision)
	}
	if l.deployment != nil && l.deployment.Spec.Replicas != nil {
		m.Replicas = int(*l.deployment.Spec.Replicas)
	}
	if l.ingress != nil {
		m.Weight, m.Carries = carried(l.ingress)
	}
	return m
}

// runs says whether all pods of the workload run a revision.
func (l *leftovers) runs(revision string) bool {
	d := l.workload
	return workload.Revision(d.Spec.Template) == revision && d.Status.ObservedGeneration >= d.Generation && d.Spec.Replicas != nil &&
		d.Status.UpdatedReplicas == *d.Spec.Replicas && d.Status.AvailableReplicas == *d.Spec.Replicas && d.Status.Replicas == *d.Spec.Replicas
}

// carried reads how much a canary Ingress sends to canary, in any dialect of the
// annotations: a rule that matches requests counts whatever it says.
func carried(in *netv1.Ingress) (weight int, carries bool) {
	for key, value := range in.Annotations {
		_, field, _ := strings.Cut(key, "/")
		switch {
		case field == "canary-weight":
			// What is no number sends nothing.
			weight, _ = strconv.Atoi(value)
		case strings.HasPrefix(field, "canary-by-"):
			carries = true
		}
	}
	return weight, carries || weight > 0
}

// observed rebuilds what the preflight of the rollout saw.
func (l *leftovers) observed() Observed {
	o := Observed{Ref: l.ref()}
	if l.record != nil {
		o.CanaryRevision, o.Baseline, o.StableReplicaSet = l.record.Revision, l.record.Baseline, l.record.Stable
	}
	if l.workload != nil {
		o.Ready = int(l.workload.Status.ReadyReplicas)
		o.CanaryImages = workload.Images(l.workload.Spec.Template)
		if l.workload.Spec.Replicas != nil {
			o.Replicas = int(*l.workload.Spec.Replicas)
		}
	}
	if l.stable != nil {
		o.StableReplicaSet = l.stable.Name
		o.StableRevision = workload.Revision(l.stable.Spec.Template)
		o.StableImages = workload.Images(l.stable.Spec.Template)
	}
	return o
}

// ref rebuilds the reference of the rollout. Its number is the highest one that
// was written, so that the next one fences all of them.
func (l *leftovers) ref() release.Ref {
	ref := release.Ref{ID: l.id, WorkflowID: l.req.WorkflowID, Namespace: l.req.Namespace, Workload: l.req.Workload}
	if l.record != nil {
		ref.Service, ref.Ingress, ref.Class, ref.Isolation = l.record.Service, l.record.Ingress, l.record.Class, l.record.Isolation
		ref.Seq = l.record.Seq
	}
	if l.deployment != nil {
		ref.Seq = max(ref.Seq, kube.SeqOf(l.deployment))
	}
	if l.service != nil {
		ref.Seq = max(ref.Seq, kube.SeqOf(l.service))
		ref.Service = cmp.Or(ref.Service, l.mainOf(l.service.Name, l.serviceNames()))
	}
	if l.ingress != nil {
		ref.Seq = max(ref.Seq, kube.SeqOf(l.ingress))
		ref.Ingress = cmp.Or(ref.Ingress, l.mainOf(l.ingress.Name, l.ingressNames()))
		ref.Class = cmp.Or(ref.Class, dialect(l.ingress))
	}
	return ref
}

// mainOf finds the name from which that of a canary was derived.
func (l *leftovers) mainOf(canary string, names []string) string {
	for _, name := range names {
		if release.CanaryName(name) == canary {
			return name
		}
	}
	return strings.TrimSuffix(canary, "-canary")
}

func (l *leftovers) serviceNames() []string {
	all, _ := l.cluster.Services(l.req.Namespace).List(labels.Everything())
	return namesOf(all)
}

func (l *leftovers) ingressNames() []string {
	all, _ := l.cluster.Ingresses(l.req.Namespace).List(labels.Everything())
	return namesOf(all)
}

func namesOf[T metav1.Object](objects []T) []string {
	names := make([]string, len(objects))
	for i, o := range objects {
		names[i] = o.GetName()
	}
	slices.Sort(names)
	return names
}

// dialects are the annotations by which the dialect of a canary is known.
var dialects = map[string]string{"nginx.ingress.kubernetes.io/canary": "nginx"}

// dialect names the dialect of a canary Ingress; nothing if it is not known.
func dialect(in *netv1.Ingress) string {
	for annotation, name := range dialects {
		if _, ok := in.Annotations[annotation]; ok {
			return name
		}
	}
	return ""
}
