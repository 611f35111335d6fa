package watch

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	arv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"sluice.dev/sluice/activities/release"
	"sluice.dev/sluice/starter/watch/admission"
)

// addOwn creates a Rollout in our own group.
func (b *bench) addOwn(change func(*unstructured.Unstructured)) *unstructured.Unstructured {
	b.t.Helper()
	obj, err := b.client.Resource(ownRollouts).Namespace("shop").Create(b.ctx, ownObject(b.t, change), metav1.CreateOptions{})
	require.NoError(b.t, err)
	synctest.Wait()
	return obj
}

func TestOneRolloutPerWorkloadWhateverItIsCalled(t *testing.T) {
	cases := map[string]struct {
		change func(*unstructured.Unstructured)
		told   bool
	}{
		"the same name in the other group": {told: true},
		"another class":                    {change: func(o *unstructured.Unstructured) { o.SetLabels(map[string]string{admission.LabelClass: "other"}) }},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			inBench(t, nil, func(b *bench) {
				b.look()
				obj := b.addOwn(c.change)
				s, err := b.Watcher.look(b.ctx, obj)
				require.NoError(t, err)
				require.Contains(t, s.problem, "has Rollout web of rollouts.kruise.io already")
				doc, err := admission.Parse(obj)
				require.NoError(t, err)
				require.Equal(t, "web of rollouts.kruise.io", b.Holder(&doc, obj))
				require.Empty(t, b.Holder(&doc, b.object()), "the older one may be written")
				_, err = b.reconcile(b.ctx, ownKey)
				require.NoError(t, err)
				told, err := b.client.Resource(ownRollouts).Namespace("shop").Get(b.ctx, "web", metav1.GetOptions{})
				require.NoError(t, err)
				message, _, _ := unstructured.NestedString(told.Object, "status", "message")
				require.Equal(t, c.told, message != "")
			})
		})
	}
}

func TestRolloutsOfAWorkloadAreLookedAtTogether(t *testing.T) {
	inBench(t, nil, func(b *bench) {
		b.look()
		b.addOwn(nil)
		for b.queue.Len() > 0 {
			k, _ := b.queue.Get()
			b.queue.Done(k)
		}
		require.NoError(t, b.client.Resource(betaRollouts).Namespace("shop").Delete(b.ctx, "web", metav1.DeleteOptions{}))
		synctest.Wait()
		var seen []key
		for b.queue.Len() > 0 {
			k, _ := b.queue.Get()
			seen = append(seen, k)
			b.queue.Done(k)
		}
		require.Contains(t, seen, ownKey, "it has the workload now")
	})
}

func TestWebhookIsAskedAboutWorkloadsOfItsClass(t *testing.T) {
	for class, value := range map[string]string{"": "true", "canaries": "canaries"} {
		w := &Watcher{Options: Options{Class: class}}
		hook := (&Hook{FailurePolicy: arv1.Ignore, URL: "https://h"}).mutating(w, nil).Webhooks[0]
		require.Equal(t, &metav1.LabelSelector{MatchLabels: map[string]string{release.LabelBypass: value}}, hook.ObjectSelector)
	}
}

// kruiseController lets a Kruise Rollouts controller be found, or not.
func (b *bench) kruiseController(there bool) {
	b.t.Helper()
	hooks := b.server.AdmissionregistrationV1().MutatingWebhookConfigurations()
	if !there {
		require.NoError(b.t, hooks.Delete(b.ctx, kruiseWebhooks, metav1.DeleteOptions{}))
		return
	}
	_, err := hooks.Create(b.ctx, &arv1.MutatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: kruiseWebhooks}}, metav1.CreateOptions{})
	require.NoError(b.t, err)
}

func TestBesideKruiseItsGroupIsLeftAlone(t *testing.T) {
	labelled := func(o *unstructured.Unstructured) { o.SetLabels(map[string]string{admission.LabelClass: "canaries"}) }
	inBench(t, labelled, func(b *bench) {
		b.kruiseController(true)
		require.ErrorIs(t, b.checkKruise(b.ctx), errKruise, "without a class")
		b.Class = "canaries"
		require.NoError(t, b.checkKruise(b.ctx))
		require.False(t, b.Ours(b.object()), "Kruise knows no classes")
		require.True(t, b.Ours(ownObject(t, labelled)))
		require.Nil(t, b.Governor("shop", "Deployment", "demo"))
		b.look()
		require.Empty(t, b.object().GetFinalizers())

		b.kruiseController(false)
		require.NoError(t, b.checkKruise(b.ctx))
		require.True(t, b.Ours(b.object()))
	})
}

func TestKruiseIsLookedForAgain(t *testing.T) {
	inBench(t, nil, func(b *bench) {
		found := make(chan error, 1)
		go func() { found <- b.lookForKruise(b.ctx) }()
		time.Sleep(checkInterval + time.Second)
		synctest.Wait()
		require.Empty(t, found)
		b.kruiseController(true)
		time.Sleep(checkInterval)
		synctest.Wait()
		require.ErrorIs(t, <-found, errKruise)
	})
}

func TestWatcherThatFindsKruiseGivesItsLeaseBack(t *testing.T) {
	inBench(t, nil, func(b *bench) {
		ended := make(chan error, 1)
		w := New(b.Options)
		go func() { ended <- w.Run(b.ctx) }()
		time.Sleep(2 * retryPeriod)
		holder := func() string {
			lease, err := b.server.CoordinationV1().Leases(b.Home).Get(b.ctx, b.leaseName(), metav1.GetOptions{})
			require.NoError(t, err)
			return *lease.Spec.HolderIdentity
		}
		require.Equal(t, b.Identity, holder())
		b.kruiseController(true)
		time.Sleep(checkInterval)
		require.ErrorIs(t, <-ended, errKruise)
		require.Empty(t, holder())
	})
}

func TestReadyWhenTheAPIServerIsAnswered(t *testing.T) {
	inBench(t, nil, func(b *bench) {
		require.False(t, b.Ready())
		b.synced.Store(true)
		require.True(t, b.Ready())
		b.Hook = &Hook{}
		require.False(t, b.Ready())
		b.hooked.Store(true)
		require.True(t, b.Ready())
	})
}

func TestStartsOfOneRevisionHaveOneIdentity(t *testing.T) {
	inBench(t, nil, func(b *bench) {
		b.look()
		b.hold("version:v2")
		b.look()
		b.unfollow(webKey) // another replica, that has seen the same
		b.look()
		last := holdingAt(1)
		last.Phase, last.Run, last.Closed = "Refused", "run-2", new(b.Now().Add(-time.Hour))
		b.temporal.last = &last
		b.unfollow(webKey)
		b.look()
		require.Len(t, b.temporal.asked, 3)
		require.NotEmpty(t, b.temporal.asked[0])
		require.Equal(t, b.temporal.asked[0], b.temporal.asked[1])
		require.NotEqual(t, b.temporal.asked[0], b.temporal.asked[2], "it may be tried again after that run")
	})
}

func TestNothingIsKeptOfARolloutThatIsGone(t *testing.T) {
	inBench(t, nil, func(b *bench) {
		b.refusals[webKey] = refusal{revision: "r"}
		require.NoError(t, b.client.Resource(betaRollouts).Namespace("shop").Delete(b.ctx, "web", metav1.DeleteOptions{}))
		synctest.Wait()
		_, err := b.reconcile(b.ctx, webKey)
		require.NoError(t, err)
		require.Empty(t, b.refusals)
	})
}
