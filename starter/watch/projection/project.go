package projection

import (
	"cmp"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sluice.dev/sluice/workflows"
)

// Facts are what a status is made from.
type Facts struct {
	// Generation of the Rollout, RolloutHash of its plan, Steps of its document.
	Generation  int64
	RolloutHash string
	Steps       int
	// Deleting and Disabled are what the user wants.
	Deleting, Disabled bool
	// Problem says why the document cannot be followed.
	Problem string
	// Workload that is named; nil where it does not exist.
	Workload *Workload
	// Rollout is the last known state of the present or the last rollout; nil
	// where there is none. Open says that it has not ended.
	Rollout *workflows.Status
	Open    bool
	// Waiting says why a held revision is not rolled out; Held that there is one, and
	// Queued which one where it is not the workload's own.
	Held    bool
	Queued  string
	Waiting string
	// Relayed identifies the message that was just made of a patch of the status;
	// empty where none was.
	Relayed string
	// Silent says why an open rollout does not tell where it stands; empty where it
	// does.
	Silent string
	// Now is the time of transitions.
	Now time.Time
}

// Workload is what the status tells about a workload.
type Workload struct {
	Generation int64
	// Revision of the present template, and whether all pods run it.
	Revision string
	Complete bool
	Replicas int32
	// RolloutID that users of Kruise give to a release; may be empty.
	RolloutID string
	// Marked says that it carries the record of a rollout.
	Marked bool
}

// Project returns the status that tells the facts. The status before gives times
// of transitions and the revision that was stable; where nothing has changed the
// result equals it.
func Project(before Status, f Facts) Status {
	s := Status{ObservedGeneration: f.Generation, Conditions: before.Conditions}
	switch {
	case f.Workload == nil && !f.Open && !f.Deleting:
		s.Phase, s.Message = PhaseInitial, "Workload Not Found"
	case f.Open && f.Silent != "":
		s.silent(before, f)
	case f.left():
		s.left(before, f)
	case f.Open && f.Rollout != nil:
		s.open(before, f)
		s.Relayed = cmp.Or(f.Relayed, before.Relayed)
	case f.Held:
		s.held(before, f)
	default:
		s.rest(before, f)
	}
	s.overrule(f)
	if f.Problem != "" {
		s.Message = f.Problem
	}
	switch c := s.CanaryStatus; {
	case c == nil:
	case f.Open && f.Silent != "" && before.CanaryStatus != nil:
		// An approval that nobody could answer yet is kept, but not repeated here:
		// by that a StepReady of ours is told from one that somebody has written.
		s.CurrentStepIndex, s.CurrentStepState = before.CurrentStepIndex, before.CurrentStepState
	default:
		s.CurrentStepIndex, s.CurrentStepState = c.CurrentStepIndex, c.CurrentStepState
	}
	s.settleTimes(before, f.Now)
	return s
}

// silent is a rollout that goes on but does not tell where it stands: what was told
// last is kept, and what people have written to it until somebody can answer.
func (s *Status) silent(before Status, f Facts) {
	s.keep(before, f)
	s.Phase, s.Message, s.Relayed = PhaseProgressing, f.Silent, before.Relayed
}

// left says that a rollout is gone without having taken its marks away.
func (f Facts) left() bool {
	if f.Open || f.Workload == nil || !f.Workload.Marked {
		return false
	}
	return f.Rollout == nil || f.Rollout.Phase != workflows.PhasePromoted && f.Rollout.Phase != workflows.PhaseRolledBack
}

// left is what a rollout has left that was terminated, has failed, or is forgotten:
// the workload is paused and requests may go to canary.
func (s *Status) left(before Status, f Facts) {
	s.keep(before, f)
	how := "is gone"
	if f.Rollout != nil {
		how = fmt.Sprintf("ended as %s", f.Rollout.Phase)
	}
	s.Phase = PhaseProgressing
	s.Message = fmt.Sprintf("the rollout %s and what it had changed is still there: `sluice repair` brings it to its end", how)
	s.set(Progressing, "True", ReasonInRolling, s.Message)
	s.drop(Succeeded)
}

// keep tells of the canary what was told before.
func (s *Status) keep(before Status, f Facts) {
	c := s.canary(f)
	c.CurrentStepIndex, c.NextStepIndex, c.CurrentStepState = 1, next(1, f.Steps), StepBeforeUpgrade
	if b := before.CanaryStatus; b != nil {
		*c = *b
		c.ObservedWorkloadGeneration, c.RolloutHash = f.generation(), f.RolloutHash
	}
}

