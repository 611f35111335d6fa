package kubetest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"strconv"
	"sync"
	"time"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
)

// Server is the API and its controllers. Its Clientset records every request in
// Actions, watches and lists of informers included.
type Server struct {
	*fake.Clientset

	// Admit is a mutating webhook: it may change what every request makes, dry
	// runs included. Set it before the requests.
	Admit func(runtime.Object)

	// Managers keeps an entry among the managers of fields for whoever patches, as
	// the API server does. Set it before the requests.
	Managers bool

	// Observe is told every version of every object, in the order in which they
	// are stored. It must neither change the object nor call the server. Set it
	// before the first object.
	Observe func(watch.EventType, runtime.Object)

	mu       sync.Mutex
	version  int64
	frozen   bool
	podReady func(template map[string]string) bool
	trouble  string
	ips      int
}

// New returns a server that holds the objects. The controllers have run.
func New(objects ...runtime.Object) *Server {
	s := &Server{Clientset: fake.NewSimpleClientset(), version: 1000}
	s.PrependReactor("create", "*", s.locked(s.create))
	s.PrependReactor("update", "*", s.locked(s.update))
	s.PrependReactor("patch", "*", s.locked(s.patch))
	s.PrependReactor("delete", "*", s.locked(s.remove))
	for _, o := range objects {
		s.Put(o)
	}
	s.ClearActions()
	return s
}

// Put stores an object as somebody else would, and lets the controllers run.
func (s *Server) Put(o runtime.Object) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.store(o.DeepCopyObject())
	s.settle()
}

// Delete removes an object as somebody else would, and lets the controllers run.
func (s *Server) Delete(o runtime.Object) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drop(o)
	s.settle()
}

// Freeze stops the controllers; Thaw lets them run again and catch up.
func (s *Server) Freeze() { s.mu.Lock(); defer s.mu.Unlock(); s.frozen = true }

// Thaw undoes Freeze.
func (s *Server) Thaw() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.frozen = false
	s.settle()
}

// PodsReady says which pods become ready, by the images of their containers;
// the others wait with the given reason. Nil makes all ready.
func (s *Server) PodsReady(ready func(images map[string]string) bool, reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.podReady, s.trouble = ready, reason
	s.settle()
}

// Writes returns the writes since the last ClearActions as "verb resource name",
// dry runs left out.
func (s *Server) Writes() []string { return s.requests("create", "update", "patch", "delete") }

// Reads returns the single live reads since the last ClearActions.
func (s *Server) Reads() []string { return s.requests("get") }

func (s *Server) requests(verbs ...string) []string {
	found := []string{}
	for _, a := range s.Actions() {
		for _, v := range verbs {
			if a.GetVerb() == v && len(dryRun(a)) == 0 {
				found = append(found, fmt.Sprintf("%s %s %s", v, a.GetResource().Resource, nameOf(a)))
			}
		}
	}
	return found
}

func (s *Server) locked(react clienttesting.ReactionFunc) clienttesting.ReactionFunc {
	return func(a clienttesting.Action) (bool, runtime.Object, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		return react(a)
	}
}

func (s *Server) create(a clienttesting.Action) (bool, runtime.Object, error) {
	action, _ := a.(clienttesting.CreateAction)
	obj := action.GetObject().DeepCopyObject()
	m := meta(obj)
	m.SetNamespace(a.GetNamespace())
	if _, err := s.Tracker().Get(a.GetResource(), m.GetNamespace(), m.GetName()); err == nil {
		return true, nil, apierrors.NewAlreadyExists(a.GetResource().GroupResource(), m.GetName())
	}
	return s.commit(a, obj)
}

func (s *Server) update(a clienttesting.Action) (bool, runtime.Object, error) {
	action, _ := a.(clienttesting.UpdateAction)
	obj := action.GetObject().DeepCopyObject()
	m := meta(obj)
	old, err := s.Tracker().Get(a.GetResource(), a.GetNamespace(), m.GetName())
	if err != nil {
		return true, nil, err
	}
	if v := m.GetResourceVersion(); v != "" && v != meta(old).GetResourceVersion() {
		return true, nil, apierrors.NewConflict(a.GetResource().GroupResource(), m.GetName(), fmt.Errorf("the object has been modified"))
	}
	return s.commit(a, obj)
}

