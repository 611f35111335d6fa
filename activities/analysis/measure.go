package analysis

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sluice.dev/sluice/activities/analysis/prom"
	"sluice.dev/sluice/activities/analysis/verdict"
	"sluice.dev/sluice/config"
)

// meter measures one metric.
type meter struct {
	metric config.Metric
	judge  *verdict.Judge
	server *link
	// canary and stable queries; those of stable are empty where nothing is
	// compared.
	canary, stable Queries
	// witness is the query for good requests to stable where nothing is compared: it
	// tells whether one that finds none of canary fits anything.
	witness string
	// most series of a query for counters.
	most int
}

// newMeter prepares the measurement of a metric. The error says what is wrong with
// its interval, its condition or a query.
func newMeter(s Subject, m config.Metric, server *link) (*meter, error) {
	if m.Interval <= 0 {
		return nil, fmt.Errorf("metric %s has the interval %s: write a length of time such as 30s", m.Name, m.Interval)
	}
	judge, err := verdict.New(m)
	if err != nil {
		return nil, err
	}
	made := &meter{metric: m, judge: judge, server: server, most: maxSeries}
	if made.canary, err = s.Fill(m, Canary); err != nil {
		return nil, err
	}
	stable, err := s.Fill(m, Stable)
	if judge.NeedsStable() {
		made.stable = stable
	} else {
		made.witness = stable.Good
	}
	return made, err
}

// compares says whether stable is measured.
func (m *meter) compares() bool { return m.stable.Side == Stable }

// begin is the state before the first sample, which is due after the delay.
func (m *meter) begin(now time.Time) MetricState {
	return MetricState{State: m.judge.Begin(), Next: now.Add(m.metric.InitialDelay.Std())}
}

// step takes one sample. The error is that of ctx only.
func (m *meter) step(ctx context.Context, s MetricState, now time.Time) (MetricState, error) {
	s.Next = now.Add(m.metric.Interval.Std())
	if m.metric.Counts() {
		return m.count(ctx, s, now)
	}
	reading, l := verdict.Reading{At: now}, &look{server: m.server, at: now}
	value, err := l.value(ctx, m.canary.Value)
	if err == nil {
		reading.Canary = &value
		err = m.beside(ctx, &reading, l)
	}
	reading.Note = l.note()
	if reading, err = without(reading, err); err != nil {
		return s, err
	}
	s.State = m.judge.Add(s.State, reading)
	return s, nil
}

// without turns a failed measurement into a reading that says so. The error is
// one that is no fault of the server.
func without(r verdict.Reading, err error) (verdict.Reading, error) {
	var failure *prom.Failure
	switch {
	case err == nil:
		return r, nil
	case !errors.As(err, &failure):
		return r, err
	case failure.Empty:
		return verdict.Reading{At: r.At, Problem: verdict.NoData, Reason: failure.Reason}, nil
	}
	return verdict.Reading{At: r.At, Problem: verdict.Error, Reason: failure.Reason}, nil
}

// beside measures what a value is judged with: the number of requests and the value
// of stable. That stable has none is for the judge to say, and so is a number of
// requests that nobody has asked for.
func (m *meter) beside(ctx context.Context, r *verdict.Reading, l *look) error {
	if m.canary.Requests != "" {
		requests, err := l.value(ctx, m.canary.Requests)
		switch {
		case err == nil:
			r.Requests = &requests
		case m.metric.MinRequests > 0 || !isEmpty(err):
			return err
		}
	}
	if !m.compares() {
		return nil
	}
	value, err := l.value(ctx, m.stable.Value)
	switch {
	case err == nil:
		r.Stable = &value
	case !isEmpty(err):
		return err
	}
	return nil
}

// isEmpty says that a server has answered, and that there was nothing to measure.
func isEmpty(err error) bool {
	var failure *prom.Failure
	return errors.As(err, &failure) && failure.Empty
}

// noSeries is the failure of a query for the requests to a side.
func noSeries(side string) error {
	return &prom.Failure{Empty: true, Reason: fmt.Sprintf("no series of requests to %s: none was scraped yet, or the query fits no series", side)}
}
