package e2e

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	netv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"sluice.dev/sluice/activities/release"
	"sluice.dev/sluice/tests/harness"
	"sluice.dev/sluice/tests/sandbox/load"
	"sluice.dev/sluice/workflows"
)

// demoCanary is the name of the canary's Deployment, Service and Ingress.
var demoCanary = release.CanaryName(harness.Demo)

// kubectl is the field manager of somebody else.
var kubectl = metav1.PatchOptions{FieldManager: "kubectl-edit"}

// patchIngress edits an Ingress as a person does.
func (r *rollout) patchIngress(name, patch string) {
	r.t.Helper()
	_, err := r.Kube.NetworkingV1().Ingresses(r.namespace).Patch(r.ctx, name, types.MergePatchType, []byte(patch), kubectl)
	require.NoError(r.t, err)
}

// patchDeployment edits a Deployment as a person does.
func (r *rollout) patchDeployment(name, patch string) {
	r.t.Helper()
	_, err := r.Kube.AppsV1().Deployments(r.namespace).Patch(r.ctx, name, types.MergePatchType, []byte(patch), kubectl)
	require.NoError(r.t, err)
}

// weigh edits the weight of the canary Ingress.
func (r *rollout) weigh(weight int) {
	r.t.Helper()
	r.patchIngress(demoCanary, fmt.Sprintf(`{"metadata":{"annotations":{"nginx.ingress.kubernetes.io/canary-weight":"%d"}}}`, weight))
}

// delete deletes an object of the canary, as a person does.
func (r *rollout) delete(kind string) {
	r.t.Helper()
	var err error
	switch kind {
	case "Ingress":
		err = r.Kube.NetworkingV1().Ingresses(r.namespace).Delete(r.ctx, demoCanary, metav1.DeleteOptions{})
	case "Service":
		err = r.Kube.CoreV1().Services(r.namespace).Delete(r.ctx, demoCanary, metav1.DeleteOptions{})
	case "Deployment":
		err = r.Kube.AppsV1().Deployments(r.namespace).Delete(r.ctx, demoCanary, metav1.DeleteOptions{})
	}
	require.NoError(r.t, err)
}

// asked waits until the rollout asks a person about a drift, says how long that
// took since a moment, and what it says.
func (r *rollout) asked(since time.Time, about string) workflows.Status {
	r.t.Helper()
	s := r.await(workflows.PhasePaused, 0)
	require.NotNil(r.t, s.Drift, s.Message)
	require.Contains(r.t, s.Message, about)
	seen := s.Decisions[len(s.Decisions)-1]
	require.Equal(r.t, "drift", seen.Via)
	r.t.Logf("seen after %s: %s", seen.At.Sub(since).Round(time.Millisecond), seen.Reason)
	require.WithinDuration(r.t, since, seen.At, 5*time.Second)
	r.sightings = append(r.sightings, seen.At.Sub(since))
	return s
}

// seenWithin requires that half of the drifts that were asked about were seen
// within a time of the write. Single ones may take longer where other cases keep
// the machine busy.
func (r *rollout) seenWithin(limit time.Duration) {
	r.t.Helper()
	slices.Sort(r.sightings)
	require.NotEmpty(r.t, r.sightings)
	require.Less(r.t, r.sightings[len(r.sightings)/2], limit+r.busy, "%v", r.sightings)
}

// noted waits until the timeline has a line that contains a text, after a moment.
func (r *rollout) noted(since time.Time, text string) {
	r.t.Helper()
	require.NoError(r.t, harness.Await(r.ctx, "the timeline tells of "+text, func(ctx context.Context) (bool, error) {
		s, err := r.Status(ctx, r.namespace)
		for _, e := range s.Timeline {
			if e.At.After(since) && contains(e.Text, text) {
				return true, err
			}
		}
		return false, err
	}))
}

// backAt waits for the hold of step 1 with a weight that is confirmed.
func (r *rollout) backAt(weight int) {
	r.t.Helper()
	require.NoError(r.t, harness.Await(r.ctx, fmt.Sprintf("it holds with weight %d", weight), func(ctx context.Context) (bool, error) {
		s, err := r.Status(ctx, r.namespace)
		return err == nil && s.Phase == workflows.PhaseHolding && !s.Unsure && s.Asked.Weight == weight && s.Confirmed.Weight == weight &&
			(weight == 0 || s.Canary.Ready > 0), err
	}))
}