// overrule tells what the user wants of the Rollout itself.
func (s *Status) overrule(f Facts) {
	switch {
	case f.Deleting:
		s.Phase = PhaseTerminating
		s.set(Terminating, "True", ReasonInTerminating, "Rollout is in terminating")
	case f.Disabled && (f.Open || f.Held):
		s.Phase = PhaseDisabling
		if s.Message == "" {
			s.Message = "Disabling rollout, release resources"
		}
	case f.Disabled:
		s.Phase, s.Message = PhaseDisabled, "Rollout is disabled"
	}
}

// rest is a Rollout with nothing to do.
func (s *Status) rest(before Status, f Facts) {
	s.Phase = PhaseHealthy
	revision := before.stable()
	complete := f.Workload != nil && f.Workload.Complete
	if complete {
		// What a rolling update is still replacing is neither stable nor not.
		revision = f.Workload.Revision
	}
	c := s.canary(f)
	if b := before.CanaryStatus; b != nil && !complete {
		c.ObservedRolloutID = b.ObservedRolloutID
	}
	c.StableRevision, c.CanaryRevision, c.PodTemplateHash = revision, revision, revision
	c.CurrentStepIndex, c.NextStepIndex = int32(f.Steps), -1
	c.CurrentStepState, c.FinalisingStep = StepCompleted, ""
	c.Message = "workload deployment is completed"
	s.Message = "workload deployment is completed"
	if f.Rollout != nil {
		s.ended(f)
		return
	}
	if b := before.CanaryStatus; b != nil && before.Phase == PhaseHealthy && b.StableRevision == revision {
		// What the last rollout has told is still so.
		id := c.ObservedRolloutID
		*c = *b
		c.ObservedWorkloadGeneration, c.RolloutHash, c.ObservedRolloutID = f.generation(), f.RolloutHash, id
		s.Message = before.Message
	}
}

// ended tells how the last rollout has ended.
func (s *Status) ended(f Facts) {
	c, r := s.CanaryStatus, f.Rollout
	c.LastUpdateTime, c.FinalisingStep = when(r.Since), finalisingEnd
	switch r.Phase {
	case workflows.PhasePromoted:
		c.StableRevision, c.CanaryRevision, c.PodTemplateHash = r.Revision, r.Revision, r.Revision
		c.CanaryReplicas, c.CanaryReadyReplicas = int32(r.Replicas), int32(r.Replicas)
		s.finish("True", "Rollout progressing has been completed", r)
	case workflows.PhaseRolledBack:
		c.StableRevision, c.CanaryRevision, c.PodTemplateHash = r.StableRevision, r.Revision, r.Revision
		s.finish("False", "Rollout progressing has been canceled", r)
	default:
		s.Message, c.Message = r.Message, r.Message
	}
}

func (s *Status) finish(succeeded, text string, r *workflows.Status) {
	s.Message, s.CanaryStatus.Message = text, r.Message
	s.set(Progressing, "False", ReasonCompleted, text)
	s.set(Succeeded, succeeded, ReasonCompleted, text)
}

// held is a revision that waits for its rollout.
func (s *Status) held(before Status, f Facts) {
	s.Phase, s.Message = PhaseProgressing, f.Waiting
	c := s.canary(f)
	c.StableRevision = before.stable()
	c.CurrentStepIndex, c.NextStepIndex = 1, next(1, f.Steps)
	c.CurrentStepState, c.Message = StepBeforeUpgrade, f.Waiting
	if f.Workload != nil {
		revision := cmp.Or(f.Queued, f.Workload.Revision)
		c.CanaryRevision, c.PodTemplateHash = revision, revision
	}
	s.set(Progressing, "True", ReasonInitializing, "Rollout is in initializing")
	s.drop(Succeeded)
}

// canary begins the sub-status.
func (s *Status) canary(f Facts) *CanaryStatus {
	s.CanaryStatus = &CanaryStatus{ObservedWorkloadGeneration: f.generation(), RolloutHash: f.RolloutHash}
	if f.Workload != nil {
		s.CanaryStatus.ObservedRolloutID = f.Workload.RolloutID
	}
	return s.CanaryStatus
}

func (f Facts) generation() int64 {
	if f.Workload == nil {
		return 0
	}
	return f.Workload.Generation
}

// stable is the revision that was stable.
func (s Status) stable() string {
	if s.CanaryStatus == nil {
		return ""
	}
	return s.CanaryStatus.StableRevision
}

// next is the index of the step after one, -1 after the last.
func next(step, steps int) int32 {
	if step >= steps {
		return -1
	}
	return int32(step + 1)
}

// when is a time as the API keeps it, in whole seconds.
func when(t time.Time) *metav1.Time {
	if t.IsZero() {
		return nil
	}
	return &metav1.Time{Time: t.UTC().Truncate(time.Second)}
}
