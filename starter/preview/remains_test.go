package preview_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	netv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"sluice.dev/sluice/activities/kube"
	"sluice.dev/sluice/activities/preflight"
	"sluice.dev/sluice/activities/release"
	"sluice.dev/sluice/config"
	"sluice.dev/sluice/starter/preview"
)

// meta is that of an object for a workload, or of one that nobody has marked.
func meta(namespace, name, workload string) metav1.ObjectMeta {
	m := metav1.ObjectMeta{Namespace: namespace, Name: name}
	if workload != "" {
		m.Labels = map[string]string{release.LabelWorkload: kube.LabelValue(workload), release.LabelRollout: "r1"}
	}
	return m
}

// web is the workload whose repair is asked for.
var web = config.ObjectRef{APIVersion: "apps/v1", Kind: "Deployment", Name: "web"}

func TestInspectRemainsWithoutAWatch(t *testing.T) {
	ingress := &netv1.Ingress{ObjectMeta: meta("shop", "web-canary", "web")}
	ingress.Annotations = map[string]string{
		"nginx.ingress.kubernetes.io/canary": "true", "nginx.ingress.kubernetes.io/canary-weight": "0",
		"nginx.ingress.kubernetes.io/canary-by-header": "user-agent", "nginx.ingress.kubernetes.io/canary-by-header-value": "android",
	}
	clients := fake.NewClientset(ingress, &corev1.Service{ObjectMeta: meta("shop", "web-canary", "web")})
	found, err := preview.InspectRemains(t.Context(), clients, preflight.RemainsRequest{Namespace: "shop", Workload: web})
	require.NoError(t, err)
	require.True(t, found.Carries, "a match sends requests to canary")
	require.Equal(t, "nginx", found.Observed.Ref.Class)
	for _, action := range clients.Actions() {
		require.Contains(t, []string{"get", "list"}, action.GetVerb())
	}

	clients = fake.NewClientset(&appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{
		Namespace: "shop", Name: "web", Annotations: map[string]string{release.AnnotationRelease: "{"},
	}})
	_, err = preview.InspectRemains(t.Context(), clients, preflight.RemainsRequest{Namespace: "shop", Workload: web})
	require.EqualError(t, err, errorOf(err), "no wrapper of Temporal")
	require.ErrorContains(t, err, "it is not a record of a rollout")
}

func errorOf(err error) string {
	text, _, _ := strings.Cut(err.Error(), " (type:")
	return text
}

func TestMakeRepair(t *testing.T) {
	doc := &config.Rollout{Namespace: "shop", Workload: web, Traffic: config.Traffic{Grace: config.DefaultGrace, ConfirmTimeout: config.DefaultConfirmTimeout}}
	left := preflight.Remains{Found: true, Held: true, Canary: true, Backed: true, Replicas: 5, Routed: true, Carries: true, Weight: 100, Promoting: true}
	left.Observed.Replicas = 5
	cases := []struct {
		name      string
		change    func(m *preflight.Remains)
		completes bool
		want      []string
	}{
		{"under way", func(m *preflight.Remains) { m.Promoting, m.Weight = false, 30 }, false, []string{
			"let stable take every request", "let requests in flight finish", "remove the canary route", "put the stable template back", "remove the canary, restore the workload's fields",
		}},
		{"promoting", func(*preflight.Remains) {}, false, []string{
			"let requests in flight finish", "put the stable template back", "let stable take every request", "let requests in flight finish",
			"remove the canary route", "remove the canary, restore the workload's fields",
		}},
		{"canary too small", func(m *preflight.Remains) { m.Replicas, m.Weight = 1, 50 }, false, []string{
			"pods of canary to 5", "let canary take every request", "let requests in flight finish", "put the stable template back", "let stable take every request",
			"let requests in flight finish", "remove the canary route", "remove the canary, restore the workload's fields",
		}},
		{"promoted", func(m *preflight.Remains) { m.Promoted = true }, true, []string{
			"let the workload finish replacing its pods", "let stable take every request", "let requests in flight finish",
			"remove the canary route", "remove the canary, restore the workload's fields",
		}},
		{"by selector", func(m *preflight.Remains) {
			m.Promoting, m.Narrowed, m.Selects = false, true, release.SideStable
			m.Observed.Ref.Isolation.Mode = config.IsolateBySelector
		}, false, []string{
			"let the Service select the stable pods of the workload only", "let stable take every request", "let requests in flight finish", "remove the canary route",
			"stop the canary pods", "give the Service its own selector back", "put the stable template back", "remove the canary, restore the workload's fields",
		}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			m := left
			c.change(&m)
			r, err := preview.MakeRepair("here", doc, m)
			require.NoError(t, err)
			require.Equal(t, c.completes, r.Completes)
			require.Equal(t, m.String(), r.Left)
			var did []string
			for _, op := range r.Operations {
				did = append(did, op.What)
				require.NotEmpty(t, op.Waits)
			}
			require.Equal(t, c.want, did)
		})
	}
	_, err := preview.MakeRepair("here", doc, preflight.Remains{})
	require.EqualError(t, err, "no rollout has left anything on the workload")
}
