package sandbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
	"k8s.io/client-go/tools/clientcmd"
)

// fieldManager is who Apply writes as: a person with kubectl.
const fieldManager = "kubectl"

// RESTConfig returns the administrator's access to the API server from
// outside, without limits of requests.
func (s *Sandbox) RESTConfig() (*rest.Config, error) {
	config, err := clientcmd.BuildConfigFromFlags("", s.Dir().Kubeconfig())
	if err != nil {
		return nil, fmt.Errorf("reading the kubeconfig: %w", err)
	}
	config.QPS = -1
	// The seed uses what is deprecated, which need not be said each time.
	config.WarningHandler = rest.NoWarnings{}
	return config, nil
}

// Kube returns a client of the administrator's for use outside.
func (s *Sandbox) Kube() (kubernetes.Interface, error) {
	config, err := s.RESTConfig()
	if err != nil {
		return nil, err
	}
	return kubernetes.NewForConfig(config)
}

// Dynamic returns a client of the administrator's for objects of any kind.
func (s *Sandbox) Dynamic() (dynamic.Interface, error) {
	config, err := s.RESTConfig()
	if err != nil {
		return nil, err
	}
	return dynamic.NewForConfig(config)
}

// ApplyFile applies the objects of a file of YAML documents; see Apply.
func (s *Sandbox) ApplyFile(ctx context.Context, namespace, file string) error {
	manifest, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("reading a manifest: %w", err)
	}
	return s.Apply(ctx, namespace, manifest)
}

// Apply applies the objects of YAML documents as `kubectl apply --server-side`
// does. Objects that name no namespace go into the given one.
func (s *Sandbox) Apply(ctx context.Context, namespace string, manifest []byte) error {
	client, err := s.Dynamic()
	if err != nil {
		return err
	}
	typed, err := s.Kube()
	if err != nil {
		return err
	}
	mapper := restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(typed.Discovery()))
	documents := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(manifest), 4096)
	for {
		var object unstructured.Unstructured
		err := documents.Decode(&object.Object)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading a manifest: %w", err)
		}
		if len(object.Object) == 0 {
			continue // only a comment between separators
		}
		if err := applyOne(ctx, client, mapper, namespace, &object); err != nil {
			return fmt.Errorf("applying %s %s: %w", object.GetKind(), object.GetName(), err)
		}
	}
}

func applyOne(ctx context.Context, client dynamic.Interface, mapper *restmapper.DeferredDiscoveryRESTMapper, namespace string, object *unstructured.Unstructured) error {
	kind := object.GroupVersionKind()
	mapping, err := mapper.RESTMapping(kind.GroupKind(), kind.Version)
	if err != nil {
		return err
	}
	var target dynamic.ResourceInterface = client.Resource(mapping.Resource)
	if mapping.Scope.Name() == "namespace" {
		if object.GetNamespace() == "" {
			object.SetNamespace(namespace)
		}
		target = client.Resource(mapping.Resource).Namespace(object.GetNamespace())
	}
	_, err = target.Apply(ctx, object.GetName(), object, metav1.ApplyOptions{FieldManager: fieldManager, Force: true})
	return err
}

// AwaitDeployment waits until a Deployment has all its replicas, all of them
// of its present template and available.
func (s *Sandbox) AwaitDeployment(ctx context.Context, namespace, name string) error {
	client, err := s.Kube()
	if err != nil {
		return err
	}
	var last appsv1.DeploymentStatus
	err = wait.PollUntilContextCancel(ctx, 2*lookEvery, true, func(ctx context.Context) (bool, error) {
		d, err := client.AppsV1().Deployments(namespace).Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return false, err
		}
		last = d.Status
		want := *d.Spec.Replicas
		return last.ObservedGeneration >= d.Generation && last.Replicas == want &&
			last.UpdatedReplicas == want && last.AvailableReplicas == want, nil
	})
	if err != nil {
		return fmt.Errorf("waiting for Deployment %s/%s (%d of %d replicas available): %w",
			namespace, name, last.AvailableReplicas, last.Replicas, err)
	}
	return nil
}
