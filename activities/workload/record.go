package workload

import (
	"encoding/json"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"sluice.dev/sluice/activities/kube"
	"sluice.dev/sluice/activities/release"
)

// setRecord adds the record to a patch.
func setRecord(p *kube.Patch, d *appsv1.Deployment, r release.Record) error {
	data, err := json.Marshal(r)
	if err != nil {
		return kube.Terminal(kube.ErrInvalid, "encoding the record of rollout %s: %w", r.ID, err)
	}
	p.SetIn(d.Annotations != nil, string(data), "metadata", "annotations", release.AnnotationRelease)
	return nil
}

// newRecord is the record of a rollout that holds a revision.
func newRecord(ref release.Ref, stable, revision string, baseline release.Baseline) release.Record {
	return release.Record{
		ID: ref.ID, WorkflowID: ref.WorkflowID, Seq: ref.Seq, Stable: stable, Revision: revision, Baseline: baseline,
		Service: ref.Service, Ingress: ref.Ingress, Class: ref.Class, Isolation: ref.Isolation, Grace: ref.Grace,
	}
}

// attempts guards the writes that can open a rollout on a workload. One that met
// another write is decided again only while the rollout is open, because only
// then is there a fence. Otherwise it is left to the retries of the activity, of
// which there are none once the rollout has gone on without it.
type attempts struct {
	written bool // a write was tried
	open    bool // and the rollout was open before it
}

// again fails if a write that was tried must not be decided again.
func (a *attempts) again(d *appsv1.Deployment, record *release.Record) error {
	switch {
	case a.written && !a.open:
		return kube.Retryable(kube.ErrConflict, "changing %s: somebody else wrote to it, it will be tried again", name(d))
	case a.written && record == nil:
		return kube.Terminal(kube.ErrSuperseded, "changing %s: the rollout has ended meanwhile: nothing is to be done", name(d))
	}
	return nil
}

func (a *attempts) note(p kube.Patch, record *release.Record) {
	a.written, a.open = len(p) > 0, record != nil
}

// BaselineOf records the fields of a workload that a rollout changes. A revision
// that is held already (current) was paused in order to be held, by whoever
// changed it: the pause is not part of the state that comes back.
func BaselineOf(d *appsv1.Deployment, current bool) release.Baseline {
	var b release.Baseline
	if d.Spec.Paused && (!current || pausedBefore(d)) {
		b.Paused = new(true)
	}
	if r := d.Spec.Strategy.RollingUpdate; r != nil {
		b.MaxSurge, b.MaxUnavailable = text(r.MaxSurge), text(r.MaxUnavailable)
	}
	return b
}

// pausedBefore says that the mark of the hold tells of an earlier pause.
func pausedBefore(d *appsv1.Deployment) bool {
	hold, err := release.HoldIn(d.Annotations)
	return err == nil && hold != nil && hold.Paused
}

func text(v *intstr.IntOrString) *string {
	if v == nil {
		return nil
	}
	return new(v.String())
}

func value(s *string) *intstr.IntOrString {
	if s == nil {
		return nil
	}
	return new(intstr.Parse(*s))
}

// coverSurge is the maxSurge under which a workload is replaced: that of the
// user where it allows a pod more, because maxUnavailable is 0 meanwhile.
func coverSurge(b release.Baseline) intstr.IntOrString {
	surge := value(b.MaxSurge)
	if surge == nil {
		return intstr.FromInt32(1)
	}
	if n, err := intstr.GetScaledValueFromIntOrPercent(surge, 100, true); err != nil || n == 0 {
		return intstr.FromInt32(1)
	}
	return *surge
}

// cover adds to a patch the strategy under which no ready pod is missing while
// the workload is replaced.
func cover(p *kube.Patch, d *appsv1.Deployment, b release.Baseline) {
	want := appsv1.RollingUpdateDeployment{MaxUnavailable: new(intstr.FromInt32(0)), MaxSurge: new(coverSurge(b))}
	have := d.Spec.Strategy.RollingUpdate
	if have == nil {
		p.Set(want, "spec", "strategy", "rollingUpdate")
		return
	}
	if !same(have.MaxUnavailable, want.MaxUnavailable) {
		p.Set(want.MaxUnavailable, "spec", "strategy", "rollingUpdate", "maxUnavailable")
	}
	if !same(have.MaxSurge, want.MaxSurge) {
		p.Set(want.MaxSurge, "spec", "strategy", "rollingUpdate", "maxSurge")
	}
}

// uncover adds to a patch the previous strategy, field by field. A field that
// somebody changed meanwhile keeps their value, and is named.
func uncover(p *kube.Patch, d *appsv1.Deployment, b release.Baseline) (kept []string) {
	have := d.Spec.Strategy.RollingUpdate
	if have == nil {
		return []string{"spec.strategy: it is " + string(d.Spec.Strategy.Type) + " now"}
	}
	fields := []struct {
		name         string
		now, written *intstr.IntOrString
		before       *intstr.IntOrString
	}{
		{"maxUnavailable", have.MaxUnavailable, new(intstr.FromInt32(0)), value(b.MaxUnavailable)},
		{"maxSurge", have.MaxSurge, new(coverSurge(b)), value(b.MaxSurge)},
	}
	for _, f := range fields {
		path := []string{"spec", "strategy", "rollingUpdate", f.name}
		switch {
		case same(f.now, f.before):
		case !same(f.now, f.written):
			kept = append(kept, "spec.strategy.rollingUpdate."+f.name+": somebody set it to "+f.now.String())
		case f.before == nil:
			p.Remove(path...)
		default:
			p.Set(f.before, path...)
		}
	}
	return kept
}

func same(a, b *intstr.IntOrString) bool {
	if a == nil || b == nil {
		return a == b
	}
	return *a == *b
}
