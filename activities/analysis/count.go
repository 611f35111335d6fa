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
	reading, l := verdict.Reading{At: now}, &look{server: m.server, at: now, most: m.most}
	read, err := m.readAll(ctx, l, s.Counters)
	switch {
	case err != nil:
	case s.Counters == nil && m.compares() && len(read.Stable.Requests) == 0:
		err = noSeries("stable")
	case s.Counters == nil:
		s.Counters = &read
		return s, nil
	default:
		last := *s.Counters
		s.Counters = &Counters{Canary: last.Canary.with(read.Canary, m.most), Stable: last.Stable.with(read.Stable, m.most)}
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

// readAll reads the counters of both sides, all from the same scrapes. It knows what
// was read last, if anything.
func (m *meter) readAll(ctx context.Context, l *look, last *Counters) (Counters, error) {
	queries := []string{m.canary.Requests, m.canary.Bad + m.canary.Good}
	if m.compares() {
		queries = append(queries, m.stable.Requests, m.stable.Bad+m.stable.Good)
	}
	series, err := l.counters(ctx, queries)
	if err != nil {
		return Counters{}, err
	}
	read := Counters{Canary: Series{Requests: series[0], Marked: series[1]}}
	if m.compares() {
		read.Stable = Series{Requests: series[2], Marked: series[3]}
	}
	if len(read.Canary.Requests) == 0 {
		return read, noSeries("canary")
	}
	fits, err := m.fits(ctx, l, read, last)
	switch {
	case err != nil || fits:
	case m.metric.Good != "":
		err = &prom.Failure{Empty: true, Reason: "no series of good requests on either side: the query fits none, as with a bound that the histogram does not have: write one that it has"}
	default:
		l.keep("no series of bad requests: none was bad so far, or the query of bad fits none")
	}
	return read, err
}

// fits says whether the query for good or bad requests has ever found anything, on
// either side. That of good ones which does not is more likely wrong than that all
// requests are bad: it would make both sides equally bad, and pass, or canary worse
// than any bound. Where nothing is compared, stable is asked for this alone.
func (m *meter) fits(ctx context.Context, l *look, read Counters, last *Counters) (bool, error) {
	if len(read.Canary.Marked)+len(read.Stable.Marked) > 0 || last != nil && len(last.Canary.Marked)+len(last.Stable.Marked) > 0 {
		return true, nil
	}
	if m.witness == "" {
		return false, nil
	}
	series, err := l.counters(ctx, []string{m.witness})
	return err == nil && len(series[0]) > 0, err
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
