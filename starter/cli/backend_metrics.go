package cli

import (
	"context"
	"slices"

	"github.com/spf13/pflag"

	"sluice.dev/sluice/activities/analysis"
	"sluice.dev/sluice/config"
	"sluice.dev/sluice/config/settings"
	"sluice.dev/sluice/starter/preview"
)

// Measurer reads metrics with the settings of the tool.
func (b *backend) Measurer(ctx context.Context, flags *pflag.FlagSet, doc config.Rollout) (*analysis.Activities, config.Rollout, error) {
	s, err := settings.Load(flags)
	if err != nil {
		return nil, doc, err
	}
	measurer := &analysis.Activities{Default: s.Prometheus.Server(), Credentials: s.Prometheus.Credentials}
	if !needsCluster(doc) {
		return measurer, doc, nil
	}
	if measurer.Kube, err = b.cluster(flags); err != nil {
		return nil, doc, err
	}
	doc, err = analysis.Resolve(ctx, measurer, doc)
	return measurer, doc, err
}

// Templates fills in the metrics that ConfigMaps describe.
func (b *backend) Templates(ctx context.Context, flags *pflag.FlagSet, manifests []byte, doc config.Rollout) (config.Rollout, []string, error) {
	if !pending(doc) {
		return doc, nil, nil
	}
	if manifests != nil {
		return preview.TemplatesOfManifests(ctx, manifests, doc)
	}
	clients, err := b.cluster(flags)
	if err != nil {
		return doc, nil, err
	}
	return preview.Templates(ctx, clients, doc)
}

// pending says whether metrics of a document are described in ConfigMaps.
func pending(doc config.Rollout) bool {
	return slices.ContainsFunc(doc.Analyses(), func(a config.PlacedAnalysis) bool { return len(a.Pending) > 0 })
}

// needsCluster says whether a document names ConfigMaps or Secrets.
func needsCluster(doc config.Rollout) bool {
	if pending(doc) {
		return true
	}
	for _, server := range doc.Prometheus {
		for _, c := range server.Credentials() {
			if c.Secret != "" {
				return true
			}
		}
	}
	return false
}
