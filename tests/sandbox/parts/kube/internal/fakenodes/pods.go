package fakenodes

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	clientset "k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/ptr"
)

// workers is how many requests run at once; beyond it the API server is the limit.
const workers = 16

// pods makes the pods on fake nodes ready, and ends those that are deleted.
type pods struct {
	client    clientset.Interface
	addresses *addresses
	informer  cache.SharedIndexInformer
	queue     workqueue.TypedRateLimitingInterface[string]
}

func newPods(client clientset.Interface, a *addresses) *pods {
	// A field selector cannot list names, so all pods that have a node come by.
	factory := informers.NewSharedInformerFactoryWithOptions(client, 0, informers.WithTweakListOptions(func(o *metav1.ListOptions) {
		o.FieldSelector = fields.OneTermNotEqualSelector("spec.nodeName", "").String()
	}))
	limiter := workqueue.NewTypedItemExponentialFailureRateLimiter[string](10*time.Millisecond, 10*time.Second)
	return &pods{
		client: client, addresses: a,
		informer: factory.Core().V1().Pods().Informer(),
		queue:    workqueue.NewTypedRateLimitingQueue[string](limiter),
	}
}

// run works until ctx ends.
func (p *pods) run(ctx context.Context) error {
	enqueue := func(obj any) {
		if pod, ok := obj.(*v1.Pod); ok && isFake(pod) {
			p.queue.Add(pod.Namespace + "/" + pod.Name)
		}
	}
	_, err := p.informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    enqueue,
		UpdateFunc: func(_, obj any) { enqueue(obj) },
		DeleteFunc: p.deleted,
	})
	if err != nil {
		return fmt.Errorf("watching pods: %w", err)
	}
	go p.informer.Run(ctx.Done())
	if !cache.WaitForCacheSync(ctx.Done(), p.informer.HasSynced) {
		return nil
	}
	var group sync.WaitGroup
	for range workers {
		group.Go(func() {
			for p.next(ctx) {
			}
		})
	}
	<-ctx.Done()
	p.queue.ShutDown()
	group.Wait()
	return nil
}

// isFake tells whether the pod is on one of our nodes.
func isFake(pod *v1.Pod) bool {
	return strings.HasPrefix(pod.Spec.NodeName, nodePrefix)
}

func (p *pods) deleted(obj any) {
	if gone, ok := obj.(cache.DeletedFinalStateUnknown); ok {
		obj = gone.Obj
	}
	if pod, ok := obj.(*v1.Pod); ok && isFake(pod) {
		p.addresses.free(pod.UID)
	}
}

func (p *pods) next(ctx context.Context) bool {
	key, shutdown := p.queue.Get()
	if shutdown {
		return false
	}
	defer p.queue.Done(key)
	if err := p.sync(ctx, key); err != nil && ctx.Err() == nil {
		slog.Error("cannot play a pod", "pod", key, "error", err)
		p.queue.AddRateLimited(key)
		return true
	}
	p.queue.Forget(key)
	return true
}

// sync brings one pod to where it should be.
func (p *pods) sync(ctx context.Context, key string) error {
	obj, exists, err := p.informer.GetStore().GetByKey(key)
	if err != nil {
		return fmt.Errorf("reading pod %s: %w", key, err)
	}
	if !exists {
		return nil
	}
	pod := obj.(*v1.Pod)
	client := p.client.CoreV1().Pods(pod.Namespace)
	switch {
	case pod.DeletionTimestamp != nil:
		err = client.Delete(ctx, pod.Name, metav1.DeleteOptions{
			GracePeriodSeconds: ptr.To[int64](0), Preconditions: metav1.NewUIDPreconditions(string(pod.UID)),
		})
	case pod.Status.Phase == v1.PodPending || pod.Status.Phase == "":
		var patch []byte
		if patch, err = p.readyPatch(pod); err == nil {
			_, err = client.Patch(ctx, pod.Name, types.StrategicMergePatchType, patch, metav1.PatchOptions{}, "status")
		}
	default:
		p.addresses.keep(pod.UID, pod.Status.PodIP)
	}
	if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
		return fmt.Errorf("playing pod %s: %w", key, err)
	}
	return nil
}
