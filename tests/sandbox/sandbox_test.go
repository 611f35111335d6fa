package sandbox_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"sluice.dev/sluice/tests/sandbox"
	"sluice.dev/sluice/tests/sandbox/cluster"
	"sluice.dev/sluice/tests/sandbox/layout"
	"sluice.dev/sluice/tests/sandbox/proc"
)

func TestSeedAnswersThroughTheGateway(t *testing.T) {
	s := sandbox.Shared(t)
	applySeed(t, s)
	binary := testBinary(t)
	for _, ip := range s.State().Gateways {
		// Each replica follows the cluster by itself.
		require.Eventually(t, func() bool {
			out, err := s.Command(t.Context(), binary, roleGet, "http://"+ip+"/version").Output()
			return err == nil && string(out) == "version: v1\n"
		}, patience, 50*time.Millisecond, "gateway %s", ip)
	}
	// The Service by which every replica of the gateway is found.
	slices, err := kube(t, s).DiscoveryV1().EndpointSlices(cluster.GatewayNamespace).List(t.Context(),
		metav1.ListOptions{LabelSelector: "kubernetes.io/service-name=" + cluster.GatewayService})
	require.NoError(t, err)
	require.Len(t, slices.Items, 1)
	require.Len(t, slices.Items[0].Endpoints, len(s.State().Gateways))
}

func TestPrometheusSeesGatewaysAndPods(t *testing.T) {
	s := sandbox.Shared(t)
	applySeed(t, s)
	for query, want := range map[string]string{
		`count(up{job="gateway"} == 1)`: "2",
		`count(up{job="pods",namespace="default",app="demo",pod_template_hash!=""} == 1)`: "5",
	} {
		require.Eventually(t, func() bool { return ask(t, s, query) == want }, patience, 100*time.Millisecond, query)
	}
}

// ask returns the value of a query to Prometheus.
func ask(t *testing.T, s *sandbox.Sandbox, query string) string {
	t.Helper()
	text, code := answer(t, s.State().Outside.PrometheusURL+"/api/v1/query?query="+url.QueryEscape(query))
	require.Equal(t, http.StatusOK, code, text)
	var result struct {
		Data struct {
			Result []struct{ Value [2]any }
		}
	}
	require.NoError(t, json.Unmarshal([]byte(text), &result))
	if len(result.Data.Result) == 0 {
		return ""
	}
	return result.Data.Result[0].Value[1].(string)
}

func TestTemporalAndItsUI(t *testing.T) {
	s := sandbox.Shared(t)
	page, code := answer(t, s.State().Outside.TemporalUI)
	require.Equal(t, http.StatusOK, code)
	require.Contains(t, page, "<html")
	namespace, code := answer(t, s.State().Outside.TemporalUI+"/api/v1/namespaces/default")
	require.Equal(t, http.StatusOK, code)
	require.Contains(t, namespace, "NAMESPACE_STATE_REGISTERED")
}

func TestRolesAreEnforced(t *testing.T) {
	s := sandbox.Shared(t)
	config, err := s.RESTConfig()
	require.NoError(t, err)
	config.Impersonate = rest.ImpersonationConfig{UserName: "system:serviceaccount:default:default"}
	nobody, err := kubernetes.NewForConfig(config)
	require.NoError(t, err)
	_, err = nobody.AppsV1().Deployments("default").List(t.Context(), metav1.ListOptions{})
	require.True(t, apierrors.IsForbidden(err), "%v", err)
}

func TestAPIServerKilledAndStarted(t *testing.T) {
	s := sandbox.Shared(t)
	applySeed(t, s)
	require.NoError(t, s.Kill(t.Context(), "apiserver"))
	_, err := kube(t, s).CoreV1().Namespaces().List(t.Context(), metav1.ListOptions{})
	require.Error(t, err)
	status, err := s.Status(t.Context())
	require.NoError(t, err)
	require.Equal(t, proc.PhaseDegraded, status.Phase)
	text, _ := answer(t, s.State().Outside.GatewayURL+"/version")
	require.Equal(t, "version: v1", text, "traffic stopped with the API server")

	require.NoError(t, s.Start(t.Context(), "apiserver"))
	_, err = kube(t, s).AppsV1().Deployments("default").Get(t.Context(), "demo", metav1.GetOptions{})
	require.NoError(t, err)
	status, err = s.Status(t.Context())
	require.NoError(t, err)
	require.Equal(t, proc.PhaseReady, status.Phase, "%+v", status)
}

