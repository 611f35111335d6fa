package watch

import (
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"sluice.dev/sluice/starter/control"
	"sluice.dev/sluice/starter/watch/projection"
	"sluice.dev/sluice/workflows"
)

func TestRolloutThatLeftItsMarksIsNotHealthy(t *testing.T) {
	cases := map[string]func(b *bench){
		"terminated": func(b *bench) {
			last := ended(control.PhaseTerminated, "canary")
			b.temporal.last = &last
			b.tellNews(last)
		},
		"failed": func(b *bench) {
			last := ended(control.PhaseFailed, "canary")
			b.temporal.last = &last
			b.tellNews(last)
		},
		"forgotten": func(b *bench) { b.unfollow(webKey) },
	}
	for name, end := range cases {
		t.Run(name, func(t *testing.T) {
			inBench(t, nil, func(b *bench) {
				b.rolling()
				end(b)
				s := b.look()
				require.Equal(t, projection.PhaseProgressing, s.Phase)
				require.Contains(t, s.Message, "sluice repair")
				require.Equal(t, "True", s.Condition(projection.Progressing).Status)
				require.Equal(t, "stable", s.CanaryStatus.StableRevision)
				require.True(t, b.deployment().Spec.Paused)
			})
		})
	}
}

func TestApprovalIsTakenWhileTheDocumentIsWrong(t *testing.T) {
	inBench(t, nil, func(b *bench) {
		b.rolling()
		b.edit(func(o *unstructured.Unstructured) {
			require.NoError(t, unstructured.SetNestedField(o.Object, "perhaps", "spec", "strategy", "canary", "unknown"))
		})
		require.Contains(t, b.look().Message, "unknown")
		b.approve()
		b.look()
		require.Equal(t, []workflows.Verb{workflows.VerbPromote}, b.temporal.verbs())
	})
}

func TestApprovalStaysUntilItCanBeAnswered(t *testing.T) {
	cases := map[string]func(b *bench){
		"no worker tells where the rollout stands": func(b *bench) {
			silent := holdingAt(0)
			silent.Phase, silent.Note, silent.StableRevision = control.PhaseUnknown, "no worker answers", ""
			b.tellNews(silent)
			b.approve()
			require.Contains(b.t, b.look().Message, "no worker answers")
		},
		"the watcher has just been started": func(b *bench) {
			b.approve()
			b.unfollow(webKey)
			open := holdingAt(1)
			b.temporal.last = &open
			synctest.Wait()
			b.look()
		},
	}
	for name, silence := range cases {
		t.Run(name, func(t *testing.T) {
			inBench(t, nil, func(b *bench) {
				b.rolling()
				silence(b)
				s := b.status()
				require.Equal(t, projection.StepReady, s.CanaryStatus.CurrentStepState, "nothing overwrites it")
				require.Equal(t, projection.PhaseProgressing, s.Phase)
				require.Empty(t, b.temporal.sent)
				b.tellNews(holdingAt(1))
				b.look()
				require.Equal(t, []workflows.Verb{workflows.VerbPromote}, b.temporal.verbs())
			})
		})
	}
}
