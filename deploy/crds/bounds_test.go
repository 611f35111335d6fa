package crds_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice.dev/sluice/config"
	"sluice.dev/sluice/deploy/crds"
)

// TestListsAreBoundedAsByTheRules compares the definitions with what lint refuses.
func TestListsAreBoundedAsByTheRules(t *testing.T) {
	steps := func(n int) error {
		step := "{traffic: 10%, replicas: 1, pause: {}}"
		_, err := config.Parse([]byte(fmt.Sprintf(ownDocument, strings.TrimSuffix(strings.Repeat(step+", ", n), ", "))), config.Options{})
		return err
	}
	matches := func(n int) error {
		match := "{headers: [{name: a, value: b}]}"
		_, err := config.Parse([]byte(fmt.Sprintf(ownDocument, "{replicas: 1, pause: {}, matches: ["+strings.TrimSuffix(strings.Repeat(match+", ", n), ", ")+"]}")), config.Options{})
		return err
	}
	for _, crd := range crds.All() {
		for _, v := range crd.Object["spec"].(map[string]any)["versions"].([]any) {
			path := []string{"spec", "strategy", "canary", "steps"}
			most, ok := property(t, v, path...)["maxItems"].(int64)
			require.True(t, ok)
			require.NoError(t, steps(int(most)))
			require.ErrorContains(t, steps(int(most)+1), fmt.Sprintf("write at most %d", most))
			most, ok = property(t, v, append(path, "[]", "matches")...)["maxItems"].(int64)
			require.True(t, ok)
			if err := matches(int(most)); err != nil {
				require.NotContains(t, err.Error(), "write at most")
			}
			require.ErrorContains(t, matches(int(most)+1), fmt.Sprintf("write at most %d", most))
		}
	}
}

const ownDocument = `
apiVersion: sluice.dev/v1alpha1
kind: Rollout
metadata: {name: web, namespace: shop}
spec:
  workloadRef: {apiVersion: apps/v1, kind: Deployment, name: demo}
  strategy:
    canary:
      steps: [%s]
      trafficRoutings: [{service: demo, ingress: {name: demo}}]
`
