package config

import (
	"fmt"
	"slices"
	"strings"

	own "sluice.dev/sluice/config/v1alpha1"
)

// Annotations of a Rollout object that only the bypass mode reads. They are kept
// beside the document: what they say is about the object, not about the plan.
const (
	// AnnotationPolicy says what becomes of a third template while a rollout is
	// open: supersede, queue or reject.
	AnnotationPolicy = own.Group + "/on-new-revision"
	// AnnotationOnDelete says what becomes of an open rollout whose Rollout is
	// deleted or disabled: finish, rollback or hold.
	AnnotationOnDelete = own.Group + "/on-delete"
	// AnnotationReleaseAgain names a revision that was aborted and may go again.
	// It is taken away when that one goes.
	AnnotationReleaseAgain = own.Group + "/release-again"
	// AnnotationAborted lists the revisions that were aborted, the newest last,
	// separated by commas. The watcher keeps it.
	AnnotationAborted = own.Group + "/aborted"
)

// maxAborted is how many aborted revisions are remembered.
const maxAborted = 20

// AbortedOf reads the revisions that were aborted from the annotations of a
// Rollout.
func AbortedOf(annotations map[string]string) []string {
	return strings.FieldsFunc(annotations[AnnotationAborted], func(r rune) bool { return r == ',' || r == ' ' })
}

// AbortedText returns the annotation for aborted revisions, the newest last; the
// oldest of very many are dropped.
func AbortedText(revisions []string) string {
	return strings.Join(revisions[max(0, len(revisions)-maxAborted):], ",")
}

// Policy is what becomes of a third template while a rollout is open.
type Policy string

// The policies; the first is the default.
const (
	PolicySupersede Policy = "supersede"
	PolicyQueue     Policy = "queue"
	PolicyReject    Policy = "reject"
)

// OnDelete is what becomes of an open rollout whose Rollout goes.
type OnDelete string

// The ways in which a rollout ends with its Rollout; the first is the default,
// and that of Kruise.
const (
	OnDeleteFinish   OnDelete = "finish"
	OnDeleteRollback OnDelete = "rollback"
	OnDeleteHold     OnDelete = "hold"
)

// PolicyOf reads the policy from the annotations of a Rollout; the default where
// they name none, or none that exists.
func PolicyOf(annotations map[string]string) Policy {
	return choice(annotations[AnnotationPolicy], PolicySupersede, PolicyQueue, PolicyReject)
}

// OnDeleteOf reads what becomes of an open rollout in the same way.
func OnDeleteOf(annotations map[string]string) OnDelete {
	return choice(annotations[AnnotationOnDelete], OnDeleteFinish, OnDeleteRollback, OnDeleteHold)
}

func choice[T ~string](text string, known ...T) T {
	if slices.Contains(known, T(text)) {
		return T(text)
	}
	return known[0]
}

// bypassAnnotation checks an annotation of the bypass mode; false where it is
// none.
func bypassAnnotation(r *report, key, value, path string) bool {
	known := map[string][]string{
		AnnotationPolicy:       {string(PolicySupersede), string(PolicyQueue), string(PolicyReject)},
		AnnotationOnDelete:     {string(OnDeleteFinish), string(OnDeleteRollback), string(OnDeleteHold)},
		AnnotationReleaseAgain: nil,
		AnnotationAborted:      nil,
	}
	values, ok := known[key]
	if ok && values != nil && !slices.Contains(values, value) {
		r.add(path, fmt.Sprintf("unknown value %q", value), "write "+strings.Join(values, ", "))
	}
	return ok
}
