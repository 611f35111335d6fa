package settings

import (
	"fmt"
	"log/slog"
	"time"
)

// Settings of a process. The tags are the keys of sluice.yaml.
type Settings struct {
	// Cluster names the cluster that is released to; it is part of every
	// workflow ID and of the name of the activities' task queue.
	Cluster string `mapstructure:"cluster"`
	// Namespace of Kubernetes; that of the kubeconfig's context where empty.
	Namespace string `mapstructure:"namespace"`
	// Kubeconfig is a file; where empty, KUBECONFIG, ~/.kube/config or the pod's
	// service account are used as kubectl does.
	Kubeconfig string `mapstructure:"kubeconfig"`
	// KubeContext chooses a context of the kubeconfig.
	KubeContext string             `mapstructure:"kubeContext"`
	Kube        Kube               `mapstructure:"kube"`
	Temporal    Temporal           `mapstructure:"temporal"`
	Log         Log                `mapstructure:"log"`
	Worker      Worker             `mapstructure:"worker"`
	Watch       Watch              `mapstructure:"watch"`
	Gateways    map[string]Gateway `mapstructure:"gateways"`
	Prometheus  Prometheus         `mapstructure:"prometheus"`
}

// Kube bounds the requests to the API server.
type Kube struct {
	// QPS is the average of requests per second.
	QPS float32 `mapstructure:"qps"`
	// Burst is how many may be sent at once.
	Burst int `mapstructure:"burst"`
}

// Temporal overrides what the SDK's own configuration says (TEMPORAL_*
// variables and the profiles of its TOML file); empty fields override nothing.
type Temporal struct {
	Profile    string `mapstructure:"profile"`
	ConfigFile string `mapstructure:"configFile"`
	// Address is host:port of the frontend.
	Address   string `mapstructure:"address"`
	Namespace string `mapstructure:"namespace"`
	APIKey    Secret `mapstructure:"apiKey"`
}

// Log says what is logged to standard error, and how.
type Log struct {
	Level  slog.Level `mapstructure:"level"`
	Format LogFormat  `mapstructure:"format"`
}

// LogFormat is the form of log lines.
type LogFormat string

// The forms of log lines.
const (
	LogText LogFormat = "text"
	LogJSON LogFormat = "json"
)

// Worker is what only the worker process needs.
type Worker struct {
	// MetricsAddress serves /metrics and HealthAddress the probes, as host:port;
	// where empty, nothing is served.
	MetricsAddress string `mapstructure:"metricsAddress"`
	HealthAddress  string `mapstructure:"healthAddress"`
	// ProfilingAddress serves Go's profiles under /debug/pprof/. They show what is
	// in the worker's memory, so that there is none by default.
	ProfilingAddress string `mapstructure:"profilingAddress"`
	// StopTimeout is how long activities may go on after a stop was asked for. It
	// must be shorter than the pod's termination grace period.
	StopTimeout time.Duration `mapstructure:"stopTimeout"`
	// MaxConcurrentActivities is high because most activities only wait. A rollout
	// that holds takes none of them.
	MaxConcurrentActivities int `mapstructure:"maxConcurrentActivities"`
	// WorkflowCacheSize is how many rollouts are kept in memory; others are
	// replayed when something happens to them. About 143 KiB each (measured, see
	// docs/benchmark.md), which only rollouts that are open cost.
	WorkflowCacheSize int `mapstructure:"workflowCacheSize"`
	// Namespaces to watch; all where empty.
	Namespaces []string `mapstructure:"namespaces"`
	// Janitor looks regularly for what rollouts have left whose workflow is gone.
	Janitor JanitorMode `mapstructure:"janitor"`
	// JanitorEvery is how often it looks.
	JanitorEvery time.Duration `mapstructure:"janitorEvery"`
}

// JanitorMode is what the janitor does about rollouts that are lost.
type JanitorMode string

// The modes of the janitor.
const (
	// JanitorOff changes nothing about a janitor that may have been set up.
	JanitorOff JanitorMode = "off"
	// JanitorReport tells of them: in the log, in Temporal and by a metric.
	JanitorReport JanitorMode = "report"
	// JanitorRepair starts a repair for each.
	JanitorRepair JanitorMode = "repair"
	// JanitorNone removes a janitor that was set up.
	JanitorNone JanitorMode = "none"
)

// Secret is a text that is never printed.
type Secret string

const redacted = "[redacted]"

// String hides the secret from fmt.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return redacted
}

// GoString hides the secret from fmt's %#v.
func (s Secret) GoString() string { return fmt.Sprintf("%q", s.String()) }

// LogValue hides the secret from log/slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText hides the secret from encoders.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Reveal returns the secret itself.
func (s Secret) Reveal() string { return string(s) }
