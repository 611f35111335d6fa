package analysis

import (
	"context"
	"errors"
	"fmt"
	"maps"
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
	made := &meter{metric: m, judge: judge, server: server}
	if made.canary, err = s.Fill(m, Canary); err != nil {
		return nil, err
	}
	if judge.NeedsStable() {
		made.stable, err = s.Fill(m, Stable)
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
	reading := verdict.Reading{At: now}
	value, err := m.server.Value(ctx, m.canary.Value, now)
	if err == nil {
		reading.Canary = &value
		err = m.beside(ctx, &reading, now)
	}
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

// beside measures what a value is judged with: the value of stable and the number
// of requests. That stable has none is for the judge to say.
func (m *meter) beside(ctx context.Context, r *verdict.Reading, now time.Time) error {
	if m.canary.Requests != "" {
		requests, err := m.server.Value(ctx, m.canary.Requests, now)
		if err != nil {
			return err
		}
		r.Requests = &requests
	}
	if !m.compares() {
		return nil
	}
	value, err := m.server.Value(ctx, m.stable.Value, now)
	var failure *prom.Failure
	if errors.As(err, &failure) && failure.Empty {
		return nil
	}
	if err == nil {
		r.Stable = &value
	}
	return err
}

// count takes one sample of counters: what they have grown by since the last one.
// The first reading is only remembered.
func (m *meter) count(ctx context.Context, s MetricState, now time.Time) (MetricState, error) {
	read, err := m.readAll(ctx, now)
	reading := verdict.Reading{At: now}
	if err == nil {
		last := s.Counters
		if last == nil {
			s.Counters = &read
			return s, nil
		}
		s.Counters = &Counters{Canary: last.Canary.with(read.Canary), Stable: last.Stable.with(read.Stable)}
		reading.CanaryCounts, err = m.grown("canary", last.Canary, read.Canary)
		if err == nil && m.compares() {
			reading.StableCounts, err = m.grown("stable", last.Stable, read.Stable)
		}
	}
	if reading, err = without(reading, err); err != nil {
		return s, err
	}
	s.State = m.judge.Add(s.State, reading)
	return s, nil
}

// readAll reads the counters of both sides at one time, so that they come from
// the same scrapes.
func (m *meter) readAll(ctx context.Context, now time.Time) (Counters, error) {
	var read Counters
	var err error
	if read.Canary, err = m.read(ctx, m.canary, now); err != nil {
		return read, err
	}
	if len(read.Canary.Requests) == 0 {
		return read, &prom.Failure{Empty: true, Reason: "no series of requests to canary: none was scraped yet, or the query fits no series"}
	}
	if m.compares() {
		read.Stable, err = m.read(ctx, m.stable, now)
	}
	return read, err
}

func (m *meter) read(ctx context.Context, q Queries, now time.Time) (Series, error) {
	requests, err := m.server.Series(ctx, q.Requests, now)
	if err != nil {
		return Series{}, err
	}
	marked, err := m.server.Series(ctx, q.Bad+q.Good, now)
	return Series{Requests: requests, Marked: marked}, err
}

// with returns the series with later values. Those that are missing now keep
// theirs: a pod that was not scraped once has not begun anew.
func (s Series) with(later Series) Series {
	join := func(a, b map[string]float64) map[string]float64 {
		joined := maps.Clone(a)
		if joined == nil {
			joined = map[string]float64{}
		}
		maps.Copy(joined, b)
		return joined
	}
	return Series{Requests: join(s.Requests, later.Requests), Marked: join(s.Marked, later.Marked)}
}

// grown counts the requests between two readings.
func (m *meter) grown(side string, last, now Series) (verdict.Counts, error) {
	counts := verdict.Counts{Requests: growth(last.Requests, now.Requests), Bad: growth(last.Marked, now.Marked)}
	if counts.Bad > counts.Requests {
		return counts, &prom.Failure{Reason: fmt.Sprintf("%s has %.0f marked requests of %.0f in all: the queries do not count the same requests", side, counts.Bad, counts.Requests)}
	}
	if m.metric.Good != "" {
		counts.Bad = counts.Requests - counts.Bad
	}
	return counts, nil
}

// growth adds up what each counter has grown by. One that has fallen was reset,
// and one that is new began at zero; both have counted their value since.
func growth(last, now map[string]float64) float64 {
	total := 0.0
	for id, value := range now {
		before, known := last[id]
		if !known || value < before {
			before = 0
		}
		total += value - before
	}
	return total
}