// seenAt waits so, and until clients see the weight.
func (r *rollout) seenAt(weight int) {
	r.t.Helper()
	r.backAt(weight)
	r.checkShare(fmt.Sprint("back at ", weight, " ", time.Now().UnixNano()), "v2", weight)
}

// TestDriftIsAskedAbout changes one object after the other at the first hold.
func TestDriftIsAskedAbout(t *testing.T) {
	r := newRolloutOf(t, drainedApp)
	r.start("rollout-canary.yaml", "v2")
	r.holdAt(1, 10, "v2")

	t.Log("a lighter weight")
	since := time.Now()
	r.weigh(5)
	s := r.asked(since, "weight 5 instead of weight 10 (kubectl-edit)")
	require.True(t, s.Drift.Adoptable)
	r.sluice("resume", harness.Demo)
	r.backAt(10)

	t.Log("a weight that one pod cannot take")
	since = time.Now()
	r.weigh(60)
	r.noted(since, "more than the canary can take")
	r.seenAt(10)

	t.Log("the canary Ingress is deleted")
	since = time.Now()
	r.delete("Ingress")
	r.asked(since, "it was deleted")
	r.sluice("resume", harness.Demo)
	r.backAt(10)

	t.Log("the canary Service is deleted")
	since = time.Now()
	r.delete("Service")
	s = r.asked(since, "no requests go to canary")
	require.False(t, s.Drift.Adoptable)
	r.refused("cannot be adopted", "resume", harness.Demo, "--adopt")
	r.sluice("resume", harness.Demo)
	r.backAt(10)

	t.Log("the canary is scaled up, and down again")
	since = time.Now()
	r.patchDeployment(demoCanary, `{"spec":{"replicas":2}}`)
	r.noted(since, "it was scaled to 2")
	require.NoError(t, harness.Await(r.ctx, "the canary has two pods", r.canaryPods(2)))
	since = time.Now()
	r.patchDeployment(demoCanary, `{"spec":{"replicas":1}}`)
	r.noted(since, "it was scaled to 1 (kubectl-edit): it gets 2")
	require.NoError(t, harness.Await(r.ctx, "the canary has its size back", func(ctx context.Context) (bool, error) {
		d, err := r.Kube.AppsV1().Deployments(r.namespace).Get(ctx, demoCanary, metav1.GetOptions{})
		return err == nil && *d.Spec.Replicas == 2, err
	}))
	since = time.Now()
	r.patchDeployment(demoCanary, `{"spec":{"replicas":1}}`)
	r.asked(since, "it was given its size back")
	r.sluice("resume", harness.Demo)
	require.NoError(t, harness.Await(r.ctx, "the canary has its pods once more", r.canaryPods(2)))
	r.backAt(10)

	r.sluice("abort", harness.Demo)
	r.await(workflows.PhaseRolledBack, 0)
	r.finish()
	r.seenWithin(time.Second)
	r.restored("v1")
}

// TestDeploymentsDeletedInTheMiddle stops the canary's pods while requests go to
// them, which is no rollout's doing: what has to be shown is that nothing is lost
// from the moment at which no requests go to canary, and that the rollout goes on.
// Then nobody is left to answer: it has to end and to leave nothing.
func TestDeploymentsDeletedInTheMiddle(t *testing.T) {
	r := newRolloutOf(t, drainedApp)
	r.start("rollout-canary.yaml", "v2")
	r.holdAt(1, 10, "v2")

	t.Log("the canary Deployment is deleted")
	since := time.Now()
	r.delete("Deployment")
	r.asked(since, "no requests go to canary")
	require.NoError(t, harness.Await(r.ctx, "no requests go to canary", func(ctx context.Context) (bool, error) {
		s, err := r.Status(ctx, r.namespace)
		return err == nil && !s.Unsure && s.Confirmed.Weight == 0, err
	}))
	require.Zero(t, r.lossless("asked about").Share("v2"))
	r.sluice("resume", harness.Demo)
	r.backAt(10)
	r.lossless("back again")

	t.Log("the workload is deleted")
	_, err := r.load.Finish(r.ctx)
	require.NoError(t, err)
	require.NoError(t, r.Kube.AppsV1().Deployments(r.namespace).Delete(r.ctx, harness.Demo, metav1.DeleteOptions{}))
	s := r.await(workflows.PhaseRolledBack, 0)
	require.Contains(t, s.Result.Reason, "the workload was deleted")
	left, err := r.Snapshot(r.ctx, r.namespace)
	require.NoError(t, err)
	for name := range left.Objects() {
		require.NotContains(t, name, demoCanary)
	}
	for _, kind := range []string{"Service ", "Ingress "} {
		require.Equal(t, r.before[kind+harness.Demo], left[kind+harness.Demo])
	}
}

