package e2e

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sluice.dev/sluice/starter/watch/projection"
	"sluice.dev/sluice/tests/harness"
)

// TestBypassSeed is the seed's session with the Kubernetes API alone: apply the
// Rollout, set the image, look, approve, approve, look, delete.
func TestBypassSeed(t *testing.T) {
	b := newBypass(t, "")
	b.declare()
	require.Error(t, b.apply("weight: 10", "weight: 101"), "the rules of lint are asked")
	err := b.apply("rollouts-demo", "second")
	require.ErrorContains(t, err, "one Rollout per workload")

	d := b.setImage("v2")
	require.True(t, d.Spec.Paused, "held by the write itself")
	b.status("the rollout starts", func(s projection.Status) bool { return s.Phase == projection.PhaseProgressing })
	s := b.paused(1, 10, "v2")
	require.Contains(t, s.Message, "step(1/2), and you need manually confirm")
	require.Equal(t, projection.ReasonInRolling, s.Condition(projection.Progressing).Reason)
	require.EqualValues(t, 1, s.CanaryStatus.CanaryReadyReplicas)
	require.EqualValues(t, 2, s.CanaryStatus.NextStepIndex)
	b.columns("Progressing", 1, "StepPaused")
	require.ErrorContains(t, b.apply("replicas: 2", "replicas: 2\n      - weight: 50\n        replicas: 3", "name: demo\n  strategy", "name: other\n  strategy"), "immutable")

	b.approve()
	s = b.paused(2, 30, "v2")
	require.EqualValues(t, -1, s.CanaryStatus.NextStepIndex)
	b.restartWatch()
	b.approve()
	b.healthy("True", "v2")
	b.checkShare("promoted", "v2", 100)
	for _, text := range []string{"Started: revision", "promote by kubectl-kruise", "Completed: promoted", "confirmed by"} {
		require.NoError(t, harness.Await(b.ctx, "an event tells "+text, func(context.Context) (bool, error) {
			return strings.Contains(b.events(), text), nil
		}))
	}
	b.gone()
	b.finish()
}

// columns checks what `kubectl get rollout` shows.
func (b *bypass) columns(phase string, step int, state string) {
	b.t.Helper()
	text, err := b.Kube.CoreV1().RESTClient().Get().AbsPath("/apis/rollouts.kruise.io/v1beta1/namespaces", b.namespace, "rollouts").
		SetHeader("Accept", "application/json;as=Table;v=v1;g=meta.k8s.io").DoRaw(b.ctx)
	require.NoError(b.t, err)
	var table metav1.Table
	require.NoError(b.t, json.Unmarshal(text, &table))
	var names []string
	for _, c := range table.ColumnDefinitions {
		names = append(names, c.Name)
	}
	require.Equal(b.t, []string{"Name", "STATUS", "CANARY_STEP", "CANARY_STATE", "MESSAGE", "AGE"}, names)
	require.Equal(b.t, []any{seedRollout, phase, float64(step), state}, table.Rows[0].Cells[:4])
}
