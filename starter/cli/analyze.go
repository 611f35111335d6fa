package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"sluice.dev/sluice/activities/analysis"
	"sluice.dev/sluice/activities/analysis/verdict"
	"sluice.dev/sluice/activities/release"
	"sluice.dev/sluice/config"
)

// analyzeOptions of `sluice analyze`.
type analyzeOptions struct {
	document
	metric  string
	samples int
	server  string
	// credentials are sent to server, too.
	credentials bool
}

// analyzed is what was found about one metric.
type analyzed struct {
	Metric  config.Metric        `json:"metric"`
	Queries []analysis.Queries   `json:"queries"`
	State   analysis.MetricState `json:"state"`
}

func addAnalyze(root *cobra.Command, a *app) {
	o := &analyzeOptions{}
	cmd := &cobra.Command{
		Use:   "analyze FILE --metric NAME",
		Short: "Try out a metric against the live server",
		Long: "Fills in the queries of one metric of the document, asks the server as a rollout would, and\n" +
			"shows each sample and the verdict on it. Nothing is written and no rollout is needed: without\n" +
			"one there are no pods of canary, so that a metric which looks at them has no data.\n" +
			"The command fails if the verdict on the metric or on the last sample is Fail or Error.",
		Example: "  sluice analyze rollout.yaml --metric success-rate\n" +
			"  sluice analyze rollout.yaml --metric success-rate --samples 5 --server http://localhost:9090",
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(a, cmd, args) },
	}
	o.document.bind(cmd)
	flags := cmd.Flags()
	flags.StringVar(&o.metric, "metric", "", "name of the metric (default: the only one)")
	flags.IntVar(&o.samples, "samples", 1, "samples to take, one per interval")
	flags.StringVar(&o.server, "server", "", "URL to ask instead of the address of the document, such as that of a port-forward; with its headers")
	flags.BoolVar(&o.credentials, "credentials", false, "send the document's password, token or certificate to --server, too: whoever answers there can use them")
	root.AddCommand(cmd)
}

func (o *analyzeOptions) run(a *app, cmd *cobra.Command, args []string) error {
	switch {
	case len(args) == 1 && o.file != "":
		return errors.New("both an argument and -f name the document: give one of them")
	case len(args) == 1:
		o.file = args[0]
	}
	if o.file == "" {
		return errors.New("name the file with the Rollout document: `sluice analyze FILE --metric NAME`")
	}
	if o.samples < 1 {
		return errors.New("--samples: take at least one")
	}
	if o.credentials && o.server == "" {
		return errors.New("--credentials: it is for --server; the server of the document gets them anyway")
	}
	scope, err := a.host.Backend.Scope(cmd.Flags())
	if err != nil {
		return err
	}
	doc, err := o.load(a, scope)
	if err != nil {
		return err
	}
	measurer, doc, err := a.host.Metrics.Measurer(cmd.Context(), cmd.Flags(), doc)
	if err != nil {
		return err
	}
	placed, metric, err := o.find(doc)
	if err != nil {
		return err
	}
	return o.measure(cmd.Context(), a, measurer, doc, placed, metric)
}

// find returns the metric that is meant.
func (o *analyzeOptions) find(doc config.Rollout) (config.PlacedAnalysis, config.Metric, error) {
	var names []string
	var found []config.Metric
	var where []config.PlacedAnalysis
	for _, placed := range doc.Analyses() {
		for _, m := range placed.Metrics {
			names = append(names, m.Name)
			if o.metric == "" || m.Name == o.metric {
				found, where = append(found, m), append(where, placed)
			}
		}
	}
	switch {
	case len(names) == 0:
		return config.PlacedAnalysis{}, config.Metric{}, fmt.Errorf("%s: the document has no metric", o.file)
	case len(found) == 0:
		remedy := "it has " + strings.Join(names, ", ")
		if near := config.Nearest(o.metric, names); near != "" {
			remedy = fmt.Sprintf("did you mean %q?", near)
		}
		return config.PlacedAnalysis{}, config.Metric{}, fmt.Errorf("%s has no metric %q: %s", o.file, o.metric, remedy)
	case o.metric == "" && len(names) > 1:
		return config.PlacedAnalysis{}, config.Metric{}, fmt.Errorf("--metric: the document has several: name one of %s", strings.Join(names, ", "))
	}
	return where[0], found[0], nil
}

