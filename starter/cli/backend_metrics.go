package cli

import (
	"context"

	"github.com/spf13/pflag"

	"sluice.dev/sluice/activities/analysis"
	"sluice.dev/sluice/config"
	"sluice.dev/sluice/config/settings"
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

// needsCluster says whether a document names ConfigMaps or Secrets.
func needsCluster(doc config.Rollout) bool {
	for _, placed := range doc.Analyses() {
		if len(placed.Pending) > 0 {
			return true
		}
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
