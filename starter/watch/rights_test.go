package watch

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	arv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	clienttesting "k8s.io/client-go/testing"

	"sluice.dev/sluice/activities/kube/kubetest"
	"sluice.dev/sluice/activities/release"
	"sluice.dev/sluice/workflows"
)

// deeds are what a watcher has asked the API server for.
type deeds struct {
	b    *bench
	done []kubetest.Right
}

// gather keeps what was asked for, and forgets it in the fakes.
func (d *deeds) gather() {
	for _, a := range slices.Concat(d.b.server.Actions(), d.b.client.Actions()) {
		r := kubetest.Use(a)
		if named, ok := a.(interface{ GetName() string }); ok {
			r.Name = named.GetName()
		}
		if update, ok := a.(clienttesting.UpdateAction); ok {
			if m := metaOf(update.GetObject()); m != nil {
				r.Name = m.GetName()
			}
		}
		if r.Group+r.Resource != "resource" { // discovery, which everybody may use
			d.done = append(d.done, r)
		}
	}
	d.forget()
}

func (d *deeds) forget() {
	d.b.server.ClearActions()
	d.b.client.ClearActions()
}

// of gathers what the watcher does in a step; what the test asks is not its.
func (d *deeds) of(step func()) {
	d.forget()
	step()
	synctest.Wait()
	d.gather()
}

// looks lets the watcher look at the Rollout until it is content.
func (d *deeds) looks() {
	d.b.t.Helper()
	for range 6 {
		d.of(func() {
			_, err := d.b.reconcile(d.b.ctx, webKey)
			if !expected(err) {
				require.NoError(d.b.t, err)
			}
		})
	}
}

// TestRolesAreEnoughAndSmallest lets a watcher do everything that it ever does: it
// may do all of that by deploy/rbac/watch.yaml, and nothing else.
func TestRolesAreEnoughAndSmallest(t *testing.T) {
	inBench(t, nil, func(b *bench) {
		d := &deeds{b: b}
		d.gather() // the first lists and watches
		d.story()
		d.hooks()
		d.of(func() { require.NoError(t, b.checkKruise(b.ctx)) })
		d.of(func() {
			go func() { _ = b.lead(b.ctx) }()
			time.Sleep(2 * retryPeriod)
		})
		rights := kubetest.Rights(t, "../../deploy/rbac/watch.yaml")
		require.Greater(t, len(rights), 20)
		for _, of := range [][]kubetest.Right{rights, d.done} {
			for i, r := range of {
				of[i].Group = strings.Replace(r.Group, "sluice.dev", webKey.group, 1) // both have the same
			}
		}
		kubetest.RequireSmallest(t, rights, d.done)
	})
}

// story takes a Rollout up, starts one that was held, takes back what slips
// through, and lets go.
func (d *deeds) story() {
	b := d.b
	d.looks()
	b.server.Freeze()
	b.change(func(d *appsv1.Deployment) { d.Spec.Template.Spec.Containers[0].Image = "version:v2" })
	d.looks()
	b.server.Thaw()
	d.looks()
	require.Len(b.t, b.temporal.started, 1)
	b.record()
	b.tellNews(holdingAt(1))
	d.looks()
	b.edit(func(o *unstructured.Unstructured) {
		now := metav1.Now()
		o.SetDeletionTimestamp(&now)
	})
	d.looks()
	b.change(func(d *appsv1.Deployment) {
		delete(d.Annotations, release.AnnotationRelease)
		d.Spec.Paused = false
	})
	b.tellNews(ended(workflows.PhasePromoted, "canary"))
	d.looks()
	require.NotContains(b.t, b.deployment().Labels, release.LabelBypass)
}

// hooks makes the webhooks known, and mends them and their Secret.
func (d *deeds) hooks() {
	b := d.b
	h := &Hook{Service: "sluice-watch", FailurePolicy: arv1.Ignore}
	renew := func(host string) {
		c := &certificate{client: b.server, namespace: b.Home, secret: b.leaseName() + "-webhook", hosts: []string{host}, now: time.Now}
		d.of(func() { require.NoError(b.t, h.renew(b.ctx, b.Watcher, c)) })
	}
	renew("one")
	renew("other")
}
