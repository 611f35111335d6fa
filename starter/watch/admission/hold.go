// Package admission is what the API server asks before it stores an object: the
// hold, which is added to the very write that changes the template of a workload
// with a Rollout, and the rules of Rollout documents.
package admission

import (
	"encoding/json"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"sluice.dev/sluice/activities/kube"
	"sluice.dev/sluice/activities/release"
	"sluice.dev/sluice/activities/workload"
	"sluice.dev/sluice/config"
	"sluice.dev/sluice/config/kruise"
)

// LabelClass says which watcher a Rollout belongs to.
const LabelClass = "sluice.dev/class"

// Governor is what the webhook has to know about the Rollout of a workload.
type Governor struct {
	// Name of the Rollout.
	Name string
	// Policy for a third template.
	Policy config.Policy
	// Stable is the revision that its status tells to be stable.
	Stable string
}

// Change is one write to a workload.
type Change struct {
	Old, New *appsv1.Deployment
	// Manager is the name under which the writer writes, By who it is.
	Manager, By string
	// Governor of the workload; nil where no Rollout wants its changes held.
	Governor *Governor
}

// Verdict is what becomes of a write.
type Verdict struct {
	// Patch is added to the write.
	Patch kube.Patch
	// Warnings are shown to the writer.
	Warnings []string
	// Denied is why the write is refused; empty where it is not.
	Denied string
}

// Judge decides about a write to a workload. It is pure. Writes of Sluice itself
// pass as they are.
func Judge(c Change) (Verdict, error) {
	if c.Manager == release.FieldManager || c.Manager == release.WatchManager {
		return Verdict{}, nil
	}
	j := &judgement{Change: c, changed: workload.Revision(c.Old.Spec.Template) != workload.Revision(c.New.Spec.Template)}
	record, err := kube.RecordOf(c.Old)
	if err != nil {
		return Verdict{}, err
	}
	hold, err := release.HoldIn(c.Old.Annotations)
	if err != nil {
		return Verdict{}, err
	}
	queued, err := release.QueuedIn(c.Old.Annotations)
	if err != nil {
		return Verdict{}, err
	}
	j.record, j.hold, j.queued = record, hold, queued
	j.keepMarks()
	if record != nil {
		j.open()
	} else {
		j.closed()
	}
	if j.verdict.Denied == "" {
		j.writeMarks()
	}
	return j.verdict, nil
}

// judgement is one evaluation.
type judgement struct {
	Change
	changed bool
	record  *release.Record
	hold    *release.Hold
	queued  *release.Queued

	marks   map[string]string // annotations of ours as they shall be
	verdict Verdict
}

// ours are the annotations that a replacement of the whole object must not lose.
var ours = []string{release.AnnotationRelease, release.AnnotationHold, release.AnnotationQueued}

// keepMarks begins with the marks of the object before: a replacement of the
// whole object must not lose them. Only a template that waits is withdrawn by
// taking its mark away, beside a template that stays. One that has just been put
// aside in this very write is kept: the API server asks again where another
// webhook changes the object, too.
func (j *judgement) keepMarks() {
	j.marks = map[string]string{}
	for _, key := range ours {
		if value, had := j.Old.Annotations[key]; had {
			j.marks[key] = value
		}
	}
	text, kept := j.New.Annotations[release.AnnotationQueued]
	switch {
	case j.changed:
	case !kept:
		delete(j.marks, release.AnnotationQueued)
	case waits(j.New.Annotations):
		j.marks[release.AnnotationQueued] = text
	}
}

// waits says that annotations carry a template that can wait: one whose content is
// what its revision names.
func waits(annotations map[string]string) bool {
	queued, err := release.QueuedIn(annotations)
	var template corev1.PodTemplateSpec
	return err == nil && queued != nil && json.Unmarshal(queued.Template, &template) == nil &&
		workload.Revision(template) == queued.Revision
}

