package watch

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"sluice.dev/sluice/activities/release"
	"sluice.dev/sluice/activities/workload"
	"sluice.dev/sluice/config"
	"sluice.dev/sluice/starter/control"
	"sluice.dev/sluice/starter/watch/admission"
	"sluice.dev/sluice/starter/watch/projection"
	"sluice.dev/sluice/workflows"
)

func TestNewRolloutIsTakenUp(t *testing.T) {
	inBench(t, nil, func(b *bench) {
		s := b.look()
		require.Equal(t, projection.PhaseHealthy, s.Phase)
		require.Equal(t, workload.Revision(b.deployment().Spec.Template), s.CanaryStatus.StableRevision)
		require.Equal(t, "true", b.deployment().Labels[release.LabelBypass])
		require.Equal(t, []string{finalizer}, b.object().GetFinalizers())
		b.server.ClearActions()
		b.client.ClearActions()
		_, err := b.reconcile(b.ctx, webKey)
		require.NoError(t, err)
		require.Empty(t, b.server.Actions(), "a Rollout at rest costs nothing")
		require.Empty(t, b.client.Actions())
		require.Empty(t, b.temporal.started)
	})
}

func TestHeldRevisionIsStartedOnce(t *testing.T) {
	inBench(t, nil, func(b *bench) {
		b.look()
		revision := b.hold("version:v2")
		s := b.look()
		require.Equal(t, projection.PhaseProgressing, s.Phase)
		require.Len(t, b.temporal.started, 1)
		in := b.temporal.started[0]
		require.Equal(t, workload.Change{Current: true}, in.Change)
		require.Equal(t, "ann", in.By)
		require.Equal(t, revision, in.Origin.Revision)
		require.Equal(t, "demo", in.Rollout.Workload.Name)
		b.tellNews(holdingAt(1))
		s = b.look()
		require.Equal(t, projection.StepPaused, s.CurrentStepState)
		require.Len(t, b.temporal.started, 1)
	})
}

func TestRestartedWatcherStartsNothingTwice(t *testing.T) {
	inBench(t, nil, func(b *bench) {
		b.look()
		b.hold("version:v2")
		open := holdingAt(1)
		b.temporal.last = &open // another watcher has started it
		b.look()
		require.Empty(t, b.temporal.started)
		require.True(t, b.following(webKey))
	})
}

func TestRestartedWatcherFindsLabelledWorkloads(t *testing.T) {
	inBench(t, nil, func(b *bench) {
		b.look()
		again := New(b.Options)
		defer again.queue.ShutDown()
		require.NoError(t, openCaches(b.ctx, again))
		synctest.Wait()
		require.Equal(t, 1, again.queue.Len())
		require.NotNil(t, again.caches.workload("shop", "demo"))
	})
}

func TestAbortedRevisionIsHeld(t *testing.T) {
	cases := map[string]struct {
		byWorkload, byWatcher, allowed bool
		starts                         int
	}{
		"aborted by a person":           {},
		"the stable template came back": {byWorkload: true, starts: 1},
		"it came back while promoting":  {byWatcher: true, starts: 1},
		"somebody says so":              {allowed: true, starts: 1},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			inBench(t, nil, func(b *bench) {
				b.look()
				revision := b.hold("version:v2")
				last := ended(workflows.PhaseRolledBack, revision)
				if c.byWorkload {
					last.Decisions = []workflows.Decision{{Verb: workflows.VerbAbort, Via: "workload", Accepted: true}}
				}
				if c.byWatcher {
					last.Decisions = []workflows.Decision{{Verb: workflows.VerbAbort, Via: "update", Reason: workflows.ReasonPutBack, Accepted: true}}
				}
				if c.allowed {
					b.edit(func(o *unstructured.Unstructured) {
						o.SetAnnotations(map[string]string{config.AnnotationReleaseAgain: revision})
					})
				}
				b.temporal.last = &last
				_, err := b.reconcile(b.ctx, webKey)
				if c.starts > 0 {
					require.ErrorIs(t, err, errWait)
				} else {
					require.NoError(t, err)
					require.Contains(t, b.status().Message, "was aborted")
				}
				require.Len(t, b.temporal.started, c.starts)
			})
		})
	}
}

