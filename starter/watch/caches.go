package watch

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic/dynamicinformer"
	appsinformers "k8s.io/client-go/informers/apps/v1"
	"k8s.io/client-go/tools/cache"

	"sluice.dev/sluice/activities/release"
	"sluice.dev/sluice/config/kruise"
	own "sluice.dev/sluice/config/v1alpha1"
	"sluice.dev/sluice/deploy/crds"
)

// byWorkload finds Rollouts by namespace/kind/name of what they name.
const byWorkload = "workload"

// caches hold the Rollouts, and the workloads that carry our label.
type caches struct {
	rollouts  map[string][]cache.SharedIndexInformer // by group, one per namespace
	resources map[string]schema.GroupVersionResource
	workloads []cache.SharedIndexInformer
}

// versions of the groups, best first.
var versions = map[string][]string{kruise.Group: {"v1beta1", "v1alpha1"}, own.Group: {"v1alpha1"}}

// syncTimeout bounds the wait for the first lists.
const syncTimeout = 60 * time.Second

// openCaches begins to watch and returns when the caches are filled.
func openCaches(ctx context.Context, w *Watcher) error {
	c := &caches{rollouts: map[string][]cache.SharedIndexInformer{}, resources: map[string]schema.GroupVersionResource{}}
	namespaces := w.Namespaces
	if len(namespaces) == 0 {
		namespaces = []string{metav1.NamespaceAll}
	}
	for _, group := range crds.Groups {
		version, err := served(w.Kube.Discovery(), group)
		if err != nil {
			return err
		}
		if version == "" {
			continue
		}
		c.resources[group] = schema.GroupVersionResource{Group: group, Version: version, Resource: crds.Resource}
		for _, ns := range namespaces {
			informer := dynamicinformer.NewFilteredDynamicInformer(w.Dynamic, c.resources[group], ns, 0, cache.Indexers{byWorkload: workloadKeys}, nil).Informer()
			c.rollouts[group] = append(c.rollouts[group], informer)
		}
	}
	if len(c.resources) == 0 {
		return fmt.Errorf("the cluster knows no Rollouts: install their definitions with `sluice crds --install`")
	}
	labelled := func(o *metav1.ListOptions) {
		o.LabelSelector = release.LabelBypass + "=" + release.BypassValue(w.Class)
	}
	for _, ns := range namespaces {
		c.workloads = append(c.workloads, appsinformers.NewFilteredDeploymentInformer(w.Kube, ns, 0, cache.Indexers{}, labelled))
	}
	// The first events ask the caches whose they are.
	w.caches = c
	return c.start(ctx, w)
}

// served returns the version of Rollouts to read; empty where there is none.
func served(client discovery.DiscoveryInterface, group string) (string, error) {
	for _, version := range versions[group] {
		list, err := client.ServerResourcesForGroupVersion(group + "/" + version)
		if apierrors.IsNotFound(err) {
			continue
		}
		if err != nil {
			return "", fmt.Errorf("asking the API server for %s: %w", group, err)
		}
		if slices.ContainsFunc(list.APIResources, func(r metav1.APIResource) bool { return r.Name == crds.Resource }) {
			return version, nil
		}
	}
	return "", nil
}

func (c *caches) start(ctx context.Context, w *Watcher) error {
	var all []cache.SharedIndexInformer
	for group, informers := range c.rollouts {
		for _, informer := range informers {
			if _, err := informer.AddEventHandler(rolloutHandler(w, group)); err != nil {
				return fmt.Errorf("watching Rollouts: %w", err)
			}
			all = append(all, informer)
		}
	}
	for _, informer := range c.workloads {
		if err := informer.SetTransform(trimWorkload); err != nil {
			return fmt.Errorf("watching Deployments: %w", err)
		}
		if _, err := informer.AddEventHandler(handler(w.enqueueWorkload)); err != nil {
			return fmt.Errorf("watching Deployments: %w", err)
		}
		all = append(all, informer)
	}
	limited, cancel := context.WithTimeout(ctx, syncTimeout)
	defer cancel()
	for _, informer := range all {
		go informer.RunWithContext(ctx)
	}
	for _, informer := range all {
		if !cache.WaitForCacheSync(limited.Done(), informer.HasSynced) {
			return fmt.Errorf("listing Rollouts and Deployments: no answer within %s: may the watcher get, list and watch them?", syncTimeout)
		}
	}
	return nil
}

func handler(enqueue func(any)) cache.ResourceEventHandler {
	return cache.ResourceEventHandlerFuncs{
		AddFunc: enqueue, UpdateFunc: func(_, now any) { enqueue(now) }, DeleteFunc: enqueue,
	}
}

// rolloutHandler looks at what a Rollout named before an edit, too.
func rolloutHandler(w *Watcher, group string) cache.ResourceEventHandler {
	enqueue := func(obj any) { w.enqueueRollout(group, obj) }
	return cache.ResourceEventHandlerFuncs{
		AddFunc: enqueue, UpdateFunc: func(before, now any) { enqueue(before); enqueue(now) }, DeleteFunc: enqueue,
	}
}

// trimWorkload drops what nobody here reads.
func trimWorkload(obj any) (any, error) {
	if d, ok := obj.(*appsv1.Deployment); ok {
		d.ManagedFields = nil
		delete(d.Annotations, corev1.LastAppliedConfigAnnotation)
	}
	return obj, nil
}

