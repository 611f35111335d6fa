package settings

import (
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"
)

// envPrefix of all our environment variables.
const envPrefix = "SLUICE_"

// option is one setting: its key in the file, its flag (which also names its
// environment variable) and its default. All three come from this table.
type option struct {
	key   string
	flag  string
	value any
	usage string
	// secret settings have no flag: the command line is public.
	secret bool
}

// env returns the name of the environment variable.
func (o option) env() string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(o.flag, "-", "_"))
}

// commonOptions are those of every binary.
var commonOptions = []option{
	{key: "cluster", flag: "cluster", value: "default", usage: "name of the cluster that is released to"},
	{key: "namespace", flag: "namespace", value: "", usage: "Kubernetes namespace (default: that of the context)"},
	{key: "kubeconfig", flag: "kubeconfig", value: "", usage: "kubeconfig file (default: as kubectl)"},
	{key: "kubeContext", flag: "kube-context", value: "", usage: "context of the kubeconfig"},
	{key: "kube.qps", flag: "kube-qps", value: 50.0, usage: "requests per second to the API server, on average"},
	{key: "kube.burst", flag: "kube-burst", value: 100, usage: "requests to the API server at once"},
	{key: "temporal.profile", flag: "temporal-profile", value: "", usage: "profile of the Temporal configuration file"},
	{key: "temporal.configFile", flag: "temporal-config-file", value: "", usage: "Temporal configuration file (TOML)"},
	{key: "temporal.address", flag: "temporal-address", value: "", usage: "host:port of Temporal"},
	{key: "temporal.namespace", flag: "temporal-namespace", value: "", usage: "namespace of Temporal"},
	{key: "temporal.apiKey", flag: "temporal-api-key", value: "", secret: true},
	{key: "prometheus.address", flag: "prometheus-address", value: "", usage: "URL of the Prometheus of documents that name none"},
	{key: "prometheus.headers", flag: "prometheus-headers", value: []string{}, usage: "headers of its requests, such as X-Scope-OrgID=shop"},
	{key: "prometheus.username", flag: "prometheus-username", value: "", usage: "user name that it asks for"},
	{key: "prometheus.passwordFile", flag: "prometheus-password-file", value: "", usage: "file with the password, below the folder of credentials"},
	{key: "prometheus.caFile", flag: "prometheus-ca-file", value: "", usage: "file with the authority of its certificate, below the folder of credentials"},
	{key: "prometheus.bearerTokenFile", flag: "prometheus-token-file", value: "", usage: "file with its bearer token, below the folder of credentials"},
	{key: "prometheus.credentials", flag: "prometheus-credentials", value: "", usage: "folder of the credential files that documents may name"},
	{key: "log.level", flag: "log-level", value: "info", usage: "debug, info, warn or error"},
	{key: "log.format", flag: "log-format", value: string(LogText), usage: "text or json"},
}

// workerOptions are those of the worker alone.
var workerOptions = []option{
	{key: "worker.metricsAddress", flag: "metrics-address", value: ":9464", usage: "host:port of /metrics; empty serves none"},
	{key: "worker.healthAddress", flag: "health-address", value: ":8081", usage: "host:port of the probes; empty serves none"},
	{key: "worker.profilingAddress", flag: "profiling-address", value: "", usage: "host:port of Go's profiles, for those who look for a fault; empty serves none"},
	{key: "worker.stopTimeout", flag: "stop-timeout", value: 20 * time.Second, usage: "time for activities to end after a stop"},
	{key: "worker.maxConcurrentActivities", flag: "max-concurrent-activities", value: 10_000, usage: "activities at once"},
	{key: "worker.workflowCacheSize", flag: "workflow-cache-size", value: 1_000, usage: "rollouts kept in memory"},
	{key: "worker.janitor", flag: "janitor", value: string(JanitorOff), usage: "look for lost rollouts: report, repair, none (stop looking) or off (leave it as it is)"},
	{key: "worker.janitorEvery", flag: "janitor-every", value: 10 * time.Minute, usage: "how often the janitor looks"},
	{key: "worker.namespaces", flag: "namespaces", value: []string{}, usage: "Kubernetes namespaces to watch (default: all)"},
}

// Names of the flags that are not in the table.
const (
	configFlag   = "config"
	gatewayFlag  = "gateway"
	configEnv    = envPrefix + "CONFIG"
	gatewaysEnv  = envPrefix + "GATEWAYS"
	gatewaysKey  = "gateways"
	fileBaseName = "sluice.yaml"
)

// AddFlags adds the flags of every binary to a set.
func AddFlags(flags *pflag.FlagSet) {
	flags.String(configFlag, "", "settings file (default: ./"+fileBaseName+", then $XDG_CONFIG_HOME/sluice/"+fileBaseName+")")
	addFlags(flags, commonOptions)
}

// AddWorkerFlags adds the flags of the worker to a set, on top of AddFlags.
func AddWorkerFlags(flags *pflag.FlagSet) {
	addFlags(flags, workerOptions)
	AddGatewayFlag(flags)
}

// AddGatewayFlag adds the flag of the gateways to a set, on top of AddFlags.
func AddGatewayFlag(flags *pflag.FlagSet) {
	flags.StringArray(gatewayFlag, nil, "gateway of a class of Ingress, "+gatewayForm+" (may be repeated)")
}

func addFlags(flags *pflag.FlagSet, options []option) {
	for _, o := range options {
		if o.secret {
			continue
		}
		switch value := o.value.(type) {
		case string:
			flags.String(o.flag, value, o.usage)
		case int:
			flags.Int(o.flag, value, o.usage)
		case float64:
			flags.Float64(o.flag, value, o.usage)
		case time.Duration:
			flags.Duration(o.flag, value, o.usage)
		case []string:
			flags.StringSlice(o.flag, value, o.usage)
		}
	}
}

func allOptions() []option {
	return slices.Concat(commonOptions, workerOptions, watchOptions)
}