func TestWhyAHeldRevisionWaits(t *testing.T) {
	cases := map[string]struct {
		prepare func(b *bench, revision string)
		want    string
	}{
		"Temporal is away": {func(b *bench, _ string) {
			b.temporal.away = &control.Unreachable{Address: "t:1", Cause: errors.New("refused")}
		}, "starts when Temporal answers"},
		"refused just now": {func(b *bench, revision string) {
			last := ended(workflows.PhaseRefused, "")
			now := b.Now()
			last.Closed, last.Message = &now, "no Ingress"
			b.temporal.last = &last
			b.temporal.started = []workflows.Input{{Origin: &workflows.Origin{Revision: revision}}}
		}, "was refused: no Ingress"},
		"no stable pod is ready": {func(b *bench, _ string) {
			b.server.Freeze()
			b.change(func(d *appsv1.Deployment) { d.Status.ReadyReplicas = 0 })
		}, "no pod of the stable revision is ready, so there would be nothing to return to"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			inBench(t, nil, func(b *bench) {
				b.look()
				c.prepare(b, b.hold("version:v2"))
				before := len(b.temporal.started)
				_, err := b.reconcile(b.ctx, webKey)
				require.NoError(t, err)
				require.Contains(t, b.status().Message, c.want)
				require.Len(t, b.temporal.started, before)
				require.True(t, b.deployment().Spec.Paused)
			})
		})
	}
}

func TestHeldRevisionWithoutPodsIsSetAside(t *testing.T) {
	inBench(t, nil, func(b *bench) {
		b.look()
		b.server.Freeze()
		revision := b.hold("version:v2")
		b.change(func(d *appsv1.Deployment) { d.Spec.Replicas = new(int32(0)) })
		s := b.look()
		require.Contains(t, s.Message, "0 replicas")
		require.Equal(t, revision, b.look().CanaryStatus.CanaryRevision, "the workload has the stable one again")
		d := b.deployment()
		require.Equal(t, "version:v1", d.Spec.Template.Spec.Containers[0].Image)
		require.False(t, d.Spec.Paused, "scaled up, it runs the stable template")
		queued, err := release.QueuedIn(d.Annotations)
		require.NoError(t, err)
		require.Equal(t, revision, queued.Revision)
		require.Equal(t, "ann", queued.By)
		require.Empty(t, b.temporal.started)
		b.server.Thaw()
		b.change(func(d *appsv1.Deployment) { d.Spec.Replicas = new(int32(5)) })
		b.look()
		require.Len(t, b.temporal.started, 1)
		require.Equal(t, revision, b.temporal.started[0].Origin.Revision)
	})
}

func TestHeldTemplateThatIsTheStableOneIsLetGo(t *testing.T) {
	inBench(t, nil, func(b *bench) {
		b.look()
		b.hold("version:v1")
		s := b.look()
		require.Equal(t, projection.PhaseHealthy, s.Phase)
		require.False(t, b.deployment().Spec.Paused)
		require.NotContains(t, b.deployment().Annotations, release.AnnotationHold)
		require.Empty(t, b.temporal.started)
	})
}

func TestUnheldChangeIsTakenBackAndThenRolledOut(t *testing.T) {
	inBench(t, nil, func(b *bench) {
		b.look()
		b.server.Freeze()
		b.change(func(d *appsv1.Deployment) { d.Spec.Template.Spec.Containers[0].Image = "version:v2" })
		_, err := b.reconcile(b.ctx, webKey)
		require.NoError(t, err)
		require.Equal(t, "version:v1", b.deployment().Spec.Template.Spec.Containers[0].Image)
		queued, err := release.QueuedIn(b.deployment().Annotations)
		require.NoError(t, err)
		require.True(t, queued.Slipped)
		require.Contains(t, b.status().Message, "unheld")
		b.server.Thaw()
		b.look()
		d := b.deployment()
		require.Equal(t, "version:v2", d.Spec.Template.Spec.Containers[0].Image)
		require.True(t, d.Spec.Paused)
		require.Len(t, b.temporal.started, 1)
	})
}

// written marks a field of the Rollout as written by somebody.
func written(o *unstructured.Unstructured, manager, fields string) {
	entries := o.GetManagedFields()
	now := metav1.NewTime(time.Date(2026, 2, 1, 0, 0, len(entries), 0, time.UTC))
	o.SetManagedFields(append(entries, metav1.ManagedFieldsEntry{
		Manager: manager, Operation: metav1.ManagedFieldsOperationUpdate, Time: &now, FieldsV1: &metav1.FieldsV1{Raw: []byte(fields)},
	}))
}

