package settings

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/spf13/pflag"
	"github.com/stretchr/testify/require"

	"sluice.dev/sluice/config"
)

// workspace is an empty place without files or variables of the person who
// runs the tests.
func workspace(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	t.Chdir(dir)
	t.Setenv("XDG_CONFIG_HOME", filepath.Join(dir, "xdg"))
	t.Setenv("TEMPORAL_CONFIG_FILE", filepath.Join(dir, "no-such.toml"))
	for _, o := range allOptions() {
		unset(t, o.env())
	}
	for _, name := range []string{configEnv, gatewaysEnv, "TEMPORAL_ADDRESS", "TEMPORAL_NAMESPACE", "TEMPORAL_API_KEY", "TEMPORAL_PROFILE", "TEMPORAL_TLS"} {
		unset(t, name)
	}
	return dir
}

func unset(t *testing.T, name string) {
	t.Helper()
	t.Setenv(name, "")
	require.NoError(t, os.Unsetenv(name))
}

func write(t *testing.T, path, text string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
}

func flags(t *testing.T, args ...string) *pflag.FlagSet {
	t.Helper()
	set := pflag.NewFlagSet("test", pflag.ContinueOnError)
	AddFlags(set)
	AddWorkerFlags(set)
	AddWatchFlags(set)
	require.NoError(t, set.Parse(args))
	return set
}

func defaults() Settings {
	return Settings{
		Cluster: "default",
		Kube:    Kube{QPS: 50, Burst: 100},
		Log:     Log{Level: slog.LevelInfo, Format: LogText},
		Worker: Worker{
			MetricsAddress:          ":9464",
			HealthAddress:           ":8081",
			StopTimeout:             20 * time.Second,
			MaxConcurrentActivities: 10_000,
			WorkflowCacheSize:       1_000,
			Namespaces:              []string{},
			Janitor:                 JanitorOff,
			JanitorEvery:            10 * time.Minute,
		},
		Prometheus: Prometheus{Headers: []string{}},
		Watch: Watch{
			Namespaces: []string{}, Home: "sluice-system", WebhookAddress: ":9443", WebhookService: "sluice-watch",
			FailurePolicy: "Ignore", MetricsAddress: ":9465",
		},
	}
}

func TestDefaults(t *testing.T) {
	workspace(t)
	for name, set := range map[string]*pflag.FlagSet{"without flags": nil, "with flags": flags(t)} {
		t.Run(name, func(t *testing.T) {
			s, err := Load(set)
			require.NoError(t, err)
			require.Equal(t, defaults(), s)
		})
	}
}

const everything = `
cluster: east
namespace: shop
kubeconfig: /tmp/kubeconfig
kubeContext: prod
kube: {qps: 7.5, burst: 9}
temporal: {profile: p, configFile: t.toml, address: "temporal:7233", namespace: ns, apiKey: key}
log: {level: debug, format: json}
worker:
  metricsAddress: ""
  healthAddress: 127.0.0.1:1
  stopTimeout: 1m
  maxConcurrentActivities: 5
  workflowCacheSize: 6
  namespaces: [a, b]
  janitor: repair
  janitorEvery: 1h
gateways:
  nginx: {kind: traefik, service: gateway/traefik, apiPort: 8080}
  higress: {kind: none}
`

func TestFile(t *testing.T) {
	dir := workspace(t)
	write(t, filepath.Join(dir, "sluice.yaml"), everything)
	s, err := Load(flags(t))
	require.NoError(t, err)
	require.Equal(t, Settings{
		Cluster: "east", Namespace: "shop", Kubeconfig: "/tmp/kubeconfig", KubeContext: "prod",
		Kube:     Kube{QPS: 7.5, Burst: 9},
		Temporal: Temporal{Profile: "p", ConfigFile: "t.toml", Address: "temporal:7233", Namespace: "ns", APIKey: "key"},
		Log:      Log{Level: slog.LevelDebug, Format: LogJSON},
		Worker: Worker{
			HealthAddress: "127.0.0.1:1", StopTimeout: time.Minute,
			MaxConcurrentActivities: 5, WorkflowCacheSize: 6, Namespaces: []string{"a", "b"},
			Janitor: JanitorRepair, JanitorEvery: time.Hour,
		},
		Watch:      defaults().Watch,
		Prometheus: defaults().Prometheus,
		Gateways: map[string]Gateway{
			"nginx":   {Kind: GatewayTraefik, Service: "gateway/traefik", APIPort: "8080"},
			"higress": {Kind: GatewayNone},
		},
	}, s)
}

