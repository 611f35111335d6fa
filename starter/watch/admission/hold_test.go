package admission_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	appsv1 "k8s.io/api/apps/v1"

	"sluice.dev/sluice/activities/kube/kubetest"
	"sluice.dev/sluice/activities/release"
	"sluice.dev/sluice/activities/workload"
	"sluice.dev/sluice/config"
	"sluice.dev/sluice/config/kruise"
	"sluice.dev/sluice/starter/watch/admission"
)

// deployment of the fixtures with an image and marks.
func deployment(image string, marks map[string]any) *appsv1.Deployment {
	d := kubetest.Deployment(5)
	d.Spec.Template.Spec.Containers[0].Image = image
	for key, mark := range marks {
		d.Annotations[key] = release.Text(mark)
	}
	return d
}

func revision(image string) string {
	return workload.Revision(deployment(image, nil).Spec.Template)
}

// admitted applies the verdict to the written object.
func admitted(t *testing.T, c admission.Change) (*appsv1.Deployment, admission.Verdict) {
	t.Helper()
	v, err := admission.Judge(c)
	require.NoError(t, err)
	data, err := json.Marshal(c.New)
	require.NoError(t, err)
	ops, err := json.Marshal(v.Patch)
	require.NoError(t, err)
	if len(v.Patch) > 0 {
		patch, err := jsonpatch.DecodePatch(ops)
		require.NoError(t, err)
		data, err = patch.Apply(data)
		require.NoError(t, err)
	}
	out := &appsv1.Deployment{}
	require.NoError(t, json.Unmarshal(data, out))
	return out, v
}

var governor = &admission.Governor{Name: "web", Policy: config.PolicySupersede, Stable: revision("v1")}

func with(policy config.Policy) *admission.Governor {
	g := *governor
	g.Policy = policy
	return &g
}

func TestChangeOfATemplateIsHeldInTheSameWrite(t *testing.T) {
	d, _ := admitted(t, admission.Change{Old: deployment("v1", nil), New: deployment("v2", nil), By: "kubectl", Governor: governor})
	require.True(t, d.Spec.Paused)
	hold, err := release.HoldIn(d.Annotations)
	require.NoError(t, err)
	require.Equal(t, &release.Hold{Revision: revision("v2"), By: "kubectl"}, hold)
}

func TestWhatIsNotHeld(t *testing.T) {
	scaled := deployment("v1", nil)
	scaled.Spec.Replicas = new(int32(9))
	hashed := deployment("v1", nil)
	hashed.Spec.Template.Labels["pod-template-hash"] = "abc"
	cases := map[string]admission.Change{
		"no Rollout":              {Old: deployment("v1", nil), New: deployment("v2", nil)},
		"scaling":                 {Old: deployment("v1", nil), New: scaled, Governor: governor},
		"a label of a controller": {Old: deployment("v1", nil), New: hashed, Governor: governor},
		"Sluice itself":           {Old: deployment("v1", nil), New: deployment("v2", nil), Manager: release.FieldManager, Governor: governor},
		"the watcher":             {Old: deployment("v1", nil), New: deployment("v2", nil), Manager: release.WatchManager, Governor: governor},
	}
	for name, c := range cases {
		_, v := admitted(t, c)
		require.Empty(t, v.Patch, name)
		require.Empty(t, v.Denied, name)
	}
}

func TestAnEarlierPauseIsRemembered(t *testing.T) {
	old := deployment("v1", nil)
	old.Spec.Paused = true
	next := deployment("v2", nil)
	next.Spec.Paused = true
	d, _ := admitted(t, admission.Change{Old: old, New: next, Governor: governor})
	hold, _ := release.HoldIn(d.Annotations)
	require.True(t, hold.Paused)

	third := deployment("v3", nil)
	third.Annotations, third.Spec.Paused = nil, false
	d, _ = admitted(t, admission.Change{Old: d, New: third, Governor: governor})
	hold, _ = release.HoldIn(d.Annotations)
	require.Equal(t, &release.Hold{Revision: revision("v3"), Paused: true}, hold)
}

