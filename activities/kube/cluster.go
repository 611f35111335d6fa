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
		c.views[ns] = newView(opts.Client, ns, c.noteFailure)
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
	for _, v := range c.views {
		for resource, informer := range v.informers {
			if err := c.attach(v.namespace, resource, informer); err != nil {
				return err
			}
		}
		v.run(ctx)
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
		v.running.Wait()
	}
}

// attach prepares an informer: what it keeps, whom it wakes, whom it tells of
// failures.
func (c *Cluster) attach(namespace, resource string, informer cache.SharedIndexInformer) error {
	_, err := informer.AddEventHandler(c.hub.handler())
	err = errors.Join(err,
		informer.SetTransform(trim),
		informer.SetWatchErrorHandlerWithContext(func(_ context.Context, _ *cache.Reflector, err error) {
			c.noteFailure(resource, namespace, err)
		}))
	if err != nil {
		return fmt.Errorf("preparing the watch of %s: %w", resource, err)
	}
	return nil
}

// waitForSync waits until all caches are filled, the timeout or the end of ctx.
func (c *Cluster) waitForSync(ctx context.Context) error {
	limited, cancel := context.WithTimeout(ctx, c.syncTimeout)
	defer cancel()
	var missing []error
	for ns, v := range c.views {
		for resource, informer := range v.informers {
			if !cache.WaitForCacheSync(limited.Done(), informer.HasSynced) {
				missing = append(missing, c.syncError(resource, ns))
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

// noteFailure remembers why a resource cannot be watched, for the error of Start,
// and says so.
func (c *Cluster) noteFailure(resource, namespace string, err error) {
	c.mu.Lock()
	c.fails[resource+"|"+namespace] = err
	c.mu.Unlock()
	c.log.Warn("watching is interrupted, it will be tried again", "resource", resource, "namespace", namespace, "error", err)
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