// needs are the variables without which an option makes no sense.
var needs = map[string][]string{
	"prometheus.bearerTokenFile": {"SLUICE_PROMETHEUS_CREDENTIALS"},
	"prometheus.caFile":          {"SLUICE_PROMETHEUS_CREDENTIALS"},
	"prometheus.passwordFile":    {"SLUICE_PROMETHEUS_CREDENTIALS", "SLUICE_PROMETHEUS_USERNAME"},
	"prometheus.username":        {"SLUICE_PROMETHEUS_CREDENTIALS", "SLUICE_PROMETHEUS_PASSWORD_FILE"},
}

func TestEveryOption(t *testing.T) {
	values := map[string]string{
		"kube.qps": "3", "kube.burst": "4", "temporal.address": "t:1", "log.level": "warn", "log.format": "json",
		"worker.metricsAddress": ":1", "worker.healthAddress": ":2", "worker.profilingAddress": ":6", "worker.stopTimeout": "3s",
		"worker.maxConcurrentActivities": "4", "worker.workflowCacheSize": "5", "worker.namespaces": "a,b",
		"prometheus.address": "http://p:9090", "prometheus.headers": "X-Scope-OrgID=shop,X-Other=1",
		"watch.namespaces": "a,b", "watch.webhookAddress": ":3", "watch.webhookURL": "https://h:4", "watch.failurePolicy": "Fail",
		"watch.metricsAddress": ":5",
		"worker.janitor":       "report", "worker.janitorEvery": "7m",
	}
	for _, o := range allOptions() {
		value := values[o.key]
		if value == "" {
			value = "some-value"
		}
		t.Run(o.key, func(t *testing.T) {
			workspace(t)
			for _, needed := range needs[o.key] {
				t.Setenv(needed, "some-value")
			}
			t.Setenv(o.env(), value)
			byEnv, err := Load(flags(t))
			require.NoError(t, err)
			require.NotEqual(t, defaults(), byEnv, "%s changes nothing", o.env())
			if o.secret {
				require.Nil(t, flags(t).Lookup(o.flag))
				return
			}
			unset(t, o.env())
			byFlag, err := Load(flags(t, "--"+o.flag+"="+value))
			require.NoError(t, err)
			require.Equal(t, byEnv, byFlag)
		})
	}
}

func TestPrometheus(t *testing.T) {
	dir := workspace(t)
	write(t, filepath.Join(dir, "sluice.yaml"), "prometheus: {address: 'https://mimir', headers: [X-Scope-OrgID=shop, X-Equals=a=b], username: ann, passwordFile: password, caFile: ca.crt, credentials: /run/prometheus}")
	s, err := Load(flags(t))
	require.NoError(t, err)
	require.Equal(t, config.Prometheus{
		Name: config.DefaultServer, Address: "https://mimir", Timeout: config.DefaultQueryTimeout, MaxBytes: config.DefaultMaxBytes,
		Headers:  map[string]string{"X-Scope-OrgID": "shop", "X-Equals": "a=b"},
		Username: "ann", Password: &config.Credential{File: "password"}, TLS: &config.TLS{CA: &config.Credential{File: "ca.crt"}},
	}, s.Prometheus.Server())
	require.Equal(t, config.Prometheus{
		Name: config.DefaultServer, Timeout: config.DefaultQueryTimeout, MaxBytes: config.DefaultMaxBytes, Bearer: &config.Credential{File: "token"},
	}, Prometheus{BearerTokenFile: "token"}.Server())
	require.Equal(t, []string{"token", "password"}, Prometheus{BearerTokenFile: "token", PasswordFile: "password", CAFile: "ca"}.Secrets())
}

