package preflight

import (
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// asks is a container that requests cpu.
func asks(cpu string) corev1.Container {
	return corev1.Container{Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{"cpu": resource.MustParse(cpu)}}}
}

func TestPodResources(t *testing.T) {
	sidecar := asks("10m")
	sidecar.RestartPolicy = new(corev1.ContainerRestartPolicyAlways)
	cases := []struct {
		name string
		spec corev1.PodSpec
		want string
	}{
		{"containers together", corev1.PodSpec{Containers: []corev1.Container{asks("100m"), asks("50m")}}, "150m"},
		{"a small init container", corev1.PodSpec{InitContainers: []corev1.Container{asks("20m")}, Containers: []corev1.Container{asks("100m")}}, "100m"},
		{"a large init container", corev1.PodSpec{InitContainers: []corev1.Container{asks("1"), asks("2")}, Containers: []corev1.Container{asks("100m")}}, "2"},
		{"a sidecar beside the containers", corev1.PodSpec{InitContainers: []corev1.Container{sidecar}, Containers: []corev1.Container{asks("100m")}}, "110m"},
		{"a sidecar beside a later init container", corev1.PodSpec{InitContainers: []corev1.Container{sidecar, asks("1")}, Containers: []corev1.Container{asks("100m")}}, "1010m"},
		{"overhead", corev1.PodSpec{Containers: []corev1.Container{asks("100m")}, Overhead: corev1.ResourceList{"cpu": resource.MustParse("5m")}}, "105m"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got := podResources(&c.spec, func(c *corev1.Container) corev1.ResourceList { return c.Resources.Requests })["cpu"]
			require.Zero(t, got.Cmp(resource.MustParse(c.want)), "%s", got.String())
		})
	}
}

func TestQuotaApplies(t *testing.T) {
	plain, limited, urgent := corev1.PodSpec{}, corev1.PodSpec{Containers: []corev1.Container{asks("1")}}, corev1.PodSpec{PriorityClassName: "high"}
	scope := func(s corev1.ResourceQuotaScope) corev1.ResourceQuotaSpec {
		return corev1.ResourceQuotaSpec{Scopes: []corev1.ResourceQuotaScope{s}}
	}
	priority := func(op corev1.ScopeSelectorOperator, values ...string) corev1.ResourceQuotaSpec {
		return corev1.ResourceQuotaSpec{ScopeSelector: &corev1.ScopeSelector{MatchExpressions: []corev1.ScopedResourceSelectorRequirement{
			{ScopeName: corev1.ResourceQuotaScopePriorityClass, Operator: op, Values: values}}}}
	}
	cases := []struct {
		name  string
		quota corev1.ResourceQuotaSpec
		pod   corev1.PodSpec
		want  bool
	}{
		{"no scope", corev1.ResourceQuotaSpec{}, plain, true},
		{"terminating", scope(corev1.ResourceQuotaScopeTerminating), plain, false},
		{"not terminating", scope(corev1.ResourceQuotaScopeNotTerminating), plain, true},
		{"best effort", scope(corev1.ResourceQuotaScopeBestEffort), plain, true},
		{"best effort, with requests", scope(corev1.ResourceQuotaScopeBestEffort), limited, false},
		{"not best effort", scope(corev1.ResourceQuotaScopeNotBestEffort), plain, false},
		{"not best effort, with requests", scope(corev1.ResourceQuotaScopeNotBestEffort), limited, true},
		{"any priority class", scope(corev1.ResourceQuotaScopePriorityClass), plain, false},
		{"any priority class, with one", scope(corev1.ResourceQuotaScopePriorityClass), urgent, true},
		{"this class", priority(corev1.ScopeSelectorOpIn, "high"), urgent, true},
		{"that class", priority(corev1.ScopeSelectorOpIn, "low"), urgent, false},
		{"not that class", priority(corev1.ScopeSelectorOpNotIn, "low"), urgent, true},
		{"no class", priority(corev1.ScopeSelectorOpDoesNotExist), urgent, false},
		{"what depends on more than the template", scope(corev1.ResourceQuotaScopeCrossNamespacePodAffinity), plain, true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			require.Equal(t, c.want, quotaApplies(&corev1.ResourceQuota{Spec: c.quota}, &c.pod))
		})
	}
}
