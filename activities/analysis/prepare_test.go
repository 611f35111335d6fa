package analysis_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	k8stesting "k8s.io/client-go/testing"

	"sluice.dev/sluice/activities/analysis"
	"sluice.dev/sluice/activities/kube"
	"sluice.dev/sluice/config"
)

const template = `apiVersion: sluice.dev/v1alpha1
kind: MetricTemplate
metadata: {name: checkout}
spec:
  query: sum(up{pod=~"{{pods}}"})
  min: 1
`

// prepare runs the activity for a rollout with one step that is measured.
func (b *bench) prepare(a *config.Analysis, servers ...config.Prometheus) (analysis.Prepared, error) {
	b.t.Helper()
	rollout := config.Rollout{Namespace: "shop", Steps: []config.Step{{Analysis: a}}, Prometheus: servers, OnFailure: config.FailurePause}
	value, err := b.env.ExecuteActivity(b.a.PrepareAnalysis, analysis.PrepareRequest{Subject: subject(), Rollout: rollout})
	if err != nil {
		return analysis.Prepared{}, err
	}
	var prepared analysis.Prepared
	require.NoError(b.t, value.Get(&prepared))
	return prepared, nil
}

func pending() *config.Analysis {
	return &config.Analysis{Pending: []config.PendingMetric{{ConfigMap: "shared", Path: "metrics[0]"}}}
}

// measured has a metric that can be measured.
func measured() *config.Analysis {
	return &config.Analysis{Metrics: []config.Metric{valueMetric(nil)}}
}

func TestTemplatesOfConfigMaps(t *testing.T) {
	b := newBench(t, newPrometheus(t, map[string][]vector{"1": {{"": 1}}}))
	b.a.Kube = fake.NewClientset(&corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "shared"}, Data: map[string]string{"a.yaml": template},
	})
	prepared, err := b.prepare(pending())
	require.NoError(t, err)
	require.Empty(t, prepared.Warnings)
	require.Equal(t, "checkout", prepared.Rollout.Steps[0].Analysis.Metrics[0].Name)
	require.Empty(t, prepared.Rollout.Steps[0].Analysis.Pending)
}

func TestPrepareRefuses(t *testing.T) {
	b := newBench(t, newPrometheus(t, nil))
	b.a.Kube = fake.NewClientset()
	_, err := b.prepare(pending())
	require.ErrorContains(t, err, `configmaps "shared" not found`)

	secret := config.Prometheus{Name: "main", Address: "http://127.0.0.1:1", Timeout: config.Duration(1e9), MaxBytes: 1 << 20, Bearer: &config.Credential{Secret: "prom", Key: "token"}}
	_, err = b.prepare(measured(), secret)
	require.ErrorContains(t, err, `secrets "prom" not found`)
	var failure *temporal.ApplicationError
	require.ErrorAs(t, err, &failure)
	require.True(t, failure.NonRetryable(), "refused at once")

	_, err = newBench(t, nil).prepare(measured())
	require.ErrorContains(t, err, "no Prometheus is known")

	_, err = b.prepare(&config.Analysis{})
	require.ErrorContains(t, err, "steps[0].analysis: there is no metric to measure")
	hasty := measured()
	hasty.Metrics[0].Interval = 0
	_, err = b.prepare(hasty)
	require.ErrorContains(t, err, "metric errors has the interval 0s: write a length of time")
}

func TestServerThatIsAwayIsAWarning(t *testing.T) {
	away := config.Prometheus{Name: "main", Address: "http://127.0.0.1:1", Timeout: config.Duration(1e9), MaxBytes: 1 << 20}
	prepared, err := newBench(t, nil).prepare(measured(), away)
	require.NoError(t, err)
	require.Len(t, prepared.Warnings, 1)
	require.Contains(t, prepared.Warnings[0], "metrics cannot be read now: Prometheus main: no connection")
}

func TestCredentialFiles(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "token"), []byte("secret\n"), 0o600))
	server := func(file string) config.Prometheus {
		return config.Prometheus{Name: "main", Address: "http://127.0.0.1:1", Timeout: config.Duration(1e9), MaxBytes: 1 << 20, Bearer: &config.Credential{File: file}}
	}
	b := newBench(t, nil)
	_, err := b.prepare(measured(), server("token"))
	require.ErrorContains(t, err, "the worker has no folder of credentials")
	b.a.Credentials = dir
	for _, name := range []string{"token", filepath.Join(dir, "token")} {
		_, err = b.prepare(measured(), server(name))
		require.NoError(t, err)
	}
	for _, name := range []string{"/etc/passwd", "../passwd", "other"} {
		_, err = b.prepare(measured(), server(name))
		require.Error(t, err, name)
	}
}

// TestFilesOfTheWorkerAreItsOwn: a document that could name them would have them sent
// wherever it likes.
func TestFilesOfTheWorkerAreItsOwn(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"own": "mine", "shared": "for all"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	require.NoError(t, os.Symlink("own", filepath.Join(dir, "link")))
	away := config.Prometheus{Name: "main", Address: "http://127.0.0.1:1", Timeout: config.Duration(1e9), MaxBytes: 1 << 20}
	server := func(file string) config.Prometheus {
		named := away
		named.Bearer = &config.Credential{File: file}
		return named
	}
	b := newBench(t, nil)
	b.a.Credentials, b.a.Own = dir, []string{filepath.Join(dir, "own"), "none"}
	for _, name := range []string{"own", "./own", "link", filepath.Join(dir, "own")} {
		_, err := b.prepare(measured(), server(name))
		require.ErrorContains(t, err, "it is for the worker's own Prometheus, and no document may name it", name)
	}
	_, err := b.prepare(measured(), server("shared"))
	require.NoError(t, err)
	b.a.Default = server("own")
	_, err = b.prepare(measured())
	require.NoError(t, err, "the worker's own Prometheus gets it")
}

// TestRightsThatAreMissing are granted while it waits: nothing is refused for good.
func TestRightsThatAreMissing(t *testing.T) {
	b := newBench(t, newPrometheus(t, nil))
	cluster := fake.NewClientset()
	cluster.PrependReactor("get", "*", func(action k8stesting.Action) (bool, runtime.Object, error) {
		get := action.(k8stesting.GetAction)
		return true, nil, apierrors.NewForbidden(get.GetResource().GroupResource(), get.GetName(), errors.New("no rule"))
	})
	b.a.Kube = cluster
	secret := config.Prometheus{Name: "main", Address: "http://127.0.0.1:1", Timeout: config.Duration(1e9), MaxBytes: 1 << 20, Bearer: &config.Credential{Secret: "prom", Key: "token"}}
	for remedy, prepare := range map[string]func() (analysis.Prepared, error){
		"grant get on the ConfigMap shared in namespace shop": func() (analysis.Prepared, error) { return b.prepare(pending()) },
		"grant get on the Secret prom in namespace shop":      func() (analysis.Prepared, error) { return b.prepare(measured(), secret) },
	} {
		_, err := prepare()
		require.ErrorContains(t, err, remedy)
		var failure *temporal.ApplicationError
		require.ErrorAs(t, err, &failure)
		require.Equal(t, kube.ErrForbidden, failure.Type())
		require.False(t, failure.NonRetryable(), remedy)
	}
}
