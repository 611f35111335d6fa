package workload

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"

	"sluice.dev/sluice/activities/kube"
	"sluice.dev/sluice/activities/release"
)

// hashKey is the label by which the user's Service is narrowed: the Deployment
// controller gives it to the pods of each template.
const hashKey = appsv1.DefaultDeploymentUniqueLabelKey

// NarrowService lets the user's Service select the pods of one revision only, by
// one write that adds a key to its selector and records that it did. Before the
// write it waits until enough pods of that revision are ready, and, where asked,
// until the write changes none of the ready endpoints. It returns when the
// EndpointSlices follow the selector and the gateway serves exactly them. It is
// idempotent. It fails with type Superseded if the rollout is no longer open.
func (a *Activities) NarrowService(ctx context.Context, req NarrowRequest) (Selection, error) {
	hash, err := a.hashOf(ctx, req)
	if err != nil {
		return Selection{}, err
	}
	if err := a.awaitNarrow(ctx, req, hash); err != nil {
		return Selection{}, err
	}
	if err := a.confirmPresent(ctx, req); err != nil {
		return Selection{}, err
	}
	s, err := a.Cluster.EditService(ctx, req.Ref, false, func(s *corev1.Service) (kube.Patch, error) {
		// Asked after the Service was read: whoever ends the rollout marks the
		// workload before the Service, and then the version read is no longer the
		// present one.
		if err := a.Cluster.OpenLive(ctx, req.Ref); err != nil {
			return nil, err
		}
		return narrowPatch(s, req, hash)
	})
	if err != nil {
		return Selection{}, err
	}
	if err := a.awaitSelected(ctx, req.Ref, s, hash); err != nil {
		return Selection{}, err
	}
	return Selection{Hash: hash}, a.confirm(ctx, req.Ref)
}

// WidenService takes the key away that NarrowService has added to the selector
// of the user's Service. It writes even where the key is gone already, so that a
// write of an earlier operation that is still under way meets it and fails. A
// value that somebody else has set is kept; Selection.Kept says so. It returns
// when the EndpointSlices follow and the gateway serves exactly them. It is
// idempotent. A Service that is gone needs nothing.
func (a *Activities) WidenService(ctx context.Context, req WidenRequest) (Selection, error) {
	var kept []string
	s, err := a.Cluster.EditService(ctx, req.Ref, true, func(s *corev1.Service) (p kube.Patch, err error) {
		p, kept, err = widenPatch(s, req.Ref)
		return p, err
	})
	if kube.IsType(err, kube.ErrNotFound) {
		return Selection{}, nil
	}
	if err != nil {
		return Selection{}, err
	}
	if err := a.awaitSelected(ctx, req.Ref, s, ""); err != nil {
		return Selection{Kept: kept}, err
	}
	return Selection{Kept: kept}, a.confirm(ctx, req.Ref)
}

// confirmPresent returns when the gateway serves what the Service selects now,
// where it can be asked for that. A widening that was interrupted is not confirmed:
// until the gateway takes it, it looks as it will after the narrowing, which would
// count as confirmed at once.
func (a *Activities) confirmPresent(ctx context.Context, req NarrowRequest) error {
	if req.Keep || a.Gateway == nil || !a.Gateway.SeesEndpoints(req.Ref) {
		return nil
	}
	return a.confirm(ctx, req.Ref)
}

// narrowPatch adds the key; empty where this operation has done so. A key that
// the Service has without our record is not ours to change, and one that somebody
// else has put in place of ours only where that is asked for.
func narrowPatch(s *corev1.Service, req NarrowRequest, hash string) (kube.Patch, error) {
	ref := req.Ref
	record, err := kube.ServiceRecordOf(s)
	if err != nil {
		return nil, err
	}
	have, narrowed := s.Spec.Selector[hashKey]
	ours := record != nil && (record.Hash == have || req.Again && record.Hash != "")
	if narrowed && !ours && have != hash {
		return nil, kube.Terminal(kube.ErrDrift, "narrowing %s: somebody set %s: %s in its selector: remove that, or abort", serviceName(s), hashKey, have)
	}
	if have == hash && ours && record.Seq == ref.Seq {
		return nil, nil
	}
	var p kube.Patch
	if have != hash {
		p.Test(s.Spec.Selector, "spec", "selector")
		p.Set(hash, "spec", "selector", hashKey)
	}
	err = setServiceRecord(&p, s, ref, hash)
	return p, err
}

