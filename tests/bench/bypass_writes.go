package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"sluice.dev/sluice/activities/kube"
	"sluice.dev/sluice/activities/release"
	"sluice.dev/sluice/tests/bench/stats"
	"sluice.dev/sluice/tests/harness"
)

// heldWrites times writes that the webhook holds. Temporal is away meanwhile, so
// that each stays a held write and no rollout comes between them.
func (b *bench) heldWrites(ctx context.Context, namespace string) (stats.Sample, error) {
	if err := b.Sandbox.Stop(ctx, "temporal"); err != nil {
		return nil, err
	}
	sample, err := b.writes(ctx, namespace)
	return sample, errors.Join(err, b.Sandbox.Start(context.WithoutCancel(ctx), "temporal"))
}

// writes times changes of the image of a Deployment that has its stable template
// and is resumed before each that is held. One that nobody holds is paused
// meanwhile: what is measured is the write, not what it sets going.
func (b *bench) writes(ctx context.Context, namespace string) (stats.Sample, error) {
	deployments := b.kube.AppsV1().Deployments(namespace)
	before, err := deployments.Get(ctx, harness.Demo, metav1.GetOptions{})
	if err != nil {
		return nil, fmt.Errorf("reading the application: %w", err)
	}
	held := before.Labels[release.LabelBypass] != ""
	took := make([]time.Duration, b.Holds)
	for i := range took {
		if err := b.unchanged(ctx, namespace, before.Spec.Template, !held); err != nil {
			return nil, err
		}
		patch := fmt.Appendf(nil, `{"spec":{"template":{"spec":{"containers":[{"name":"main","image":%q}]}}}}`, harness.Image(fmt.Sprint("try-", i)))
		begun := time.Now()
		after, err := deployments.Patch(ctx, harness.Demo, types.StrategicMergePatchType, patch, metav1.PatchOptions{FieldManager: actor})
		if err != nil {
			return nil, fmt.Errorf("changing the image: %w", err)
		}
		took[i] = time.Since(begun)
		if !after.Spec.Paused {
			return nil, errors.New("a changed image was not held")
		}
	}
	return stats.Milliseconds(took), b.unchanged(ctx, namespace, before.Spec.Template, false)
}

// unchanged gives the Deployment its template back, as Sluice itself does, whose
// writes the webhook lets pass.
func (b *bench) unchanged(ctx context.Context, namespace string, template corev1.PodTemplateSpec, paused bool) error {
	deployments := b.kube.AppsV1().Deployments(namespace)
	d, err := deployments.Get(ctx, harness.Demo, metav1.GetOptions{})
	if err != nil {
		return fmt.Errorf("reading the application: %w", err)
	}
	var p kube.Patch
	p.Set(template, "spec", "template")
	p.Set(paused, "spec", "paused")
	if d.Annotations[release.AnnotationHold] != "" {
		p.Remove("metadata", "annotations", release.AnnotationHold)
	}
	data, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("encoding the template: %w", err)
	}
	if _, err = deployments.Patch(ctx, harness.Demo, types.JSONPatchType, data, metav1.PatchOptions{FieldManager: release.FieldManager}); err != nil {
		return fmt.Errorf("giving the application its template back: %w", err)
	}
	return nil
}
