// Package cluster is a Kubernetes cluster in memory in which things take time:
// the API of package kubetest, with controllers of Deployments, ReplicaSets,
// pods and EndpointSlices that react late, pods that become ready after a while
// and that end when they are told to. It knows which pod answers requests at
// which moment. All delays are timers of Go's runtime, for bubbles of
// testing/synctest.
package cluster

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	scalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	netv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"

	"sluice.dev/sluice/activities/kube/kubetest"
)

// Delays are how long things take.
type Delays struct {
	// React is how late a controller sees a change.
	React time.Duration
	// PodReady is from the creation of a pod to its first answer.
	PodReady time.Duration
	// PodGone is from the order to stop a pod until its object is gone.
	PodGone time.Duration
	// PodAnswers is how long a pod goes on to answer after that order; with zero
	// it dies at once, like an application without handling of SIGTERM.
	PodAnswers time.Duration
	// Publish is how late EndpointSlices follow the pods.
	Publish time.Duration
}

// Cluster is the API and its controllers. Make it with New.
type Cluster struct {
	*kubetest.Server
	delays Delays

	mu      sync.Mutex
	objects map[string]runtime.Object // latest version by kind/namespace/name
	pods    map[types.UID]*life
	byIP    map[string]*life
	watches []func(watch.EventType, runtime.Object)
	orders  []func(*corev1.Pod)
	dirty   chan struct{}
	ips     int
	// repacking says that endpoints stand in two EndpointSlices.
	repacking atomic.Bool
	// kubelet lets one thing at a time happen to pods.
	kubelet sync.Mutex
}

// life is what is known of one pod.
type life struct {
	created, ready, stopped time.Time
	name, image             string
}

// New returns a cluster without objects. Run starts its controllers.
func New(delays Delays) *Cluster {
	c := &Cluster{
		Server: kubetest.New(), delays: delays, objects: map[string]runtime.Object{},
		pods: map[types.UID]*life{}, byIP: map[string]*life{}, dirty: make(chan struct{}, 1),
	}
	c.Managers = true
	c.Freeze() // the controllers of kubetest, which know no delay
	c.Observe = c.observe
	return c
}

// Watch tells every version of every object, in their order, from now on. It is
// called while the API is locked: tell must not call back.
func (c *Cluster) Watch(tell func(watch.EventType, runtime.Object)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.watches = append(c.watches, tell)
}

// WatchOrders tells of every pod that is told to stop, at that moment and before
// anything else happens to it.
func (c *Cluster) WatchOrders(tell func(*corev1.Pod)) { c.orders = append(c.orders, tell) }

func (c *Cluster) observe(event watch.EventType, obj runtime.Object) {
	c.mu.Lock()
	if event == watch.Deleted {
		delete(c.objects, key(obj))
	} else {
		c.objects[key(obj)] = obj
	}
	watches := c.watches
	c.mu.Unlock()
	for _, tell := range watches {
		tell(event, obj)
	}
	if _, service := obj.(*corev1.Service); service && event != watch.Deleted {
		c.publishLater()
	}
	c.stir()
}

// stir wakes the controllers.
func (c *Cluster) stir() {
	select {
	case c.dirty <- struct{}{}:
	default:
	}
}

// Run runs the controllers until ctx ends.
func (c *Cluster) Run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.dirty:
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(c.delays.React):
		}
		c.reconcile(ctx)
	}
}

// reconcile lets every controller look once; what they write wakes them again.
func (c *Cluster) reconcile(ctx context.Context) {
	c.collect()
	for _, d := range list[*appsv1.Deployment](c) {
		c.deploy(d)
	}
	for _, rs := range list[*appsv1.ReplicaSet](c) {
		c.scale(rs)
	}
	for _, d := range list[*appsv1.Deployment](c) {
		c.report(ctx, d)
	}
}

// collect deletes what has lost its controller.
func (c *Cluster) collect() {
	alive := map[types.UID]bool{}
	for _, d := range list[*appsv1.Deployment](c) {
		alive[d.UID] = true
	}
	for _, rs := range list[*appsv1.ReplicaSet](c) {
		if owner := metav1.GetControllerOf(rs); owner != nil && !alive[owner.UID] {
			c.Delete(rs)
			continue
		}
		alive[rs.UID] = true
	}
	for _, p := range list[*corev1.Pod](c) {
		if owner := metav1.GetControllerOf(p); owner != nil && !alive[owner.UID] {
			c.stop(p)
		}
	}
	services := map[string]bool{}
	for _, s := range list[*corev1.Service](c) {
		services[s.Namespace+"/"+s.Name] = true
	}
	for _, e := range list[*discoveryv1.EndpointSlice](c) {
		if !services[e.Namespace+"/"+e.Labels[discoveryv1.LabelServiceName]] {
			c.Delete(e)
		}
	}
}

// key names an object in the mirror of the API.
func key(obj runtime.Object) string {
	m, _ := obj.(metav1.Object) // every object here has it
	return fmt.Sprintf("%T/%s/%s", obj, m.GetNamespace(), m.GetName())
}

// list returns copies of the objects of one kind.
func list[T runtime.Object](c *Cluster) []T {
	c.mu.Lock()
	defer c.mu.Unlock()
	var found []T
	for _, obj := range c.objects {
		if typed, ok := obj.(T); ok {
			copied, _ := typed.DeepCopyObject().(T)
			found = append(found, copied)
		}
	}
	sortByName(found)
	return found
}

// Deployments, Services, Ingresses and Slices are the present objects.
func (c *Cluster) Deployments() []*appsv1.Deployment { return list[*appsv1.Deployment](c) }

// Services are the present Services.
func (c *Cluster) Services() []*corev1.Service { return list[*corev1.Service](c) }

// Ingresses are the present Ingresses.
func (c *Cluster) Ingresses() []*netv1.Ingress { return list[*netv1.Ingress](c) }

// Budgets are the present PodDisruptionBudgets.
func (c *Cluster) Budgets() []*policyv1.PodDisruptionBudget {
	return list[*policyv1.PodDisruptionBudget](c)
}

// Autoscalers are the present HorizontalPodAutoscalers.
func (c *Cluster) Autoscalers() []*scalingv2.HorizontalPodAutoscaler {
	return list[*scalingv2.HorizontalPodAutoscaler](c)
}

// Slices are the present EndpointSlices.
func (c *Cluster) Slices() []*discoveryv1.EndpointSlice { return list[*discoveryv1.EndpointSlice](c) }

// Pods are the present pods.
func (c *Cluster) Pods() []*corev1.Pod { return list[*corev1.Pod](c) }
