package watch

import (
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	arv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	clienttesting "k8s.io/client-go/testing"
	"sigs.k8s.io/yaml"

	"sluice.dev/sluice/activities/release"
	"sluice.dev/sluice/workflows"
)

// right is one thing that may be done, or that was. Namespace is the home's where
// it may be done there only, name that of the object where there is one.
type right struct {
	namespace, group, resource, verb, name string
}

// covers says that what was done is within a right.
func (r right) covers(done right) bool {
	return (r.namespace == "" || r.namespace == done.namespace) && r.group == done.group && r.resource == done.resource &&
		r.verb == done.verb && (r.name == "" || r.name == done.name)
}

// granted returns the rights of deploy/rbac/watch.yaml.
func granted(t *testing.T) []right {
	t.Helper()
	text, err := os.ReadFile("../../deploy/rbac/watch.yaml")
	require.NoError(t, err)
	var all []right
	for _, document := range strings.Split(string(text), "\n---\n") {
		var role rbacv1.ClusterRole // a Role has the same fields
		require.NoError(t, yaml.Unmarshal([]byte(document), &role))
		if role.Kind != "ClusterRole" && role.Kind != "Role" {
			continue
		}
		for _, rule := range role.Rules {
			names := rule.ResourceNames
			if len(names) == 0 {
				names = []string{""}
			}
			for _, group := range rule.APIGroups {
				for _, resource := range rule.Resources {
					for _, verb := range rule.Verbs {
						for _, name := range names {
							all = append(all, right{role.Namespace, group, resource, verb, name})
						}
					}
				}
			}
		}
	}
	return all
}

// deeds are what a watcher has asked the API server for.
type deeds struct {
	b    *bench
	done []right
}

// gather keeps what was asked for, and forgets it in the fakes.
func (d *deeds) gather() {
	for _, a := range slices.Concat(d.b.server.Actions(), d.b.client.Actions()) {
		r := right{a.GetNamespace(), a.GetResource().Group, a.GetResource().Resource, a.GetVerb(), ""}
		if a.GetSubresource() != "" {
			r.resource += "/" + a.GetSubresource()
		}
		if named, ok := a.(interface{ GetName() string }); ok {
			r.name = named.GetName()
		}
		if update, ok := a.(clienttesting.UpdateAction); ok {
			if m := metaOf(update.GetObject()); m != nil {
				r.name = m.GetName()
			}
		}
		if r.group+r.resource != "resource" { // discovery, which everybody may use
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
		rights := granted(t)
		require.Greater(t, len(rights), 20)
		for _, done := range d.done {
			require.True(t, slices.ContainsFunc(rights, func(r right) bool { return r.covers(done) }), "it may not do this: %+v", done)
		}
		for _, r := range rights {
			r.group = strings.Replace(r.group, "sluice.dev", webKey.group, 1) // both have the same
			require.True(t, slices.ContainsFunc(d.done, r.covers), "it never does this: %+v", r)
		}
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
