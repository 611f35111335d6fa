package config

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The smallest valid document of each version. Cases replace parts of them.
const (
	betaDocument = `
apiVersion: rollouts.kruise.io/v1beta1
kind: Rollout
metadata:
  name: web
  annotations: {}
spec:
  workloadRef: {apiVersion: apps/v1, kind: Deployment, name: web}
  strategy:
    canary:
      enableExtraWorkloadForCanary: true
      steps:
      - traffic: 10%
        replicas: 1
      - traffic: 20%
        replicas: 2
      trafficRoutings:
      - service: web
        ingress: {name: web}
`
	alphaDocument = `
apiVersion: rollouts.kruise.io/v1alpha1
kind: Rollout
metadata:
  name: web
  annotations: {}
spec:
  objectRef:
    workloadRef: {apiVersion: apps/v1, kind: Deployment, name: web}
  strategy:
    canary:
      steps:
      - weight: 10
        replicas: 1
      - weight: 20
        replicas: 2
      trafficRoutings:
      - service: web
        ingress: {name: web}
`
	ownDocument = `
apiVersion: sluice.dev/v1alpha1
kind: Rollout
metadata:
  name: web
  annotations: {}
spec:
  workloadRef: {apiVersion: apps/v1, kind: Deployment, name: web}
  strategy:
    canary:
      steps:
      - traffic: 10%
        replicas: 1
      - traffic: 20%
        replicas: 2
      trafficRoutings:
      - service: web
        ingress: {name: web}
`
)

// edit replaces the first occurrence of old, which must be there.
func edit(t *testing.T, document, old, new string) string {
	t.Helper()
	require.Contains(t, document, old)
	return strings.Replace(document, old, new, 1)
}