// lossless requires that nothing is lost from now on for a while.
func (r *rollout) lossless(name string) load.Window {
	r.t.Helper()
	_, err := r.load.Mark(r.ctx, name)
	require.NoError(r.t, err)
	w := r.awaitAnswers(name, sample)
	require.Zero(r.t, w.Lost(), "%v", w.Examples)
	return w
}

// canaryPods says that n canary pods are published.
func (r *rollout) canaryPods(n int) func(context.Context) (bool, error) {
	return func(ctx context.Context) (bool, error) {
		s, err := r.Status(ctx, r.namespace)
		return err == nil && s.Canary.Ready == n, err
	}
}

// TestDriftIsAdopted changes the objects of the user and those of the canary, and
// the rollout goes on with what they are then.
func TestDriftIsAdopted(t *testing.T) {
	r := newRolloutOf(t, `{"spec":{"template":{"metadata":{"labels":{"tier":"web"}}}}}`)
	r.sluice("start", "-f", r.variant("sluice.dev/on-drift: adopt"), "--image", "main="+harness.Image("v2"))
	r.holdAt(1, 10, "v2")

	t.Log("the Ingress gets another path")
	before, err := r.Kube.NetworkingV1().Ingresses(r.namespace).Get(r.ctx, harness.Demo, metav1.GetOptions{})
	require.NoError(t, err)
	more := before.DeepCopy()
	path := *more.Spec.Rules[0].HTTP.Paths[0].DeepCopy()
	path.Path = "/other"
	more.Spec.Rules[0].HTTP.Paths = append(more.Spec.Rules[0].HTTP.Paths, path)
	_, err = r.Kube.NetworkingV1().Ingresses(r.namespace).Update(r.ctx, more, metav1.UpdateOptions{FieldManager: "kubectl-edit"})
	require.NoError(t, err)
	require.NoError(t, harness.Await(r.ctx, "the canary follows the path", r.canaryPaths(2)))
	r.backAt(10)

	t.Log("the Service selects by one label more")
	since := time.Now()
	_, err = r.Kube.CoreV1().Services(r.namespace).Patch(r.ctx, harness.Demo, types.MergePatchType, []byte(`{"spec":{"selector":{"tier":"web"}}}`), kubectl)
	require.NoError(t, err)
	r.noted(since, "app=demo,tier=web (kubectl-edit): adopted")

	t.Log("another weight, and no canary Ingress")
	r.weigh(5)
	r.seenAt(5)
	r.delete("Ingress")
	r.seenAt(0)
	r.sluice("abort", harness.Demo)
	r.await(workflows.PhaseRolledBack, 0)
	r.finish()
	r.unedit(before)
	r.restored("v1")
}

// unedit takes back what the case has done to the user's Service and Ingress.
func (r *rollout) unedit(ingress *netv1.Ingress) {
	r.t.Helper()
	live, err := r.Kube.NetworkingV1().Ingresses(r.namespace).Get(r.ctx, harness.Demo, metav1.GetOptions{})
	require.NoError(r.t, err)
	live.Spec = ingress.Spec
	_, err = r.Kube.NetworkingV1().Ingresses(r.namespace).Update(r.ctx, live, metav1.UpdateOptions{})
	require.NoError(r.t, err)
	_, err = r.Kube.CoreV1().Services(r.namespace).Patch(r.ctx, harness.Demo, types.MergePatchType, []byte(`{"spec":{"selector":{"tier":null}}}`), kubectl)
	require.NoError(r.t, err)
}

// canaryPaths says that the canary Ingress has n paths.
func (r *rollout) canaryPaths(n int) func(context.Context) (bool, error) {
	return func(ctx context.Context) (bool, error) {
		in, err := r.Kube.NetworkingV1().Ingresses(r.namespace).Get(ctx, demoCanary, metav1.GetOptions{})
		return err == nil && len(in.Spec.Rules[0].HTTP.Paths) == n, err
	}
}

