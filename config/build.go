package config

import (
	"cmp"
	"time"

	"sluice.dev/sluice/config/kruise"
	own "sluice.dev/sluice/config/v1alpha1"
)

// build turns a valid draft into the internal form.
func build(d *draft, opts Options) Rollout {
	doc := d.doc
	canary := doc.Spec.Strategy.Canary
	rollout := Rollout{
		Source:         d.apiVersion,
		Name:           doc.Metadata.Name,
		Namespace:      cmp.Or(doc.Metadata.Namespace, opts.Namespace, DefaultNamespace),
		Workload:       ObjectRef(*doc.Spec.WorkloadRef),
		Disabled:       doc.Spec.Disabled,
		Paused:         doc.Spec.Strategy.Paused,
		Traffic:        buildTraffic(canary.TrafficRoutings[0]),
		CanaryMetadata: buildMetadata(canary.PatchPodTemplateMetadata),
		Deadline:       Duration(*doc.Spec.Deadline),
		OnFailure:      FailurePolicy(*doc.Spec.OnFailure),
		Prometheus:     convertAll(doc.Spec.Prometheus, buildServer),
		Analysis:       d.whole,
		Bake:           d.bake,
		Isolation:      Isolation(*canary.Isolation),
		OnDrift:        DriftPolicy(*doc.Spec.OnDrift),
		Headroom:       new(int(*doc.Spec.Capacity.Headroom)),
	}
	for i, step := range canary.Steps {
		built := d.buildStep(step, i == len(canary.Steps)-1)
		built.Analysis = d.steps[i]
		rollout.Steps = append(rollout.Steps, built)
	}
	return rollout
}

func (d *draft) buildStep(step own.Step, last bool) Step {
	built := Step{Hold: holdOf(step, last)}
	built.Replicas, _ = amountOf(step)
	if step.Traffic != nil {
		weight, _ := parsePercent(string(*step.Traffic))
		built.Weight = &weight
	}
	if step.Deadline != nil {
		built.Deadline = Duration(*step.Deadline)
	}
	for _, match := range step.Matches {
		built.Matches = append(built.Matches, buildMatch(d.conditions(match, "")))
	}
	return built
}

func buildTraffic(route own.TrafficRouting) Traffic {
	return Traffic{
		Service:        route.Service,
		Ingress:        IngressRef{Name: route.Ingress.Name, Class: route.Ingress.ClassType},
		Grace:          Duration(time.Duration(*route.GracePeriodSeconds) * time.Second),
		ConfirmTimeout: Duration(*route.ConfirmTimeout),
		Confirm:        buildConfirm(route.Confirm),
	}
}

func buildConfirm(confirm *own.Confirm) Confirm {
	if confirm == nil {
		return Confirm{}
	}
	return Confirm{Level: ConfirmLevel(confirm.Level), Probe: (*Probe)(confirm.Probe)}
}

func buildMetadata(meta *kruise.PodMetadata) Metadata {
	if meta == nil {
		return Metadata{}
	}
	return Metadata{Labels: meta.Labels, Annotations: meta.Annotations}
}
