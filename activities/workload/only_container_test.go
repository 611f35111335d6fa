package workload

import (
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
)

func TestNoNameMeansTheOnlyContainer(t *testing.T) {
	one := corev1.PodTemplateSpec{Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "shop:v1"}}}}
	change := Change{Images: map[string]string{"": "shop:v2"}, Env: map[string]map[string]string{"": {"A": "1"}}}
	next, err := change.Apply(one)
	require.NoError(t, err)
	require.Equal(t, "shop:v2", next.Spec.Containers[0].Image)
	require.Equal(t, []corev1.EnvVar{{Name: "A", Value: "1"}}, next.Spec.Containers[0].Env)

	two := one
	two.Spec.Containers = append(two.Spec.Containers, corev1.Container{Name: "proxy"})
	_, err = change.Apply(two)
	require.ErrorContains(t, err, "name one of main, proxy")
}
