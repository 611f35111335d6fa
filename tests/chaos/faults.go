package chaos

import (
	"slices"
	"strconv"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"sluice.dev/sluice/activities/kube/kubetest"
)

// Fault is what happens at one write of a run.
type Fault string

// The faults. The first ones are about the process that writes, then about the
// API, then about what others do at that moment.
const (
	// None is a run in which nothing happens.
	None Fault = "none"
	// CrashBefore: the worker dies before it sends the write.
	CrashBefore Fault = "crash-before"
	// CrashSent: it dies when the write has been done, without knowing.
	CrashSent Fault = "crash-sent"
	// CrashLate: it dies, and the write is done much later, when another worker
	// has gone on.
	CrashLate Fault = "crash-late"
	// CrashAfter: it dies when it knows the outcome.
	CrashAfter Fault = "crash-after"
	// CrashConfirm: it dies while it waits for the consequences.
	CrashConfirm Fault = "crash-confirm"
	// Conflict: somebody else has written to the object just before, or, where it
	// is to be created, has an object of that name.
	Conflict Fault = "conflict"
	// TimeoutApplied: the write is done, the answer is a timeout.
	TimeoutApplied Fault = "timeout-applied"
	// TimeoutLost: the write is not done, the answer is a timeout.
	TimeoutLost Fault = "timeout-lost"
	// Duplicate: the activity is taken for dead and runs twice at once.
	Duplicate Fault = "duplicate"
	// Freeze: one replica of the gateway sees nothing new for 30 s.
	Freeze Fault = "freeze"
	// Abort: a person aborts.
	Abort Fault = "abort"
	// AbortLate: the answer is a timeout, a person aborts, and the write is done
	// much later, when the way back is under way or over. Creates are done at once.
	AbortLate Fault = "abort-late"
	// CreateLate: the same for creates, since nothing can keep the API from making an
	// object whose name is free. What comes after the end is left to a repair, as a
	// janitor starts one.
	CreateLate Fault = "create-late"
	// Revise: a person asks for another revision.
	Revise Fault = "revise"
	// Double: a HorizontalPodAutoscaler doubles the workload.
	Double Fault = "double"
	// Repair: the workflow is terminated, and a repair is started.
	Repair Fault = "repair"
	// PodLost: a pod of canary is lost between the operation that has found all of
	// them ready and the next change of the route.
	PodLost Fault = "pod-lost"
	// Repack: every endpoint stands in two EndpointSlices for a while, of which the
	// second one is late, as while their controller packs them anew.
	Repack Fault = "repack"
	// Unroute: somebody deletes the canary Ingress.
	Unroute Fault = "unroute"
	// Reweigh: somebody edits its weight.
	Reweigh Fault = "reweigh"
	// Grow: somebody scales the canary up.
	Grow Fault = "grow"
	// Widen: a tool puts the selector of the user's Service back, as its repository
	// has it.
	Widen Fault = "widen"
)

// Drifts are the faults by which somebody changes an object of the rollout.
var Drifts = []Fault{Unroute, Reweigh, Grow, Widen}

// Faults are all of them, but None.
var Faults = []Fault{
	CrashBefore, CrashSent, CrashLate, CrashAfter, CrashConfirm, Conflict, TimeoutApplied, TimeoutLost, Duplicate,
	Freeze, Abort, AbortLate, Revise, Double, Repair, PodLost, Repack, CreateLate,
}

// How long the things take that faults are made of.
const (
	late       = 7 * time.Second
	restarting = time.Second
	freezing   = 30 * time.Second
	latest     = 40 * time.Second
	repacking  = 20 * time.Second
)

// client returns the API as one worker sees it: through a link that can be cut.
func (s *sim) client(w *workerProcess) *fake.Clientset {
	c := &fake.Clientset{}
	c.AddReactor("*", "*", func(a clienttesting.Action) (bool, runtime.Object, error) {
		select {
		case <-w.link.Gone():
			return true, nil, refused()
		default:
		}
		s.use(a)
		if writes(a) {
			obj, err := s.write(w, a)
			return true, obj, err
		}
		return s.read(a)
	})
	c.AddWatchReactor("*", func(a clienttesting.Action) (bool, watch.Interface, error) {
		after := int64(0)
		if opened, ok := a.(clienttesting.WatchActionImpl); ok {
			after = versionOf(opened.ListOptions.ResourceVersion)
		}
		s.use(a)
		return true, s.journal.follow(a.GetResource().Resource, a.GetNamespace(), after, w.link.Gone()), nil
	})
	return c
}

// use notes the right that a request needs.
func (s *sim) use(a clienttesting.Action) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used[kubetest.Use(a)] = true
}