func TestRefused(t *testing.T) {
	const (
		step     = "spec.strategy.canary.steps[0]"
		route    = "spec.strategy.canary.trafficRoutings[0]"
		workload = "{apiVersion: apps/v1, kind: Deployment, name: web}"
		ingress  = "ingress: {name: web}"
	)
	cases := []struct {
		name, document, old, new string
		path, problem            string
	}{
		{"no name", betaDocument, "name: web\n", "generateName: web-\n", "metadata.name", "needs a name"},
		{"namespace", betaDocument, "annotations: {}", "namespace: a.b", "metadata.namespace", "not a valid name"},
		{"no workload", betaDocument, "workloadRef: " + workload, "", "spec.workloadRef", "WorkloadRef is required"},
		{"no workload, alpha", alphaDocument, "workloadRef: " + workload, "", "spec.objectRef.workloadRef", "WorkloadRef is required"},
		{"untyped workload", betaDocument, workload, "{name: web}", "spec.workloadRef.kind", "WorkloadRef kind is not supported"},
		{"unnamed workload", betaDocument, ", name: web}", "}", "spec.workloadRef.name", "name of the workload is missing"},
		{"foreign kind", betaDocument, "kind: Deployment", "kind: Job", "spec.workloadRef.kind", "WorkloadRef kind is not supported"},
		{"StatefulSet", betaDocument, "kind: Deployment", "kind: StatefulSet", "spec.workloadRef.kind", "WorkloadRef kind is not supported yet"},
		{"CloneSet", alphaDocument, workload, "{apiVersion: apps.kruise.io/v1alpha1, kind: CloneSet, name: web}", "spec.objectRef.workloadRef.kind", "WorkloadRef kind is not supported yet"},
		{"old Deployment", betaDocument, "apiVersion: apps/v1,", "apiVersion: apps/v1beta2,", "spec.workloadRef.apiVersion", "not supported in this version"},
		{"target type", alphaDocument, "objectRef:\n", "objectRef:\n    type: revisionRef\n", "spec.objectRef.type", "only workloadRef"},

		{"empty strategy", strings.Split(betaDocument, "    canary:")[0], "strategy:", "strategy: {}", "spec.strategy.canary", "Canary and BlueGreen cannot both be empty"},
		{"empty strategy, alpha", strings.Split(alphaDocument, "    canary:")[0], "strategy:", "strategy: {}", "spec.strategy.canary", "Canary cannot be empty"},
		{"both strategies", betaDocument, "strategy:\n", "strategy:\n    blueGreen: {}\n", "spec.strategy", "Canary and BlueGreen cannot both be set"},
		{"blue-green", strings.Split(betaDocument, "    canary:")[0], "strategy:", "strategy: {blueGreen: {steps: [{replicas: 100%}]}}", "spec.strategy.blueGreen", "not supported yet"},
		{"strategy type", alphaDocument, "strategy:\n", "strategy:\n    type: blueGreen\n", "spec.strategy.type", "only canary"},
		{"partition by default", betaDocument, "enableExtraWorkloadForCanary: true", "", "spec.strategy.canary.enableExtraWorkloadForCanary", "partition style is not supported yet"},
		{"partition, own", ownDocument, "canary:\n", "canary:\n      enableExtraWorkloadForCanary: false\n", "spec.strategy.canary.enableExtraWorkloadForCanary", "partition style is not supported yet"},
		{"partition, alpha", alphaDocument, "annotations: {}", "annotations: {rollouts.kruise.io/rolling-style: Partition}", `metadata.annotations["rollouts.kruise.io/rolling-style"]`, "partition style is not supported yet"},
		{"rolling style", alphaDocument, "annotations: {}", "annotations: {rollouts.kruise.io/rolling-style: blue}", `metadata.annotations["rollouts.kruise.io/rolling-style"]`, "Rolling style must be 'Canary', 'Partition' or empty"},
		{"TrafficRouting by annotation", alphaDocument, "annotations: {}", "annotations: {rollouts.kruise.io/trafficrouting: mesh}", `metadata.annotations["rollouts.kruise.io/trafficrouting"]`, "not supported yet"},
		{"TrafficRouting by field", betaDocument, "canary:\n", "canary:\n      trafficRoutingRef: mesh\n", "spec.strategy.canary.trafficRoutingRef", "not supported yet"},
		{"no canary Service", betaDocument, "canary:\n", "canary:\n      disableGenerateCanaryService: true\n", "spec.strategy.canary.disableGenerateCanaryService", "not supported yet"},
		{"failure threshold", betaDocument, "canary:\n", "canary:\n      failureThreshold: 1\n", "spec.strategy.canary.failureThreshold", "not supported"},
		{"reserved label", betaDocument, "canary:\n", "canary:\n      patchPodTemplateMetadata: {labels: {pod-template-hash: x}}\n", "spec.strategy.canary.patchPodTemplateMetadata.labels.pod-template-hash", "reserved"},
		{"reserved annotation", betaDocument, "canary:\n", "canary:\n      patchPodTemplateMetadata: {annotations: {sluice.dev/x: y}}\n", `spec.strategy.canary.patchPodTemplateMetadata.annotations["sluice.dev/x"]`, "reserved"},

		{"no steps", betaDocument, "steps:\n      - traffic: 10%\n        replicas: 1\n      - traffic: 20%\n        replicas: 2\n", "steps: []\n", "spec.strategy.canary.steps", "The number of Canary.Steps cannot be empty"},
		{"too many steps", ownDocument, "steps:\n", "steps:\n" + strings.Repeat("      - {replicas: 1}\n", 49), "spec.strategy.canary.steps", "there are 51 steps"},
		{"no replicas", betaDocument, "replicas: 1\n", "pause: {}\n", step + ".replicas", "replicas cannot be empty"},
		{"no replicas nor weight", alphaDocument, "weight: 10\n        replicas: 1\n", "pause: {}\n", step + ".replicas", "weight and replicas cannot be empty at the same time"},
		{"replicas 0", betaDocument, "replicas: 1\n", "replicas: 0\n", step + ".replicas", `replicas must be positive number, or a percentage with "0%" < canaryReplicas <= "100%"`},
		{"replicas 0%", betaDocument, "replicas: 1\n", "replicas: 0%\n", step + ".replicas", "replicas must be positive number"},
		{"replicas 101%", betaDocument, "replicas: 1\n", "replicas: 101%\n", step + ".replicas", "replicas must be positive number"},
		{"replicas in quotes", betaDocument, "replicas: 1\n", "replicas: '1'\n", step + ".replicas", "replicas must be positive number"},
		{"replicas 33.3%", betaDocument, "replicas: 1\n", "replicas: 33.3%\n", step + ".replicas", "replicas must be positive number"},
		{"falling replicas", betaDocument, "replicas: 1\n", "replicas: 3\n", "spec.strategy.canary.steps[1].replicas", "Steps.CanaryReplicas must be a non decreasing sequence"},
		{"traffic 0%", betaDocument, "traffic: 10%", "traffic: 0%", step + ".traffic", `traffic must be percentage with "0%" < traffic <= "100%" in canary strategy`},
		{"traffic 101%", betaDocument, "traffic: 10%", "traffic: 101%", step + ".traffic", "traffic must be percentage"},
		{"traffic without %", betaDocument, "traffic: 10%", "traffic: 10", step + ".traffic", "traffic must be percentage"},
		{"traffic -1%", betaDocument, "traffic: 10%", "traffic: -1%", step + ".traffic", "traffic must be percentage"},
		{"weight 0", alphaDocument, "weight: 10", "weight: 0", step + ".weight", "weight must be positive number"},
		{"weight 101", alphaDocument, "weight: 10\n        replicas: 1\n      - weight: 20\n        replicas: 2\n", "weight: 101\n", step + ".weight", "weight must be positive number"},
		{"falling weight", alphaDocument, "weight: 10", "weight: 30", "spec.strategy.canary.steps[1].weight", "Steps.Weight must be a non decreasing sequence"},
		{"falling weight and replicas", alphaDocument, "weight: 10\n        replicas: 1\n      - weight: 20\n        replicas: 2", "weight: 30\n      - weight: 20", "spec.strategy.canary.steps[1].weight", "Steps.Weight must be a non decreasing sequence"},
		{"replicas by weight fall", alphaDocument, "replicas: 1\n      - weight: 20\n        replicas: 2", "replicas: 50%\n      - weight: 20", "spec.strategy.canary.steps[1].weight", "Steps.CanaryReplicas must be a non decreasing sequence"},
		{"negative pause", betaDocument, "replicas: 1\n", "replicas: 1\n        pause: {duration: -5}\n", step + ".pause.duration", "cannot be negative"},
		{"hold and pause", ownDocument, "replicas: 1\n", "replicas: 1\n        pause: {}\n        hold: none\n", step + ".hold", "either hold or pause"},
		{"negative hold", ownDocument, "replicas: 1\n", "replicas: 1\n        hold: -5s\n", step + ".hold", "cannot be negative"},
		{"unknown hold", ownDocument, "replicas: 1\n", "replicas: 1\n        hold: manual\n", step + ".hold", "not a hold"},
		{"deadline of a step", ownDocument, "replicas: 1\n", "replicas: 1\n        deadline: 0s\n", step + ".deadline", "longer than no time"},
		{"deadline", ownDocument, "spec:\n", "spec:\n  deadline: -1m\n", "spec.deadline", "longer than no time"},
		{"deadline without unit", ownDocument, "spec:\n", "spec:\n  deadline: ten\n", "spec.deadline", "not a length of time"},
		{"deadline by annotation", betaDocument, "annotations: {}", "annotations: {sluice.dev/deadline: ten}", `metadata.annotations["sluice.dev/deadline"]`, "not a length of time"},
		{"no deadline by annotation", betaDocument, "annotations: {}", "annotations: {sluice.dev/deadline: 0s}", `metadata.annotations["sluice.dev/deadline"]`, "longer than no time"},
		{"annotation in own", ownDocument, "annotations: {}", "annotations: {sluice.dev/deadline: 5m}", `metadata.annotations["sluice.dev/deadline"]`, "only Kruise documents"},
		{"annotation in own, failure", ownDocument, "annotations: {}", "annotations: {sluice.dev/on-failure: pause}", `metadata.annotations["sluice.dev/on-failure"]`, "only Kruise documents"},
		{"annotation in own, isolation", ownDocument, "annotations: {}", "annotations: {sluice.dev/isolation: label}", `metadata.annotations["sluice.dev/isolation"]`, "only Kruise documents"},
		{"isolation", ownDocument, "  strategy:\n    canary:\n", "  strategy:\n    canary:\n      isolation: labels\n", "spec.strategy.canary.isolation", "unknown isolation"},
		{"annotation in own, drift", ownDocument, "annotations: {}", "annotations: {sluice.dev/on-drift: adopt}", `metadata.annotations["sluice.dev/on-drift"]`, "only Kruise documents"},
		{"headroom", ownDocument, "spec:\n", "spec:\n  capacity: {headroom: 101}\n", "spec.capacity.headroom", "0 to 100"},
		{"no headroom", ownDocument, "spec:\n", "spec:\n  capacity: {headroom: -1}\n", "spec.capacity.headroom", "0 to 100"},
		{"drift policy", ownDocument, "spec:\n", "spec:\n  onDrift: ignore\n", "spec.onDrift", "unknown drift policy"},
		{"drift policy by annotation", betaDocument, "annotations: {}", "annotations: {sluice.dev/on-drift: fight}", `metadata.annotations["sluice.dev/on-drift"]`, "unknown drift policy"},
		{"failure policy", ownDocument, "spec:\n", "spec:\n  onFailure: retry\n", "spec.onFailure", "unknown failure policy"},
		{"header modifier", betaDocument, "replicas: 1\n", "replicas: 1\n        requestHeaderModifier: {remove: [x]}\n", step + ".requestHeaderModifier", "not supported yet"},

		{"no route", betaDocument, "trafficRoutings:\n      - service: web\n        " + ingress, "", "spec.strategy.canary.trafficRoutings", "TrafficRoutings are not set"},
		{"two routes", betaDocument, ingress, ingress + "\n      - service: b\n        ingress: {name: b}", "spec.strategy.canary.trafficRoutings", "Rollout currently only support single TrafficRouting"},
		{"no service", betaDocument, "service: web", "service: ''", route + ".service", "TrafficRouting.Service cannot be empty"},
		{"service name", betaDocument, "service: web", "service: we.b", route + ".service", "not a valid name"},
		{"no ingress", betaDocument, ingress, "", route + ".ingress", "TrafficRoutings are not set"},
		{"unnamed ingress", betaDocument, ingress, "ingress: {}", route + ".ingress.name", "TrafficRouting.Ingress.Ingress cannot be empty"},
		{"ingress name", betaDocument, ingress, "ingress: {name: a_b}", route + ".ingress.name", "not a valid name"},
		{"gateway", betaDocument, ingress, "gateway: {httpRouteName: web}", route + ".gateway", "not supported yet"},
		{"unnamed gateway", betaDocument, ingress, "gateway: {}", route + ".gateway", "TrafficRouting.Gateway must set the name of HTTPRoute or HTTPsRoute"},
		{"custom route", betaDocument, ingress, "customNetworkRefs: [{apiVersion: a/v1, kind: B, name: c}]", route + ".customNetworkRefs", "not supported yet"},
		{"additional parameters", betaDocument, ingress, ingress + "\n        additionalParams: {istio.destinationRule.stableSubsetName: a}", route + ".additionalParams", "not supported yet"},
		{"negative grace", betaDocument, ingress, ingress + "\n        gracePeriodSeconds: -1", route + ".gracePeriodSeconds", "TrafficRouting.GracePeriodSeconds cannot be negative"},
		{"no time to confirm", ownDocument, ingress, ingress + "\n        confirmTimeout: 0s", route + ".confirmTimeout", "longer than no time"},
		{"alb", betaDocument, ingress, "ingress: {name: web, classType: aliyun-alb}", route + ".ingress.classType", "class aliyun-alb are not supported yet"},
		{"mse", betaDocument, ingress, "ingress: {name: web, classType: mse}", route + ".ingress.classType", "class mse are not supported yet"},
		{"unknown class", betaDocument, ingress, "ingress: {name: web, classType: Nginx}", route + ".ingress.classType", "unknown class"},
		{"unknown legacy class", alphaDocument, ingress, ingress + "\n        type: istio", route + ".type", "unknown class"},
		{"two classes", alphaDocument, ingress, "ingress: {name: web, classType: nginx}\n        type: alb", route + ".type", "contradict"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			rollouts, err := Parse([]byte(edit(t, c.document, c.old, c.new)), Options{})
			require.Empty(t, rollouts)
			requireProblem(t, err, c.path, c.problem)
		})
	}
}

// requireProblem finds one error, at path, and only there.
func requireProblem(t *testing.T, err error, path, problem string) {
	t.Helper()
	var errs Errors
	require.ErrorAs(t, err, &errs)
	for _, e := range errs {
		require.Equal(t, path, e.Path, "%v", err)
	}
	require.Contains(t, err.Error(), problem)
}

func TestSmallestDocuments(t *testing.T) {
	for name, document := range map[string]string{"beta": betaDocument, "alpha": alphaDocument, "own": ownDocument} {
		t.Run(name, func(t *testing.T) {
			r, err := ParseOne([]byte(document), Options{})
			require.NoError(t, err)
			require.Equal(t, DefaultNamespace, r.Namespace)
			require.Equal(t, DefaultGrace, r.Traffic.Grace)
			require.Equal(t, DefaultConfirmTimeout, r.Traffic.ConfirmTimeout)
			require.Equal(t, DefaultDeadline, r.Deadline)
			require.Equal(t, FailurePause, r.OnFailure)
			require.Equal(t, DefaultClass, r.Traffic.Ingress.Class)
			require.Equal(t, HoldApproval, r.Steps[0].Hold.Mode)
		})
	}
}
