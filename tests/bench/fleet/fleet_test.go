package fleet

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"sluice.dev/sluice/config"
)

func TestApps(t *testing.T) {
	apps := Fleet{Prefix: "bench", Size: 5, PerNamespace: 2}.Apps()
	require.Len(t, apps, 5)
	require.Equal(t, App{Namespace: "bench-0", Name: "app-0000"}, apps[0])
	require.Equal(t, App{Namespace: "bench-2", Name: "app-0004"}, apps[4])
	require.Equal(t, "bench-2/app-0004-canary", apps[4].CanaryKey())
}

func TestDeployAndRemove(t *testing.T) {
	kube := fake.NewClientset()
	f := Fleet{Kube: kube, Prefix: "bench", Size: 3, PerNamespace: 2}
	require.NoError(t, f.Deploy(t.Context()))
	list, err := kube.NetworkingV1().Ingresses("").List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	hosts := map[string]bool{}
	for _, ingress := range list.Items {
		hosts[ingress.Spec.Rules[0].Host] = true
	}
	require.Len(t, hosts, 3, "every application has a host of its own")
	require.NoError(t, f.Remove(t.Context()))
}

func TestDeployWaitsForPods(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	f := Fleet{Kube: fake.NewClientset(), Prefix: "bench", Size: 1, PerNamespace: 1, Replicas: 1}
	require.ErrorContains(t, f.Deploy(ctx), "waiting until all pods are available")
}

func TestDocument(t *testing.T) {
	app := App{Namespace: "bench-0", Name: "app-0001"}
	doc, err := Document(app, Seed(2*time.Second))
	require.NoError(t, err)
	require.Equal(t, "bench-0", doc.Namespace)
	require.Equal(t, "app-0001", doc.Traffic.Ingress.Name)
	require.Len(t, doc.Steps, 2)
	require.Equal(t, 30, *doc.Steps[1].Weight)
	require.Equal(t, config.Hold{Mode: config.HoldTimed, Duration: config.Duration(2 * time.Second)}, doc.Steps[1].Hold)

	doc, err = Document(app, Ramp(26))
	require.NoError(t, err)
	require.Equal(t, config.HoldApproval, doc.Steps[0].Hold.Mode)
	require.Equal(t, 26, *doc.Steps[25].Weight)
	require.Equal(t, 1, doc.Steps[25].Replicas.Value)

	_, err = Document(app, nil)
	require.ErrorContains(t, err, "writing the document of app-0001")
}
