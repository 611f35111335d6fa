package preview

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	k8stesting "k8s.io/client-go/testing"

	"sluice.dev/sluice/config"
)

const checkout = `apiVersion: sluice.dev/v1alpha1
kind: MetricTemplate
metadata: {name: checkout}
spec: {query: "sum(rate(checkouts_total[{{window}}]))", min: 1}
`

func TestTemplates(t *testing.T) {
	doc := config.Rollout{Namespace: "shop", OnFailure: config.FailurePause, Steps: []config.Step{{Analysis: &config.Analysis{Pending: []config.PendingMetric{{ConfigMap: "shared"}}}}}}
	shared := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "shared"}, Data: map[string]string{"a": checkout}}

	full, warnings, err := Templates(t.Context(), fake.NewClientset(shared), doc)
	require.NoError(t, err)
	require.Empty(t, warnings)
	require.Equal(t, "checkout", full.Steps[0].Analysis.Metrics[0].Name)

	_, _, err = Templates(t.Context(), fake.NewClientset(), doc)
	require.ErrorContains(t, err, `the metrics cannot be measured: reading ConfigMap shop/shared: configmaps "shared" not found`)

	forbidden := fake.NewClientset(shared)
	forbidden.PrependReactor("get", "configmaps", func(k8stesting.Action) (bool, runtime.Object, error) {
		return true, nil, apierrors.NewForbidden(corev1.Resource("configmaps"), "shared", errors.New("no rule"))
	})
	same, warnings, err := Templates(t.Context(), forbidden, doc)
	require.NoError(t, err)
	require.Equal(t, doc, same)
	require.Len(t, warnings, 1)
	require.Contains(t, warnings[0], "metrics of ConfigMaps are not shown: reading ConfigMap shop/shared")
}