// rolling brings a rollout to the hold of step 1.
func (b *bench) rolling() {
	b.t.Helper()
	b.look()
	b.hold("version:v2")
	b.look()
	b.record()
	b.tellNews(holdingAt(1))
	require.Equal(b.t, projection.StepPaused, b.look().CurrentStepState)
}

func TestWhatPeopleWriteBecomesMessages(t *testing.T) {
	cases := map[string]struct {
		edit func(o *unstructured.Unstructured) error
		want sent
	}{
		"approval": {func(o *unstructured.Unstructured) error {
			written(o, "kubectl-kruise", `{"f:status":{"f:canaryStatus":{"f:currentStepState":{}}}}`)
			return unstructured.SetNestedField(o.Object, "StepReady", "status", "canaryStatus", "currentStepState")
		}, sent{verb: workflows.VerbPromote, m: workflows.Message{Step: 1, By: "kubectl-kruise"}}},
		"jump": {func(o *unstructured.Unstructured) error {
			written(o, "ann", `{"f:status":{"f:canaryStatus":{"f:nextStepIndex":{}}}}`)
			return unstructured.SetNestedField(o.Object, int64(1), "status", "canaryStatus", "nextStepIndex")
		}, sent{verb: workflows.VerbJump, m: workflows.Message{Step: 1, By: "ann"}}},
		"pause": {func(o *unstructured.Unstructured) error {
			written(o, "bob", `{"f:spec":{"f:strategy":{"f:paused":{}}}}`)
			return unstructured.SetNestedField(o.Object, true, "spec", "strategy", "paused")
		}, sent{verb: workflows.VerbPause, m: workflows.Message{By: "bob"}}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			inBench(t, nil, func(b *bench) {
				b.rolling()
				b.edit(func(o *unstructured.Unstructured) { require.NoError(t, c.edit(o)) })
				b.look()
				require.Len(t, b.temporal.sent, 1)
				got := b.temporal.sent[0]
				require.Equal(t, c.want.verb, got.verb)
				require.Equal(t, c.want.m.Step, got.m.Step)
				require.Equal(t, c.want.m.By, got.m.By)
				require.Equal(t, "run-1", got.m.Run)
			})
		})
	}
}

// approve patches the status at a given second.
func (b *bench) approve() {
	b.t.Helper()
	b.edit(func(o *unstructured.Unstructured) {
		o.SetManagedFields(nil)
		written(o, "kubectl-kruise", `{"f:status":{"f:canaryStatus":{"f:currentStepState":{}}}}`)
		require.NoError(b.t, unstructured.SetNestedField(o.Object, "StepReady", "status", "canaryStatus", "currentStepState"))
	})
}

func TestRefusedApprovalCanBeGivenAgainAtOnce(t *testing.T) {
	inBench(t, nil, func(b *bench) {
		b.rolling()
		b.temporal.refuse = "paused: resume it first"
		b.approve()
		require.Equal(t, projection.StepPaused, b.look().CurrentStepState)
		require.Len(t, b.temporal.sent, 1, "one patch is one message")
		b.temporal.refuse = ""
		b.approve() // within the same second
		b.look()
		require.Len(t, b.temporal.sent, 2)
		require.NotEqual(t, b.temporal.sent[0].id, b.temporal.sent[1].id)
	})
}

func TestApprovalThatIsRefusedBesideAPauseIsNotTold(t *testing.T) {
	inBench(t, nil, func(b *bench) {
		b.rolling()
		b.temporal.refuse = "paused: resume it first"
		b.approve()
		b.edit(func(o *unstructured.Unstructured) {
			require.NoError(t, unstructured.SetNestedField(o.Object, true, "spec", "strategy", "paused"))
		})
		require.Equal(t, projection.StepPaused, b.look().CurrentStepState)
		require.Equal(t, []workflows.Verb{workflows.VerbPause, workflows.VerbPromote}, b.temporal.verbs())
	})
}

func TestApprovalStaysUntilTheRolloutGoesOn(t *testing.T) {
	inBench(t, nil, func(b *bench) {
		b.rolling()
		b.approve()
		s := b.look()
		require.Equal(t, projection.StepReady, s.CurrentStepState)
		require.Equal(t, projection.StepReady, s.CanaryStatus.CurrentStepState)
		require.Contains(t, s.Message, "approved")
		require.Len(t, b.temporal.sent, 1, "what the status tells is no other approval")

		next := holdingAt(2)
		next.Since = next.Since.Add(time.Minute)
		b.tellNews(next)
		require.Equal(t, projection.StepPaused, b.look().CurrentStepState)
		back := holdingAt(1) // after a jump
		back.Since = next.Since.Add(time.Minute)
		b.tellNews(back)
		require.Equal(t, projection.StepPaused, b.look().CurrentStepState)
		b.approve()
		require.Equal(t, projection.StepReady, b.look().CurrentStepState)
		require.Len(t, b.temporal.sent, 2)
	})
}