func TestFrozenGatewayIsSeen(t *testing.T) {
	s := sandbox.Shared(t)
	require.NoError(t, s.Freeze(t.Context(), "traefik-2"))
	status, err := s.Status(t.Context())
	require.NoError(t, err)
	require.Equal(t, proc.PhaseDegraded, status.Phase)
	require.NoError(t, s.Thaw(t.Context(), "traefik-2"))
	status, err = s.Status(t.Context())
	require.NoError(t, err)
	require.Equal(t, proc.PhaseReady, status.Phase, "%+v", status)
}

func TestCommandInside(t *testing.T) {
	s := sandbox.Shared(t)
	var out bytes.Buffer
	cmd := s.Command(t.Context(), "sh", "-c", `cat; echo "$GREETING $TEMPORAL_ADDRESS" >&2; exit 3`)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader("from outside\n"), &out, &out
	cmd.Env = []string{"GREETING=hello"}
	var failed *sandbox.ExitError
	require.ErrorAs(t, cmd.Run(), &failed)
	require.Equal(t, 3, failed.Code)
	require.Equal(t, "from outside\nhello "+s.State().Inside.Temporal+"\n", out.String())

	sleeper := s.Command(t.Context(), "sleep", "1000")
	require.NoError(t, sleeper.Start())
	require.NoError(t, sleeper.Kill())
	require.ErrorAs(t, sleeper.Wait(), &failed)
	require.Equal(t, 9, failed.Signal)
}

func TestSecondSandboxKeepsItsObjects(t *testing.T) {
	first := sandbox.Shared(t)
	dir := filepath.Join(t.TempDir(), "second")
	second := up(t, sandbox.Options{Name: "second", Dir: dir})
	ports := second.State().Ports
	require.NotEqual(t, first.State().Ports, ports)
	note := &v1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "only-in-the-second"}}
	_, err := kube(t, second).CoreV1().ConfigMaps("default").Create(t.Context(), note, metav1.CreateOptions{})
	require.NoError(t, err)
	_, err = kube(t, first).CoreV1().ConfigMaps("default").Get(t.Context(), note.Name, metav1.GetOptions{})
	require.True(t, apierrors.IsNotFound(err), "%v", err)

	_, err = sandbox.Up(t.Context(), sandbox.Options{Name: "second", Dir: dir})
	require.ErrorContains(t, err, "runs in "+dir+" already")

	net := network(t, second)
	require.NotEmpty(t, processesIn(t, net))
	require.NoError(t, second.Down(t.Context()))
	require.Empty(t, processesIn(t, net))
	_, err = sandbox.Attach(dir)
	require.ErrorIs(t, err, sandbox.ErrNotRunning)

	again := up(t, sandbox.Options{Name: "second", Dir: dir})
	require.Equal(t, ports, again.State().Ports)
	_, err = kube(t, again).CoreV1().ConfigMaps("default").Get(t.Context(), note.Name, metav1.GetOptions{})
	require.NoError(t, err)
}

func TestKilledOuterLeavesNothing(t *testing.T) {
	sandbox.Shared(t) // builds the parts, which is not to be part of the wait
	dir := filepath.Join(t.TempDir(), "held")
	outer := exec.Command(testBinary(t), roleHold, dir)
	outer.Stderr = os.Stderr
	require.NoError(t, outer.Start())
	// Should the test end early; a second kill is harmless.
	t.Cleanup(func() { _ = outer.Process.Kill() })
	s := attach(t, dir)
	applySeed(t, s)
	net := network(t, s)
	require.Greater(t, len(processesIn(t, net)), 10)

	require.NoError(t, outer.Process.Kill())
	require.Error(t, outer.Wait())
	require.Eventually(t, func() bool { return len(processesIn(t, net)) == 0 }, patience, 10*time.Millisecond)
	_, err := sandbox.Attach(dir)
	require.ErrorIs(t, err, sandbox.ErrNotRunning)
	lock, err := layout.Dir(dir).TryLock()
	require.NoError(t, err)
	require.NoError(t, lock.Release())
}

// attach waits until another process's sandbox is ready.
func attach(t *testing.T, dir string) *sandbox.Sandbox {
	t.Helper()
	var s *sandbox.Sandbox
	require.Eventually(t, func() bool {
		var err error
		s, err = sandbox.Attach(dir)
		if errors.Is(err, sandbox.ErrNotRunning) {
			return false
		}
		require.NoError(t, err)
		err = s.AwaitReady(t.Context(), func(proc.Status) {})
		return err == nil
	}, patience, 20*time.Millisecond)
	return s
}

// up brings a sandbox up that ends with the test.
func up(t *testing.T, o sandbox.Options) *sandbox.Sandbox {
	t.Helper()
	s, err := sandbox.Up(t.Context(), o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Down(context.Background())) })
	return s
}

func kube(t *testing.T, s *sandbox.Sandbox) kubernetes.Interface {
	t.Helper()
	client, err := s.Kube()
	require.NoError(t, err)
	return client
}
