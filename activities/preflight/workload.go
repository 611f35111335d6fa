package preflight

import (
	"fmt"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"sluice.dev/sluice/activities/kube"
	"sluice.dev/sluice/activities/release"
	"sluice.dev/sluice/activities/workload"
)

// findWorkload reads the Deployment.
func (i *inspection) findWorkload() error {
	w := i.req.Rollout.Workload
	if w.APIVersion != "apps/v1" || w.Kind != "Deployment" {
		i.refuse(i.object(w.Kind, w.Name), fmt.Sprintf("%s %s cannot be released", w.APIVersion, w.Kind), "name a Deployment of apps/v1")
		return nil
	}
	d, err := i.cluster.Deployments(i.req.Rollout.Namespace).Get(w.Name)
	if apierrors.IsNotFound(err) {
		i.refuse(i.object("Deployment", w.Name), "it does not exist", "create it, or correct workloadRef")
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading the cache: %w", err)
	}
	i.deployment, i.template = d, d.Spec.Template
	i.replicas = kube.SizeOf(d)
	i.baseline = workload.BaselineOf(d, i.req.Change.Current)
	return nil
}

// checkOwner refuses a workload that another rollout holds. What this rollout
// has done already is its own.
func (i *inspection) checkOwner() error {
	if i.deployment == nil {
		return nil
	}
	record, err := kube.RecordOf(i.deployment)
	object := i.object("Deployment", i.deployment.Name)
	switch {
	case err != nil:
		i.refuse(object+" annotation "+release.AnnotationRelease, "it cannot be read", "remove it if no rollout is open, or run sluice repair")
	case record == nil:
	case record.ID != i.req.ID:
		i.refuse(object, fmt.Sprintf("rollout %s of workflow %s is open on it", record.ID, record.WorkflowID),
			"end it (sluice abort), or, if its workflow is gone, run sluice repair")
	default:
		i.record, i.baseline = record, record.Baseline
	}
	return nil
}

// checkWorkload refuses a Deployment that cannot be held and promoted.
func (i *inspection) checkWorkload() error {
	d := i.deployment
	if d == nil {
		return nil
	}
	object := i.object("Deployment", d.Name)
	if d.DeletionTimestamp != nil {
		i.refuse(object, "it is being deleted", "create it again")
	}
	if d.Spec.Strategy.Type == appsv1.RecreateDeploymentStrategyType {
		i.refuse(object+" spec.strategy", "Recreate stops every pod before the first new one starts", "set type: RollingUpdate")
	}
	if i.replicas == 0 {
		i.refuse(object+" spec.replicas", "it is 0", "scale it up: with no stable pod there is nothing to compare with and nothing to return to")
	}
	if d.Spec.RevisionHistoryLimit != nil && *d.Spec.RevisionHistoryLimit == 0 {
		i.refuse(object+" spec.revisionHistoryLimit", "it is 0: the stable template would be lost during the promotion", "set it to 1 or more")
	}
	switch {
	case i.record != nil:
	case i.req.WorkloadUID != "" && string(d.UID) != i.req.WorkloadUID:
		i.refuse(object, "it is not the one that the rollout was started for: that was deleted", "nothing: a change of this one starts its own rollout")
	case i.req.Revision != "" && workload.Revision(d.Spec.Template) != i.req.Revision:
		i.refuse(object+" spec.template", fmt.Sprintf("it is not revision %s, which the rollout was started for", i.req.Revision), "nothing: the present template has its own rollout")
	case i.req.Change.Current && !d.Spec.Paused:
		i.refuse(object+" spec.paused", "its present template is to be released, but it is not held: it rolls out already", "let a rollout change the template (--image, --set-env), or pause the Deployment before it is changed")
	case !i.req.Change.Current && d.Spec.Paused:
		i.refuse(object+" spec.paused", "somebody paused it", "resume it (kubectl rollout resume), or release the template that it has now")
	}
	return nil
}

// findStable finds the ReplicaSet that runs the stable template: the only one
// that has pods.
func (i *inspection) findStable() error {
	if i.deployment == nil {
		return nil
	}
	var active []*appsv1.ReplicaSet
	for _, rs := range i.cluster.ReplicaSetsOf(i.deployment) {
		if i.record != nil && rs.Name == i.record.Stable {
			i.stable = rs
			return nil
		}
		if rs.Status.Replicas > 0 || (rs.Spec.Replicas != nil && *rs.Spec.Replicas > 0) {
			active = append(active, rs)
		}
	}
	object := i.object("Deployment", i.deployment.Name)
	switch {
	case len(active) > 1:
		names := make([]string, len(active))
		for n, rs := range active {
			names[n] = rs.Name
		}
		i.refuse(object, "several ReplicaSets have pods ("+strings.Join(names, ", ")+"): a rolling update is under way", "wait until it has ended, or undo it")
	case len(active) == 0 && i.replicas > 0:
		i.refuse(object, "no ReplicaSet has pods", "look at its events: kubectl describe deployment "+i.deployment.Name)
	case len(active) == 1:
		i.stable = active[0]
		if !i.req.Change.Current && workload.Revision(i.stable.Spec.Template) != workload.Revision(i.deployment.Spec.Template) {
			i.refuse(object, "its template has changed and is not running yet", "wait until the rolling update has ended, or undo it")
		}
	}
	return nil
}

// checkPods refuses a workload without a ready pod and tells of unready ones.
func (i *inspection) checkPods() error {
	if i.stable == nil {
		return nil
	}
	pods := i.cluster.PodsOf(i.stable)
	for _, p := range pods {
		if ready(p) {
			i.ready++
		}
	}
	object := i.object("Deployment", i.deployment.Name)
	switch {
	case i.ready == 0 && i.replicas > 0:
		i.refuse(object, fmt.Sprintf("none of its %d pods is ready", len(pods)), "repair the stable revision first: there would be nothing to return to")
	case i.ready < i.replicas:
		i.warn("%s: %d of %d pods are ready", object, i.ready, i.replicas)
	}
	return nil
}

// propose applies the change to the template.
func (i *inspection) propose() error {
	if i.deployment == nil {
		return nil
	}
	template, err := i.req.Change.Apply(i.deployment.Spec.Template)
	if err != nil {
		i.refuse(i.object("Deployment", i.deployment.Name)+" spec.template", strings.ReplaceAll(err.Error(), "\n", "; "), "correct the change")
		return nil
	}
	i.template = template
	return nil
}

func ready(p *corev1.Pod) bool {
	if p.DeletionTimestamp != nil {
		return false
	}
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}
