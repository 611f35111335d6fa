package watch

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sluice.dev/sluice/activities/kube"
	"sluice.dev/sluice/activities/workload"
	"sluice.dev/sluice/config"
	"sluice.dev/sluice/starter/control"
	"sluice.dev/sluice/workflows"
)

// release starts the rollout of a held revision, or says why it waits. It begins
// with live reads of the workload and of the last rollout: a revision is started
// once, however often the watcher was started, and whatever its cache has missed.
func (w *Watcher) release(ctx context.Context, s *subject) (time.Duration, error) {
	if f := w.follower(s.key); f != nil && s.rollout == nil {
		s.waiting = "revision " + s.revision + " is held: its rollout begins"
		return awayPause, nil
	}
	d, err := w.Kube.AppsV1().Deployments(s.key.namespace).Get(ctx, s.name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return missingPause, nil
	}
	if err != nil {
		return 0, fmt.Errorf("reading Deployment %s/%s: %w", s.key.namespace, s.name, err)
	}
	if err := s.take(d); err != nil {
		return 0, err
	}
	if s.hold == nil || s.record != nil {
		return 0, errStale
	}
	last, err := w.lastRollout(ctx, s)
	switch {
	case errors.Is(err, errWait):
		return 0, err
	case err != nil:
		s.waiting = fmt.Sprintf("revision %s is held: its rollout starts when Temporal answers: %v", s.revision, err)
		return awayPause, nil
	}
	return w.judge(ctx, s, last)
}

// lastRollout returns how the last rollout of the workload has ended; empty where
// Temporal knows none. One that is open and has not taken the hold over yet is
// followed: errWait.
func (w *Watcher) lastRollout(ctx context.Context, s *subject) (control.Status, error) {
	last, err := w.Control.Status(ctx, s.id)
	switch {
	case control.IsNotFound(err):
		return control.Status{}, nil
	case err == nil && last.Closed == nil:
		w.follow(s.key, s.id)
		return last, errWait
	}
	return last, err
}

// judge starts the held revision unless something speaks against it.
func (w *Watcher) judge(ctx context.Context, s *subject, last control.Status) (time.Duration, error) {
	sets, err := w.replicaSets(ctx, s.d)
	if err != nil {
		return 0, err
	}
	active := activeOf(sets)
	refused, pause := w.refused(ctx, s, last)
	switch {
	case runs(active, s.revision) && (len(active) == 1 || !s.hold.Slipped):
		// It is what runs, or one side of a rolling update that began without us and
		// can end only if nothing holds it.
		return 0, w.lift(ctx, s)
	case kube.SizeOf(s.d) == 0:
		return 0, w.setAside(ctx, s, sets)
	case s.aborted(s.revision, &last):
		s.waiting = fmt.Sprintf("revision %s was aborted%s and is held: change the template, or annotate the Rollout with %s=%s",
			s.revision, cause(s.revision, &last), config.AnnotationReleaseAgain, s.revision)
		return 0, w.writeAborted(ctx, s, s.revision, true)
	case len(active) == 0 || s.d.Status.ReadyReplicas == 0:
		s.waiting = fmt.Sprintf("revision %s is held: no pod of the stable revision is ready, so there would be nothing to return to", s.revision)
		return awayPause, nil
	case len(active) > 1:
		s.waiting = fmt.Sprintf("revision %s is held: %d ReplicaSets have pods: a rolling update was under way; put the template of one of them back, so that it can end", s.revision, len(active))
		return awayPause, nil
	case refused != "":
		s.waiting = fmt.Sprintf("revision %s is held: its rollout was refused: %s", s.revision, refused)
		if pause > 0 {
			return pause, nil
		}
		return w.start(ctx, s, last.Run)
	default:
		return w.start(ctx, s, last.Run)
	}
}

// requestID of a start: one per revision of a workload and run before it. Whoever
// still believes to lead after a pause starts nothing again.
func (s *subject) requestID(previous string) string {
	sum := sha256.Sum256([]byte(strings.Join([]string{string(s.d.UID), s.revision, previous}, "\n")))
	return hex.EncodeToString(sum[:16])
}

