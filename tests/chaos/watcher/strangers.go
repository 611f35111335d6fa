package watcher

import (
	"encoding/json"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
)

// Stranger is an annotation of objects that neither the user of the rollout nor
// Sluice has made.
const Stranger = "chaos.example/stranger"

// strange is I12 for objects of strangers, which have a name that Sluice wants:
// nobody but their owner changes anything on them. It says whether obj is one.
func (w *Watcher) strange(event watch.EventType, obj runtime.Object) bool {
	m, ok := obj.(metav1.Object)
	if !ok {
		return false
	}
	name := fmt.Sprintf("%T %s", obj, m.GetName())
	before, known := w.objects.strangers[name]
	switch {
	case !known && m.GetAnnotations()[Stranger] == "":
		return false
	case !known:
		w.objects.strangers[name] = whole(obj)
	case event == watch.Deleted:
		delete(w.objects.strangers, name)
		if !w.objects.leaving {
			w.breaks("I12", "%s of a stranger was deleted", name)
		}
	case whole(obj) != before:
		w.breaks("I12", "%s of a stranger was changed: it is %s, was %s", name, whole(obj), before)
	}
	return true
}

// Leaves says that the strangers take their objects away.
func (w *Watcher) Leaves() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.objects.leaving = true
}

// whole is an object without what the API and the controllers write.
func whole(obj runtime.Object) string {
	copied := obj.DeepCopyObject()
	if d, ok := copied.(*appsv1.Deployment); ok {
		d.Status = appsv1.DeploymentStatus{}
	}
	if m, ok := copied.(metav1.Object); ok {
		m.SetResourceVersion("")
		m.SetGeneration(0)
		m.SetManagedFields(nil)
	}
	text, _ := json.Marshal(copied)
	return string(text)
}
