// Package fleet creates many applications at once on nodes whose pods exist only
// in the API, each with a Deployment, a Service and an Ingress for a host of its
// own, and writes Rollout documents for them.
package fleet

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// App is one application: the name of its Deployment, Service and Ingress.
type App struct{ Namespace, Name string }

// Key is its namespace and name.
func (a App) Key() string { return a.Namespace + "/" + a.Name }

// CanaryKey is the namespace and the name of its canary's objects.
func (a App) CanaryKey() string { return a.Key() + "-canary" }

// Fleet is a number of applications.
type Fleet struct {
	Kube kubernetes.Interface
	// Prefix of the names of its namespaces.
	Prefix string
	// Apps in all, and in one namespace.
	Size, PerNamespace int
	// Replicas of every application.
	Replicas int
}

// Apps names all applications.
func (f Fleet) Apps() []App {
	apps := make([]App, f.Size)
	for i := range apps {
		apps[i] = App{Namespace: f.namespace(i / f.PerNamespace), Name: fmt.Sprintf("app-%04d", i)}
	}
	return apps
}

func (f Fleet) namespace(i int) string { return fmt.Sprintf("%s-%d", f.Prefix, i) }

func (f Fleet) namespaces() []string {
	var names []string
	for i := range (f.Size + f.PerNamespace - 1) / f.PerNamespace {
		names = append(names, f.namespace(i))
	}
	return names
}

const (
	// creators is how many objects are created at once.
	creators = 8
	// look is how often the state is looked at; it bounds no measurement.
	look = 500 * time.Millisecond
)

// Deploy creates everything and returns when all pods are available.
func (f Fleet) Deploy(ctx context.Context) error {
	for _, name := range f.namespaces() {
		_, err := f.Kube.CoreV1().Namespaces().Create(ctx, newNamespace(name), metav1.CreateOptions{})
		if err != nil && !apierrors.IsAlreadyExists(err) {
			return fmt.Errorf("creating namespace %s: %w", name, err)
		}
	}
	group, creating := errgroup.WithContext(ctx)
	group.SetLimit(creators)
	for _, app := range f.Apps() {
		group.Go(func() error { return f.create(creating, app) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return f.await(ctx, "all pods are available", f.available)
}

func (f Fleet) create(ctx context.Context, app App) error {
	options := metav1.CreateOptions{}
	_, err := f.Kube.AppsV1().Deployments(app.Namespace).Create(ctx, newDeployment(app, f.Replicas), options)
	if err == nil {
		_, err = f.Kube.CoreV1().Services(app.Namespace).Create(ctx, newService(app), options)
	}
	if err == nil {
		_, err = f.Kube.NetworkingV1().Ingresses(app.Namespace).Create(ctx, newIngress(app), options)
	}
	if err != nil {
		return fmt.Errorf("creating %s/%s: %w", app.Namespace, app.Name, err)
	}
	return nil
}

// available says whether every Deployment has all its pods.
func (f Fleet) available(ctx context.Context) (bool, error) {
	for _, namespace := range f.namespaces() {
		list, err := f.Kube.AppsV1().Deployments(namespace).List(ctx, metav1.ListOptions{ResourceVersion: "0"})
		if err != nil {
			return false, fmt.Errorf("listing Deployments: %w", err)
		}
		for _, d := range list.Items {
			if d.Status.ObservedGeneration < d.Generation || d.Status.AvailableReplicas < *d.Spec.Replicas {
				return false, nil
			}
		}
	}
	return true, nil
}

// Remove deletes the namespaces and returns when they are gone, so that what
// comes next has the machine for itself.
func (f Fleet) Remove(ctx context.Context) error {
	for _, name := range f.namespaces() {
		if err := f.Kube.CoreV1().Namespaces().Delete(ctx, name, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
			return fmt.Errorf("deleting namespace %s: %w", name, err)
		}
	}
	return f.await(ctx, "the namespaces are gone", func(ctx context.Context) (bool, error) {
		for _, name := range f.namespaces() {
			if _, err := f.Kube.CoreV1().Namespaces().Get(ctx, name, metav1.GetOptions{}); !apierrors.IsNotFound(err) {
				return false, err
			}
		}
		return true, nil
	})
}

func (f Fleet) await(ctx context.Context, what string, condition func(context.Context) (bool, error)) error {
	for {
		done, err := condition(ctx)
		if done || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting until %s: %w", what, ctx.Err())
		case <-time.After(look):
		}
	}
}