// enqueueRollout looks at a Rollout and at those of the same workload: which of
// them has the workload may have changed.
func (w *Watcher) enqueueRollout(group string, obj any) {
	m := metaOf(obj)
	if m == nil {
		return
	}
	w.queue.Add(key{group, m.GetNamespace(), m.GetName()})
	if r, ok := m.(*unstructured.Unstructured); ok {
		kind, name := workloadRef(r)
		w.enqueueOf(r.GetNamespace(), kind, name)
	}
}

// enqueueOf looks at all Rollouts of a workload, and at a workload that has none.
func (w *Watcher) enqueueOf(namespace, kind, name string) {
	for _, r := range w.caches.of(namespace, kind, name) {
		w.queue.Add(keyOf(r))
	}
	if kind == "Deployment" {
		w.enqueueOrphan(namespace, name)
	}
}

func (w *Watcher) enqueueWorkload(obj any) {
	m := metaOf(obj)
	if m == nil {
		return
	}
	w.enqueueOf(m.GetNamespace(), "Deployment", m.GetName())
}

func metaOf(obj any) metav1.Object {
	if gone, ok := obj.(cache.DeletedFinalStateUnknown); ok {
		obj = gone.Obj
	}
	m, _ := obj.(metav1.Object)
	return m
}

func keyOf(r *unstructured.Unstructured) key {
	return key{r.GroupVersionKind().Group, r.GetNamespace(), r.GetName()}
}

// workloadKeys indexes a Rollout by its workload, in the form of any version.
func workloadKeys(obj any) ([]string, error) {
	r, ok := obj.(*unstructured.Unstructured)
	if !ok {
		return nil, nil
	}
	kind, name := workloadRef(r)
	return []string{r.GetNamespace() + "/" + kind + "/" + name}, nil
}

// workloadRef returns kind and name of the workload that a Rollout names.
func workloadRef(r *unstructured.Unstructured) (kind, name string) {
	for _, path := range [][]string{{"spec", "workloadRef"}, {"spec", "objectRef", "workloadRef"}} {
		if ref, ok, _ := unstructured.NestedStringMap(r.Object, path...); ok {
			return ref["kind"], ref["name"]
		}
	}
	return "", ""
}

// of returns the Rollouts of a workload, the oldest first.
func (c *caches) of(namespace, kind, name string) []*unstructured.Unstructured {
	var found []*unstructured.Unstructured
	for _, informers := range c.rollouts {
		for _, informer := range informers {
			objects, _ := informer.GetIndexer().ByIndex(byWorkload, namespace+"/"+kind+"/"+name)
			for _, o := range objects {
				if r, ok := o.(*unstructured.Unstructured); ok {
					found = append(found, r)
				}
			}
		}
	}
	slices.SortFunc(found, older)
	return found
}

// older orders Rollouts by age, then by name, then by group.
func older(a, b *unstructured.Unstructured) int {
	return cmp.Or(
		a.GetCreationTimestamp().Compare(b.GetCreationTimestamp().Time),
		cmp.Compare(a.GetName(), b.GetName()), cmp.Compare(keyOf(a).group, keyOf(b).group))
}

// rollout returns a copy of a Rollout; nil where there is none.
func (c *caches) rollout(k key) *unstructured.Unstructured {
	for _, informer := range c.rollouts[k.group] {
		if obj, ok, _ := informer.GetIndexer().GetByKey(k.namespace + "/" + k.name); ok {
			if r, ok := obj.(*unstructured.Unstructured); ok {
				return r.DeepCopy()
			}
		}
	}
	return nil
}

// workload returns a labelled Deployment; nil where there is none.
func (c *caches) workload(namespace, name string) *appsv1.Deployment {
	for _, informer := range c.workloads {
		if obj, ok, _ := informer.GetIndexer().GetByKey(namespace + "/" + name); ok {
			if d, ok := obj.(*appsv1.Deployment); ok {
				return d
			}
		}
	}
	return nil
}

// keys of all Rollouts.
func (c *caches) keys() []key {
	var keys []key
	for _, informers := range c.rollouts {
		for _, informer := range informers {
			for _, obj := range informer.GetStore().List() {
				if r, ok := obj.(*unstructured.Unstructured); ok {
					keys = append(keys, keyOf(r))
				}
			}
		}
	}
	return keys
}

// knowRollouts says that all Rollouts are in the caches.
func (c *caches) knowRollouts() bool {
	for _, informers := range c.rollouts {
		if slices.ContainsFunc(informers, func(i cache.SharedIndexInformer) bool { return !i.HasSynced() }) {
			return false
		}
	}
	return true
}

// labelled returns all Deployments that carry our label.
func (c *caches) labelled() []*appsv1.Deployment {
	var found []*appsv1.Deployment
	for _, informer := range c.workloads {
		for _, obj := range informer.GetStore().List() {
			if d, ok := obj.(*appsv1.Deployment); ok {
				found = append(found, d)
			}
		}
	}
	return found
}

// groups that are watched.
func (c *caches) groups() []string {
	var groups []string
	for _, group := range crds.Groups {
		if _, ok := c.resources[group]; ok {
			groups = append(groups, group)
		}
	}
	return groups
}