// TestDriftIsUndoneOnce edits and deletes under enforce, and then resumes the
// workload beside the rollout, twice: its pods are replaced by the Deployment
// controller, which enforce stops once, and an abort takes back. What that loses
// without a preStop is not a rollout's; these pods have one.
func TestDriftIsUndoneOnce(t *testing.T) {
	r := newRolloutOf(t, drainedApp)
	r.replaced = true
	r.sluice("start", "-f", r.variant("sluice.dev/on-drift: enforce"), "--image", "main="+harness.Image("v2"))
	r.holdAt(1, 10, "v2")

	t.Log("another weight")
	since := time.Now()
	r.weigh(5)
	r.noted(since, "it is set back")
	r.backAt(10)

	t.Log("the canary Service is deleted")
	since = time.Now()
	r.delete("Service")
	r.noted(since, "it was deleted")
	r.seenAt(10)

	t.Log("the workload is resumed")
	since = time.Now()
	r.patchDeployment(harness.Demo, `{"spec":{"paused":false}}`)
	r.noted(since, "it is held again")
	require.NoError(t, harness.Await(r.ctx, "it is held again", func(ctx context.Context) (bool, error) {
		d, err := r.Deployment(ctx, r.namespace)
		if err != nil || !d.Spec.Paused {
			return false, err
		}
		s, err := r.Status(ctx, r.namespace)
		return err == nil && s.Phase == workflows.PhaseHolding && s.Message == "step 1 waits for approval: promote to go on", err
	}))
	r.patchDeployment(harness.Demo, `{"spec":{"paused":false}}`)
	require.NoError(t, harness.Await(r.ctx, "the rollout is paused", func(ctx context.Context) (bool, error) {
		s, err := r.Status(ctx, r.namespace)
		return err == nil && s.Paused, err
	}))
	r.sluice("abort", harness.Demo)
	r.await(workflows.PhaseRolledBack, 0)
	require.NoError(t, r.Sandbox.AwaitDeployment(r.ctx, r.namespace, harness.Demo))
	r.finish()
	r.restored("v1")
}

// canaryObjects requires that everything of ours carries our labels, no owner and
// no finalizer, and is written under one name.
func (r *rollout) canaryObjects() {
	r.t.Helper()
	ours := metav1.ListOptions{LabelSelector: release.LabelWorkload + "=" + harness.Demo}
	var all []metav1.Object
	deployments, err := r.Kube.AppsV1().Deployments(r.namespace).List(r.ctx, ours)
	require.NoError(r.t, err)
	services, err := r.Kube.CoreV1().Services(r.namespace).List(r.ctx, ours)
	require.NoError(r.t, err)
	ingresses, err := r.Kube.NetworkingV1().Ingresses(r.namespace).List(r.ctx, ours)
	require.NoError(r.t, err)
	budgets, err := r.Kube.PolicyV1().PodDisruptionBudgets(r.namespace).List(r.ctx, ours)
	require.NoError(r.t, err)
	require.Len(r.t, deployments.Items, 1)
	require.Len(r.t, services.Items, 1)
	require.Len(r.t, ingresses.Items, 1)
	require.Len(r.t, budgets.Items, 1)
	require.EqualValues(r.t, 1, budgets.Items[0].Spec.MaxUnavailable.IntVal)
	all = append(all, &deployments.Items[0], &services.Items[0], &ingresses.Items[0], &budgets.Items[0])
	for _, o := range all {
		require.Equal(r.t, demoCanary, o.GetName())
		require.Empty(r.t, o.GetOwnerReferences())
		require.Empty(r.t, o.GetFinalizers())
		for key := range o.GetAnnotations() {
			require.Regexp(r.t, `^(sluice\.dev/|nginx\.ingress\.kubernetes\.io/canary|kubernetes\.io/ingress\.class|deployment\.kubernetes\.io/revision)`, key)
		}
		for key := range o.GetLabels() {
			require.Regexp(r.t, `^sluice\.dev/`, key)
		}
	}
}

// writesReplicas says whether Sluice has ever written a field of the workload that is
// not its to write.
func writesReplicas(d *appsv1.Deployment) bool {
	for _, e := range d.ManagedFields {
		if e.Manager == release.FieldManager && contains(string(e.FieldsV1.Raw), `"f:replicas"`) {
			return true
		}
	}
	return false
}

// podsOf lists the pods that a selector finds and that are to stay.
func (r *rollout) podsOf(selector string) []corev1.Pod {
	r.t.Helper()
	pods, err := r.Kube.CoreV1().Pods(r.namespace).List(r.ctx, metav1.ListOptions{LabelSelector: selector})
	require.NoError(r.t, err)
	return slices.DeleteFunc(pods.Items, func(p corev1.Pod) bool { return p.DeletionTimestamp != nil })
}
