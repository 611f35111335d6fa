package workload

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"

	"sluice.dev/sluice/activities/kube"
	"sluice.dev/sluice/activities/release"
)

// canarySurge is how many pods more than asked may run while one canary revision
// replaces another.
const canarySurge = "25%"

// EnsureCanary runs as many canary pods as asked, of the held revision, behind
// the canary Service, and returns when exactly those are ready and published.
// Pods of an earlier revision are gone then. It is idempotent. It fails with
// type Superseded if the rollout is no longer open or holds another revision.
func (a *Activities) EnsureCanary(ctx context.Context, req CanaryRequest) (Pods, error) {
	held, err := a.Cluster.OpenWorkload(ctx, req.Ref, func(d *appsv1.Deployment) error { return holds(d, req.Revision) })
	if err != nil {
		return Pods{}, err
	}
	service, err := a.service(ctx, req.Ref)
	if err != nil {
		return Pods{}, err
	}
	// Every operation of a rollout writes the same Service.
	_, _, err = a.Cluster.EnsureService(ctx, req.Ref, req.Ref.CanaryService(), kube.Own{TrustCache: true}, func(s *corev1.Service) {
		shapeService(s, service, req.Ref)
	})
	if err != nil {
		return Pods{}, err
	}
	if err := a.ensureBudget(ctx, req, held); err != nil {
		return Pods{}, err
	}
	canary, err := a.ensureDeployment(ctx, req, held)
	if err != nil {
		return Pods{}, err
	}
	return a.awaitCanary(ctx, req, canary)
}

// ensureDeployment makes the canary Deployment. Where only the selector of the user's
// Service keeps its pods from requests it is created without any, and then scaled:
// nothing keeps the API server from creating it late, when the Service is as wide as
// before again, but scaling holds for the one that was seen.
func (a *Activities) ensureDeployment(ctx context.Context, req CanaryRequest, held *appsv1.Deployment) (*appsv1.Deployment, error) {
	empty := false
	shape := func(d *appsv1.Deployment) {
		empty = d.ResourceVersion == "" && req.Ref.Isolation.BySelector()
		shapeDeployment(d, held, req)
		if empty {
			d.Spec.Replicas = new(int32)
		}
	}
	canary, _, err := a.Cluster.EnsureDeployment(ctx, req.Ref, req.Ref.CanaryDeployment(), kube.Own{}, shape)
	if err != nil || !empty {
		return canary, err
	}
	if err := a.awaitCreated(ctx, req.Ref, canary); err != nil {
		return nil, err
	}
	canary, _, err = a.Cluster.EnsureDeployment(ctx, req.Ref, req.Ref.CanaryDeployment(), kube.Own{}, shape)
	return canary, err
}

// awaitCreated waits until the cache has a canary Deployment that was just created, or
// another one of that name.
func (a *Activities) awaitCreated(ctx context.Context, ref release.Ref, canary *appsv1.Deployment) error {
	wait := kube.Wait{Namespace: ref.Namespace, Beat: kube.Beat(ctx), Topics: []kube.Topic{kube.AboutWorkload(canary.Name)}}
	return a.Cluster.AwaitState(ctx, wait, func() (kube.State, error) {
		_, err := a.Cluster.Deployments(ref.Namespace).Get(canary.Name)
		return kube.State{Done: err == nil, Progress: "waiting to see Deployment " + canary.Name}, nil
	})
}

// ensureBudget protects canary pods, unless a budget of the user does: Kubernetes
// evicts no pod that has two, so that the drain of a node would wait for the end
// of the rollout.
func (a *Activities) ensureBudget(ctx context.Context, req CanaryRequest, held *appsv1.Deployment) error {
	if Budget(a.Cluster, req.Ref, CanaryTemplate(held.Spec.Template, req).Labels) != "" {
		return nil
	}
	_, _, err := a.Cluster.EnsureBudget(ctx, req.Ref, req.Ref.CanaryBudget(), kube.Own{TrustCache: true}, func(b *policyv1.PodDisruptionBudget) {
		shapeBudget(b, req.Ref)
	})
	return err
}

// Budget names the PodDisruptionBudget of the user that selects canary pods, which have
// these labels; empty where none does.
func Budget(cluster *kube.Cluster, ref release.Ref, canary map[string]string) string {
	// The cache cannot fail to list.
	budgets, _ := cluster.Budgets(ref.Namespace).List(labels.Everything())
	slices.SortFunc(budgets, func(a, b *policyv1.PodDisruptionBudget) int { return strings.Compare(a.Name, b.Name) })
	for _, b := range budgets {
		if b.Labels[release.LabelRollout] == ref.ID {
			continue
		}
		// One that cannot be read would not have been stored.
		if s, err := metav1.LabelSelectorAsSelector(b.Spec.Selector); err == nil && s.Matches(labels.Set(canary)) {
			return b.Name
		}
	}
	return ""
}

