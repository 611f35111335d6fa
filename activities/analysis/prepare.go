package analysis

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"go.temporal.io/sdk/temporal"

	"sluice.dev/sluice/activities/kube"
	"sluice.dev/sluice/config"
)

// PrepareAnalysis reads the templates that are in ConfigMaps, fills in and parses
// every query, and makes sure that credentials can be read. What is wrong with
// the document ends the rollout before anything is touched; a server that does
// not answer now is a warning only.
func (a *Activities) PrepareAnalysis(ctx context.Context, req PrepareRequest) (Prepared, error) {
	rollout, err := Resolve(ctx, a, req.Rollout)
	var wrong config.Errors
	if errors.As(err, &wrong) {
		return Prepared{}, kube.Terminal(kube.ErrRefused, "the metrics cannot be measured: %s", wrong.Error())
	}
	if err != nil {
		return Prepared{}, err
	}
	links, err := a.links(req.Subject.Ref.Namespace, rollout.Prometheus)
	if err == nil {
		err = openAll(ctx, links)
	}
	if err != nil {
		return Prepared{}, refused(err)
	}
	for _, placed := range rollout.Analyses() {
		if len(placed.Metrics) == 0 {
			return Prepared{}, kube.Terminal(kube.ErrRefused, "%s: there is no metric to measure: name at least one", placed.Where)
		}
		subject := req.Subject
		subject.Step = max(1, placed.Step)
		for _, m := range placed.Metrics {
			if _, err := newMeter(subject, m, nil); err != nil {
				return Prepared{}, kube.Terminal(kube.ErrRefused, "%s: %s", placed.Where, err)
			}
		}
	}
	return Prepared{Rollout: rollout, Warnings: reach(ctx, links)}, nil
}

// refused ends the rollout for what is wrong with a server's description; what a
// later try may read is tried again. Temporal looks at the outermost error only.
func refused(err error) error {
	var failure *temporal.ApplicationError
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.As(err, &failure) && !failure.NonRetryable():
		return kube.Retryable(failure.Type(), "%s", err)
	}
	return kube.Terminal(kube.ErrRefused, "%s", err)
}

// reach asks every server something that needs no data.
func reach(ctx context.Context, links map[string]*link) []string {
	var warnings []string
	for _, name := range slices.Sorted(maps.Keys(links)) {
		if name == "" && len(links) > 1 {
			continue // it is there under its own name
		}
		if _, _, err := links[name].Value(ctx, "1", time.Now()); err != nil {
			warnings = append(warnings, fmt.Sprintf("metrics cannot be read now: %s", err))
		}
	}
	return warnings
}

// Resolve fills in the metrics that are described in ConfigMaps. What a later try
// may read, such as a ConfigMap that the worker has no right to yet, is an error
// that Temporal retries; otherwise the error is config.Errors.
func Resolve(ctx context.Context, a *Activities, rollout config.Rollout) (config.Rollout, error) {
	var passing error
	full, err := config.Resolve(rollout, func(name string) (map[string]string, error) {
		data, err := a.configMap(ctx, rollout.Namespace, name)
		var failure *temporal.ApplicationError
		if errors.As(err, &failure) && !failure.NonRetryable() {
			passing = err
		}
		return data, err
	})
	if passing != nil {
		return rollout, passing
	}
	return full, err
}