// TestApprovalOfBothStates is that of `kubectl edit`, which shows the state twice:
// who writes both approves, once, whichever replica looks at it.
func TestApprovalOfBothStates(t *testing.T) {
	inBench(t, nil, func(b *bench) {
		b.rolling()
		edit := func() {
			b.edit(func(o *unstructured.Unstructured) {
				o.SetManagedFields(nil)
				written(o, "kubectl-edit", `{"f:status":{"f:canaryStatus":{"f:currentStepState":{}},"f:currentStepState":{}}}`)
				require.NoError(t, unstructured.SetNestedField(o.Object, "StepReady", "status", "canaryStatus", "currentStepState"))
				require.NoError(t, unstructured.SetNestedField(o.Object, "StepReady", "status", "currentStepState"))
			})
		}
		edit()
		require.Equal(t, projection.StepReady, b.look().CanaryStatus.CurrentStepState)
		b.look()
		require.Equal(t, []workflows.Verb{workflows.VerbPromote}, b.temporal.verbs())
		require.Equal(t, "kubectl-edit", b.temporal.sent[0].m.By)

		next := holdingAt(2)
		next.Since = next.Since.Add(time.Minute)
		b.tellNews(next)
		require.Equal(t, projection.StepPaused, b.look().CurrentStepState)
		edit()
		b.look()
		require.Len(t, b.temporal.sent, 2)
		require.Equal(t, 2, b.temporal.sent[1].m.Step)
	})
}

func TestApprovalHasOneIdentityForAllReplicas(t *testing.T) {
	inBench(t, nil, func(b *bench) {
		b.rolling()
		b.approve()
		seen := b.object()
		b.look()
		b.follower(webKey).relayed = map[string]reply{} // another replica, that sees what the first saw
		b.follower(webKey).released = time.Time{}
		s, err := b.Watcher.look(b.ctx, seen)
		require.NoError(t, err)
		require.NoError(t, b.relay(b.ctx, s))
		require.Len(t, b.temporal.sent, 2)
		require.Equal(t, b.temporal.sent[0].id, b.temporal.sent[1].id)
	})
}

func TestApprovalIsNotLostWhileTemporalIsAway(t *testing.T) {
	inBench(t, nil, func(b *bench) {
		b.rolling()
		b.temporal.away = &control.Unreachable{Address: "t:1", Cause: errors.New("refused")}
		b.edit(func(o *unstructured.Unstructured) {
			written(o, "kubectl-kruise", `{"f:status":{"f:canaryStatus":{"f:currentStepState":{}}}}`)
			require.NoError(t, unstructured.SetNestedField(o.Object, "StepReady", "status", "canaryStatus", "currentStepState"))
		})
		_, err := b.reconcile(b.ctx, webKey)
		require.Error(t, err)
		require.Equal(t, projection.StepReady, b.status().CanaryStatus.CurrentStepState, "nothing overwrites it")
		b.temporal.away = nil
		b.look()
		require.Equal(t, []workflows.Verb{workflows.VerbPromote}, b.temporal.verbs())
	})
}

func TestEditedPlanIsSentOnce(t *testing.T) {
	inBench(t, nil, func(b *bench) {
		b.rolling()
		b.edit(func(o *unstructured.Unstructured) {
			steps, _, _ := unstructured.NestedSlice(o.Object, "spec", "strategy", "canary", "steps")
			step, _ := steps[0].(map[string]any)
			step["weight"] = int64(15)
			require.NoError(t, unstructured.SetNestedSlice(o.Object, steps, "spec", "strategy", "canary", "steps"))
		})
		b.look()
		require.Equal(t, []workflows.Verb{workflows.VerbReplan}, b.temporal.verbs())
		require.Equal(t, 15, *b.temporal.sent[0].m.Rollout.Steps[0].Weight)
	})
}

