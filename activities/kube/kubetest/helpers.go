package kubetest

import (
	"encoding/json"
	"fmt"
	"slices"

	apiequality "k8s.io/apimachinery/pkg/api/equality"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/scheme"
	clienttesting "k8s.io/client-go/testing"
)

// meta returns the metadata of an object; every object here has it.
func meta(obj runtime.Object) metav1.Object {
	m, err := apimeta.Accessor(obj)
	must(err)
	return m
}

// resourceOf guesses the resource of a typed object, as the fake clientset does.
func resourceOf(obj runtime.Object) schema.GroupVersionResource {
	kinds, _, err := scheme.Scheme.ObjectKinds(obj)
	must(err)
	gvr, _ := apimeta.UnsafeGuessKindToResource(kinds[0])
	return gvr
}

// specOf returns the spec of an object as plain data.
func specOf(obj runtime.Object) any {
	data, err := json.Marshal(obj)
	must(err)
	var plain map[string]any
	must(json.Unmarshal(data, &plain))
	return plain["spec"]
}

func dryRun(a clienttesting.Action) []string {
	switch action := a.(type) {
	case clienttesting.CreateActionImpl:
		return action.CreateOptions.DryRun
	case clienttesting.UpdateActionImpl:
		return action.UpdateOptions.DryRun
	case clienttesting.PatchActionImpl:
		return action.PatchOptions.DryRun
	}
	return nil
}

func nameOf(a clienttesting.Action) string {
	switch action := a.(type) {
	case clienttesting.CreateAction:
		return meta(action.GetObject()).GetName()
	case interface{ GetName() string }:
		return action.GetName()
	}
	return ""
}

// must ends a test whose fixture is wrong: nothing a test could do about it.
func must(err error) {
	if err != nil {
		panic(fmt.Sprintf("kubetest: %v", err))
	}
}

// manage makes an entry among the managers of fields for who has patched old to
// become obj, unless nothing but those entries was changed.
func manage(old, obj runtime.Object, a clienttesting.PatchAction) {
	patch, _ := a.(clienttesting.PatchActionImpl)
	manager, entries := patch.PatchOptions.FieldManager, meta(obj).GetManagedFields()
	had := slices.ContainsFunc(entries, func(e metav1.ManagedFieldsEntry) bool { return e.Manager == manager })
	before, after := old.DeepCopyObject(), obj.DeepCopyObject()
	meta(before).SetManagedFields(nil)
	meta(after).SetManagedFields(nil)
	if manager == "" || had || apiequality.Semantic.DeepEqual(before, after) {
		return
	}
	meta(obj).SetManagedFields(append(entries, metav1.ManagedFieldsEntry{Manager: manager, Operation: metav1.ManagedFieldsOperationUpdate}))
}
