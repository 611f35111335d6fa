package config

import (
	"strconv"
	"time"

	"sluice.dev/sluice/config/kruise"
	kruisealpha "sluice.dev/sluice/config/kruise/v1alpha1"
	kruisebeta "sluice.dev/sluice/config/kruise/v1beta1"
	own "sluice.dev/sluice/config/v1alpha1"
)

// fromBeta rewrites a Kruise v1beta1 document in our own version.
func fromBeta(doc kruisebeta.Rollout) own.Rollout {
	strategy := own.Strategy{Paused: doc.Spec.Strategy.Paused, BlueGreen: doc.Spec.Strategy.BlueGreen}
	if canary := doc.Spec.Strategy.Canary; canary != nil {
		strategy.Canary = &own.Canary{
			Steps:                        convertAll(canary.Steps, betaStep),
			TrafficRoutings:              convertAll(canary.TrafficRoutings, betaRoute),
			FailureThreshold:             canary.FailureThreshold,
			PatchPodTemplateMetadata:     canary.PatchPodTemplateMetadata,
			EnableExtraWorkloadForCanary: &canary.EnableExtraWorkloadForCanary,
			TrafficRoutingRef:            canary.TrafficRoutingRef,
			DisableGenerateCanaryService: canary.DisableGenerateCanaryService,
		}
	}
	return own.Rollout{
		APIVersion: doc.APIVersion,
		Kind:       doc.Kind,
		Metadata:   doc.Metadata,
		Spec:       own.Spec{WorkloadRef: doc.Spec.WorkloadRef, Strategy: strategy, Disabled: doc.Spec.Disabled},
	}
}

func betaStep(step kruisebeta.Step) own.Step {
	return own.Step{
		Traffic:               step.Traffic,
		RequestHeaderModifier: step.RequestHeaderModifier,
		Matches:               convertAll(step.Matches, func(m kruise.Match) own.Match { return own.Match{Match: m} }),
		Replicas:              step.Replicas,
		Pause:                 convertPause(step.Pause),
	}
}

func betaRoute(route kruisebeta.TrafficRouting) own.TrafficRouting {
	return own.TrafficRouting{TrafficRouting: route}
}

// fromAlpha rewrites a Kruise v1alpha1 document in our own version.
func fromAlpha(doc kruisealpha.Rollout) draft {
	d := draft{
		doc: own.Rollout{
			APIVersion: doc.APIVersion,
			Kind:       doc.Kind,
			Metadata:   doc.Metadata,
			Spec: own.Spec{
				WorkloadRef: doc.Spec.ObjectRef.WorkloadRef,
				Strategy:    own.Strategy{Paused: doc.Spec.Strategy.Paused},
				Disabled:    doc.Spec.Disabled,
			},
		},
		legacy: legacy{targetType: doc.Spec.ObjectRef.Type, strategyType: doc.Spec.Strategy.Type},
	}
	canary := doc.Spec.Strategy.Canary
	if canary == nil {
		return d
	}
	d.doc.Spec.Strategy.Canary = &own.Canary{
		Steps:                        convertAll(canary.Steps, alphaStep),
		TrafficRoutings:              convertAll(canary.TrafficRoutings, alphaRoute),
		FailureThreshold:             canary.FailureThreshold,
		PatchPodTemplateMetadata:     canary.PatchPodTemplateMetadata,
		DisableGenerateCanaryService: canary.DisableGenerateCanaryService,
	}
	for _, route := range canary.TrafficRoutings {
		d.legacy.routeTypes = append(d.legacy.routeTypes, route.Type)
	}
	return d
}

func alphaStep(step kruisealpha.Step) own.Step {
	converted := own.Step{
		RequestHeaderModifier: step.RequestHeaderModifier,
		Matches: convertAll(step.Matches, func(m kruisealpha.Match) own.Match {
			return own.Match{Match: kruise.Match{Headers: m.Headers}}
		}),
		Replicas: step.Replicas,
		Pause:    convertPause(step.Pause),
	}
	if step.Weight != nil {
		converted.Traffic = new(kruise.Percent(strconv.Itoa(int(*step.Weight)) + "%"))
	}
	return converted
}

func alphaRoute(route kruisealpha.TrafficRouting) own.TrafficRouting {
	return betaRoute(kruisebeta.TrafficRouting{
		Service:            route.Service,
		GracePeriodSeconds: route.GracePeriodSeconds,
		Ingress:            route.Ingress,
		Gateway:            route.Gateway,
		CustomNetworkRefs:  route.CustomNetworkRefs,
	})
}

func convertPause(pause kruise.Pause) *own.Pause {
	if pause.Duration == nil {
		return &own.Pause{}
	}
	return &own.Pause{Duration: new(own.Period(time.Duration(*pause.Duration) * time.Second))}
}

func convertAll[A, B any](list []A, convert func(A) B) []B {
	if len(list) == 0 {
		return nil
	}
	converted := make([]B, len(list))
	for i, one := range list {
		converted[i] = convert(one)
	}
	return converted
}
