package fleet

import (
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"sluice.dev/sluice/config"
)

// Step of a document.
type Step struct {
	// Weight in percent, and Replicas of the canary.
	Weight, Replicas int
	// Hold is how long it holds; zero waits for an approval.
	Hold time.Duration
}

// Seed returns the seed's canary steps, with a hold of their own.
func Seed(hold time.Duration) []Step {
	return []Step{{Weight: 10, Replicas: 1, Hold: hold}, {Weight: 30, Replicas: 2, Hold: hold}}
}

// Ramp returns n steps of one canary pod with the weights 1 to n: between them
// nothing but the weight changes.
func Ramp(n int) []Step {
	steps := make([]Step, n)
	for i := range steps {
		steps[i] = Step{Weight: i + 1, Replicas: 1}
	}
	return steps
}

// Document writes the Rollout of an application, with all other settings at
// their defaults.
func Document(app App, steps []Step) (config.Rollout, error) {
	doc, err := config.ParseOne([]byte(text(app, steps)), config.Options{})
	if err != nil {
		return doc, fmt.Errorf("writing the document of %s: %w", app.Name, err)
	}
	return doc, nil
}

// Object is the same as an object for the API server.
func Object(app App, steps []Step) (*unstructured.Unstructured, error) {
	obj := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(text(app, steps)), &obj.Object); err != nil {
		return nil, fmt.Errorf("writing the Rollout of %s: %w", app.Name, err)
	}
	return obj, nil
}

// text of a Rollout.
func text(app App, steps []Step) string {
	var b strings.Builder
	fmt.Fprintf(&b, `apiVersion: sluice.dev/v1alpha1
kind: Rollout
metadata: {name: %[1]s, namespace: %[2]s}
spec:
  workloadRef: {apiVersion: apps/v1, kind: Deployment, name: %[1]s}
  strategy:
    canary:
      trafficRoutings:
      - service: %[1]s
        ingress: {classType: nginx, name: %[1]s}
      steps:
`, app.Name, app.Namespace)
	for _, s := range steps {
		hold := string(config.HoldApproval)
		if s.Hold > 0 {
			hold = s.Hold.String()
		}
		fmt.Fprintf(&b, "      - {traffic: %d%%, replicas: %d, hold: %s}\n", s.Weight, s.Replicas, hold)
	}
	return b.String()
}
