package preview

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/kubernetes/scheme"
	sigsyaml "sigs.k8s.io/yaml"

	"sluice.dev/sluice/activities/preflight"
	"sluice.dev/sluice/activities/traffic/gateway"
)

// fromFile is the warning of a plan that no cluster has seen.
const fromFile = "planned for a file: the workload is taken to be healthy, and the revisions are those before the cluster fills in its defaults"

// InspectManifests runs the preflight for objects in a file, as if a cluster had
// just them, with every pod ready.
func InspectManifests(ctx context.Context, manifests []byte, gateways map[string]gateway.Config, request preflight.InspectRequest) (preflight.Observed, error) {
	objects, err := decode(manifests, request.Rollout.Namespace)
	if err != nil {
		return preflight.Observed{}, err
	}
	observed, err := Inspect(ctx, fake.NewClientset(objects...), gateways, request)
	if err != nil {
		return observed, err
	}
	observed.Warnings = append([]string{fromFile}, observed.Warnings...)
	return observed, nil
}

// decode reads the objects strictly and adds what a cluster would have made of
// each Deployment. Kinds that Kubernetes itself does not have are left out.
func decode(manifests []byte, namespace string) ([]runtime.Object, error) {
	decoder := serializer.NewCodecFactory(scheme.Scheme, serializer.EnableStrict).UniversalDeserializer()
	reader := yaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(manifests)))
	var objects []runtime.Object
	for n := 1; ; n++ {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return objects, nil
		}
		if err != nil {
			return nil, fmt.Errorf("reading object %d of the workload file: %w", n, err)
		}
		if empty(document) {
			continue
		}
		object, kind, err := decoder.Decode(document, nil, nil)
		if runtime.IsNotRegisteredError(err) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("reading object %d of the workload file: %w", n, err)
		}
		meta, ok := object.(metav1.Object)
		if !ok {
			return nil, fmt.Errorf("object %d of the workload file is a %s: write its items one by one", n, kind.Kind)
		}
		if meta.GetNamespace() == "" {
			meta.SetNamespace(namespace)
		}
		meta.SetUID(types.UID(fmt.Sprintf("object-%d", n)))
		meta.SetResourceVersion("1")
		objects = append(objects, object)
		if d, ok := object.(*appsv1.Deployment); ok {
			objects = append(objects, running(d)...)
		}
	}
}

// empty says that a document holds nothing but comments and separators.
func empty(document []byte) bool {
	var content any
	return sigsyaml.Unmarshal(document, &content) == nil && content == nil
}

// running makes the ReplicaSet and the ready pods of a healthy Deployment.
func running(d *appsv1.Deployment) []runtime.Object {
	replicas := int32(1)
	if d.Spec.Replicas != nil {
		replicas = *d.Spec.Replicas
	}
	d.Status = appsv1.DeploymentStatus{
		Replicas: replicas, UpdatedReplicas: replicas, ReadyReplicas: replicas, AvailableReplicas: replicas,
		ObservedGeneration: d.Generation,
	}
	set := &appsv1.ReplicaSet{
		ObjectMeta: owned(d.ObjectMeta, "Deployment", d.Name+"-stable", d.Spec.Template.Labels),
		Spec:       appsv1.ReplicaSetSpec{Replicas: &replicas, Selector: d.Spec.Selector, Template: d.Spec.Template},
		Status:     appsv1.ReplicaSetStatus{Replicas: replicas, ReadyReplicas: replicas, AvailableReplicas: replicas},
	}
	objects := []runtime.Object{set}
	for i := range int(replicas) {
		objects = append(objects, &corev1.Pod{
			ObjectMeta: owned(set.ObjectMeta, "ReplicaSet", fmt.Sprintf("%s-%d", set.Name, i), d.Spec.Template.Labels),
			Spec:       d.Spec.Template.Spec,
			Status: corev1.PodStatus{
				Phase:      corev1.PodRunning,
				Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}},
			},
		})
	}
	return objects
}

// owned is the metadata of an object that another one controls.
func owned(owner metav1.ObjectMeta, kind, name string, labels map[string]string) metav1.ObjectMeta {
	controller := true
	return metav1.ObjectMeta{
		Name: name, Namespace: owner.Namespace, UID: types.UID(name), ResourceVersion: "1", Labels: labels,
		OwnerReferences: []metav1.OwnerReference{{
			APIVersion: "apps/v1", Kind: kind, Name: owner.Name, UID: owner.UID, Controller: &controller,
		}},
	}
}
