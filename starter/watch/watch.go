package watch

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/util/workqueue"

	"sluice.dev/sluice/starter/control"
	"sluice.dev/sluice/workflows"
)

// Control is the part of control.Client that the watcher uses.
type Control interface {
	Start(ctx context.Context, in workflows.Input, opts control.StartOptions) (control.Run, error)
	Input(ctx context.Context, run control.Run) (workflows.Input, error)
	Send(ctx context.Context, id string, verb workflows.Verb, m workflows.Message, opts control.SendOptions) (workflows.Answer, error)
	Status(ctx context.Context, id string) (control.Status, error)
	Watch(ctx context.Context, id string) iter.Seq2[control.Status, error]
}

// Options configure a Watcher.
type Options struct {
	// Kube and Dynamic reach the cluster; Control reaches Temporal.
	Kube    kubernetes.Interface
	Dynamic dynamic.Interface
	Control Control
	// Cluster is its name in workflow IDs.
	Cluster string
	// Namespaces to watch; all where empty.
	Namespaces []string
	// Class of the Rollouts that are ours, by label; where empty, those with no
	// class.
	Class string
	// Home is the namespace of the watcher's own objects: Lease and Secret.
	Home string
	// Identity tells replicas apart.
	Identity string
	// Hook is how the API server reaches the webhooks; nil serves none.
	Hook *Hook
	// Metrics may be nil.
	Metrics *Metrics
	Log     *slog.Logger
	// Now is the clock; time.Now where nil.
	Now func() time.Time
}

// Watcher follows Rollouts.
type Watcher struct {
	Options
	caches *caches
	queue  workqueue.TypedRateLimitingInterface[key]
	// synced says that the caches are filled.
	synced atomic.Bool
	// hooked says that the webhooks are served and known to the API server.
	hooked atomic.Bool
	// kruise says that a Kruise Rollouts controller runs beside us.
	kruise atomic.Bool

	mu        sync.Mutex
	followers map[key]*follower
	refusals  map[key]refusal // of the revision that is held, per Rollout
	told      map[key]telling // as events
	untold    []*corev1.Event // that could not be created
	stopped   context.Context // ends the followers
}

// key names one Rollout object, or, without a group, a workload that has none.
type key struct {
	group, namespace, name string
}

// String returns the key for people.
func (k key) String() string { return k.namespace + "/" + k.name }

// New returns a Watcher that watches nothing yet.
func New(o Options) *Watcher {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Metrics == nil {
		o.Metrics = NewMetrics()
	}
	o.Control = &circuit{Control: o.Control, now: o.Now}
	return &Watcher{
		Options: o,
		queue: workqueue.NewTypedRateLimitingQueue(workqueue.NewTypedItemExponentialFailureRateLimiter[key](
			100*time.Millisecond, 30*time.Second)),
		followers: map[key]*follower{},
		refusals:  map[key]refusal{},
		told:      map[key]telling{},
	}
}

// Ready says that the caches are filled and that the webhooks, if there are any,
// are served: what the API server asks is answered.
func (w *Watcher) Ready() bool { return w.synced.Load() && (w.Hook == nil || w.hooked.Load()) }

// workers is how many Rollouts are looked at at once.
const workers = 8

// Run watches until ctx ends. All replicas serve the webhooks; only the one with
// the lease acts. It returns an error where it cannot begin, or when it has lost
// the lease. What it knows of the cluster stays fresh until the last question of the
// API server is answered.
func (w *Watcher) Run(ctx context.Context) error {
	if err := w.checkKruise(ctx); err != nil {
		return err
	}
	fresh, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	begun := context.AfterFunc(ctx, end)
	if err := openCaches(fresh, w); err != nil {
		return err
	}
	if !begun() {
		return nil // it was told to stop meanwhile
	}
	w.synced.Store(true)
	return w.run(ctx)
}

// run does what a watcher does once its caches are filled.
func (w *Watcher) run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(errOver)
	hooked := make(chan error, 1)
	if w.Hook != nil {
		go func() { hooked <- w.Hook.serve(ctx, w) }()
	}
	beside := make(chan error, 1)
	go func() { beside <- w.lookForKruise(ctx) }()
	led := make(chan error, 1)
	go func() { led <- w.lead(ctx) }()
	w.Log.Info("watching", "cluster", w.Cluster, "groups", w.caches.groups(), "class", w.Class, "webhooks", w.Hook != nil)
	var ended error
	select {
	case <-ctx.Done():
	case err := <-hooked:
		hooked <- nil
		if err != nil {
			ended = fmt.Errorf("serving the webhooks: %w", err)
		}
	case ended = <-beside:
	case ended = <-led:
		led <- nil
	}
	cancel(errOver)
	// The lease is given back, so that another replica acts at once.
	<-led
	if w.Hook != nil {
		<-hooked
	}
	return ended
}

// act looks at Rollouts until ctx ends.
func (w *Watcher) act(ctx context.Context) {
	w.mu.Lock()
	w.stopped = ctx
	w.mu.Unlock()
	w.enqueueAll()
	var running sync.WaitGroup
	for range workers {
		running.Go(func() {
			wait.UntilWithContext(ctx, func(ctx context.Context) {
				for w.next(ctx) {
				}
			}, time.Second)
		})
	}
	running.Go(func() { w.retell(ctx) })
	<-ctx.Done()
	w.queue.ShutDown()
	running.Wait()
}

// enqueueAll looks at every Rollout and at every workload that has none.
func (w *Watcher) enqueueAll() {
	for _, k := range w.caches.keys() {
		w.queue.Add(k)
	}
	for _, d := range w.caches.labelled() {
		w.enqueueOrphan(d.Namespace, d.Name)
	}
}

// next looks at one Rollout; false when there will be no more.
func (w *Watcher) next(ctx context.Context) bool {
	k, down := w.queue.Get()
	if down {
		return false
	}
	defer w.queue.Done(k)
	again, err := w.reconcile(ctx, k)
	switch {
	case ctx.Err() != nil:
	case unreachable(err):
		// It is known at once, so that trying again costs nothing.
		w.queue.AddAfter(k, awayPause)
	case err != nil:
		if !expected(err) {
			w.Log.Warn("a Rollout is looked at again", "rollout", k.String(), "error", err)
		}
		w.queue.AddRateLimited(k)
	default:
		w.queue.Forget(k)
		if again > 0 {
			w.queue.AddAfter(k, again)
		}
	}
	return true
}

// errStale says that the cache is behind; the next event brings the news.
var errStale = errors.New("the cache is behind")
