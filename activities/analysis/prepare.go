package analysis

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"sluice.dev/sluice/activities/analysis/prom"
	"sluice.dev/sluice/activities/kube"
	"sluice.dev/sluice/config"
)

// PrepareAnalysis reads the templates that are in ConfigMaps, fills in and parses
// every query, and makes sure that credentials can be read. What is wrong with
// the document ends the rollout before anything is touched; a server that does
// not answer now is a warning only.
func (a *Activities) PrepareAnalysis(ctx context.Context, req PrepareRequest) (Prepared, error) {
	namespace := req.Subject.Ref.Namespace
	rollout, err := Resolve(ctx, a, req.Rollout)
	var wrong config.Errors
	if errors.As(err, &wrong) {
		return Prepared{}, kube.Terminal(kube.ErrRefused, "the metrics cannot be measured: %s", wrong.Error())
	}
	if err != nil {
		return Prepared{}, err
	}
	clients, err := a.clients(ctx, namespace, rollout.Prometheus)
	if err != nil {
		return Prepared{}, err
	}
	for _, placed := range rollout.Analyses() {
		subject := req.Subject
		subject.Step = max(1, placed.Step)
		for _, m := range placed.Metrics {
			if _, err := newMeter(subject, m, nil); err != nil {
				return Prepared{}, kube.Terminal(kube.ErrRefused, "%s: %s", placed.Where, err)
			}
		}
	}
	return Prepared{Rollout: rollout, Warnings: reach(ctx, clients)}, nil
}

// reach asks every server something that needs no data.
func reach(ctx context.Context, clients map[string]*prom.Client) []string {
	var warnings []string
	for _, name := range slices.Sorted(maps.Keys(clients)) {
		if name == "" && len(clients) > 1 {
			continue // it is there under its own name
		}
		if _, err := clients[name].Value(ctx, "1", time.Now()); err != nil {
			warnings = append(warnings, fmt.Sprintf("metrics cannot be read now: %s", err))
		}
	}
	return warnings
}

// Resolve fills in the metrics that are described in ConfigMaps.
func Resolve(ctx context.Context, a *Activities, rollout config.Rollout) (config.Rollout, error) {
	return config.Resolve(rollout, func(name string) (map[string]string, error) {
		return a.configMap(ctx, rollout.Namespace, name)
	})
}
