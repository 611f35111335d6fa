package analysis

import (
	"context"
	"fmt"
	"time"

	"sluice.dev/sluice/activities/analysis/prom"
	"sluice.dev/sluice/activities/analysis/verdict"
)

// count takes one sample of counters: what they have grown by since the last one.
// The first reading is only remembered; it needs both sides, because a series that
// appears later counts from zero.
func (m *meter) count(ctx context.Context, s MetricState, now time.Time) (MetricState, error) {
	reading, l := verdict.Reading{At: now}, &look{server: m.server, at: now}
	read, err := m.readAll(ctx, l)
	switch {
	case err != nil:
	case s.Counters == nil && m.compares() && len(read.Stable.Requests) == 0:
		err = noSeries("stable")
	case s.Counters == nil:
		s.Counters = &read
		return s, nil
	default:
		last := *s.Counters
		s.Counters = &Counters{Canary: last.Canary.with(read.Canary), Stable: last.Stable.with(read.Stable)}
		reading.CanaryCounts, err = m.grown("canary", last.Canary, read.Canary)
		if err == nil && m.compares() {
			reading.StableCounts, err = m.grown("stable", last.Stable, read.Stable)
		}
	}
	reading.Note = l.note()
	if reading, err = without(reading, err); err != nil {
		return s, err
	}
	s.State = m.judge.Add(s.State, reading)
	return s, nil
}

// readAll reads the counters of both sides at one time, so that they come from
// the same scrapes.
func (m *meter) readAll(ctx context.Context, l *look) (Counters, error) {
	var read Counters
	var err error
	if read.Canary, err = m.read(ctx, l, m.canary); err != nil {
		return read, err
	}
	if len(read.Canary.Requests) == 0 {
		return read, noSeries("canary")
	}
	if m.compares() {
		read.Stable, err = m.read(ctx, l, m.stable)
	}
	if err == nil && m.noneGood(read) {
		return read, &prom.Failure{Empty: true, Reason: "no series of good requests on either side: the query fits none, as with a bound that the histogram does not have"}
	}
	return read, err
}

// noneGood says that both sides have requests and neither has any that is marked
// as good, which is more likely a query that fits nothing. It would make both
// equally bad, and pass.
func (m *meter) noneGood(read Counters) bool {
	return m.metric.Good != "" && len(read.Stable.Requests) > 0 && len(read.Canary.Marked) == 0 && len(read.Stable.Marked) == 0
}

func (m *meter) read(ctx context.Context, l *look, q Queries) (Series, error) {
	requests, err := l.series(ctx, q.Requests)
	if err != nil {
		return Series{}, err
	}
	marked, err := l.series(ctx, q.Bad+q.Good)
	return Series{Requests: requests, Marked: marked}, err
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
