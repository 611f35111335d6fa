package workload

import (
	"context"
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"sluice.dev/sluice/activities/kube"
	"sluice.dev/sluice/activities/release"
)

// side is one look at the pods that should serve, those that should go, and
// what the endpoints of their Service say of both.
type side struct {
	label     string
	want      int
	serving   []*corev1.Pod
	leaving   []*corev1.Pod
	published map[types.UID]kube.Endpoint
	observed  bool
	failure   string
}

// awaitCanary waits until the canary Deployment is what was written and its
// pods are published.
func (a *Activities) awaitCanary(ctx context.Context, req CanaryRequest, written *appsv1.Deployment) (Pods, error) {
	canaryName, service := req.Ref.CanaryDeployment(), req.Ref.CanaryService()
	seen := false
	return a.await(ctx, req.Ref, canaryName, service, func() (*side, error) {
		d, err := a.Cluster.Deployments(req.Ref.Namespace).Get(canaryName)
		if err != nil || !kube.AtLeast(d, written.ResourceVersion) {
			if seen {
				return nil, kube.Retryable(kube.ErrConflict, "running canary pods: somebody deleted Deployment %s/%s, it will be created again", req.Ref.Namespace, canaryName)
			}
			return nil, nil
		}
		seen = true
		if err := undisturbed(d, written, req.Ref); err != nil {
			return nil, err
		}
		s := &side{label: "canary", want: req.Replicas, observed: complete(d), failure: conditionTrouble(d)}
		for _, p := range a.Cluster.PodsOfRollout(req.Ref.Namespace, req.Ref.ID) {
			s.add(p, p.Labels[release.LabelRevision] == req.Revision)
		}
		s.published = a.Cluster.Endpoints(req.Ref.Namespace, service)
		return s, nil
	})
}

// undisturbed fails if the canary Deployment is no longer what was written.
func undisturbed(d, written *appsv1.Deployment, ref release.Ref) error {
	if seq := kube.SeqOf(d); seq > ref.Seq {
		return kube.Terminal(kube.ErrSuperseded, "running canary pods: operation %d of this rollout has overtaken operation %d: nothing is to be done", seq, ref.Seq)
	}
	if d.Generation > written.Generation {
		return kube.Retryable(kube.ErrConflict, "running canary pods: somebody changed Deployment %s/%s, it will be set again", d.Namespace, d.Name)
	}
	return nil
}

// awaitRevision waits until every pod of the workload runs one revision, and the
// endpoints of the user's Service say so.
func (a *Activities) awaitRevision(ctx context.Context, ref release.Ref, version, revision string) (Pods, error) {
	known := map[types.UID]bool{}
	var checked int64
	return a.await(ctx, ref, ref.Workload.Name, ref.Service, func() (*side, error) {
		d, err := a.Cluster.Deployments(ref.Namespace).Get(ref.Workload.Name)
		if err != nil {
			return nil, kube.Retryable(kube.ErrConflict, "replacing pods of Deployment %s/%s: it is gone", ref.Namespace, ref.Workload.Name)
		}
		if !kube.AtLeast(d, version) {
			return nil, nil
		}
		if d.Generation != checked && Revision(d.Spec.Template) != revision {
			return nil, kube.Terminal(kube.ErrDrift, "replacing pods of %s: somebody changed its template to revision %s meanwhile", name(d), Revision(d.Spec.Template))
		}
		checked = d.Generation
		s := &side{label: "new", want: kube.SizeOf(d), observed: complete(d), failure: conditionTrouble(d)}
		for _, rs := range a.Cluster.ReplicaSetsOf(d) {
			if _, ok := known[rs.UID]; !ok && len(rs.Spec.Template.Spec.Containers) > 0 {
				known[rs.UID] = Revision(rs.Spec.Template) == revision
			}
			for _, p := range a.Cluster.PodsOf(rs) {
				if known[rs.UID] || p.DeletionTimestamp == nil {
					s.add(p, known[rs.UID])
				}
			}
		}
		s.published = a.Cluster.Endpoints(ref.Namespace, ref.Service)
		return s, nil
	})
}

