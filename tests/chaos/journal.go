package chaos

import (
	"fmt"
	"strconv"
	"sync"

	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes/scheme"
)

// journal keeps every version of every object, so that a watch can begin at any
// version, as those of the API server do: client-go's fake one begins whenever
// it is opened, and a cache that is filled while things happen would miss some.
type journal struct {
	mu      sync.Mutex
	entries []entry
	change  chan struct{}
}

type entry struct {
	version             int64
	resource, namespace string
	event               watch.Event
}

func newJournal() *journal { return &journal{change: make(chan struct{})} }

// add takes a version; versions come in their order.
func (j *journal) add(event watch.EventType, obj runtime.Object) {
	m, _ := obj.(metav1.Object)
	j.mu.Lock()
	defer j.mu.Unlock()
	j.entries = append(j.entries, entry{versionOf(m.GetResourceVersion()), resourceOf(obj), m.GetNamespace(), watch.Event{Type: event, Object: obj}})
	close(j.change)
	j.change = make(chan struct{})
}

// version is the latest one.
func (j *journal) version() int64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.entries) == 0 {
		return 0
	}
	return j.entries[len(j.entries)-1].version
}

func versionOf(text string) int64 {
	n, _ := strconv.ParseInt(text, 10, 64)
	return n
}

// resourceOf names the kind of an object as the API does.
func resourceOf(obj runtime.Object) string {
	kinds, _, err := scheme.Scheme.ObjectKinds(obj)
	if err != nil {
		return fmt.Sprintf("%T", obj)
	}
	plural, _ := apimeta.UnsafeGuessKindToResource(kinds[0])
	return plural.Resource
}

// follow opens a watch of one resource after a version. It ends with Stop, or
// when gone is closed.
func (j *journal) follow(resource, namespace string, after int64, gone <-chan struct{}) watch.Interface {
	f := &following{results: make(chan watch.Event), stopped: make(chan struct{})}
	go func() {
		defer close(f.results)
		for next := 0; ; {
			j.mu.Lock()
			fresh, change := j.entries[next:], j.change
			next = len(j.entries)
			j.mu.Unlock()
			for _, e := range fresh {
				if e.version <= after || e.resource != resource || namespace != "" && e.namespace != namespace {
					continue
				}
				select {
				case f.results <- watch.Event{Type: e.event.Type, Object: e.event.Object.DeepCopyObject()}:
				case <-f.stopped:
					return
				case <-gone:
					return
				}
			}
			select {
			case <-change:
			case <-f.stopped:
				return
			case <-gone:
				return
			}
		}
	}()
	return f
}

type following struct {
	once    sync.Once
	results chan watch.Event
	stopped chan struct{}
}

// Stop ends the watch.
func (f *following) Stop() { f.once.Do(func() { close(f.stopped) }) }

// ResultChan returns the events.
func (f *following) ResultChan() <-chan watch.Event { return f.results }
