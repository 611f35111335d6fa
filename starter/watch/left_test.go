package watch

import (
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"sluice.dev/sluice/activities/release"
	"sluice.dev/sluice/config"
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

// TestHoldThatStaysSaysHowToEndIt: with on-delete: hold no rollout was begun that a
// command could end.
func TestHoldThatStaysSaysHowToEndIt(t *testing.T) {
	way := func(o *unstructured.Unstructured) {
		o.SetAnnotations(map[string]string{config.AnnotationOnDelete: "hold"})
	}
	for name, leave := range map[string]func(*unstructured.Unstructured){"disabled": setDisabled, "deleted": setDeleted, "another class": otherClass} {
		t.Run(name, func(t *testing.T) {
			inBench(t, way, func(b *bench) {
				b.look()
				b.settle()
				b.hold("version:v2")
				b.edit(leave)
				b.settle()
				require.True(t, b.deployment().Spec.Paused)
				told := b.events("Held")
				require.Len(t, told, 1)
				require.Contains(t, told[0], "`kubectl annotate deployment/demo -n shop sluice.dev/hold-` and then `kubectl rollout resume deployment/demo -n shop`")
				if name == "disabled" {
					require.Equal(t, told[0], b.status().Message)
					require.Equal(t, projection.PhaseDisabling, b.status().Phase)
				}
			})
		})
	}
	t.Run("queued", func(t *testing.T) {
		inBench(t, way, func(b *bench) {
			b.look()
			b.change(func(d *appsv1.Deployment) {
				d.Annotations[release.AnnotationQueued] = release.Text(release.Queued{Revision: "later", Template: []byte("{}")})
			})
			b.edit(setDisabled)
			b.settle()
			require.Contains(t, b.status().Message, "revision later waits in annotation sluice.dev/queued")
			require.Contains(t, b.deployment().Annotations, release.AnnotationQueued)
		})
	})
}
