package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sluice.dev/sluice/activities/traffic"
	"sluice.dev/sluice/config"
	"sluice.dev/sluice/tests/harness"
	"sluice.dev/sluice/tests/sandbox/load"
	"sluice.dev/sluice/workflows"
)

func pod(name, version string, ready bool) corev1.Pod {
	return corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: harness.Image(version)}}},
		Status: corev1.PodStatus{
			Phase: corev1.PodRunning, ContainerStatuses: []corev1.ContainerStatus{{Ready: ready}},
		},
	}
}

func TestPodRows(t *testing.T) {
	going := pod("a-canary", "v2", true)
	going.DeletionTimestamp = &metav1.Time{}
	rows := podRows([]corev1.Pod{going, pod("demo-2", "v1", false), pod("demo-1", "v1", true)})
	require.Equal(t, [][]string{
		{"POD", "VERSION", "READY", "STATUS"},
		{"demo-1", "v1", "1/1", "Running"},
		{"demo-2", "v1", "0/1", "Running"},
		{"a-canary", "v2", "1/1", "Terminating"},
	}, rows)
}

func TestIngressRowsShowOnlyCanaries(t *testing.T) {
	ingress := func(name string, annotations map[string]string) networkingv1.Ingress {
		return networkingv1.Ingress{ObjectMeta: metav1.ObjectMeta{Name: name, Annotations: annotations}}
	}
	rows := ingressRows([]networkingv1.Ingress{
		ingress("demo", map[string]string{"kubernetes.io/ingress.class": "nginx"}),
		ingress("demo-canary", map[string]string{
			nginxPrefix + "canary": "true", nginxPrefix + "canary-weight": "10", "sluice.dev/seq": "3",
		}),
	})
	require.Equal(t, [][]string{
		{"INGRESS", "ANNOTATION", "VALUE"},
		{"demo-canary", nginxPrefix + "canary", "true"},
		{"", nginxPrefix + "canary-weight", "10"},
	}, rows)
}

func TestAnswerRows(t *testing.T) {
	w := load.Window{
		Requests: 10, Good: 10, Versions: map[string]int64{"v1": 9, "v2": 1},
		Cohorts: map[string]load.Group{
			"everyone": {Good: 5, Versions: map[string]int64{"v1": 5}},
			"android":  {Good: 5, Versions: map[string]int64{"v1": 4, "v2": 1}},
		},
	}
	require.Equal(t, [][]string{
		{"VERSION", "SHARE", "", "ANSWERS"},
		{"v1", bar(0.9), " 90.0 %", "9"},
		{"v2", bar(0.1), " 10.0 %", "1"},
	}, answerRows(w, false))
	require.Equal(t, [][]string{
		{"CLIENTS", "VERSION", "SHARE", "", "ANSWERS"},
		{"android", "v1", bar(0.8), " 80.0 %", "4"},
		{"android", "v2", bar(0.2), " 20.0 %", "1"},
		{"everyone", "v1", bar(1), "100.0 %", "5"},
	}, answerRows(w, true))
	require.Equal(t, "10 answers, 0 lost, v1 90.0 %, v2 10.0 %", liveShares(w, false))
	require.Equal(t, "10 answers, 0 lost, android v1 80.0 %, android v2 20.0 %, everyone v1 100.0 %", liveShares(w, true))
}

func TestTitles(t *testing.T) {
	begun := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	st := workflows.Status{
		Phase: workflows.PhaseHolding, Step: 1, Steps: make([]workflows.StepStatus, 3),
		Started: begun, Since: begun.Add(1500 * time.Millisecond), Confirmed: traffic.Route{Weight: 10},
	}
	require.Equal(t, "Hold, step 1 of 3: 10 % of the requests to v2", holdTitle(st, "v2"))
	st.Confirmed = traffic.Route{Matches: []config.Match{{Headers: []config.ValueMatch{{Name: "user-agent", Value: "android"}}}}}
	require.Equal(t, "Hold, step 1 of 3: header user-agent=android to v2", holdTitle(st, "v2"))
	st.Phase = workflows.PhasePromoted
	require.Equal(t, "Promoted after 1.5 s: all requests to v2", endTitle(st, "v2"))
}

func TestHoldsAnew(t *testing.T) {
	since := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	held := workflows.Status{Phase: workflows.PhaseHolding, Step: 1, Since: since}
	later := held
	later.Since = since.Add(time.Second)
	require.True(t, holdsAnew(workflows.Status{}, held), "the first hold")
	require.False(t, holdsAnew(held, held), "the same hold")
	require.True(t, holdsAnew(held, later), "held again, also at the same step")
	require.False(t, holdsAnew(held, workflows.Status{Phase: workflows.PhasePaused, Since: later.Since}))
}