func TestDeletedRolloutEndsAsItAsks(t *testing.T) {
	cases := map[string]struct {
		want workflows.Verb
		full bool
	}{
		"":         {workflows.VerbPromote, true},
		"finish":   {workflows.VerbPromote, true},
		"rollback": {workflows.VerbAbort, false},
	}
	for way, c := range cases {
		t.Run(way, func(t *testing.T) {
			inBench(t, func(o *unstructured.Unstructured) {
				if way != "" {
					o.SetAnnotations(map[string]string{config.AnnotationOnDelete: way})
				}
			}, func(b *bench) {
				b.rolling()
				b.edit(func(o *unstructured.Unstructured) {
					now := metav1.Now()
					o.SetDeletionTimestamp(&now)
				})
				require.Equal(t, projection.PhaseTerminating, b.look().Phase)
				require.Len(t, b.temporal.sent, 1)
				require.Equal(t, c.want, b.temporal.sent[0].verb)
				require.Equal(t, c.full, b.temporal.sent[0].m.Full)
				require.Equal(t, []string{finalizer}, b.object().GetFinalizers())

				b.change(func(d *appsv1.Deployment) {
					delete(d.Annotations, release.AnnotationRelease)
					d.Spec.Paused = false
				})
				b.tellNews(ended(workflows.PhasePromoted, "canary"))
				b.look()
				require.Empty(t, b.object().GetFinalizers())
				require.NotContains(t, b.deployment().Labels, release.LabelBypass)
			})
		})
	}
}

// TestDeletedBesideAPause: a promotion that is refused because somebody has paused in
// between is asked for again when the pause is over, and none where pods are replaced.
func TestDeletedBesideAPause(t *testing.T) {
	inBench(t, nil, func(b *bench) {
		b.rolling()
		b.temporal.refuse = "the rollout is paused: resume it first"
		b.edit(func(o *unstructured.Unstructured) {
			now := metav1.Now()
			o.SetDeletionTimestamp(&now)
		})
		b.look()
		b.temporal.refuse = ""
		paused := holdingAt(1)
		paused.Paused = true
		b.tellNews(paused)
		b.look()
		require.Equal(t, []workflows.Verb{workflows.VerbPromote, workflows.VerbResume}, b.temporal.verbs())
		resumed := holdingAt(1)
		resumed.Decisions = []workflows.Decision{{Verb: workflows.VerbResume, Accepted: true}}
		b.tellNews(resumed)
		b.look()
		require.Equal(t, []workflows.Verb{workflows.VerbPromote, workflows.VerbResume, workflows.VerbPromote}, b.temporal.verbs())
		promoting := resumed
		promoting.Phase = workflows.PhasePromoting
		b.tellNews(promoting)
		b.look()
		require.Len(t, b.temporal.verbs(), 3)
	})
}

func TestSecondRolloutOfAWorkloadIsTold(t *testing.T) {
	inBench(t, nil, func(b *bench) {
		b.look()
		second := rolloutObject(t, func(o *unstructured.Unstructured) {
			o.SetName("younger")
			o.SetCreationTimestamp(metav1.Now())
		})
		_, err := b.client.Resource(betaRollouts).Namespace("shop").Create(b.ctx, second, metav1.CreateOptions{})
		require.NoError(t, err)
		b.look()
		_, err = b.reconcile(b.ctx, key{webKey.group, "shop", "younger"})
		require.NoError(t, err)
		obj, err := b.client.Resource(betaRollouts).Namespace("shop").Get(b.ctx, "younger", metav1.GetOptions{})
		require.NoError(t, err)
		message, _, _ := unstructured.NestedString(obj.Object, "status", "message")
		require.Contains(t, message, "has Rollout web already")
		require.Equal(t, "web", b.Governor("shop", "Deployment", "demo").Name)
	})
}

func TestOtherClassesAreLeftAlone(t *testing.T) {
	inBench(t, func(o *unstructured.Unstructured) { o.SetLabels(map[string]string{admission.LabelClass: "kruise"}) }, func(b *bench) {
		b.look()
		require.Empty(t, b.object().GetFinalizers())
		require.Nil(t, b.Governor("shop", "Deployment", "demo"))
	})
}

func TestEndIsToldAfterARestart(t *testing.T) {
	inBench(t, nil, func(b *bench) {
		b.look()
		b.edit(func(o *unstructured.Unstructured) {
			require.NoError(t, unstructured.SetNestedField(o.Object, projection.PhaseProgressing, "status", "phase"))
		})
		last := ended(workflows.PhasePromoted, workload.Revision(b.deployment().Spec.Template))
		b.temporal.last = &last
		s := b.look()
		require.Equal(t, projection.PhaseHealthy, s.Phase)
		require.Equal(t, "True", s.Condition(projection.Succeeded).Status)
	})
}
