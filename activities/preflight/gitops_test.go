package preflight_test

import (
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	scalingv2 "k8s.io/api/autoscaling/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"sluice.dev/sluice/activities/kube/kubetest"
	"sluice.dev/sluice/activities/workload"
)

// autoscaler returns an autoscaler of the fixtures' workload.
func autoscaler(edit func(*scalingv2.HorizontalPodAutoscaler)) *scalingv2.HorizontalPodAutoscaler {
	h := &scalingv2.HorizontalPodAutoscaler{
		ObjectMeta: metav1.ObjectMeta{Name: "demo", Namespace: kubetest.Namespace},
		Spec: scalingv2.HorizontalPodAutoscalerSpec{
			ScaleTargetRef: scalingv2.CrossVersionObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "demo"}, MaxReplicas: 10,
		},
	}
	edit(h)
	return h
}

// warned is a release that can be made, and what is said about it.
type warned struct {
	name string
	edit func(*appsv1.Deployment)
	more []runtime.Object
	want []string
}

// TestInspectWarnsOfOthers requires one warning for each kind of neighbour that
// writes the workload, with what to tell it.
func TestInspectWarnsOfOthers(t *testing.T) {
	applied := func(manager string) func(*appsv1.Deployment) {
		return func(d *appsv1.Deployment) {
			d.ManagedFields = append(d.ManagedFields, metav1.ManagedFieldsEntry{Manager: manager, Operation: metav1.ManagedFieldsOperationApply})
		}
	}
	cases := []warned{
		{"kubectl alone", nil, nil, nil},
		{"Argo CD by annotation", func(d *appsv1.Deployment) { d.Annotations["argocd.argoproj.io/tracking-id"] = "x" }, nil,
			[]string{"Deployment shop/demo: Argo CD keeps it", "ignoreDifferences: [{group: apps, kind: Deployment, name: demo, jsonPointers: [/spec/paused,", "RespectIgnoreDifferences=true"}},
		{"Argo CD by manager", applied("argocd-controller"), nil, []string{"Argo CD keeps it"}},
		{"Flux by label", func(d *appsv1.Deployment) { d.Labels = map[string]string{"kustomize.toolkit.fluxcd.io/name": "apps"} }, nil,
			[]string{"kustomize-controller", "spec.ignore: [{paths: [/spec/paused,", "target: {kind: Deployment, name: demo}}]"}},
		{"Helm by Flux", func(d *appsv1.Deployment) { d.Labels = map[string]string{"helm.toolkit.fluxcd.io/name": "apps"} }, nil, []string{"spec.driftDetection.ignore"}},
		{"somebody who applies", applied("deployer"), nil, []string{`"deployer" writes it by server-side apply`}},
		{"autoscaler", nil, []runtime.Object{autoscaler(func(h *scalingv2.HorizontalPodAutoscaler) { h.Spec.MinReplicas = new(int32(2)) })},
			[]string{"it scales the stable pods only", "it may not scale down until the end of the release"}},
		{"autoscaler that is told not to", nil, []runtime.Object{autoscaler(func(h *scalingv2.HorizontalPodAutoscaler) {
			h.Spec.Behavior = &scalingv2.HorizontalPodAutoscalerBehavior{ScaleDown: &scalingv2.HPAScalingRules{SelectPolicy: new(scalingv2.DisabledPolicySelect)}}
		})}, []string{"it scales the stable pods only"}},
	}
	for _, c := range append(cases, endings...) {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				observed, err := inspect(t, demo(c.edit, c.more...), request())
				require.NoError(t, err)
				all := strings.Join(observed.Warnings, "\n")
				for _, want := range c.want {
					require.Contains(t, all, want)
				}
				if len(c.want) < 2 {
					require.Len(t, observed.Warnings, len(c.want))
				}
				require.Equal(t, map[string]string{"app": "demo"}, observed.Selector)
			})
		})
	}
}

// TestInBypassModeTheTemplateIsTheRepositorys: who followed the advice for the command
// line would get no rollouts from the repository any more.
func TestInBypassModeTheTemplateIsTheRepositorys(t *testing.T) {
	for _, mark := range []string{"argocd.argoproj.io/tracking-id", "kustomize.toolkit.fluxcd.io/name", "helm.toolkit.fluxcd.io/name"} {
		t.Run(mark, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				req := request()
				cluster := demo(func(d *appsv1.Deployment) {
					d.Annotations[mark] = "x"
					req.Revision = workload.Revision(d.Spec.Template)
				})
				observed, err := inspect(t, cluster, req)
				require.NoError(t, err)
				all := strings.Join(observed.Warnings, "\n")
				require.Contains(t, all, "[/spec/paused, /spec/strategy, ")
				require.Contains(t, all, "/metadata/annotations/sluice.dev~1hold")
				require.Contains(t, all, "/spec/template stays the repository's")
				require.Equal(t, 1, strings.Count(all, "/spec/template"), "it is not among what is ignored")
			})
		})
	}
}
