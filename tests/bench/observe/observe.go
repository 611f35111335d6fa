// Package observe notes when objects of the cluster change, as a watch tells it.
package observe

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/dynamic/dynamicinformer"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
)

// The annotations of a canary Ingress.
const (
	annotationCanary = "nginx.ingress.kubernetes.io/canary"
	annotationWeight = "nginx.ingress.kubernetes.io/canary-weight"
)

// Gone is the value of an object that was deleted.
const Gone = "gone"

// Event is one change of what is observed of an object.
type Event struct {
	// At is when the watch told it.
	At time.Time
	// Key of the object, namespace/name.
	Key string
	// Value since then.
	Value string
}

// Observer notes the changes of one value of many objects. It is safe for
// concurrent use.
type Observer struct {
	value func(obj runtime.Object) (string, bool)

	mu      sync.Mutex
	last    map[string]string
	events  []Event
	changed chan struct{}
}

// Weights observes the weights of canary Ingresses, until ctx ends: as text, ""
// where there is none.
func Weights(ctx context.Context, kube kubernetes.Interface) (*Observer, error) {
	o := newObserver(func(obj runtime.Object) (string, bool) {
		ingress, ok := obj.(*networkingv1.Ingress)
		if !ok || ingress.Annotations[annotationCanary] != "true" {
			return "", false
		}
		return ingress.Annotations[annotationWeight], true
	})
	informer := informers.NewSharedInformerFactory(kube, 0).Networking().V1().Ingresses().Informer()
	return o, o.follow(ctx, informer)
}

// Images observes the image of the first container of Deployments.
func Images(ctx context.Context, kube kubernetes.Interface) (*Observer, error) {
	return deployments(ctx, kube, func(d *appsv1.Deployment) string {
		return d.Spec.Template.Spec.Containers[0].Image
	})
}

// Generations observes the generations of Deployments: the changes of their
// specifications.
func Generations(ctx context.Context, kube kubernetes.Interface) (*Observer, error) {
	return deployments(ctx, kube, func(d *appsv1.Deployment) string { return strconv.FormatInt(d.Generation, 10) })
}

// Pods observes that pods come and go: each with the name of its node, "" before
// it has one.
func Pods(ctx context.Context, kube kubernetes.Interface, namespace string) (*Observer, error) {
	o := newObserver(func(obj runtime.Object) (string, bool) {
		pod, ok := obj.(*corev1.Pod)
		if !ok {
			return "", false
		}
		return pod.Spec.NodeName, true
	})
	factory := informers.NewSharedInformerFactoryWithOptions(kube, 0, informers.WithNamespace(namespace))
	return o, o.follow(ctx, factory.Core().V1().Pods().Informer())
}

// Rollouts observes where Rollout objects of a resource stand, by phase and state
// of the step.
func Rollouts(ctx context.Context, client dynamic.Interface, resource schema.GroupVersionResource, namespace string) (*Observer, error) {
	o := newObserver(func(obj runtime.Object) (string, bool) {
		r, ok := obj.(*unstructured.Unstructured)
		if !ok {
			return "", false
		}
		phase, _, _ := unstructured.NestedString(r.Object, "status", "phase")
		state, _, _ := unstructured.NestedString(r.Object, "status", "currentStepState")
		return phase + " " + state, true
	})
	factory := dynamicinformer.NewFilteredDynamicSharedInformerFactory(client, 0, namespace, nil)
	return o, o.follow(ctx, factory.ForResource(resource).Informer())
}

func deployments(ctx context.Context, kube kubernetes.Interface, value func(*appsv1.Deployment) string) (*Observer, error) {
	o := newObserver(func(obj runtime.Object) (string, bool) {
		d, ok := obj.(*appsv1.Deployment)
		if !ok {
			return "", false
		}
		return value(d), true
	})
	informer := informers.NewSharedInformerFactory(kube, 0).Apps().V1().Deployments().Informer()
	return o, o.follow(ctx, informer)
}

func newObserver(value func(obj runtime.Object) (string, bool)) *Observer {
	return &Observer{value: value, last: map[string]string{}, changed: make(chan struct{})}
}

// follow starts to watch, and returns when what is there is known.
func (o *Observer) follow(ctx context.Context, informer cache.SharedIndexInformer) error {
	registration, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(obj any) { o.see(obj, false) },
		UpdateFunc: func(_, obj any) { o.see(obj, false) },
		DeleteFunc: func(obj any) { o.see(obj, true) },
	})
	if err != nil {
		return fmt.Errorf("observing the cluster: %w", err)
	}
	go informer.RunWithContext(ctx)
	if !cache.WaitForCacheSync(ctx.Done(), registration.HasSynced) {
		return fmt.Errorf("observing the cluster: %w", ctx.Err())
	}
	return nil
}

func (o *Observer) see(obj any, deleted bool) {
	now := time.Now()
	if unknown, ok := obj.(cache.DeletedFinalStateUnknown); ok {
		obj = unknown.Obj
	}
	object, ok := obj.(interface {
		runtime.Object
		metav1.Object
	})
	if !ok {
		return
	}
	value, ok := o.value(object)
	if !ok {
		return
	}
	if deleted {
		value = Gone
	}
	o.note(Event{At: now, Key: object.GetNamespace() + "/" + object.GetName(), Value: value})
}

func (o *Observer) note(e Event) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if last, known := o.last[e.Key]; known && last == e.Value {
		return
	}
	o.last[e.Key] = e.Value
	o.events = append(o.events, e)
	close(o.changed)
	o.changed = make(chan struct{})
}

// Mark returns the number of events so far, to look from there on.
func (o *Observer) Mark() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.events)
}

// Since returns the events from a mark on, and a channel that is closed at the
// next one.
func (o *Observer) Since(mark int) ([]Event, <-chan struct{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.events[mark:len(o.events):len(o.events)], o.changed
}

// Await returns the first event from a mark on that fits, or an error that says
// what was waited for when ctx ends.
func (o *Observer) Await(ctx context.Context, what string, mark int, fits func(Event) bool) (Event, error) {
	for {
		events, changed := o.Since(mark)
		for _, e := range events {
			if fits(e) {
				return e, nil
			}
		}
		mark += len(events)
		select {
		case <-changed:
		case <-ctx.Done():
			return Event{}, fmt.Errorf("waiting until %s: %w", what, ctx.Err())
		}
	}
}

// Is fits events of one object with one value.
func Is(key, value string) func(Event) bool {
	return func(e Event) bool { return e.Key == key && e.Value == value }
}
