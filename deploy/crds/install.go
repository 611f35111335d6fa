package crds

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"
)

// Installed is one definition and what Install did about it.
type Installed struct {
	// What it is, such as "CustomResourceDefinition rollouts.kruise.io".
	What string `json:"what"`
	// Result is "created", "updated", or "there already".
	Result string `json:"result"`
}

// Install creates the definitions that are missing and updates those that
// Sluice has installed. One that somebody else has installed stays as it is.
func Install(ctx context.Context, client dynamic.Interface) ([]Installed, error) {
	var done []Installed
	for _, want := range All() {
		result, err := install(ctx, client, want)
		if err != nil {
			return done, fmt.Errorf("installing CustomResourceDefinition %s: %w", want.GetName(), err)
		}
		done = append(done, Installed{What: "CustomResourceDefinition " + want.GetName(), Result: result})
	}
	return done, nil
}

func install(ctx context.Context, client dynamic.Interface, want *unstructured.Unstructured) (string, error) {
	definitions := client.Resource(Definitions)
	have, err := definitions.Get(ctx, want.GetName(), metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		_, err := definitions.Create(ctx, want, metav1.CreateOptions{FieldManager: ManagedValue})
		return "created", err
	}
	if err != nil {
		return "", err
	}
	if have.GetLabels()[ManagedBy] != ManagedValue {
		return "there already", nil
	}
	want.SetResourceVersion(have.GetResourceVersion())
	updated, err := definitions.Update(ctx, want, metav1.UpdateOptions{FieldManager: ManagedValue})
	if err != nil {
		return "", err
	}
	if updated.GetResourceVersion() == have.GetResourceVersion() {
		return "there already", nil
	}
	return "updated", nil
}
