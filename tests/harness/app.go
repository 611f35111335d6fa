package harness

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	"sigs.k8s.io/yaml"

	"sluice.dev/sluice/config"
	"sluice.dev/sluice/tests/sandbox"
	"sluice.dev/sluice/workflows"
)

// Demo is the name of the seed's Deployment, Service and Ingress.
const Demo = "demo"

// Image returns the seed's image of a version.
func Image(version string) string {
	return "registry.cn-hangzhou.aliyuncs.com/mse-ingress/version:" + version
}

// DemoWorkflow is the workflow ID of the seed's Deployment in a namespace.
func DemoWorkflow(namespace string) string {
	return workflows.WorkflowID("default", namespace, config.ObjectRef{Kind: "Deployment", Name: Demo})
}

// SeedFile returns the path of one of the seed's documents, such as app.yaml.
func SeedFile(name string) (string, error) {
	root, err := sandbox.Root()
	if err != nil {
		return "", err
	}
	return filepath.Join(root, "sandbox", "testdata", "seed", name), nil
}

// DeployDemo creates a namespace with the seed's objects, unmodified, and waits
// until all pods of v1 are available.
func (b *Bed) DeployDemo(ctx context.Context, namespace string) error {
	return b.DeployPatched(ctx, namespace, "")
}

// DeployPatched does so with a strategic merge patch of the Deployment, which is in
// force from the first pod on.
func (b *Bed) DeployPatched(ctx context.Context, namespace, patch string) error {
	return b.DeployAt(ctx, namespace, "", patch)
}

// DeployAt does so with a host of its own in the Ingress, unless it is empty, so that
// several namespaces can have the application at the same time.
func (b *Bed) DeployAt(ctx context.Context, namespace, host, patch string) error {
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}
	if _, err := b.Kube.CoreV1().Namespaces().Create(ctx, ns, metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("creating namespace %s: %w", namespace, err)
	}
	file, err := SeedFile("app.yaml")
	if err != nil {
		return err
	}
	manifest, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("reading the application: %w", err)
	}
	if patch != "" {
		if manifest, err = patched(manifest, patch); err != nil {
			return fmt.Errorf("patching the application: %w", err)
		}
	}
	if err := b.Sandbox.Apply(ctx, namespace, AtHost(manifest, host)); err != nil {
		return err
	}
	return b.Sandbox.AwaitDeployment(ctx, namespace, Demo)
}

// AtHost returns the seed's manifest with a host in the Ingress, unless it is empty.
func AtHost(manifest []byte, host string) []byte {
	if host == "" {
		return manifest
	}
	return bytes.Replace(manifest, []byte("rules:\n  - http:"), []byte("rules:\n  - host: "+host+"\n    http:"), 1)
}

// patched patches the Deployment, which is the first of the application's objects.
func patched(manifest []byte, patch string) ([]byte, error) {
	deployment, others, _ := bytes.Cut(manifest, []byte("\n---"))
	before, err := yaml.YAMLToJSON(deployment)
	if err != nil {
		return nil, err
	}
	after, err := strategicpatch.StrategicMergePatch(before, []byte(patch), appsv1.Deployment{})
	if err != nil {
		return nil, err
	}
	return slices.Concat(after, []byte("\n---"), others), nil
}

// RemoveDemo deletes the seed's objects and waits until their pods are gone, so
// that the next namespace's Ingress is the only one for its path.
func (b *Bed) RemoveDemo(ctx context.Context, namespace string) error {
	if err := b.Kube.NetworkingV1().Ingresses(namespace).DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{}); err != nil {
		return fmt.Errorf("deleting the Ingresses: %w", err)
	}
	if err := b.Kube.CoreV1().Namespaces().Delete(ctx, namespace, metav1.DeleteOptions{}); err != nil {
		return fmt.Errorf("deleting namespace %s: %w", namespace, err)
	}
	return Await(ctx, "the pods are gone", func(ctx context.Context) (bool, error) {
		pods, err := b.Kube.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{})
		return err == nil && len(pods.Items) == 0, err
	})
}

// Deployment reads the seed's Deployment.
func (b *Bed) Deployment(ctx context.Context, namespace string) (*appsv1.Deployment, error) {
	return b.Kube.AppsV1().Deployments(namespace).Get(ctx, Demo, metav1.GetOptions{})
}

// Scale changes the size of the seed's Deployment as `kubectl scale` does.
func (b *Bed) Scale(ctx context.Context, namespace string, replicas int) error {
	patch := fmt.Appendf(nil, `{"spec":{"replicas":%d}}`, replicas)
	_, err := b.Kube.AppsV1().Deployments(namespace).Patch(ctx, Demo, types.MergePatchType, patch, metav1.PatchOptions{}, "scale")
	if err != nil {
		return fmt.Errorf("scaling: %w", err)
	}
	return nil
}

// SetImage changes the image of the seed's Deployment as `kubectl set image`
// does.
func (b *Bed) SetImage(ctx context.Context, namespace, version string) error {
	patch := fmt.Appendf(nil, `{"spec":{"template":{"spec":{"containers":[{"name":"main","image":%q}]}}}}`, Image(version))
	_, err := b.Kube.AppsV1().Deployments(namespace).Patch(ctx, Demo, types.StrategicMergePatchType, patch, metav1.PatchOptions{FieldManager: "kubectl-set"})
	if err != nil {
		return fmt.Errorf("setting the image: %w", err)
	}
	return nil
}