// holds fails unless the workload carries a revision.
func holds(d *appsv1.Deployment, revision string) error {
	if have := Revision(d.Spec.Template); have != revision {
		return kube.Terminal(kube.ErrSuperseded, "running canary pods of revision %s: %s holds revision %s now: nothing is to be done", revision, name(d), have)
	}
	return nil
}

// service returns the Service of the user.
func (a *Activities) service(ctx context.Context, ref release.Ref) (*corev1.Service, error) {
	s, err := a.Cluster.Services(ref.Namespace).Get(ref.Service)
	if apierrors.IsNotFound(err) {
		s, err = a.Cluster.Client().CoreV1().Services(ref.Namespace).Get(ctx, ref.Service, metav1.GetOptions{})
	}
	if err != nil {
		return nil, kube.Failure(err, fmt.Sprintf("reading Service %s/%s", ref.Namespace, ref.Service))
	}
	return s, nil
}

// selector is what the canary Deployment and the canary Service select by. It
// does not name the revision: a new one replaces the pods in place.
func selector(ref release.Ref) map[string]string {
	return map[string]string{release.LabelRollout: ref.ID, release.LabelTrack: release.TrackCanary}
}

// shapeService makes the canary Service: the ports of the user's, inside the
// cluster only. No other field or mark of the user's is taken over: tools that
// own the original would take the copy for theirs.
func shapeService(s *corev1.Service, of *corev1.Service, ref release.Ref) {
	s.Spec.Type = corev1.ServiceTypeClusterIP
	s.Spec.Selector = selector(ref)
	s.Spec.Ports = make([]corev1.ServicePort, len(of.Spec.Ports))
	for i, p := range of.Spec.Ports {
		p.NodePort = 0
		s.Spec.Ports[i] = p
	}
}

// shapeBudget lets nodes be drained of one canary pod at a time only. A canary
// of one pod that its document asks for can be evicted: a budget that forbids it
// would hold up the drain of a node for as long as the rollout holds.
func shapeBudget(b *policyv1.PodDisruptionBudget, ref release.Ref) {
	b.Spec.Selector = &metav1.LabelSelector{MatchLabels: selector(ref)}
	b.Spec.MinAvailable = nil
	b.Spec.MaxUnavailable = new(intstr.FromInt32(1))
}

// shapeDeployment makes the canary Deployment: the held template, apart from the
// workload and from its Service.
func shapeDeployment(d *appsv1.Deployment, held *appsv1.Deployment, req CanaryRequest) {
	d.Spec.Replicas = new(int32(req.Replicas))
	d.Spec.Selector = &metav1.LabelSelector{MatchLabels: selector(req.Ref)}
	if want := CanaryTemplate(held.Spec.Template, req); !req.Serving || !runsRevision(d.Spec.Template, want, req) {
		d.Spec.Template = want
	}
	d.Spec.MinReadySeconds = held.Spec.MinReadySeconds
	d.Spec.ProgressDeadlineSeconds = held.Spec.ProgressDeadlineSeconds
	d.Spec.RevisionHistoryLimit = new(int32(0))
	d.Spec.Paused = false
	d.Spec.Strategy = appsv1.DeploymentStrategy{
		Type:          appsv1.RollingUpdateDeploymentStrategyType,
		RollingUpdate: &appsv1.RollingUpdateDeployment{MaxUnavailable: new(intstr.FromInt32(0)), MaxSurge: new(intstr.FromString(canarySurge))},
	}
}

// runsRevision says that pods of a template are canary pods of the revision: our
// labels and its images. Somebody may have restarted them or set a variable, the
// document may have other metadata now, or a new release another template: that waits
// until they have no requests.
func runsRevision(live, want corev1.PodTemplateSpec, req CanaryRequest) bool {
	ours := CanaryTemplate(corev1.PodTemplateSpec{}, CanaryRequest{Ref: req.Ref, Revision: req.Revision}).Labels
	for key, value := range ours {
		if live.Labels[key] != value {
			return false
		}
	}
	return maps.Equal(Images(live), Images(want))
}

// CanaryTemplate returns the held template with the labels of canary pods. The
// request needs Ref, Revision and Metadata only.
func CanaryTemplate(held corev1.PodTemplateSpec, req CanaryRequest) corev1.PodTemplateSpec {
	t := plain(held)
	merge(&t.Labels, req.Metadata.Labels)
	merge(&t.Annotations, req.Metadata.Annotations)
	merge(&t.Labels, selector(req.Ref))
	merge(&t.Labels, map[string]string{
		release.LabelWorkload: kube.LabelValue(req.Ref.Workload.Name),
		release.LabelRevision: req.Revision,
	})
	if key := req.Ref.Isolation.Key; key != "" {
		t.Labels[key] = req.Ref.Isolation.Value
	}
	return t
}

func merge(into *map[string]string, from map[string]string) {
	if *into == nil && len(from) > 0 {
		*into = map[string]string{}
	}
	for k, v := range from {
		(*into)[k] = v
	}
}
