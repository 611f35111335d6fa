package projection

import (
	"fmt"
	"slices"

	"sluice.dev/sluice/workflows"
)

// approvalHold is the text of a hold that waits for a person.
const approvalHold = "approval"

// open is a rollout that goes on.
func (s *Status) open(before Status, f Facts) {
	r := f.Rollout
	steps := max(0, len(r.Steps)-1) // without the implicit last one
	if steps == 0 {
		steps = f.Steps
	}
	step := min(max(1, r.Step), max(1, steps))
	s.Phase, s.Message = PhaseProgressing, r.Message
	c := s.canary(f)
	c.StableRevision, c.CanaryRevision, c.PodTemplateHash = r.StableRevision, r.Revision, r.Revision
	if c.StableRevision == "" {
		c.StableRevision = before.stable()
	}
	c.CanaryReplicas, c.CanaryReadyReplicas = int32(r.Canary.Total), int32(r.Canary.Ready)
	c.CurrentStepIndex, c.NextStepIndex = int32(step), next(step, steps)
	c.CurrentStepState = state(r, step)
	c.Message, c.LastUpdateTime = r.Message, when(r.Since)
	s.drop(Succeeded)
	s.progress(c, r, step, steps)
}

// progress tells the phase of the workflow as the condition Progressing.
func (s *Status) progress(c *CanaryStatus, r *workflows.Status, step, steps int) {
	rolling := func(reason, text string) { s.set(Progressing, "True", reason, text) }
	switch r.Phase {
	case workflows.PhaseChecking:
		c.CurrentStepState = StepBeforeUpgrade
		rolling(ReasonInitializing, "Rollout is in initializing")
	case workflows.PhasePaused:
		rolling(ReasonPaused, "Rollout has been paused, you can resume it by kube-cli")
	case workflows.PhasePromoting:
		c.CurrentStepState, c.FinalisingStep = StepCompleted, finalisingPromote
		rolling(ReasonFinalising, "Rollout is in finalising")
	case workflows.PhaseRollingBack:
		c.FinalisingStep = finalisingRollback
		rolling(ReasonCancelling, "The workload has been rolled back and the rollout has been cancelled")
	case workflows.PhaseHolding:
		if r.Paused {
			rolling(ReasonPaused, "Rollout has been paused, you can resume it by kube-cli")
			return
		}
		s.Message = hold(r, step, steps)
		rolling(ReasonInRolling, "Rollout is in Progressing")
	default:
		rolling(ReasonInRolling, "Rollout is in Progressing")
	}
}

// hold says what a step waits for.
func hold(r *workflows.Status, step, steps int) string {
	if step-1 < len(r.Steps) && r.Steps[step-1].State == workflows.StepReady {
		return fmt.Sprintf("Rollout is in step(%d/%d), and it was approved", step, steps)
	}
	if measuring(r, step) {
		return fmt.Sprintf("Rollout is in step(%d/%d), and its metrics are measured: %s", step, steps, r.Steps[step-1].Metrics)
	}
	if step-1 < len(r.Steps) && r.Steps[step-1].Hold == approvalHold {
		return fmt.Sprintf("Rollout is in step(%d/%d), and you need manually confirm to enter the next step", step, steps)
	}
	if r.Until != nil {
		return fmt.Sprintf("Rollout is in step(%d/%d), and wait until %s to enter the next step", step, steps, r.Until.UTC().Format("15:04:05"))
	}
	return fmt.Sprintf("Rollout is in step(%d/%d), %s", step, steps, r.Message)
}

// state is where a step stands, in the words of Kruise.
func state(r *workflows.Status, step int) string {
	if r.Step > step || step-1 >= len(r.Steps) {
		return StepCompleted
	}
	switch s := r.Steps[step-1].State; {
	case s == workflows.StepPending:
		return StepBeforeUpgrade
	case s == workflows.StepPaused && measuring(r, step):
		return StepMetricsAnalysis
	default:
		return string(s)
	}
}

// measuring says that a step waits for its metrics to pass. Where a person
// promotes it, it is at its pause all the while: a person may say so at any time.
func measuring(r *workflows.Status, step int) bool {
	if step-1 >= len(r.Steps) || r.Steps[step-1].Hold == approvalHold {
		return false
	}
	return slices.ContainsFunc(r.Analyses, func(a workflows.AnalysisStatus) bool { return a.Running && !a.Guard && a.Step == step })
}