func TestPrecedence(t *testing.T) {
	dir := workspace(t)
	cluster := func(args ...string) string {
		s, err := Load(flags(t, args...))
		require.NoError(t, err)
		return s.Cluster
	}
	require.Equal(t, "default", cluster())

	write(t, filepath.Join(dir, "xdg", "sluice", "sluice.yaml"), "cluster: home")
	require.Equal(t, "home", cluster())
	write(t, filepath.Join(dir, "sluice.yaml"), "cluster: here")
	require.Equal(t, "here", cluster(), "the folder comes before the home")
	write(t, filepath.Join(dir, "env.yaml"), "cluster: by-env")
	t.Setenv(configEnv, filepath.Join(dir, "env.yaml"))
	require.Equal(t, "by-env", cluster())
	write(t, filepath.Join(dir, "other.yaml"), "cluster: asked-for")
	require.Equal(t, "asked-for", cluster("--config", "other.yaml"))

	t.Setenv("SLUICE_CLUSTER", "variable")
	require.Equal(t, "variable", cluster("--config", "other.yaml"))
	require.Equal(t, "flag", cluster("--cluster", "flag"))
	require.Equal(t, "default", cluster("--cluster", "default"), "also where the flag repeats the default")
}

func TestGateways(t *testing.T) {
	dir := workspace(t)
	write(t, filepath.Join(dir, "sluice.yaml"), "gateways: {nginx: {kind: traefik, service: gateway/traefik}, higress: {kind: higress, grace: 3s}}")
	s, err := Load(flags(t))
	require.NoError(t, err)
	require.Equal(t, Gateway{Kind: GatewayTraefik, Service: "gateway/traefik", APIPort: "api"}, s.GatewayFor("nginx"))
	require.True(t, s.GatewayFor("nginx").Observable())
	require.Equal(t, 5*time.Second, s.GatewayFor("nginx").ConfirmGrace())
	namespace, name := s.GatewayFor("nginx").ServiceRef()
	require.Equal(t, "gateway traefik", namespace+" "+name)
	require.Equal(t, 3*time.Second, s.GatewayFor("higress").ConfirmGrace())
	require.False(t, s.GatewayFor("higress").Observable())

	t.Setenv(gatewaysEnv, "nginx=ingress-nginx, higress=none")
	s, err = Load(flags(t))
	require.NoError(t, err)
	require.Equal(t, 10*time.Second, s.GatewayFor("nginx").ConfirmGrace())
	require.Equal(t, time.Duration(0), s.GatewayFor("higress").ConfirmGrace())

	s, err = Load(flags(t, "--gateway", "nginx=traefik:edge/gw:8080", "--gateway", "higress=higress"))
	require.NoError(t, err)
	require.Equal(t, Gateway{Kind: GatewayTraefik, Service: "edge/gw", APIPort: "8080"}, s.GatewayFor("nginx"))
	require.Equal(t, 10*time.Second, s.GatewayFor("higress").ConfirmGrace())

	s, err = Load(flags(t, "--gateway", "nginx=ingress-nginx:edge/gw", "--gateway", "higress=higress:edge/hg:8080", "--gateway", "mse=traefik:edge/t:api:web", "--gateway", "aliyun-alb=traefik:edge/u:::metrics"))
	require.NoError(t, err)
	require.Equal(t, Gateway{Kind: GatewayNginx, Service: "edge/gw"}, s.GatewayFor("nginx"))
	require.Equal(t, Gateway{Kind: GatewayHigress, Service: "edge/hg", ProbePort: "8080"}, s.GatewayFor("higress"))
	require.Equal(t, Gateway{Kind: GatewayTraefik, Service: "edge/t", APIPort: "api", ProbePort: "web"}, s.GatewayFor("mse"))
	require.Equal(t, Gateway{Kind: GatewayTraefik, Service: "edge/u", APIPort: "api", MetricsPort: "metrics"}, s.GatewayFor("aliyun-alb"))
	require.False(t, s.GatewayFor("nginx").Observable())
}

func TestGraceOfZeroIsHonoured(t *testing.T) {
	dir := workspace(t)
	write(t, filepath.Join(dir, "sluice.yaml"), "gateways: {nginx: {kind: ingress-nginx, grace: 0s}, higress: {kind: higress}}")
	s, err := Load(flags(t))
	require.NoError(t, err)
	require.Zero(t, s.GatewayFor("nginx").ConfirmGrace())
	require.Equal(t, 10*time.Second, s.GatewayFor("higress").ConfirmGrace())
}

