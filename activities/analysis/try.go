package analysis

import (
	"context"
	"fmt"
	"time"

	"sluice.dev/sluice/config"
)

// Trial is one metric to try out, without a rollout.
type Trial struct {
	Subject Subject
	Metric  config.Metric
	// Beside are all metrics of its analysis, with which it shares what is kept of series.
	Beside  []config.Metric
	Servers []config.Prometheus
	// Samples to take.
	Samples int
}

// Try measures a metric as an analysis would, with the credentials and the server
// of a, and tells its state after each sample. It returns when all samples are
// taken. It is no method, because those are activities.
func Try(ctx context.Context, a *Activities, t Trial, tell func(MetricState)) error {
	links, err := a.links(t.Subject.Ref.Namespace, t.Servers)
	if err != nil {
		return err
	}
	if err := openAll(ctx, links); err != nil {
		return err
	}
	server, ok := links[t.Metric.Server]
	if !ok {
		return fmt.Errorf("no server has the name %q", t.Metric.Server)
	}
	meter, err := newMeter(t.Subject, t.Metric, server)
	if err != nil {
		return err
	}
	meter.most = seriesOf(t.Beside)
	state := meter.begin(time.Now())
	state.Next = time.Now() // people do not wait for the initial delay
	for taken := 0; taken < t.Samples; {
		if err := sleep(ctx, time.Until(state.Next)); err != nil {
			return err
		}
		before := state.Judged() + state.Empty + state.Errors
		if state, err = meter.step(ctx, state, time.Now()); err != nil {
			return err
		}
		if state.Judged()+state.Empty+state.Errors > before {
			tell(state)
			taken++
		}
	}
	return nil
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(max(0, d))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
