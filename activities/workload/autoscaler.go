package workload

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	scalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/labels"

	"sluice.dev/sluice/activities/kube"
	"sluice.dev/sluice/activities/release"
)

// freeze keeps the autoscalers of the workload from taking pods away while their
// requests go to canary: the pods would be missing when the requests return.
// They may still add some. A missing right is told and not an error, because the
// requests do not return before there are pods for them.
func (a *Activities) freeze(ctx context.Context, ref release.Ref) (warnings []string, err error) {
	for _, h := range a.Cluster.AutoscalersOf(ref.Namespace, ref.Workload.Name) {
		err := a.Cluster.EditAutoscaler(ctx, h.Namespace, h.Name, func(h *scalingv2.HorizontalPodAutoscaler) (kube.Patch, error) {
			// Asked after it was read: whoever ends the rollout unmarks the workload
			// last.
			if err := a.Cluster.OpenLive(ctx, ref); err != nil {
				return nil, err
			}
			return freezePatch(h, ref)
		})
		switch {
		case kube.IsType(err, kube.ErrForbidden):
			warnings = append(warnings, fmt.Sprintf("%s may scale the workload down while its requests go to canary, and they would wait for its return: %v", autoscalerName(h), err))
		case err != nil && !kube.IsType(err, kube.ErrNotFound):
			return warnings, err
		}
	}
	return warnings, nil
}

// thaw gives the autoscalers that the rollout has frozen their own behavior back,
// whatever they scale now. It returns what somebody has changed meanwhile, or does
// not let be written, and what therefore stays.
func (a *Activities) thaw(ctx context.Context, ref release.Ref) (kept []string, err error) {
	for _, h := range a.frozen(ref) {
		changed, err := a.thawOne(ctx, ref, h)
		switch {
		case kube.IsType(err, kube.ErrForbidden) && carriesRecord(h, ref):
			changed = fmt.Sprintf("%s does not scale down: set spec.behavior.scaleDown.selectPolicy as you want it and remove the annotation %s: %v", autoscalerName(h), release.AnnotationRelease, err)
		case err != nil && !kube.IsType(err, kube.ErrNotFound) && !kube.IsType(err, kube.ErrForbidden):
			return kept, err
		}
		if changed != "" {
			kept = append(kept, changed)
		}
	}
	return kept, nil
}

// frozen returns the autoscalers that the rollout may have frozen: those of the
// workload, of which the cache may not know the record yet, and those that scale
// something else since then.
func (a *Activities) frozen(ref release.Ref) []*scalingv2.HorizontalPodAutoscaler {
	// The cache cannot fail to list.
	all, _ := a.Cluster.HorizontalPodAutoscalers(ref.Namespace).List(labels.Everything())
	return slices.DeleteFunc(all, func(h *scalingv2.HorizontalPodAutoscaler) bool {
		return !kube.Scales(h, ref.Workload.Name) && !carriesRecord(h, ref)
	})
}

// carriesRecord says whether an autoscaler has a record of the rollout.
func carriesRecord(h *scalingv2.HorizontalPodAutoscaler, ref release.Ref) bool {
	record, err := kube.AutoscalerRecordOf(h)
	return err == nil && record != nil && record.ID == ref.ID
}

func (a *Activities) thawOne(ctx context.Context, ref release.Ref, h *scalingv2.HorizontalPodAutoscaler) (changed string, err error) {
	err = a.Cluster.EditAutoscaler(ctx, h.Namespace, h.Name, func(h *scalingv2.HorizontalPodAutoscaler) (p kube.Patch, err error) {
		p, changed, err = thawPatch(h, ref)
		return p, err
	})
	if err != nil {
		return changed, err
	}
	// In a write of its own, because every write of a field makes an entry. It is
	// looked at whoever has removed the record: an attempt before this one may have
	// died between the two.
	return changed, a.Cluster.EditAutoscaler(ctx, h.Namespace, h.Name, func(h *scalingv2.HorizontalPodAutoscaler) (kube.Patch, error) {
		if h.Annotations[release.AnnotationRelease] != "" {
			return nil, nil // another rollout's, and so is the entry
		}
		return disown(h.ManagedFields), nil
	})
}

// Freezes says that an autoscaler is kept from scaling down: it is not already.
func Freezes(h *scalingv2.HorizontalPodAutoscaler) bool {
	return scaleDownOf(h) != scalingv2.DisabledPolicySelect
}

// policyPath leads to the field that is changed.
var policyPath = []string{"spec", "behavior", "scaleDown", "selectPolicy"}