// held is a workload on which a rollout is open.
func held(image string, promoting bool) *appsv1.Deployment {
	d := deployment(image, map[string]any{release.AnnotationRelease: release.Record{ID: "r1", Revision: revision(image), Promoting: promoting}})
	d.Spec.Paused = !promoting
	return d
}

func TestReplacementOfTheObjectLosesNothing(t *testing.T) {
	plain := deployment("v2", nil)
	plain.Annotations = nil
	d, v := admitted(t, admission.Change{Old: held("v2", false), New: plain, Governor: governor})
	require.True(t, d.Spec.Paused)
	require.Contains(t, d.Annotations, release.AnnotationRelease)
	require.Len(t, v.Warnings, 1)
}

func TestThirdTemplate(t *testing.T) {
	third := func(old *appsv1.Deployment) *appsv1.Deployment {
		d := old.DeepCopy()
		d.Spec.Template.Spec.Containers[0].Image = "v3"
		return d
	}
	t.Run("supersede", func(t *testing.T) {
		d, _ := admitted(t, admission.Change{Old: held("v2", false), New: third(held("v2", false)), Governor: governor})
		require.Equal(t, "v3", d.Spec.Template.Spec.Containers[0].Image)
		require.Contains(t, d.Annotations, release.AnnotationHold)
	})
	t.Run("reject", func(t *testing.T) {
		_, v := admitted(t, admission.Change{Old: held("v2", false), New: third(held("v2", false)), Governor: with(config.PolicyReject)})
		require.Contains(t, v.Denied, "rejects other templates")
	})
	queue := map[string]struct {
		old *appsv1.Deployment
		gov *admission.Governor
	}{
		"queue":                   {held("v2", false), with(config.PolicyQueue)},
		"while it is made stable": {held("v2", true), governor},
	}
	for name, c := range queue {
		t.Run(name, func(t *testing.T) {
			d, v := admitted(t, admission.Change{Old: c.old, New: third(c.old), By: "ann", Governor: c.gov})
			require.Equal(t, "v2", d.Spec.Template.Spec.Containers[0].Image)
			queued, err := release.QueuedIn(d.Annotations)
			require.NoError(t, err)
			require.Equal(t, revision("v3"), queued.Revision)
			require.Equal(t, "ann", queued.By)
			require.Len(t, v.Warnings, 1)
		})
	}
	t.Run("back to stable is never queued or rejected", func(t *testing.T) {
		back := held("v2", false)
		back.Spec.Template.Spec.Containers[0].Image = "v1"
		for _, p := range []config.Policy{config.PolicyQueue, config.PolicyReject} {
			d, v := admitted(t, admission.Change{Old: held("v2", false), New: back, Governor: with(p)})
			require.Empty(t, v.Denied)
			require.Equal(t, "v1", d.Spec.Template.Spec.Containers[0].Image)
		}
	})
}

// TestSecondCallKeepsWhatWasPutAside asks again about the same write, as the API
// server does where another webhook has changed the object after the first answer.
func TestSecondCallKeepsWhatWasPutAside(t *testing.T) {
	third := func(old *appsv1.Deployment) *appsv1.Deployment {
		d := old.DeepCopy()
		d.Spec.Template.Spec.Containers[0].Image = "v3"
		return d
	}
	cases := map[string]admission.Change{
		"queue":                   {Old: held("v2", false), New: third(held("v2", false)), Governor: with(config.PolicyQueue)},
		"while it is made stable": {Old: held("v2", true), New: third(held("v2", true)), Governor: governor},
		"no Rollout of its class": {Old: held("v2", true), New: third(held("v2", true))},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			first, _ := admitted(t, c)
			require.Contains(t, first.Annotations, release.AnnotationQueued)
			c.New = first.DeepCopy()
			c.New.Labels = map[string]string{"by": "another webhook"}
			second, _ := admitted(t, c)
			require.Equal(t, first.Annotations[release.AnnotationQueued], second.Annotations[release.AnnotationQueued])
			require.Equal(t, "v2", second.Spec.Template.Spec.Containers[0].Image)
		})
	}
}