// read passes a request on. A list names the version from which on a watch tells
// everything that it does not have.
func (s *sim) read(a clienttesting.Action) (bool, runtime.Object, error) {
	before := s.journal.version()
	obj, err := s.cluster.Invokes(a, nil)
	if list, listErr := apimeta.ListAccessor(obj); a.GetVerb() == "list" && listErr == nil && err == nil {
		list.SetResourceVersion(strconv.FormatInt(before, 10))
	}
	return true, obj, err
}

// refused is the error of a connection that does not come about.
func refused() error { return apierrors.NewServiceUnavailable("connection refused") }

// writes says whether a request changes something.
func writes(a clienttesting.Action) bool {
	var dry []string
	switch action := a.(type) {
	case clienttesting.CreateActionImpl:
		dry = action.CreateOptions.DryRun
	case clienttesting.UpdateActionImpl:
		dry = action.UpdateOptions.DryRun
	case clienttesting.PatchActionImpl:
		dry = action.PatchOptions.DryRun
	}
	return slices.Contains([]string{"create", "update", "patch", "delete"}, a.GetVerb()) && len(dry) == 0
}

// write counts a write, and lets happen what is to happen at it.
func (s *sim) write(w *workerProcess, a clienttesting.Action) (runtime.Object, error) {
	i := s.count(a)
	apply := func() (runtime.Object, error) { return s.cluster.Invokes(a, nil) }
	if i != s.run.Write {
		return apply()
	}
	if s.run.odd {
		time.AfterFunc(s.between(0, 2*time.Second), s.editOddly)
	}
	switch s.run.Fault {
	case CrashBefore:
		s.crash(w)
		return nil, refused()
	case CrashLate:
		s.crash(w)
		time.AfterFunc(late, func() { _, _ = apply() })
		return nil, refused()
	case CrashSent:
		_, _ = apply()
		s.crash(w)
		return nil, refused()
	case CrashAfter:
		time.AfterFunc(time.Millisecond, func() { s.crash(w) })
	case CrashConfirm:
		time.AfterFunc(s.between(50*time.Millisecond, 3*time.Second), func() { s.crash(w) })
	case Conflict:
		s.touch(a)
	case TimeoutApplied:
		_, _ = apply()
		return nil, apierrors.NewTimeoutError("the request did not complete in time", 1)
	case TimeoutLost:
		return nil, apierrors.NewTimeoutError("the request did not complete in time", 1)
	case Duplicate:
		s.frontend.Forsake("WatchWorkload")
	case AbortLate:
		time.AfterFunc(s.between(0, time.Second), s.interfere)
		if a.GetVerb() == "create" {
			_, _ = apply()
		} else {
			time.AfterFunc(late, func() { _, _ = apply() })
		}
		return nil, apierrors.NewTimeoutError("the request did not complete in time", 1)
	case CreateLate:
		s.watcher.CreatedLate()
		time.AfterFunc(s.between(0, time.Second), s.interfere)
		time.AfterFunc(s.between(time.Second, latest), func() { _, _ = apply() })
		return nil, apierrors.NewTimeoutError("the request did not complete in time", 1)
	case PodLost:
		s.losePod()
	case Repack:
		s.cluster.Repack(repacking)
	case Freeze:
		s.replicas[0].Freeze(freezing)
	case Abort, Revise, Double, Repair, Unroute, Reweigh, Grow, Widen:
		time.AfterFunc(s.between(0, 2*time.Second), s.interfere)
	case None:
	}
	return apply()
}

// touched marks an object as somebody else's tool would.
const touched = "chaos.example/touched"

// touch writes to the object of a request, so that whoever has read it before
// meets a conflict, or makes one where there is none.
func (s *sim) touch(a clienttesting.Action) {
	if create, ok := a.(clienttesting.CreateAction); ok && a.GetVerb() == "create" {
		s.takeName(create)
		return
	}
	name := ""
	if named, ok := a.(interface{ GetName() string }); ok {
		name = named.GetName()
	}
	if update, ok := a.(clienttesting.UpdateActionImpl); ok {
		if m, err := apimeta.Accessor(update.Object); err == nil {
			name = m.GetName()
		}
	}
	if name == "" {
		return
	}
	obj, err := s.cluster.Tracker().Get(a.GetResource(), a.GetNamespace(), name)
	if err != nil {
		return
	}
	obj = obj.DeepCopyObject()
	m, _ := obj.(metav1.Object)
	notes := map[string]string{touched: "yes"}
	for k, v := range m.GetAnnotations() {
		notes[k] = v
	}
	m.SetAnnotations(notes)
	s.cluster.Put(obj)
}
