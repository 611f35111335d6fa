package preview

import (
	"context"
	"errors"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/fake"

	"sluice.dev/sluice/activities/analysis"
	"sluice.dev/sluice/config"
)

// Templates returns a document with the metrics that ConfigMaps of the cluster
// describe. Where they cannot be read from here, which says nothing about the
// worker, it returns the document as it is and a warning. The error says what is
// wrong with them: the rollout would be refused.
func Templates(ctx context.Context, clients kubernetes.Interface, doc config.Rollout) (config.Rollout, []string, error) {
	full, err := analysis.Resolve(ctx, &analysis.Activities{Kube: clients}, doc)
	var wrong config.Errors
	switch {
	case err == nil:
		return full, nil, nil
	case errors.As(err, &wrong), ctx.Err() != nil:
		return doc, nil, fmt.Errorf("the metrics cannot be measured: %w", err)
	}
	return doc, []string{"metrics of ConfigMaps are not shown: " + plain(err).Error()}, nil
}

// TemplatesOfManifests does the same by the ConfigMaps of a file. Those that it
// does not have may be in the cluster.
func TemplatesOfManifests(ctx context.Context, manifests []byte, doc config.Rollout) (config.Rollout, []string, error) {
	objects, err := decode(manifests, doc.Namespace)
	if err != nil {
		return doc, nil, err
	}
	clients := fake.NewClientset(objects...)
	for _, name := range configMaps(doc) {
		_, err := clients.CoreV1().ConfigMaps(doc.Namespace).Get(ctx, name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return doc, []string{fmt.Sprintf("metrics of ConfigMaps are not shown: the workload file has no ConfigMap %s/%s", doc.Namespace, name)}, nil
		}
	}
	return Templates(ctx, clients, doc)
}

// configMaps are those that metrics of a document are described in.
func configMaps(doc config.Rollout) []string {
	var names []string
	for _, placed := range doc.Analyses() {
		for _, p := range placed.Pending {
			names = append(names, p.ConfigMap)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
