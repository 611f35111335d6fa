package watcher

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	scalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	netv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"

	"sluice.dev/sluice/tests/chaos/cluster"
	"sluice.dev/sluice/tests/chaos/gateway"
)

// prefix of the annotations that make up a route, and of everything of Sluice's,
// and the name by which it writes fields.
const (
	prefix  = "nginx.ingress.kubernetes.io/"
	own     = "sluice.dev/"
	manager = "sluice"
)

// ledger is what is known of objects.
type ledger struct {
	before  map[string]string // the user's, by name, without what may change
	created map[string]int
	deleted map[string]int
	canary  *corev1.Service
	service *corev1.Service
	// strangers are objects of others by name; leaving says that they may go.
	strangers map[string]string
	leaving   bool
}

func newLedger() ledger {
	return ledger{before: map[string]string{}, created: map[string]int{}, deleted: map[string]int{}, strangers: map[string]string{}}
}

// snapshot remembers the user's objects.
func (l *ledger) snapshot(c *cluster.Cluster) {
	for _, o := range c.Deployments() {
		l.before["Deployment "+o.Name] = fixed(o)
	}
	for _, o := range c.Services() {
		l.before["Service "+o.Name] = fixed(o)
	}
	for _, o := range c.Ingresses() {
		l.before["Ingress "+o.Name] = fixed(o)
	}
	for _, o := range c.Autoscalers() {
		l.before["HorizontalPodAutoscaler "+o.Name] = fixed(o)
	}
}

// fixed is what nobody but the user may change on an object of the user: all but
// the recorded fields of a workload and of its autoscaler.
func fixed(obj runtime.Object) string {
	copied := obj.DeepCopyObject()
	switch o := copied.(type) {
	case *appsv1.Deployment:
		o.Spec.Paused, o.Spec.Template, o.Spec.Strategy.RollingUpdate = false, corev1.PodTemplateSpec{}, nil
		o.Spec.Replicas = nil
		o.Status = appsv1.DeploymentStatus{}
		o.Annotations = plain(o.Annotations)
		o.ResourceVersion, o.Generation, o.ManagedFields = "", 0, nil
	case *corev1.Service:
		o.Annotations = plain(o.Annotations)
		o.ResourceVersion, o.Generation, o.ManagedFields = "", 0, nil
	case *netv1.Ingress:
		o.Annotations = plain(o.Annotations)
		o.ResourceVersion, o.Generation, o.ManagedFields = "", 0, nil
	case *scalingv2.HorizontalPodAutoscaler:
		if b := o.Spec.Behavior; b != nil && b.ScaleDown != nil {
			b.ScaleDown.SelectPolicy = nil
		}
		o.Annotations = plain(o.Annotations)
		o.ResourceVersion, o.Generation, o.ManagedFields = "", 0, nil
	}
	text, _ := json.Marshal(copied)
	return string(text)
}

// plain are annotations without those of Sluice and of the chaos itself.
func plain(notes map[string]string) map[string]string {
	out := maps.Clone(notes)
	maps.DeleteFunc(out, func(k, _ string) bool { return strings.HasPrefix(k, own) || strings.HasPrefix(k, "chaos.example/") })
	return out
}

// record judges a version of an object.
func (w *Watcher) record(event watch.EventType, obj runtime.Object) {
	if w.strange(event, obj) {
		return
	}
	switch o := obj.(type) {
	case *appsv1.Deployment:
		w.owned(event, "Deployment "+o.Name, obj)
		if o.Name == w.Document.Workload.Name+"-canary" {
			w.replaced(o)
		}
	case *corev1.Service:
		w.owned(event, "Service "+o.Name, w.unselected(o))
		if o.Name == w.Document.Traffic.Service {
			w.narrowed(o)
		}
		if o.Name == w.Document.Traffic.Service+"-canary" {
			w.selector(event, o)
		}
	case *scalingv2.HorizontalPodAutoscaler:
		w.owned(event, "HorizontalPodAutoscaler "+o.Name, obj)
	case *policyv1.PodDisruptionBudget:
		w.owned(event, "PodDisruptionBudget "+o.Name, obj)
	case *netv1.Ingress:
		w.owned(event, "Ingress "+o.Name, obj)
		if o.Name == w.Document.Traffic.Ingress.Name+"-canary" {
			w.routed(event, o)
		}
	}
}

// owned is I12 for objects of the user, and counts those of Sluice.
func (w *Watcher) owned(event watch.EventType, name string, obj runtime.Object) {
	before, users := w.objects.before[name]
	switch {
	case users && event == watch.Deleted:
		w.breaks("I12", "%s was deleted", name)
	case users:
		if now := fixed(obj); now != before {
			w.breaks("I12", "%s: a field was changed that is not recorded: %s, was %s", name, now, before)
		}
	case event == watch.Added:
		w.objects.created[name]++
	case event == watch.Deleted:
		w.objects.deleted[name]++
	}
}