// await waits until a side is complete and its endpoints have settled. A look
// that returns no side is too early.
func (a *Activities) await(ctx context.Context, ref release.Ref, workload, service string, look func() (*side, error)) (Pods, error) {
	var pods Pods
	wait := kube.Wait{
		Namespace: ref.Namespace, Settle: a.settle(ref), Beat: kube.Beat(ctx),
		Topics: []kube.Topic{kube.AboutWorkload(workload), kube.AboutService(service)},
	}
	err := a.Cluster.AwaitState(ctx, wait, func() (kube.State, error) {
		s, err := look()
		if err != nil || s == nil {
			return kube.State{Progress: "waiting for the pods of " + workload}, err
		}
		problem := s.problem(a.exists(ref.Namespace))
		pods = s.pods(problem)
		return kube.State{Done: problem == "", Mark: s.mark(), Progress: s.progress(problem)}, nil
	})
	return pods, err
}

// exists says whether a pod of that name and UID is in the cache, and not on its
// way out: the endpoints may lag behind a pod that is.
func (a *Activities) exists(namespace string) func(types.UID, string) bool {
	return func(uid types.UID, pod string) bool {
		p, err := a.Cluster.Pods(namespace).Get(pod)
		return err == nil && p.UID == uid && p.DeletionTimestamp == nil
	}
}

func (s *side) add(p *corev1.Pod, serves bool) {
	if serves && p.DeletionTimestamp == nil {
		s.serving = append(s.serving, p)
	} else if !serves {
		s.leaving = append(s.leaving, p)
	}
}

// problem says what is missing; nothing if the side is complete: as many pods as
// asked, all ready and published, no others of ours left or published.
func (s *side) problem(exists func(types.UID, string) bool) string {
	ready := map[types.UID]bool{}
	for _, p := range s.serving {
		if s.published[p.UID].Ready {
			ready[p.UID] = true
			continue
		}
		if text := podTrouble(p); text != "" {
			return text
		}
		return fmt.Sprintf("%s is not published to the endpoints yet", p.Name)
	}
	switch {
	case s.failure != "" && len(s.serving) < s.want:
		return s.failure
	case len(s.serving) != s.want:
		return fmt.Sprintf("%d of %d pods exist", len(s.serving), s.want)
	case len(s.leaving) > 0:
		return fmt.Sprintf("%d pods of another revision are still there", len(s.leaving))
	case !s.observed:
		return "the pods are not available yet"
	}
	for uid, e := range s.published {
		if e.Ready && !ready[uid] && !exists(uid, e.Pod) {
			return fmt.Sprintf("%s is still published to the endpoints", e.Pod)
		}
	}
	return ""
}

func (s *side) pods(problem string) Pods {
	p := Pods{Total: len(s.serving), Trouble: problem}
	for _, pod := range s.serving {
		if s.published[pod.UID].Ready {
			p.Ready++
		}
	}
	return p
}

// progress says how far the side is: "1 of 2 canary pods ready: ...".
func (s *side) progress(problem string) string {
	text := fmt.Sprintf("%d of %d %s pods ready", s.pods("").Ready, s.want, s.label)
	if problem == "" {
		return text
	}
	return text + ": " + problem
}

// mark identifies the set of pods, which must not change while it settles.
func (s *side) mark() string {
	uids := make([]string, 0, len(s.serving))
	for _, p := range s.serving {
		uids = append(uids, string(p.UID))
	}
	slices.Sort(uids)
	return strings.Join(uids, " ")
}

// complete says whether the Deployment controller has done all it was told.
func complete(d *appsv1.Deployment) bool {
	want := int32(kube.SizeOf(d))
	return d.Status.ObservedGeneration >= d.Generation && d.Status.Replicas == want &&
		d.Status.UpdatedReplicas == want && d.Status.AvailableReplicas == want
}
