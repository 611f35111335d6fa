package config

import (
	"cmp"
	"strconv"
	"time"

	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/yaml"

	"sluice.dev/sluice/config/kruise"
	kruisebeta "sluice.dev/sluice/config/kruise/v1beta1"
	own "sluice.dev/sluice/config/v1alpha1"
)

// Document returns a rollout as a document of our own version that says
// everything and leaves nothing to defaults. Parsing it gives the same rollout
// again, with our own version as its Source.
func Document(r Rollout) own.Rollout {
	canary := &own.Canary{
		TrafficRoutings:              []own.TrafficRouting{renderRoute(r.Traffic)},
		EnableExtraWorkloadForCanary: new(true),
		Isolation:                    new(string(cmp.Or(r.Isolation, DefaultIsolation))),
	}
	if len(r.CanaryMetadata.Labels) > 0 || len(r.CanaryMetadata.Annotations) > 0 {
		canary.PatchPodTemplateMetadata = &kruise.PodMetadata{Labels: r.CanaryMetadata.Labels, Annotations: r.CanaryMetadata.Annotations}
	}
	for _, step := range r.Steps {
		canary.Steps = append(canary.Steps, renderStep(step))
	}
	if r.Bake != nil {
		canary.Bake = &own.Bake{Duration: new(own.Period(r.Bake.Duration)), Analysis: renderAnalysis(r.Bake.Analysis)}
	}
	return own.Rollout{
		APIVersion: own.APIVersion,
		Kind:       kindRollout,
		Metadata:   kruise.Metadata{Name: r.Name, Namespace: r.Namespace},
		Spec: own.Spec{
			WorkloadRef: new(kruise.ObjectRef(r.Workload)),
			Strategy:    own.Strategy{Paused: r.Paused, Canary: canary},
			Disabled:    r.Disabled,
			Deadline:    new(own.Period(r.Deadline)),
			OnFailure:   new(string(r.OnFailure)),
			Prometheus:  convertAll(r.Prometheus, renderServer),
			Analysis:    renderAnalysis(r.Analysis),
			OnDrift:     new(string(cmp.Or(r.OnDrift, DefaultOnDrift))),
			Capacity:    &own.Capacity{Headroom: new(int32(r.headroom()))},
		},
	}
}

// Render returns the Document of a rollout as YAML.
func Render(r Rollout) ([]byte, error) {
	return yaml.Marshal(Document(r))
}

func renderRoute(t Traffic) own.TrafficRouting {
	return own.TrafficRouting{
		TrafficRouting: kruisebeta.TrafficRouting{
			Service:            t.Service,
			GracePeriodSeconds: new(int32(t.Grace.Std() / time.Second)),
			Ingress:            &kruise.Ingress{Name: t.Ingress.Name, ClassType: t.Ingress.Class},
		},
		ConfirmTimeout: new(own.Period(t.ConfirmTimeout)),
		Confirm:        renderConfirm(t.Confirm),
	}
}

func renderConfirm(c Confirm) *own.Confirm {
	if c == (Confirm{}) {
		return nil
	}
	return &own.Confirm{Level: string(c.Level), Probe: (*own.Probe)(c.Probe)}
}

func renderStep(s Step) own.Step {
	step := own.Step{
		Hold:     &own.Hold{Mode: own.HoldMode(s.Hold.Mode), Duration: own.Period(s.Hold.Duration)},
		Matches:  convertAll(s.Matches, renderMatch),
		Analysis: renderAnalysis(s.Analysis),
	}
	if !s.Replicas.Implied {
		step.Replicas = new(intstr.Parse(s.Replicas.String()))
	}
	if s.Weight != nil {
		step.Traffic = new(kruise.Percent(strconv.Itoa(*s.Weight) + "%"))
	}
	if s.Deadline > 0 {
		step.Deadline = new(own.Period(s.Deadline))
	}
	return step
}

func renderMatch(m Match) own.Match {
	match := own.Match{
		Match: kruise.Match{
			Headers:     convertAll(m.Headers, renderValue),
			QueryParams: convertAll(m.Query, renderValue),
		},
		Cookies: convertAll(m.Cookies, renderValue),
	}
	if m.Path != nil {
		match.Path = &kruise.PathMatch{Type: new(string(m.Path.Type)), Value: &m.Path.Value}
	}
	return match
}

func renderValue(v ValueMatch) kruise.ValueMatch {
	return kruise.ValueMatch{Type: new(string(v.Type)), Name: v.Name, Value: v.Value}
}