// widenPatch removes the key; empty where this operation has done so.
func widenPatch(s *corev1.Service, ref release.Ref) (p kube.Patch, kept []string, err error) {
	record, err := kube.ServiceRecordOf(s)
	if err != nil {
		return nil, nil, err
	}
	have, narrowed := s.Spec.Selector[hashKey]
	switch {
	case !narrowed:
		if record != nil && record.Hash == "" && record.Seq == ref.Seq {
			return nil, nil, nil
		}
	case record != nil && record.Hash != have:
		kept = append(kept, fmt.Sprintf("spec.selector: somebody set %s: %s in it", hashKey, have))
		if record.Hash == "" && record.Seq == ref.Seq {
			return nil, kept, nil
		}
	default:
		p.Test(s.Spec.Selector, "spec", "selector")
		p.Remove("spec", "selector", hashKey)
	}
	err = setServiceRecord(&p, s, ref, "")
	return p, kept, err
}

// setServiceRecord adds our marks to a patch: the record, and the label that the
// EndpointSlices will show.
func setServiceRecord(p *kube.Patch, s *corev1.Service, ref release.Ref, hash string) error {
	data, err := json.Marshal(release.ServiceRecord{
		ID: ref.ID, WorkflowID: ref.WorkflowID, Workload: ref.Workload.Name, Seq: ref.Seq, Hash: hash,
	})
	if err != nil {
		return kube.Terminal(kube.ErrInvalid, "encoding the record of rollout %s: %w", ref.ID, err)
	}
	p.SetIn(s.Annotations != nil, string(data), "metadata", "annotations", release.AnnotationRelease)
	p.SetIn(s.Labels != nil, strconv.FormatInt(ref.Seq, 10), "metadata", "labels", release.LabelSelected)
	return nil
}

// hashOf returns the label value of the pods that a Service is narrowed to: those
// of the stable ReplicaSet, or of the one that runs the new revision.
func (a *Activities) hashOf(ctx context.Context, req NarrowRequest) (string, error) {
	if req.Side == release.SideStable {
		rs, err := a.Cluster.LiveReplicaSet(ctx, req.Ref.Namespace, req.Stable)
		if err != nil {
			return "", err
		}
		return rs.Labels[hashKey], nil
	}
	d, err := a.Cluster.OpenWorkload(ctx, req.Ref)
	if err != nil {
		return "", err
	}
	for _, rs := range a.Cluster.ReplicaSetsOf(d) {
		rs, err := a.Cluster.LiveReplicaSet(ctx, rs.Namespace, rs.Name)
		if err != nil && !kube.IsType(err, kube.ErrNotFound) {
			return "", err
		}
		if err == nil && Revision(rs.Spec.Template) == req.Revision {
			return rs.Labels[hashKey], nil
		}
	}
	return "", kube.Retryable(kube.ErrConflict, "narrowing Service %s/%s: no ReplicaSet of %s has revision %s yet", req.Ref.Namespace, req.Ref.Service, name(d), req.Revision)
}