// selector is I5: what the canary Service selects changes only when no request
// goes there.
func (w *Watcher) selector(event watch.EventType, s *corev1.Service) {
	old := w.objects.canary
	w.objects.canary = s
	changes := event == watch.Deleted || old != nil && event == watch.Modified && !reflect.DeepEqual(old.Spec.Selector, s.Spec.Selector)
	if event == watch.Deleted {
		w.objects.canary = nil
	}
	if !changes {
		return
	}
	for _, g := range w.Replicas {
		if e := g.Exposed(w.Path); e.Carries() {
			w.breaks("I5", "the canary Service changes while %s has weight %d, match %v", g.Name, e.Weight, e.Match)
		}
	}
}

// route is what a canary Ingress says.
type route struct {
	exists bool
	weight int
	match  string
}

func (r route) carries() bool { return r.weight > 0 || r.match != "" }

func routeOf(event watch.EventType, k *netv1.Ingress) route {
	if event == watch.Deleted {
		return route{}
	}
	weight, _ := strconv.Atoi(k.Annotations[prefix+"canary-weight"])
	return route{exists: true, weight: weight, match: gateway.Match(k.Annotations)}
}

// routed is I7 and I17: a route is written when every replica follows the one
// before, unless it takes requests away from canary, or both sides have the pods
// for all requests, as on the way back from a promotion (but for a pod of canary that
// was lost and is being replaced); its weight is one that
// the document has, and never rises on the way back otherwise.
func (w *Watcher) routed(event watch.EventType, k *netv1.Ingress) {
	before, now := w.routes, routeOf(event, k)
	w.routes = now
	if now == before {
		return
	}
	for _, g := range w.Replicas {
		e := g.Exposed(w.Path)
		switch {
		case now.carries() && !shows(e, before) && !(w.promoting() && e.Stable >= w.pods() && w.repairing(e.Canary, w.pods())):
			w.breaks("I7", "the route becomes %+v while %s does not yet follow %+v", now, g.Name, before)
		case !now.exists && e.Carries():
			w.breaks("I7", "the route goes while %s still sends requests to canary", g.Name)
		}
	}
	if !slices.Contains(w.weights(), now.weight) {
		w.breaks("I17", "the weight becomes %d, which no step has", now.weight)
	}
	if w.aborted && now.weight > before.weight && !w.promoting() {
		w.breaks("I17", "the weight rises from %d to %d on the way back", before.weight, now.weight)
	}
}

// Carries says whether the route that was written last sends requests to canary.
func (w *Watcher) Carries() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.routes.carries()
}

// shows says whether a replica does what a route says.
func shows(e gateway.Exposure, r route) bool {
	return e.Routed == r.exists && e.Weight == r.weight && e.Match == (r.match != "")
}

func (w *Watcher) weights() []int {
	weights := []int{0, 100}
	for _, step := range w.Document.Steps {
		if step.Weight != nil {
			weights = append(weights, *step.Weight)
		}
	}
	return weights
}

// promoting says whether the workload has begun to run another template.
func (w *Watcher) promoting() bool {
	for _, d := range w.Cluster.Deployments() {
		if d.Name == w.Document.Workload.Name {
			return strings.Contains(d.Annotations[own+"release"], `"promoting":true`)
		}
	}
	return false
}

// terminal is I13 and I18: nothing of Sluice's is left, and nothing was created
// more often than it was deleted.
func (w *Watcher) terminal() {
	for _, d := range w.Cluster.Deployments() {
		w.clean("Deployment "+d.Name, d.ObjectMeta)
		if d.Spec.Paused {
			w.breaks("I13", "Deployment %s is paused in the end", d.Name)
		}
	}
	for _, s := range w.Cluster.Services() {
		w.clean("Service "+s.Name, s.ObjectMeta)
		if before, users := w.objects.before["Service "+s.Name]; users && fixed(s) != before {
			w.breaks("I13", "Service %s is not as it was: %s, was %s", s.Name, fixed(s), before)
		}
	}
	for _, k := range w.Cluster.Ingresses() {
		w.clean("Ingress "+k.Name, k.ObjectMeta)
	}
	for _, h := range w.Cluster.Autoscalers() {
		w.clean("HorizontalPodAutoscaler "+h.Name, h.ObjectMeta)
	}
	for _, b := range w.Cluster.Budgets() {
		w.clean("PodDisruptionBudget "+b.Name, b.ObjectMeta)
	}
	for name, n := range w.objects.created {
		if n > 1 && !(w.createdLate && n == 2) {
			w.breaks("I18", "%s was created %d times", name, n)
		}
	}
}

func (w *Watcher) clean(name string, m metav1.ObjectMeta) {
	if m.Annotations[Stranger] != "" {
		return
	}
	if _, users := w.objects.before[name]; !users {
		w.breaks("I13", "%s is left", name)
	}
	for _, entry := range m.ManagedFields {
		if entry.Manager == manager {
			w.breaks("I13", "an entry of %s is left among the managers of the fields of %s", manager, name)
		}
	}
	for key := range m.Annotations {
		if strings.HasPrefix(key, own) {
			w.breaks("I13", "annotation %s is left on %s", key, name)
		}
	}
	for key := range m.Labels {
		if strings.HasPrefix(key, own) {
			w.breaks("I13", "label %s is left on %s", key, name)
		}
	}
	if len(m.Finalizers) > 0 {
		w.breaks("I13", "finalizers %v are left on %s", m.Finalizers, name)
	}
}
