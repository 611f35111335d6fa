package projection

import (
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// set adds or changes a condition; its times are settled at the end.
func (s *Status) set(kind, status, reason, message string) {
	c := Condition{Type: kind, Status: status, Reason: reason, Message: message}
	conditions := slices.Clone(s.Conditions)
	if i := slices.IndexFunc(conditions, func(c Condition) bool { return c.Type == kind }); i >= 0 {
		conditions[i] = c
	} else {
		conditions = append(conditions, c)
	}
	s.Conditions = conditions
}

// drop removes a condition.
func (s *Status) drop(kind string) {
	s.Conditions = slices.DeleteFunc(slices.Clone(s.Conditions), func(c Condition) bool { return c.Type == kind })
}

// Condition returns the condition of a type; nil if there is none.
func (s Status) Condition(kind string) *Condition {
	for i := range s.Conditions {
		if s.Conditions[i].Type == kind {
			return &s.Conditions[i]
		}
	}
	return nil
}

// settleTimes keeps the times of conditions that are as before, and dates the
// others.
func (s *Status) settleTimes(before Status, now time.Time) {
	stamp := metav1.Time{Time: now.UTC().Truncate(time.Second)}
	for i := range s.Conditions {
		c := &s.Conditions[i]
		old := before.Condition(c.Type)
		switch {
		case old == nil || old.Status != c.Status:
			c.LastUpdateTime, c.LastTransitionTime = stamp, stamp
		case old.Reason != c.Reason || old.Message != c.Message:
			c.LastUpdateTime, c.LastTransitionTime = stamp, old.LastTransitionTime
		default:
			c.LastUpdateTime, c.LastTransitionTime = old.LastUpdateTime, old.LastTransitionTime
		}
	}
}