// awaitNarrow waits until the Service can be narrowed without loss.
func (a *Activities) awaitNarrow(ctx context.Context, req NarrowRequest, hash string) error {
	wait := kube.Wait{
		Namespace: req.Ref.Namespace, Beat: kube.Beat(ctx),
		Topics: []kube.Topic{kube.AboutWorkload(req.Ref.Workload.Name), kube.AboutService(req.Ref.Service)},
	}
	return a.Cluster.AwaitState(ctx, wait, func() (kube.State, error) {
		ready, others := a.selected(req.Ref, hash)
		switch {
		case req.Keep && len(others) > 0:
			return kube.State{Progress: fmt.Sprintf("Service %s would lose ready endpoints: %s of another revision or workload", req.Ref.Service, others[0])}, nil
		case ready < req.Need:
			return kube.State{Progress: fmt.Sprintf("%d of %d pods to narrow Service %s to are ready", ready, req.Need, req.Ref.Service)}, nil
		}
		return kube.State{Done: true, Progress: fmt.Sprintf("narrowing Service %s to %d ready pods", req.Ref.Service, ready)}, nil
	})
}

// selected counts the ready pods of the workload that have a hash, and names the
// ready endpoints of the user's Service that do not.
func (a *Activities) selected(ref release.Ref, hash string) (ready int, others []string) {
	if d, err := a.Cluster.Deployments(ref.Namespace).Get(ref.Workload.Name); err == nil {
		for _, rs := range a.Cluster.ReplicaSetsOf(d) {
			for _, p := range a.Cluster.PodsOf(rs) {
				if p.Labels[hashKey] == hash && podReady(p) && p.DeletionTimestamp == nil {
					ready++
				}
			}
		}
	}
	for _, e := range a.Cluster.Endpoints(ref.Namespace, ref.Service) {
		p, err := a.Cluster.Pods(ref.Namespace).Get(e.Pod)
		if e.Ready && (err != nil || p.Labels[hashKey] != hash) {
			others = append(others, e.Pod)
		}
	}
	return ready, others
}

// awaitSelected waits until the EndpointSlices of the user's Service follow the
// selector that was written: they have its mark, and, where it is narrowed, no
// ready endpoint of another revision.
func (a *Activities) awaitSelected(ctx context.Context, ref release.Ref, written *corev1.Service, hash string) error {
	mark := written.Labels[release.LabelSelected]
	wait := kube.Wait{
		Namespace: ref.Namespace, Beat: kube.Beat(ctx), Settle: settle, Topics: []kube.Topic{kube.AboutService(ref.Service)},
	}
	return a.Cluster.AwaitState(ctx, wait, func() (kube.State, error) {
		s, err := a.Cluster.Services(ref.Namespace).Get(ref.Service)
		if err == nil && kube.AtLeast(s, written.ResourceVersion) && s.Labels[release.LabelSelected] != mark {
			return kube.State{}, kube.Retryable(kube.ErrConflict, "selecting pods for %s: somebody changed its label %s, it will be tried again", serviceName(s), release.LabelSelected)
		}
		if !a.follows(ref, mark) {
			return kube.State{Progress: "the EndpointSlices of Service " + ref.Service + " do not follow its selector yet"}, nil
		}
		if _, others := a.selected(ref, hash); hash != "" && len(others) > 0 {
			return kube.State{Progress: fmt.Sprintf("%s is still published to the endpoints of Service %s", others[0], ref.Service)}, nil
		}
		return kube.State{Done: true, Progress: "the EndpointSlices of Service " + ref.Service + " follow its selector"}, nil
	})
}

// follows says whether every slice that the endpoint controller keeps for the
// user's Service has the mark of a write.
func (a *Activities) follows(ref release.Ref, mark string) bool {
	seen := false
	for _, slice := range a.Cluster.SlicesOf(ref.Namespace, ref.Service) {
		if by := slice.Labels[discoveryv1.LabelManagedBy]; by != "" && by != endpointController {
			continue
		}
		if slice.Labels[release.LabelSelected] != mark {
			return false
		}
		seen = true
	}
	return seen
}

// endpointController is the manager of the EndpointSlices of Services that have
// a selector.
const endpointController = "endpointslice-controller.k8s.io"

// serviceName of a Service, for people.
func serviceName(s *corev1.Service) string { return "Service " + s.Namespace + "/" + s.Name }
