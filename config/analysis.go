package config

// Analysis decides by metrics about a step, about the whole rollout or about the
// bake.
type Analysis struct {
	// Metrics that have to pass, all of them.
	Metrics []Metric `json:"metrics,omitempty"`
	// Pending metrics are described in ConfigMaps that are read before anything
	// is touched; Resolve turns them into Metrics.
	Pending []PendingMetric `json:"pending,omitempty"`
	// StartingStep, from 1, of an analysis of the whole rollout.
	StartingStep int `json:"startingStep,omitempty"`
}

// Bake keeps the old revision ready for a time after every request went to the
// new one, and returns to it if the analysis fails.
type Bake struct {
	// Duration of the bake, counted from the moment that all requests go to the
	// new revision.
	Duration Duration `json:"duration"`
	// Analysis of the bake; may have no metrics where that of the whole rollout
	// goes on.
	Analysis *Analysis `json:"analysis,omitempty"`
}

// Metric is one measurement and what is good. It has either a Query, whose value
// is judged, or counters: Requests, and one of Bad and Good.
type Metric struct {
	Name string `json:"name"`
	// Server that is asked; the first of the document where empty.
	Server string `json:"server,omitempty"`
	// Query in PromQL with variables; one value per side.
	Query string `json:"query,omitempty"`
	// Requests is the number of requests: beside Query as one value, beside Bad
	// or Good as counters, which are told apart by their labels.
	Requests string `json:"requests,omitempty"`
	// Bad and Good are counters of requests; only one of them is set.
	Bad  string `json:"bad,omitempty"`
	Good string `json:"good,omitempty"`
	// Args are variables of the queries besides those that every query has.
	Args map[string]string `json:"args,omitempty"`

	// Interval between samples, Window of rates, and InitialDelay before the
	// first sample.
	Interval     Duration `json:"interval"`
	Window       Duration `json:"window"`
	InitialDelay Duration `json:"initialDelay,omitempty"`
	// Count of judged samples after which the metric passes.
	Count int `json:"count"`

	// Min and Max bound the value of canary.
	Min *float64 `json:"min,omitempty"`
	Max *float64 `json:"max,omitempty"`
	// Compare bounds it against that of stable.
	Compare Compare `json:"compare,omitzero"`
	// Condition in CEL that has to be true.
	Condition string `json:"condition,omitempty"`
	// Test is a sequential test of the counters.
	Test *Test `json:"test,omitempty"`
	// MinRequests of canary before the metric may pass or fail.
	MinRequests float64 `json:"minRequests,omitempty"`

	// Limits say how many bad samples are too many.
	Limits Limits `json:"limits"`
	// OnPass, OnFail, OnNoData and OnError say what follows the verdicts.
	OnPass   PassPolicy    `json:"onPass"`
	OnFail   FailurePolicy `json:"onFail"`
	OnNoData GapPolicy     `json:"onNoData"`
	OnError  GapPolicy     `json:"onError"`
	// DryRun only observes.
	DryRun bool `json:"dryRun,omitempty"`
}

// Counts says whether the metric is read from counters.
func (m *Metric) Counts() bool { return m.Bad != "" || m.Good != "" }

// Compare bounds the value of canary against that of stable.
type Compare struct {
	// MinRatio and MaxRatio bound canary divided by stable.
	MinRatio *float64 `json:"minRatio,omitempty"`
	MaxRatio *float64 `json:"maxRatio,omitempty"`
	// MinDelta and MaxDelta bound canary minus stable.
	MinDelta *float64 `json:"minDelta,omitempty"`
	MaxDelta *float64 `json:"maxDelta,omitempty"`
}

// Any says whether anything is compared.
func (c Compare) Any() bool {
	return c.MinRatio != nil || c.MaxRatio != nil || c.MinDelta != nil || c.MaxDelta != nil
}

// Test is a sequential test of the proportion of bad requests: it may be looked
// at after every sample.
type Test struct {
	// FalseAlarm is the probability, over the whole analysis, of a verdict Fail
	// although canary is not worse, and of a verdict Pass although it is worse by
	// the margin; above 0, below 0.5.
	FalseAlarm float64 `json:"falseAlarm"`
	// Tolerance is how much worse than stable canary may be without being harmful.
	Tolerance Worse `json:"tolerance"`
	// Margin is how much worse it must certainly not be to pass.
	Margin Worse `json:"margin"`
	// Bound is compared with instead of stable, where it is set.
	Bound *float64 `json:"bound,omitempty"`
}

// Worse is a proportion beside that of stable: Ratio times that, and Delta.
type Worse struct {
	Ratio float64 `json:"ratio"`
	Delta float64 `json:"delta"`
}

// Limits say how many samples of a kind decide; 0 is no limit.
type Limits struct {
	ConsecutiveFailures int `json:"consecutiveFailures,omitempty"`
	Failures            int `json:"failures,omitempty"`
	ConsecutiveErrors   int `json:"consecutiveErrors,omitempty"`
	Errors              int `json:"errors,omitempty"`
	ConsecutiveNoData   int `json:"consecutiveNoData,omitempty"`
	NoData              int `json:"noData,omitempty"`
}

// PassPolicy is what follows a verdict Pass.
type PassPolicy string

// The policies after Pass.
const (
	// PassContinue goes on as soon as the verdict is known.
	PassContinue PassPolicy = "continue"
	// PassWait measures on until all samples are taken.
	PassWait PassPolicy = "wait"
)

// GapPolicy is what follows a verdict NoData or Error.
type GapPolicy string

// The policies after NoData and Error.
const (
	// GapWait measures on until there is something to judge.
	GapWait GapPolicy = "wait"
	// GapPause keeps everything as it is until a person decides.
	GapPause GapPolicy = "pause"
	// GapRollback returns to stable.
	GapRollback GapPolicy = "rollback"
	// GapIgnore leaves the metric out.
	GapIgnore GapPolicy = "ignore"
)

// Measured says whether a rollout decides by metrics anywhere.
func (r *Rollout) Measured() bool {
	return r.Analysis != nil || r.Bake != nil || len(r.Analyses()) > 0
}

// Analyses returns every analysis of the rollout, with where it stands in the
// document.
func (r *Rollout) Analyses() []PlacedAnalysis {
	var all []PlacedAnalysis
	add := func(a *Analysis, where string, step int) {
		if a != nil {
			all = append(all, PlacedAnalysis{Analysis: a, Where: where, Step: step})
		}
	}
	add(r.Analysis, "spec.analysis", 0)
	for i := range r.Steps {
		add(r.Steps[i].Analysis, indexPath(stepsPath, i)+".analysis", i+1)
	}
	if r.Bake != nil {
		add(r.Bake.Analysis, canaryPath+".bake.analysis", len(r.Steps)+1)
	}
	return all
}

// PlacedAnalysis is an analysis and its place in the document.
type PlacedAnalysis struct {
	*Analysis
	// Where it stands, as a path of fields.
	Where string
	// Step, from 1; 0 for the whole rollout.
	Step int
}