func TestGatewayOfUnsetClass(t *testing.T) {
	for class, grace := range map[string]time.Duration{"nginx": 10 * time.Second, "higress": 10 * time.Second, "mse": 10 * time.Second, "aliyun-alb": time.Minute, "unheard-of": time.Minute} {
		gateway := Settings{}.GatewayFor(class)
		require.Equal(t, grace, gateway.ConfirmGrace(), class)
		require.False(t, gateway.Observable(), class)
	}
}

func TestRefused(t *testing.T) {
	cases := []struct {
		name, file string
		args       []string
		want       []string
	}{
		{"unknown keys", "clustr: a\nkube: {qsp: 1}\ngateways: {nginx: {knd: traefik}}\nworker: {xyzzyxyzzyxyzzy: 1}", nil, []string{
			"unknown key clustr: did you mean cluster?", "unknown key kube.qsp: did you mean kube.qps?",
			"unknown key gateways.nginx.knd: did you mean gateways.nginx.kind?", "unknown key worker.xyzzyxyzzyxyzzy",
		}},
		{"not YAML", "a: [", nil, []string{"reading settings file sluice.yaml"}},
		{"twice", "cluster: a\ncluster: b", nil, []string{"reading settings file sluice.yaml", "already defined"}},
		{"wrong types", "kube: {burst: many}\nworker: {stopTimeout: soon}\nlog: {level: loud}", nil, []string{"kube.burst", "worker.stopTimeout", "log.level"}},
		{"everything wrong", "cluster: a/b\nnamespace: A\nkube: {qps: 0, burst: 0}\ntemporal: {address: host}\nlog: {format: xml}\n" +
			"worker: {metricsAddress: x, healthAddress: '1', profilingAddress: p, stopTimeout: 0s, maxConcurrentActivities: 0, workflowCacheSize: -1, janitor: sweep, janitorEvery: 1ms, namespaces: [a, B]}\n" +
			"gateways: {istio: {kind: envoy, apiPort: x, grace: -1s}, nginx: {kind: ingress-nginx, service: x, apiPort: '70000'}}", nil, []string{
			`cluster: "a/b"`, `namespace: "A"`, `namespace: "B"`, "kube.qps", "kube.burst", "temporal.address", `unknown format "xml"`,
			"worker.metricsAddress", "worker.healthAddress", "worker.profilingAddress", "worker.stopTimeout", "worker.maxConcurrentActivities", "worker.workflowCacheSize", "worker.janitor: unknown mode", "worker.janitorEvery",
			"gateways.istio: unknown class", `unknown kind "envoy"`, "apiPort needs a service", "grace cannot be negative",
			"have no state API", `service "x": write namespace/name`, `apiPort "70000"`,
		}},
		{"prometheus", "prometheus: {address: mimir, headers: [X-Scope-OrgID, Authorization=x, 'a b=c'], username: ann, bearerTokenFile: token, caFile: ca}", nil, []string{
			`prometheus.address: "mimir"`, `prometheus.headers: "X-Scope-OrgID" is no header`, `"Authorization=x" is no header`, `"a b=c" is no header`,
			"prometheus.passwordFile: username and passwordFile go together", "prometheus.bearerTokenFile: the server is told either a token or a password",
			"prometheus.bearerTokenFile: the folder of the file is not known", "prometheus.caFile: the folder of the file is not known",
		}},
		{"no such file", "", []string{"--config", "none.yaml"}, []string{"reading settings file none.yaml"}},
		{"gateway flag", "", []string{"--gateway", "traefik"}, []string{"write class=kind[:namespace/service[:port[:probePort[:metricsPort]]]]"}},
		{"port name", "", []string{"--gateway", "nginx=traefik:a/b:no_such"}, []string{`apiPort "no_such"`}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			dir := workspace(t)
			if c.file != "" {
				write(t, filepath.Join(dir, "sluice.yaml"), c.file)
			}
			_, err := Load(flags(t, c.args...))
			for _, want := range c.want {
				require.ErrorContains(t, err, want)
			}
		})
	}
}
