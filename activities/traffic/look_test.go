package traffic_test

import (
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
	networkingv1 "k8s.io/api/networking/v1"

	"sluice.dev/sluice/activities/kube/kubetest"
	"sluice.dev/sluice/activities/release"
	"sluice.dev/sluice/activities/traffic"
)

// TestLook compares what a canary Ingress says with the user's.
func TestLook(t *testing.T) {
	canary := func(edit func(*networkingv1.Ingress)) *networkingv1.Ingress {
		in := kubetest.Ingress()
		in.Name, in.Labels = "demo-canary", map[string]string{release.LabelRollout: "r1"}
		in.Spec.Rules[0].HTTP.Paths[0].Backend.Service.Name = "demo-canary"
		in.Annotations["nginx.ingress.kubernetes.io/canary"] = "true"
		in.Annotations["nginx.ingress.kubernetes.io/canary-weight"] = "10"
		edit(in)
		return in
	}
	cases := []struct {
		name string
		with []*networkingv1.Ingress
		want func(t *testing.T, l traffic.Look)
	}{
		{"no canary", []*networkingv1.Ingress{kubetest.Ingress()}, func(t *testing.T, l traffic.Look) {
			require.Equal(t, traffic.Look{}, l)
		}},
		{"as it was made", []*networkingv1.Ingress{kubetest.Ingress(), canary(func(*networkingv1.Ingress) {})}, func(t *testing.T, l traffic.Look) {
			require.True(t, l.Readable)
			require.Equal(t, traffic.Route{Weight: 10}, l.Route)
			require.False(t, l.Stale || l.Missing || l.Edited)
		}},
		{"of another rollout", []*networkingv1.Ingress{kubetest.Ingress(), canary(func(in *networkingv1.Ingress) { in.Labels[release.LabelRollout] = "r2" })}, func(t *testing.T, l traffic.Look) {
			require.Nil(t, l.Ingress)
		}},
		{"other rules", []*networkingv1.Ingress{kubetest.Ingress(), canary(func(in *networkingv1.Ingress) { in.Spec.Rules[0].HTTP.Paths[0].Path = "/x" })}, func(t *testing.T, l traffic.Look) {
			require.True(t, l.Stale)
			require.NotEmpty(t, l.Rules)
		}},
		{"not readable", []*networkingv1.Ingress{kubetest.Ingress(), canary(func(in *networkingv1.Ingress) {
			in.Annotations["nginx.ingress.kubernetes.io/canary"] = "false"
			in.Annotations[release.AnnotationMark] = "other"
		})}, func(t *testing.T, l traffic.Look) {
			require.True(t, l.Edited)
			require.False(t, l.Readable)
		}},
		{"the user's is gone", []*networkingv1.Ingress{canary(func(*networkingv1.Ingress) {})}, func(t *testing.T, l traffic.Look) {
			require.True(t, l.Missing)
			require.False(t, l.Stale)
			require.True(t, l.Readable)
		}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := kubetest.New()
				for _, in := range c.with {
					server.Put(in)
				}
				c.want(t, traffic.Looker{Cluster: kubetest.Cluster(t, server)}.LookAtRoute(kubetest.Ref(1)))
			})
		})
	}
}
