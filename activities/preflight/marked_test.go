package preflight_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	netv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"sluice.dev/sluice/activities/kube"
	"sluice.dev/sluice/activities/preflight"
	"sluice.dev/sluice/activities/release"
)

// marked is that of an object for a workload, or of one that nobody has marked.
func marked(namespace, name, workload string) metav1.ObjectMeta {
	m := metav1.ObjectMeta{Namespace: namespace, Name: name}
	if workload != "" {
		m.Labels = map[string]string{release.LabelWorkload: kube.LabelValue(workload), release.LabelRollout: "r1"}
	}
	return m
}

func TestFindMarked(t *testing.T) {
	long := strings.Repeat("w", 80)
	recorded := &appsv1.Deployment{ObjectMeta: marked("shop", "recorded", "")}
	recorded.Annotations = map[string]string{release.AnnotationRelease: "{"}
	narrowed := &corev1.Service{ObjectMeta: marked("narrow", "front", "")}
	narrowed.Labels = map[string]string{release.LabelSelected: "4"}
	narrowed.Annotations = map[string]string{release.AnnotationRelease: `{"id":"r1","workload":"web"}`}
	clients := fake.NewClientset(
		recorded, narrowed,
		&appsv1.Deployment{ObjectMeta: marked("shop", "plain", "")},
		&corev1.Service{ObjectMeta: marked("shop", "plain", "")},
		&appsv1.Deployment{ObjectMeta: marked("shop", "web-canary", "web")},
		&corev1.Service{ObjectMeta: marked("shop", "web-canary", "web")},
		&netv1.Ingress{ObjectMeta: marked("store", "web-canary", "web")},
		&policyv1.PodDisruptionBudget{ObjectMeta: marked("store", "api-canary", "api")},
		&appsv1.Deployment{ObjectMeta: marked("store", long, "")},
		&corev1.Service{ObjectMeta: marked("store", "long-canary", long)},
	)
	names := func(namespace string) []string {
		found, err := preflight.FindMarked(t.Context(), clients, namespace)
		require.NoError(t, err)
		var list []string
		for _, m := range found {
			require.Equal(t, "Deployment", m.Workload.Kind)
			list = append(list, m.Namespace+"/"+m.Workload.Name)
		}
		return list
	}
	require.Equal(t, []string{"shop/recorded", "shop/web"}, names("shop"))
	require.Equal(t, []string{"narrow/web", "shop/recorded", "shop/web", "store/api", "store/web", "store/" + long}, names(""))
	require.Empty(t, names("none"))
}

func TestFindMarkedFails(t *testing.T) {
	for _, resource := range []string{"deployments", "services", "ingresses", "poddisruptionbudgets"} {
		clients := fake.NewClientset()
		clients.PrependReactor("list", resource, func(clienttesting.Action) (bool, runtime.Object, error) {
			return true, nil, errors.New("forbidden")
		})
		_, err := preflight.FindMarked(t.Context(), clients, "shop")
		require.ErrorContains(t, err, "forbidden")
	}
}
