package chaos

import (
	"context"
	"fmt"
	"time"

	"go.temporal.io/sdk/client"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sluice.dev/sluice/tests/chaos/frontend"
	"sluice.dev/sluice/tests/chaos/watcher"
	"sluice.dev/sluice/workflows"
)

// reading is how long a person looks at a hold before deciding.
const reading = 4 * time.Second

// drive starts the rollout and does what the scenario says, until it has ended.
func (s *sim) drive() {
	s.must(s.start(false))
	holds, promoting, last := 0, false, ""
	for {
		view, err := s.frontend.Await(s.ctx, s.workflowID(), func(v frontend.View) bool {
			return v.Closed || stateOf(v) != last
		})
		if err != nil {
			s.problem("the rollout stands at %s: %v: %s", stateOf(view), err, s.frontend.Trouble(s.workflowID()))
			return
		}
		if view.Closed && s.awaitRepair(view) {
			return
		}
		last = stateOf(view)
		switch workflows.Phase(attribute[string](view, "SluicePhase")) {
		case workflows.PhaseHolding:
			s.atHold(view, holds)
			holds++
		case workflows.PhasePromoting:
			if !promoting && s.run.Scenario.Promoting.Verb != "" {
				time.AfterFunc(s.between(time.Second, 30*time.Second), func() { s.act(s.run.Scenario.Promoting, view) })
			}
			promoting = true
		case workflows.PhaseStuck, workflows.PhasePaused:
			s.stuck(view)
		}
	}
}

// stateOf identifies where a rollout stands.
func stateOf(v frontend.View) string {
	return fmt.Sprintf("%s %s/%d/%s", v.RunID, attribute[string](v, "SluicePhase"), attribute[int64](v, "SluiceStep"), attribute[string](v, "SluiceRevision"))
}

// awaitRepair says whether a workflow that has ended is the last one.
func (s *sim) awaitRepair(v frontend.View) bool {
	if v.Failure != "terminated" {
		return true
	}
	_, err := s.frontend.Await(s.ctx, s.workflowID(), func(now frontend.View) bool { return now.RunID != v.RunID })
	s.must(err)
	return err != nil
}

// atHold looks at a hold for a while and goes on.
func (s *sim) atHold(v frontend.View, n int) {
	step := int(attribute[int64](v, "SluiceStep"))
	s.watcher.Hold(step)
	time.Sleep(reading)
	now, _ := s.frontend.Await(s.ctx, s.workflowID(), func(frontend.View) bool { return true })
	if now.Closed || stateOf(now) != stateOf(v) {
		return
	}
	act := Act{Verb: workflows.VerbPromote}
	if n < len(s.run.Scenario.Holds) {
		act = s.run.Scenario.Holds[n]
	}
	if act.Scale > 0 {
		s.scale(act.Scale)
		time.Sleep(watcher.Followed + reading)
	}
	if act.Verb == workflows.VerbJump && act.Step == step {
		act = Act{Verb: workflows.VerbPromote} // a fault has led there already
	}
	if act.Verb == workflows.VerbPromote && !act.Full {
		act.Step = step
	}
	s.act(act, v)
}

// act sends what a person decides.
func (s *sim) act(a Act, v frontend.View) {
	if s.ctx.Err() != nil {
		return
	}
	if a.Verb == workflows.VerbAbort {
		s.watcher.Aborted()
	}
	if a.Verb == workflows.VerbRevise {
		s.watcher.Revised(version("v2"))
	}
	// A rollout that has just ended takes no message; what that means is seen in
	// the end.
	_ = s.person.SignalWorkflow(s.ctx, s.workflowID(), "", string(a.Verb), a.message())
}

// stuck helps a rollout that waits for a person, as a person would.
func (s *sim) stuck(v frontend.View) {
	time.Sleep(reading)
	phase := workflows.Phase(attribute[string](v, "SluicePhase"))
	if s.makeRoom(v, phase) {
		return
	}
	s.problem("the rollout is %s at step %d: %s", phase, attribute[int64](v, "SluiceStep"), s.frontend.Trouble(s.workflowID()))
	verb := workflows.VerbRetry
	if phase == workflows.PhasePaused {
		verb = workflows.VerbResume
	}
	_ = s.person.SignalWorkflow(s.ctx, s.workflowID(), "", string(verb), workflows.Message{By: "chaos"})
}

// start starts the rollout, or the repair of what is left of it.
func (s *sim) start(repair bool) error {
	in := workflows.Input{Cluster: clusterName, Rollout: s.doc, Change: change("v2"), SearchAttributes: true, Repair: repair}
	_, err := s.person.ExecuteWorkflow(context.WithoutCancel(s.ctx), client.StartWorkflowOptions{
		ID: s.workflowID(), TaskQueue: workflows.TaskQueue, TypedSearchAttributes: workflows.SearchAttributes(in),
	}, workflows.WorkflowType, in)
	return err
}

// repairLate starts a repair where objects were created after the end, and waits for
// it.
func (s *sim) repairLate() {
	time.Sleep(latest)
	if !s.marked() {
		return
	}
	s.must(s.start(true))
	view, err := s.frontend.Await(s.ctx, s.workflowID(), func(v frontend.View) bool { return v.Closed })
	if err != nil {
		s.problem("the repair stands at %s: %v: %s", stateOf(view), err, s.frontend.Trouble(s.workflowID()))
	}
}

// interfere is what somebody does in the middle.
func (s *sim) interfere() {
	if !s.running() {
		return
	}
	view, _ := s.frontend.Await(s.ctx, s.workflowID(), func(frontend.View) bool { return true })
	if view.Closed {
		return
	}
	switch s.run.Fault {
	case Abort, AbortLate, CreateLate:
		s.act(Act{Verb: workflows.VerbAbort}, view)
	case Revise:
		s.act(Act{Verb: workflows.VerbRevise}, view)
	case Double:
		s.scale(2 * s.run.Scenario.Pods)
	case Unroute, Reweigh, Grow, Widen:
		s.meddle()
	case Repair:
		s.watcher.Aborted()
		s.frontend.Terminate(s.workflowID())
		s.must(s.start(true))
	default:
	}
}

// scale makes the workload larger as `kubectl scale` does, unless it is so
// already: whoever makes it smaller loses what its pods are working on.
func (s *sim) scale(n int) {
	client := s.cluster.AppsV1().Deployments(s.doc.Namespace)
	for s.running() {
		d, err := client.Get(s.ctx, s.doc.Workload.Name, metav1.GetOptions{})
		if err == nil && int(*d.Spec.Replicas) >= n {
			return
		}
		if err == nil {
			s.watcher.Scaled(n)
			d.Spec.Replicas = new(int32(n))
			_, err = client.Update(s.ctx, d, metav1.UpdateOptions{})
		}
		if !apierrors.IsConflict(err) {
			s.must(err)
			return
		}
	}
}
