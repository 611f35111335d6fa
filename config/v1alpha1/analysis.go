package v1alpha1

import "sluice.dev/sluice/config/kruise"

// MetricTemplate describes a metric once, for many Rollouts. It stands in the
// same file as the Rollout or in a ConfigMap.
type MetricTemplate struct {
	APIVersion string          `json:"apiVersion"`
	Kind       string          `json:"kind"`
	Metadata   kruise.Metadata `json:"metadata,omitempty"`
	// Spec is a metric that refers to no other template.
	Spec Metric `json:"spec"`
}

// Analysis decides by metrics.
type Analysis struct {
	Metrics []Metric `json:"metrics,omitempty"`
	// StartingStep, from 1, is for the analysis of the whole rollout only.
	StartingStep *int64 `json:"startingStep,omitempty"`
}

// Bake goes on with the analysis after 100 %, with the old revision kept ready.
type Bake struct {
	Duration *Period   `json:"duration,omitempty"`
	Analysis *Analysis `json:"analysis,omitempty"`
}

// Metric is one measurement and what is good. What it says goes before what its
// template says.
type Metric struct {
	Name string `json:"name,omitempty"`
	// Template by name, from the ConfigMap where one is named.
	Template  string `json:"template,omitempty"`
	ConfigMap string `json:"configMap,omitempty"`
	// Server by name.
	Server string            `json:"server,omitempty"`
	Args   map[string]string `json:"args,omitempty"`
	// Query has one value; Requests, Bad and Good are counters.
	Query    string `json:"query,omitempty"`
	Requests string `json:"requests,omitempty"`
	Bad      string `json:"bad,omitempty"`
	Good     string `json:"good,omitempty"`

	Interval     *Period `json:"interval,omitempty"`
	Window       *Period `json:"window,omitempty"`
	InitialDelay *Period `json:"initialDelay,omitempty"`
	// Count of samples, or the Duration that they take.
	Count    *int64  `json:"count,omitempty"`
	Duration *Period `json:"duration,omitempty"`

	Min         *float64 `json:"min,omitempty"`
	Max         *float64 `json:"max,omitempty"`
	MinRatio    *float64 `json:"minRatio,omitempty"`
	MaxRatio    *float64 `json:"maxRatio,omitempty"`
	MinDelta    *float64 `json:"minDelta,omitempty"`
	MaxDelta    *float64 `json:"maxDelta,omitempty"`
	Condition   string   `json:"condition,omitempty"`
	Test        *Test    `json:"test,omitempty"`
	MinRequests *int64   `json:"minRequests,omitempty"`

	Limits   *Limits `json:"limits,omitempty"`
	OnPass   string  `json:"onPass,omitempty"`
	OnFail   string  `json:"onFail,omitempty"`
	OnNoData string  `json:"onNoData,omitempty"`
	OnError  string  `json:"onError,omitempty"`
	DryRun   *bool   `json:"dryRun,omitempty"`
}

// Test is a sequential test of the proportion of bad requests.
type Test struct {
	FalseAlarm *float64 `json:"falseAlarm,omitempty"`
	Tolerance  *Worse   `json:"tolerance,omitempty"`
	Margin     *Worse   `json:"margin,omitempty"`
	Bound      *float64 `json:"bound,omitempty"`
}

// Worse is so many times the proportion of stable, and so much more.
type Worse struct {
	Ratio *float64 `json:"ratio,omitempty"`
	Delta *float64 `json:"delta,omitempty"`
}

// Limits say how many samples of a kind decide.
type Limits struct {
	ConsecutiveFailures *int64 `json:"consecutiveFailures,omitempty"`
	Failures            *int64 `json:"failures,omitempty"`
	ConsecutiveErrors   *int64 `json:"consecutiveErrors,omitempty"`
	Errors              *int64 `json:"errors,omitempty"`
	ConsecutiveNoData   *int64 `json:"consecutiveNoData,omitempty"`
	NoData              *int64 `json:"noData,omitempty"`
}

// Prometheus is a server that metrics are read from.
type Prometheus struct {
	Name        string            `json:"name"`
	Address     string            `json:"address"`
	Timeout     *Period           `json:"timeout,omitempty"`
	MaxBytes    *int64            `json:"maxBytes,omitempty"`
	Headers     map[string]string `json:"headers,omitempty"`
	BasicAuth   *BasicAuth        `json:"basicAuth,omitempty"`
	BearerToken *Credential       `json:"bearerToken,omitempty"`
	TLS         *TLS              `json:"tls,omitempty"`
}

// BasicAuth is a user name and where the password is.
type BasicAuth struct {
	Username string      `json:"username"`
	Password *Credential `json:"password"`
}

// Credential says where a secret text is: a file of the worker, or the key of a
// Secret in the document's namespace.
type Credential struct {
	File   string `json:"file,omitempty"`
	Secret string `json:"secret,omitempty"`
	Key    string `json:"key,omitempty"`
}

// TLS of the connection to a server.
type TLS struct {
	CA         *Credential `json:"ca,omitempty"`
	Cert       *Credential `json:"cert,omitempty"`
	PrivateKey *Credential `json:"privateKey,omitempty"`
	ServerName string      `json:"serverName,omitempty"`
	// InsecureSkipVerify accepts any certificate.
	InsecureSkipVerify bool `json:"insecureSkipVerify,omitempty"`
}