// start starts the rollout of the held revision; previous is the run before it.
func (w *Watcher) start(ctx context.Context, s *subject, previous string) (time.Duration, error) {
	run, err := w.Control.Start(ctx, workflows.Input{
		Cluster: w.Cluster, Rollout: *s.doc, Change: workload.Change{Current: true},
		By: s.hold.By, Reason: "the template of the workload was changed",
		Origin: &workflows.Origin{Object: s.obj.GetAPIVersion() + " " + s.key.name, WorkloadUID: string(s.d.UID), Revision: s.revision},
	}, control.StartOptions{RequestID: s.requestID(previous)})
	var open *control.AlreadyRunning
	if err != nil && !errors.As(err, &open) {
		s.waiting = fmt.Sprintf("revision %s is held: its rollout starts when Temporal answers: %v", s.revision, err)
		return awayPause, nil
	}
	if open == nil {
		w.Metrics.Started.Inc()
		w.Log.Info("started a rollout", "rollout", s.key.String(), "revision", s.revision, "run", run.RunID, "by", s.hold.By)
		w.event(ctx, s, normal, "Started", fmt.Sprintf("revision %s is held and its rollout starts (changed by %s)", s.revision, s.hold.By), run.RunID)
	}
	w.unfollow(s.key)
	w.follow(s.key, s.id)
	return 0, errWait
}

// The pauses before a refused revision is tried again.
const (
	firstRefusal = 5 * time.Second
	lastRefusal  = 5 * time.Minute
)

// refusal is how often a revision was refused, and in which run last.
type refusal struct {
	revision, run string
	count         int
}

// refused says why the last rollout of the held revision was refused, and how
// long to wait before it is tried again: what was wrong may have been mended.
func (w *Watcher) refused(ctx context.Context, s *subject, last control.Status) (string, time.Duration) {
	if last.Phase != workflows.PhaseRefused || last.Closed == nil {
		return "", 0
	}
	in, err := w.Control.Input(ctx, control.Run{ID: s.id, RunID: last.Run})
	if err != nil || in.Origin == nil || in.Origin.Revision != s.revision {
		return "", 0
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	r := w.refusals[s.key]
	if r.revision != s.revision {
		r = refusal{revision: s.revision}
	}
	if r.run != last.Run {
		r.run = last.Run
		r.count++
		w.refusals[s.key] = r
	}
	pause := min(lastRefusal, firstRefusal<<min(r.count-1, 6))
	return last.Message, max(0, pause-w.Now().Sub(*last.Closed))
}

// replicaSets of a Deployment, live.
func (w *Watcher) replicaSets(ctx context.Context, d *appsv1.Deployment) ([]appsv1.ReplicaSet, error) {
	selector := metav1.FormatLabelSelector(d.Spec.Selector)
	list, err := w.Kube.AppsV1().ReplicaSets(d.Namespace).List(ctx, metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		return nil, fmt.Errorf("listing the ReplicaSets of Deployment %s/%s: %w", d.Namespace, d.Name, err)
	}
	var sets []appsv1.ReplicaSet
	for _, rs := range list.Items {
		if metav1.IsControlledBy(&rs, d) {
			sets = append(sets, rs)
		}
	}
	return sets, nil
}

// runs says that one of them has a revision.
func runs(sets []appsv1.ReplicaSet, revision string) bool {
	return slices.ContainsFunc(sets, func(rs appsv1.ReplicaSet) bool { return workload.Revision(rs.Spec.Template) == revision })
}

// activeOf returns those that have pods.
func activeOf(sets []appsv1.ReplicaSet) []appsv1.ReplicaSet {
	var active []appsv1.ReplicaSet
	for _, rs := range sets {
		if rs.Status.Replicas > 0 || rs.Spec.Replicas != nil && *rs.Spec.Replicas > 0 {
			active = append(active, rs)
		}
	}
	return active
}