// writeMarks adds to the write what its annotations of ours lack.
func (j *judgement) writeMarks() {
	if j.New.Annotations == nil && len(j.marks) > 0 {
		j.verdict.Patch.Set(j.marks, "metadata", "annotations")
		return
	}
	for _, key := range ours {
		want, wanted := j.marks[key]
		has, there := j.New.Annotations[key]
		switch {
		case wanted && want != has:
			j.verdict.Patch.Set(want, "metadata", "annotations", key)
		case !wanted && there:
			j.verdict.Patch.Remove("metadata", "annotations", key)
		}
	}
}

// open judges a write while a rollout is open.
func (j *judgement) open() {
	switch {
	case !j.changed:
		if !j.record.Promoting && !j.New.Spec.Paused {
			j.pause()
			j.warn("a rollout is open: the workload stays paused; `sluice promote --full` finishes it, `sluice abort` undoes it")
		}
	case j.policy() == config.PolicyReject && j.revision() != j.stable():
		j.verdict = Verdict{Denied: fmt.Sprintf("a rollout of revision %s is open and annotation %s of Rollout %s rejects other templates: promote or abort it first",
			j.record.Revision, config.AnnotationPolicy, j.Governor.Name)}
	case j.record.Promoting, j.policy() == config.PolicyQueue && j.revision() != j.stable():
		j.queue("the open rollout ends")
	default:
		j.holdNew()
	}
}

// closed judges a write while no rollout is open.
func (j *judgement) closed() {
	switch {
	case !j.changed && j.hold != nil && !j.New.Spec.Paused:
		j.pause()
		j.warn("revision %s is held and stays paused: see the status of the Rollout", j.hold.Revision)
	case !j.changed:
	case j.queued != nil && j.queued.Revision == j.revision():
		// It waits for its turn already; a loop that applies it again changes nothing.
		j.verdict.Patch.Set(j.Old.Spec.Template, "spec", "template")
	case j.Governor != nil && !j.sameID():
		j.holdNew()
	}
}

// sameID says that a new template is no change, because the workload has a
// rollout-id and keeps it. What is held or waits already is not released by it.
func (j *judgement) sameID() bool {
	id := j.New.Annotations[kruise.RolloutID]
	return id != "" && id == j.Old.Annotations[kruise.RolloutID] && j.hold == nil && j.queued == nil
}

// holdNew adds the hold to the write.
func (j *judgement) holdNew() {
	before := j.Old.Spec.Paused && j.record == nil && j.hold == nil
	if j.hold != nil {
		before = j.hold.Paused
	}
	j.pause()
	j.marks[release.AnnotationHold] = release.Text(release.Hold{Revision: j.revision(), Paused: before, By: j.By})
	delete(j.marks, release.AnnotationQueued)
}

// queue keeps the present template and puts the new one aside.
func (j *judgement) queue(until string) {
	template, err := json.Marshal(j.New.Spec.Template)
	if err != nil {
		j.verdict = Verdict{Denied: fmt.Sprintf("encoding the pod template: %v", err)}
		return
	}
	j.verdict.Patch.Set(j.Old.Spec.Template, "spec", "template")
	if !j.record.Promoting && !j.New.Spec.Paused {
		j.pause()
	}
	j.marks[release.AnnotationQueued] = release.Text(release.Queued{Revision: j.revision(), Template: template, By: j.By})
	j.warn("revision %s waits until %s", j.revision(), until)
}

func (j *judgement) pause() { j.verdict.Patch.Set(true, "spec", "paused") }

func (j *judgement) warn(format string, args ...any) {
	j.verdict.Warnings = append(j.verdict.Warnings, "sluice: "+fmt.Sprintf(format, args...))
}

func (j *judgement) revision() string { return workload.Revision(j.New.Spec.Template) }

func (j *judgement) policy() config.Policy {
	if j.Governor == nil {
		return config.PolicySupersede
	}
	return j.Governor.Policy
}

func (j *judgement) stable() string {
	if j.Governor == nil {
		return ""
	}
	return j.Governor.Stable
}
