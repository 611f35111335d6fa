package kube

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
)

// defaultSyncTimeout is how long Start waits for the first lists: long enough
// for an API server that has just been restarted.
const defaultSyncTimeout = 30 * time.Second

// Options configure a Cluster.
type Options struct {
	// Client of the cluster.
	Client kubernetes.Interface
	// Namespaces to watch; all where empty. With a list the worker needs no
	// cluster-wide rights.
	Namespaces []string
	// SyncTimeout bounds the wait of Start; 30 s where zero.
	SyncTimeout time.Duration
	// Logger for trouble with watches; slog.Default where nil.
	Logger *slog.Logger
}

// Cluster is a cached view of one cluster and the way to write to it. Make it
// with New, and Start it before use. It is safe for use by many goroutines.
type Cluster struct {
	client      kubernetes.Interface
	log         *slog.Logger
	syncTimeout time.Duration
	views       map[string]*view
	hub         *hub

	mu    sync.Mutex
	fails map[string]error
	stop  context.CancelFunc
}

// view is the cache of one namespace, or of all (key corev1.NamespaceAll).
type view struct {
	factory informers.SharedInformerFactory
	watched []watched
}

// watched is one informer with the name by which people know its resource.
type watched struct {
	resource string
	informer cache.SharedIndexInformer
}

// New returns a Cluster that watches nothing yet.
func New(opts Options) *Cluster {
	c := &Cluster{
		client:      opts.Client,
		log:         opts.Logger,
		syncTimeout: opts.SyncTimeout,
		views:       map[string]*view{},
		hub:         newHub(),
		fails:       map[string]error{},
	}
	if c.log == nil {
		c.log = slog.Default()
	}
	if c.syncTimeout <= 0 {
		c.syncTimeout = defaultSyncTimeout
	}
	namespaces := opts.Namespaces
	if len(namespaces) == 0 {
		namespaces = []string{corev1.NamespaceAll}
	}
	for _, ns := range namespaces {
		c.views[ns] = newView(opts.Client, ns)
	}
	return c
}

// Client returns the typed client, for the rare read that must be live and for
// what this package has no helper for.
func (c *Cluster) Client() kubernetes.Interface { return c.client }

// Watches reports whether the namespace is in the cache.
func (c *Cluster) Watches(namespace string) bool { return c.view(namespace) != nil }

// Start begins to watch and returns when every cache is filled. The watches end
// with ctx or Stop. The error names each resource that could not be listed, and
// the rights that are missing. It is called once.
func (c *Cluster) Start(ctx context.Context) error {
	ctx, c.stop = context.WithCancel(ctx)
	for ns, v := range c.views {
		for _, w := range v.watched {
			if err := c.attach(ns, w); err != nil {
				return err
			}
		}
		v.factory.StartWithContext(ctx)
	}
	if err := c.waitForSync(ctx); err != nil {
		c.stop()
		return err
	}
	return nil
}

// Stop ends the watches of a started Cluster and waits until they have ended.
func (c *Cluster) Stop() {
	c.stop()
	for _, v := range c.views {
		v.factory.Shutdown()
	}
}

// attach connects an informer with the hub and with the record of failures.
func (c *Cluster) attach(namespace string, w watched) error {
	key := w.resource + "|" + namespace
	err := w.informer.SetWatchErrorHandlerWithContext(func(_ context.Context, _ *cache.Reflector, err error) {
		c.noteFailure(key, err)
		c.log.Warn("watching is interrupted, it will be tried again", "resource", w.resource, "namespace", namespace, "error", err)
	})
	if err != nil {
		return fmt.Errorf("preparing the watch of %s: %w", w.resource, err)
	}
	if _, err := w.informer.AddEventHandler(c.hub.handler()); err != nil {
		return fmt.Errorf("preparing the watch of %s: %w", w.resource, err)
	}
	return nil
}

// waitForSync waits until all caches are filled, the timeout or the end of ctx.
func (c *Cluster) waitForSync(ctx context.Context) error {
	limited, cancel := context.WithTimeout(ctx, c.syncTimeout)
	defer cancel()
	var missing []error
	for ns, v := range c.views {
		for _, w := range v.watched {
			if !cache.WaitForCacheSync(limited.Done(), w.informer.HasSynced) {
				missing = append(missing, c.syncError(w.resource, ns))
			}
		}
	}
	slices.SortFunc(missing, func(a, b error) int { return compare(a.Error(), b.Error()) })
	return errors.Join(missing...)
}

// syncError says why a resource could not be listed and what to do.
func (c *Cluster) syncError(resource, namespace string) error {
	scope := "in all namespaces"
	if namespace != corev1.NamespaceAll {
		scope = "in namespace " + namespace
	}
	cause := c.failure(resource + "|" + namespace)
	if cause == nil {
		return fmt.Errorf("listing %s %s: no answer from the API server within %s", resource, scope, c.syncTimeout)
	}
	if remedy := listRemedy(cause, resource, scope); remedy != "" {
		return fmt.Errorf("listing %s %s: %w (%s)", resource, scope, cause, remedy)
	}
	return fmt.Errorf("listing %s %s: %w", resource, scope, cause)
}

func (c *Cluster) noteFailure(key string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fails[key] = err
}

func (c *Cluster) failure(key string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.fails[key]
}

// view returns the cache that holds a namespace, nil if none does.
func (c *Cluster) view(namespace string) *view {
	if v, ok := c.views[namespace]; ok {
		return v
	}
	return c.views[corev1.NamespaceAll]
}