func TestWhatCannotWaitIsNotKept(t *testing.T) {
	for _, text := range []string{"{", release.Text(release.Queued{Revision: "other", Template: []byte("{}")}), release.Text(release.Queued{Revision: "none"})} {
		next := deployment("v1", nil)
		next.Annotations[release.AnnotationQueued] = text
		d, _ := admitted(t, admission.Change{Old: deployment("v1", nil), New: next, Governor: governor})
		require.NotContains(t, d.Annotations, release.AnnotationQueued)
	}
}

func TestRolloutIDGatesWhatIsAChange(t *testing.T) {
	numbered := func(image, id string, marks map[string]any) *appsv1.Deployment {
		d := deployment(image, marks)
		if id != "" {
			d.Annotations[kruise.RolloutID] = id
		}
		return d
	}
	hold := map[string]any{release.AnnotationHold: release.Hold{Revision: revision("v2")}}
	waiting := map[string]any{release.AnnotationQueued: release.Queued{Revision: revision("v2")}}
	cases := map[string]struct {
		old, next *appsv1.Deployment
		held      bool
	}{
		"the same":                   {numbered("v1", "7", nil), numbered("v2", "7", nil), false},
		"another":                    {numbered("v1", "7", nil), numbered("v2", "8", nil), true},
		"the first":                  {numbered("v1", "", nil), numbered("v2", "7", nil), true},
		"the last is taken away":     {numbered("v1", "7", nil), numbered("v2", "", nil), true},
		"another of one template":    {numbered("v1", "7", nil), numbered("v1", "8", nil), false},
		"the same while one is held": {numbered("v2", "7", hold), numbered("v3", "7", hold), true},
		"the same while one waits":   {numbered("v1", "7", waiting), numbered("v3", "7", waiting), true},
	}
	for name, c := range cases {
		d, _ := admitted(t, admission.Change{Old: c.old, New: c.next, Governor: governor})
		require.Equal(t, c.held, d.Spec.Paused, name)
	}
}

func TestLoopsThatApplyAgain(t *testing.T) {
	t.Run("what waits goes on waiting", func(t *testing.T) {
		old := deployment("v1", map[string]any{release.AnnotationQueued: release.Queued{Revision: revision("v2")}})
		next := old.DeepCopy()
		next.Spec.Template.Spec.Containers[0].Image = "v2"
		d, _ := admitted(t, admission.Change{Old: old, New: next, Governor: governor})
		require.Equal(t, "v1", d.Spec.Template.Spec.Containers[0].Image)
		require.False(t, d.Spec.Paused)
	})
	t.Run("what waits can be withdrawn", func(t *testing.T) {
		old := deployment("v1", map[string]any{release.AnnotationQueued: release.Queued{Revision: revision("v2")}})
		d, _ := admitted(t, admission.Change{Old: old, New: deployment("v1", nil), Governor: governor})
		require.NotContains(t, d.Annotations, release.AnnotationQueued)
		require.Equal(t, "v1", d.Spec.Template.Spec.Containers[0].Image)
	})
	t.Run("what is held stays held", func(t *testing.T) {
		old := deployment("v2", map[string]any{release.AnnotationHold: release.Hold{Revision: revision("v2")}})
		old.Spec.Paused = true
		next := old.DeepCopy()
		next.Spec.Paused = false
		d, _ := admitted(t, admission.Change{Old: old, New: next, Governor: governor})
		require.True(t, d.Spec.Paused)
	})
}

func TestMarksThatCannotBeRead(t *testing.T) {
	d := deployment("v1", nil)
	d.Annotations[release.AnnotationHold] = "{"
	_, err := admission.Judge(admission.Change{Old: d, New: d})
	require.Error(t, err)
}