// measure takes the samples and prints them.
func (o *analyzeOptions) measure(ctx context.Context, a *app, measurer *analysis.Activities, doc config.Rollout, placed config.PlacedAnalysis, m config.Metric) error {
	trial := analysis.Trial{Subject: subjectOf(doc, placed.Step), Metric: m, Beside: placed.Metrics, Servers: doc.Prometheus, Samples: o.samples}
	kept := o.redirect(&trial, doc, measurer.Default)
	result := analyzed{Metric: m}
	for _, side := range []analysis.Side{analysis.Canary, analysis.Stable} {
		queries, err := trial.Subject.Fill(m, side)
		if err != nil {
			return err
		}
		result.Queries = append(result.Queries, queries)
	}
	err := analysis.Try(ctx, measurer, trial, func(s analysis.MetricState) { result.State = s })
	if err != nil {
		return err
	}
	result.State.Counters = nil
	if err := a.print(result, func(p *page) { drawAnalyzed(p, result) }); err != nil {
		return err
	}
	if err := failureOf(result.State.State); err != nil {
		return fmt.Errorf("%w%s", err, kept)
	}
	return nil
}

// redirect lets another address be asked, where one is named. The text says which
// credentials it does not get; it is empty where there are none.
func (o *analyzeOptions) redirect(t *analysis.Trial, doc config.Rollout, byDefault config.Prometheus) string {
	if o.server == "" {
		return ""
	}
	server, ok := doc.Server(t.Metric)
	if !ok {
		server = byDefault
	}
	t.Servers, t.Metric.Server = []config.Prometheus{server.At(o.server, o.credentials)}, ""
	if server.Authenticated() && !o.credentials {
		return fmt.Sprintf(" (the credentials of %s were not sent to %s: --credentials sends them)", server.Address, o.server)
	}
	return ""
}

// failureOf is what the command fails with: a bad verdict on the metric, as a test
// may give whose last sample is no worse than others, or on the last sample.
func failureOf(s verdict.State) error {
	bad := func(o verdict.Outcome) bool { return o == verdict.Fail || o == verdict.Error }
	switch {
	case bad(s.Outcome):
		return fmt.Errorf("the verdict is %s", s.Outcome)
	case bad(s.Last):
		return fmt.Errorf("the verdict on the last sample is %s", s.Last)
	}
	return nil
}

// subjectOf is what the queries of a document are about, as far as it is known
// before a rollout: its names.
func subjectOf(doc config.Rollout, step int) analysis.Subject {
	return analysis.Subject{
		Ref: release.Ref{
			Namespace: doc.Namespace, Workload: doc.Workload,
			Service: doc.Traffic.Service, Ingress: doc.Traffic.Ingress.Name, Class: doc.Traffic.Ingress.Class,
		},
		Step: max(1, step), StableRevision: "stable", Revision: "canary",
	}
}

func drawAnalyzed(p *page, result analyzed) {
	p.line(styleBold, result.Metric.Name)
	drawQueries(p, result.Queries)
	p.lines = append(p.lines, "")
	p.field(outcomeStyle(result.State.Outcome), "Verdict", string(result.State.Outcome))
	p.field(stylePlain, "", result.State.Reason)
	drawSamples(p, analysis.State{Metrics: []analysis.MetricState{result.State}})
}

// drawQueries draws the queries of both sides.
func drawQueries(p *page, sides []analysis.Queries) {
	for _, q := range sides {
		for _, one := range []struct{ name, text string }{
			{"", q.Value}, {" requests", q.Requests}, {" bad", q.Bad}, {" good", q.Good},
		} {
			if one.text != "" {
				p.query(styleDim, gap+string(q.Side)+one.name+": ", gap+gap+gap, strings.Join(strings.Fields(one.text), " "))
			}
		}
	}
}