// freezePatch disables scaling down and records what was there; empty where it
// is disabled already.
func freezePatch(h *scalingv2.HorizontalPodAutoscaler, ref release.Ref) (kube.Patch, error) {
	record, err := kube.AutoscalerRecordOf(h)
	if err != nil {
		return nil, err
	}
	if record != nil && record.ID != ref.ID {
		return nil, kube.Terminal(kube.ErrSuperseded, "changing %s: rollout %s of workflow %s has it: end that one first (sluice abort, or sluice repair if its workflow is gone)", autoscalerName(h), record.ID, record.WorkflowID)
	}
	if scaleDownOf(h) == scalingv2.DisabledPolicySelect {
		return nil, nil
	}
	next := release.AutoscalerRecord{ID: ref.ID, WorkflowID: ref.WorkflowID, Before: string(scaleDownOf(h))}
	data, err := json.Marshal(next)
	if err != nil {
		return nil, kube.Terminal(kube.ErrInvalid, "encoding the record of rollout %s: %w", ref.ID, err)
	}
	var p kube.Patch
	switch b := h.Spec.Behavior; {
	case b == nil:
		p.Set(frozenBehavior(), policyPath[:2]...)
	case b.ScaleDown == nil:
		p.Set(frozenBehavior().ScaleDown, policyPath[:3]...)
	default:
		p.Set(scalingv2.DisabledPolicySelect, policyPath...)
	}
	p.SetIn(h.Annotations != nil, string(data), "metadata", "annotations", release.AnnotationRelease)
	return p, nil
}

// thawPatch restores the field that freezePatch has changed, and removes the
// record. A value that somebody has set meanwhile is kept.
func thawPatch(h *scalingv2.HorizontalPodAutoscaler, ref release.Ref) (p kube.Patch, kept string, err error) {
	record, err := kube.AutoscalerRecordOf(h)
	if err != nil || record == nil || record.ID != ref.ID {
		return nil, "", err
	}
	switch {
	case scaleDownOf(h) != scalingv2.DisabledPolicySelect:
		kept = fmt.Sprintf("%s spec.behavior.scaleDown.selectPolicy: somebody set it to %q", autoscalerName(h), scaleDownOf(h))
	case record.Before != "":
		p.Set(record.Before, policyPath...)
	case untouched(h.Spec.Behavior):
		p.Remove(policyPath[:2]...)
	default:
		// The API server wants a value; this is its own default.
		p.Set(scalingv2.MaxChangePolicySelect, policyPath...)
		kept = autoscalerName(h) + " spec.behavior: somebody changed it"
	}
	p.Remove("metadata", "annotations", release.AnnotationRelease)
	return p, kept, nil
}

// frozenBehavior is what an autoscaler without a behavior gets.
func frozenBehavior() *scalingv2.HorizontalPodAutoscalerBehavior {
	return &scalingv2.HorizontalPodAutoscalerBehavior{ScaleDown: &scalingv2.HPAScalingRules{SelectPolicy: new(scalingv2.DisabledPolicySelect)}}
}

// untouched says whether a behavior is the one of frozenBehavior with what the
// API server fills in.
// See https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/#default-behavior.
func untouched(b *scalingv2.HorizontalPodAutoscalerBehavior) bool {
	down, up := b.ScaleDown, b.ScaleUp
	plain := down.StabilizationWindowSeconds == nil && down.Tolerance == nil &&
		(len(down.Policies) == 0 || len(down.Policies) == 1 && down.Policies[0] == (scalingv2.HPAScalingPolicy{Type: scalingv2.PercentScalingPolicy, Value: 100, PeriodSeconds: 15}))
	if up == nil || !plain {
		return plain
	}
	for _, p := range up.Policies {
		plain = plain && p.PeriodSeconds == 15 && (p.Type == scalingv2.PodsScalingPolicy && p.Value == 4 || p.Type == scalingv2.PercentScalingPolicy && p.Value == 100)
	}
	return plain && len(up.Policies) == 2 && up.Tolerance == nil &&
		(up.StabilizationWindowSeconds == nil || *up.StabilizationWindowSeconds == 0) &&
		(up.SelectPolicy == nil || *up.SelectPolicy == scalingv2.MaxChangePolicySelect)
}

// scaleDownOf is how an autoscaler chooses among its policies to scale down;
// empty where it does not say.
func scaleDownOf(h *scalingv2.HorizontalPodAutoscaler) scalingv2.ScalingPolicySelect {
	if b := h.Spec.Behavior; b != nil && b.ScaleDown != nil && b.ScaleDown.SelectPolicy != nil {
		return *b.ScaleDown.SelectPolicy
	}
	return ""
}

// autoscalerName of an autoscaler, for people.
func autoscalerName(h *scalingv2.HorizontalPodAutoscaler) string {
	return "HorizontalPodAutoscaler " + h.Namespace + "/" + h.Name
}
