package cluster

import (
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/yaml"

	"sluice.dev/sluice/tests/sandbox/inside"
	"sluice.dev/sluice/tests/sandbox/layout"
	"sluice.dev/sluice/tests/sandbox/outside"
	"sluice.dev/sluice/tests/sandbox/proc"
)

func TestOptionsReportAllErrors(t *testing.T) {
	require.NoError(t, Defaults().Validate())
	err := Options{Gateways: 10, Nodes: 0, FakeNodes: -1, GatewayThrottle: -time.Second}.Validate()
	for _, want := range []string{
		"the number of gateways is 10: use 1 to 9",
		"the number of nodes is 0: use 1 to 50",
		"the number of fake nodes is -1: use 0 to 1000",
		"the gateway's throttle is -1s: use 0 or more",
		"the scrape interval is 0s: use 100ms or more",
	} {
		require.ErrorContains(t, err, want)
	}
}

func TestPartsCanBeStarted(t *testing.T) {
	spec, _ := prepare(t, Options{Gateways: 2, Nodes: 2, FakeNodes: 10, ScrapeInterval: time.Second, Audit: true})
	_, err := proc.New(spec.Parts, Tasks(spec), func(proc.PartStatus) {})
	require.NoError(t, err)
	require.Equal(t, []string{
		"etcd", "apiserver", "controller-manager", "scheduler", "objects", "node-1", "node-2", "fake-nodes",
		"traefik-1", "traefik-2", "temporal", "prometheus", "settled",
	}, names(spec.Parts))
	require.Equal(t, []string{"node-1", "node-2"}, wantedNodes(spec.Parts))
	require.Equal(t, []string{"192.0.2.21", "192.0.2.22"}, gatewayAddresses(spec))
	for _, part := range spec.Parts {
		if part.Task == "" {
			require.NotEmpty(t, part.Log, part.Name)
		}
	}
}

// TestEverythingStaysInTheFolder looks for paths among the arguments: what a
// part may write to is below the sandbox's folder.
func TestEverythingStaysInTheFolder(t *testing.T) {
	spec, _ := prepare(t, Defaults())
	for _, part := range spec.Parts {
		for _, arg := range slices.Concat(part.Args, part.Env, []string{part.Log}) {
			_, value, _ := strings.Cut(arg, "=")
			if filepath.IsAbs(value) && !strings.HasPrefix(value, string(spec.Dir)) {
				t.Errorf("%s is told to use %s", part.Name, arg)
			}
		}
	}
}

func TestAddressesAreLocal(t *testing.T) {
	o := Options{Gateways: MaxGateways, Nodes: MaxNodes}
	local := func(ip string) bool {
		return slices.ContainsFunc(networks(o), func(n netip.Prefix) bool { return n.Contains(netip.MustParseAddr(ip)) })
	}
	ips := []string{apiserverIP, etcdIP, temporalIP, prometheusIP, gatewayIP(MaxGateways), nodeIP(MaxNodes)}
	for _, ip := range ips {
		require.True(t, local(ip), ip)
	}
	require.Len(t, slices.Compact(slices.Sorted(slices.Values(ips))), len(ips))
	require.True(t, local(netip.MustParsePrefix(nodePodNetwork(MaxNodes)).Addr().String()))
	require.False(t, local("10.245.0.1"), "something may answer on a fake pod's address")
}

func TestKubeconfigs(t *testing.T) {
	spec, state := prepare(t, Defaults())
	outer, err := clientcmd.BuildConfigFromFlags("", state.Outside.Kubeconfig)
	require.NoError(t, err)
	require.Equal(t, state.Outside.APIServer, outer.Host)
	require.True(t, strings.HasPrefix(outer.Host, "https://127.0.0.1:"))
	for _, user := range []string{"admin", "node-1", "scheduler", "gateway"} {
		inner, err := clientcmd.BuildConfigFromFlags("", spec.Dir.InnerKubeconfig(user))
		require.NoError(t, err)
		require.Equal(t, "https://192.0.2.10:6443", inner.Host)
		require.NotEmpty(t, inner.CertData)
	}
	info, err := os.Stat(state.Outside.Kubeconfig)
	require.NoError(t, err)
	require.Zero(t, info.Mode().Perm()&0o077)
}

func TestPrometheusConfiguration(t *testing.T) {
	spec, _ := prepare(t, Options{Gateways: 2, Nodes: 1, ScrapeInterval: 1500 * time.Millisecond})
	text, err := os.ReadFile(spec.Dir.Join("prometheus.yml"))
	require.NoError(t, err)
	var config struct {
		Global        map[string]string `json:"global"`
		ScrapeConfigs []struct {
			JobName       string                `json:"job_name"`
			StaticConfigs []map[string][]string `json:"static_configs"`
		} `json:"scrape_configs"`
	}
	require.NoError(t, yaml.Unmarshal(text, &config))
	require.Equal(t, "1500ms", config.Global["scrape_interval"])
	require.Equal(t, "gateway", config.ScrapeConfigs[0].JobName)
	require.Equal(t, []string{"192.0.2.21:8080", "192.0.2.22:8080"}, config.ScrapeConfigs[0].StaticConfigs[0]["targets"])
}

func TestPortsAreKept(t *testing.T) {
	plan := Plan{Name: "test", Dir: layout.Dir(t.TempDir()), Options: Defaults()}
	for _, f := range plan.Forwards(map[string]int{ForwardTemporal: 7}, map[string]int{ForwardGateway: 8}) {
		switch f.Name {
		case ForwardTemporal:
			require.Equal(t, 7, f.Port)
		case ForwardGateway:
			require.Zero(t, f.Port)
			require.Equal(t, 8, f.Prefer)
		default:
			require.Zero(t, f.Port+f.Prefer)
		}
	}
}

func prepare(t *testing.T, o Options) (inside.Spec, layout.State) {
	t.Helper()
	dir := layout.Dir(t.TempDir())
	require.NoError(t, dir.Create())
	plan := Plan{Name: "test", Dir: dir, Options: o, Binaries: Binaries{
		Kube: "kube", Traefik: "traefik", Temporal: "temporal", Prometheus: "prometheus", Demoapp: "demoapp",
	}}
	forwards := plan.Forwards(nil, nil)
	listeners, err := outside.Listen(forwards)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, listeners.Close()) })
	state := plan.State(listeners)
	spec, err := plan.Prepare(state)
	require.NoError(t, err)
	for _, f := range forwards {
		spec.Forwards = append(spec.Forwards, inside.Forward{Name: f.Name, Targets: f.Targets})
	}
	return spec, state
}

func names(parts []proc.Part) []string {
	all := make([]string, 0, len(parts))
	for _, p := range parts {
		all = append(all, p.Name)
	}
	return all
}