func (s *Server) patch(a clienttesting.Action) (bool, runtime.Object, error) {
	action, _ := a.(clienttesting.PatchAction)
	if action.GetPatchType() != types.JSONPatchType {
		return false, nil, nil
	}
	old, err := s.Tracker().Get(a.GetResource(), a.GetNamespace(), action.GetName())
	if err != nil {
		return true, nil, err
	}
	data, err := json.Marshal(old)
	if err != nil {
		return true, nil, err
	}
	patch, err := jsonpatch.DecodePatch(action.GetPatch())
	if err != nil {
		return true, nil, apierrors.NewBadRequest(err.Error())
	}
	if data, err = patch.Apply(data); err != nil {
		return true, nil, apierrors.NewGenericServerResponse(http.StatusUnprocessableEntity, "", schema.GroupResource{}, "", err.Error(), 0, false)
	}
	obj, _ := reflect.New(reflect.TypeOf(old).Elem()).Interface().(runtime.Object)
	if err := json.Unmarshal(data, obj); err != nil {
		return true, nil, apierrors.NewBadRequest(err.Error())
	}
	if s.Managers {
		manage(old, obj, action)
	}
	return s.commit(a, obj)
}

func (s *Server) remove(a clienttesting.Action) (bool, runtime.Object, error) {
	action, _ := a.(clienttesting.DeleteAction)
	old, err := s.Tracker().Get(a.GetResource(), a.GetNamespace(), action.GetName())
	if err != nil {
		return true, nil, err
	}
	opts := action.GetDeleteOptions()
	if p := opts.Preconditions; p != nil && p.UID != nil && *p.UID != meta(old).GetUID() {
		return true, nil, apierrors.NewConflict(a.GetResource().GroupResource(), action.GetName(), fmt.Errorf("the UID differs"))
	}
	s.drop(old)
	s.settle()
	return true, nil, nil
}

// commit stores what a request made, unless it was a dry run.
func (s *Server) commit(a clienttesting.Action, obj runtime.Object) (bool, runtime.Object, error) {
	if s.Admit != nil {
		s.Admit(obj)
	}
	if len(dryRun(a)) > 0 {
		return true, obj, nil
	}
	m := meta(obj)
	s.store(obj)
	s.settle()
	now, err := s.Tracker().Get(a.GetResource(), m.GetNamespace(), m.GetName())
	return true, now, err
}

// store writes an object with the next version, and with the next generation
// where its spec has changed.
func (s *Server) store(obj runtime.Object) {
	m, gvr := meta(obj), resourceOf(obj)
	s.version++
	old, err := s.Tracker().Get(gvr, m.GetNamespace(), m.GetName())
	if err != nil {
		if m.GetUID() == "" {
			m.SetUID(types.UID(fmt.Sprintf("uid-%d", s.version)))
		}
		if created := m.GetCreationTimestamp(); created.IsZero() {
			m.SetCreationTimestamp(metav1.NewTime(time.Unix(s.version, 0)))
		}
		m.SetGeneration(1)
		m.SetResourceVersion(strconv.FormatInt(s.version, 10))
		must(s.Tracker().Create(gvr, obj, m.GetNamespace()))
		s.observe(watch.Added, obj)
		return
	}
	m.SetUID(meta(old).GetUID())
	m.SetCreationTimestamp(meta(old).GetCreationTimestamp())
	m.SetGeneration(meta(old).GetGeneration())
	if !reflect.DeepEqual(specOf(old), specOf(obj)) {
		m.SetGeneration(meta(old).GetGeneration() + 1)
	}
	m.SetResourceVersion(strconv.FormatInt(s.version, 10))
	must(s.Tracker().Update(gvr, obj, m.GetNamespace()))
	s.observe(watch.Modified, obj)
}

func (s *Server) drop(obj runtime.Object) {
	m := meta(obj)
	must(s.Tracker().Delete(resourceOf(obj), m.GetNamespace(), m.GetName()))
	if s.Observe != nil {
		s.version++
		last := obj.DeepCopyObject()
		meta(last).SetResourceVersion(strconv.FormatInt(s.version, 10))
		s.observe(watch.Deleted, last)
	}
}

func (s *Server) observe(event watch.EventType, obj runtime.Object) {
	if s.Observe != nil {
		s.Observe(event, obj.DeepCopyObject())
	}
}
