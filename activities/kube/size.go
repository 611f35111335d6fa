package kube

import (
	"context"
	"errors"
	"fmt"

	"go.temporal.io/sdk/temporal"
	appsv1 "k8s.io/api/apps/v1"

	"sluice.dev/sluice/activities/release"
)

// Size is what the workload was scaled to, and the version in which it was seen:
// the details of an error of type Scaled.
type Size struct {
	Pods    int    `json:"pods"`
	Version string `json:"version"`
}

// SizeOf returns how many pods a Deployment asks for; the API's default where it
// says nothing.
func SizeOf(d *appsv1.Deployment) int {
	if d.Spec.Replicas == nil {
		return 1
	}
	return int(*d.Spec.Replicas)
}

// ExpectSize returns an error of type Scaled if the workload of ref has another
// size than n, as the API server says.
func (c *Cluster) ExpectSize(ctx context.Context, ref release.Ref, n int) error {
	d, err := c.readDeployment(ctx, ref, nil, true)
	if err != nil {
		return Failure(err, fmt.Sprintf("reading Deployment %s/%s", ref.Namespace, ref.Workload.Name))
	}
	if SizeOf(d) == n {
		return nil
	}
	text := fmt.Sprintf("Deployment %s/%s has %d replicas, and had %d when this was planned: it is planned anew", d.Namespace, d.Name, SizeOf(d), n)
	return temporal.NewNonRetryableApplicationError(text, ErrScaled, nil, Size{Pods: SizeOf(d), Version: d.ResourceVersion})
}

// ScaledTo returns the size that an error of type Scaled names.
func ScaledTo(err error) (Size, bool) {
	var app *temporal.ApplicationError
	var size Size
	if !errors.As(err, &app) || app.Type() != ErrScaled || app.Details(&size) != nil {
		return Size{}, false
	}
	return size, true
}
