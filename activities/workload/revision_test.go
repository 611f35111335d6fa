package workload_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"sluice.dev/sluice/activities/kube/kubetest"
	"sluice.dev/sluice/activities/workload"
)

func TestRevisionIsStable(t *testing.T) {
	template := kubetest.Deployment(1).Spec.Template
	want := workload.Revision(template)
	require.Regexp(t, "^[0-9a-f]{10}$", want)

	same := map[string]func(*corev1.PodTemplateSpec){
		"label of the Deployment controller": func(t *corev1.PodTemplateSpec) {
			t.Labels[appsv1.DefaultDeploymentUniqueLabelKey] = "abc"
		},
		"empty map for none": func(t *corev1.PodTemplateSpec) {
			t.Annotations = map[string]string{}
			t.Spec.NodeSelector = map[string]string{}
		},
		"empty list for none": func(t *corev1.PodTemplateSpec) { t.Spec.Volumes = []corev1.Volume{} },
		"round trip": func(t *corev1.PodTemplateSpec) {
			data, _ := json.Marshal(t)
			*t = corev1.PodTemplateSpec{}
			_ = json.Unmarshal(data, t)
		},
	}
	for name, edit := range same {
		t.Run(name, func(t *testing.T) {
			other := *template.DeepCopy()
			edit(&other)
			require.Equal(t, want, workload.Revision(other))
		})
	}
	other := map[string]func(*corev1.PodTemplateSpec){
		"image":      func(t *corev1.PodTemplateSpec) { t.Spec.Containers[0].Image = "version:v2" },
		"annotation": func(t *corev1.PodTemplateSpec) { t.Annotations = map[string]string{"restarted": "now"} },
		"label":      func(t *corev1.PodTemplateSpec) { t.Labels["tier"] = "web" },
	}
	for name, edit := range other {
		t.Run(name, func(t *testing.T) {
			changed := *template.DeepCopy()
			edit(&changed)
			require.NotEqual(t, want, workload.Revision(changed))
		})
	}
	require.Equal(t, want, workload.Revision(template), "it leaves its argument alone")
}

func TestRevisionOfEqualQuantities(t *testing.T) {
	with := func(q string) string {
		template := kubetest.Deployment(1).Spec.Template
		template.Spec.Containers[0].Resources.Requests = corev1.ResourceList{"cpu": resource.MustParse(q)}
		return workload.Revision(template)
	}
	require.Equal(t, with("1"), with("1000m"))
}

func TestChangeApply(t *testing.T) {
	base := kubetest.Deployment(1).Spec.Template
	base.Spec.Containers[0].Env = []corev1.EnvVar{{Name: "A", Value: "1"}, {Name: "S", ValueFrom: &corev1.EnvVarSource{}}}
	base.Spec.InitContainers = []corev1.Container{{Name: "init", Image: "init:v1"}}
	next, err := workload.Change{
		Images: map[string]string{"main": "version:v2", "init": "init:v2"},
		Env:    map[string]map[string]string{"main": {"Z": "9", "S": "plain", "B": "2"}},
	}.Apply(base)
	require.NoError(t, err)
	require.Equal(t, "version:v2", next.Spec.Containers[0].Image)
	require.Equal(t, "init:v2", next.Spec.InitContainers[0].Image)
	require.Equal(t, []corev1.EnvVar{{Name: "A", Value: "1"}, {Name: "S", Value: "plain"}, {Name: "B", Value: "2"}, {Name: "Z", Value: "9"}}, next.Spec.Containers[0].Env)
	require.Equal(t, "version:v1", base.Spec.Containers[0].Image, "the base stays as it is")
}

func TestChangeReportsAllProblems(t *testing.T) {
	_, err := workload.Change{
		Images: map[string]string{"web": "x"}, Env: map[string]map[string]string{"side": {"A": "1"}},
	}.Apply(kubetest.Deployment(1).Spec.Template)
	require.ErrorContains(t, err, `changing the image of container "web": the pod template has no such container: name one of main`)
	require.ErrorContains(t, err, `changing the environment of container "side"`)
}

func TestChangeReadsAWholeTemplateStrictly(t *testing.T) {
	next, err := workload.Change{Template: templateJSON(t, "v3")}.Apply(corev1.PodTemplateSpec{})
	require.NoError(t, err)
	require.Equal(t, map[string]string{"main": "version:v3"}, workload.Images(next))
	for _, text := range []string{`{"spec":{"container":[]}}`, `{`, `{"Spec":{}}`} {
		_, err := workload.Change{Template: []byte(text)}.Apply(corev1.PodTemplateSpec{})
		require.ErrorContains(t, err, "reading the pod template", text)
	}
}

func TestPeakPods(t *testing.T) {
	surge := func(s string) int {
		d := kubetest.Deployment(1)
		b := workload.BaselineOf(d, false)
		b.MaxSurge = &s
		return workload.PeakPods(5, b)
	}
	require.Equal(t, 7, surge("25%"))
	require.Equal(t, 8, surge("3"))
	require.Equal(t, 7, surge("0"), "the surge of the canary is more")
	require.Equal(t, 10, surge("100%"))
}
