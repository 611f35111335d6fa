package prom

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"
)

// partLabel tells the parts of a question for several counters apart.
const partLabel = "sluice_part"

// Counters returns the values of all series of each query at a time, by a text that
// tells the series of a query apart, and what the server has remarked. It is empty
// where a query has none, without an error. A query must give an instant vector of at
// most so many series.
//
// All of them are one question, which Prometheus answers from one state of its data:
// a scrape that is stored between two questions, although it began before the time
// that both ask for, would be in the second answer only, and all its requests would
// be missing among the good ones, or among all.
func (c *Client) Counters(ctx context.Context, queries []string, at time.Time, most int) (counters []map[string]float64, note string, err error) {
	result, note, err := c.query(ctx, together(queries), at)
	if err != nil {
		return nil, "", err
	}
	counters, failure := apart(result, len(queries), most)
	if failure != nil {
		return nil, "", failure.noted(note)
	}
	return counters, note, nil
}

// together is one query for the series of all queries. Lines end what may be a
// comment in them.
func together(queries []string) string {
	var parts []string
	for i, q := range queries {
		parts = append(parts, fmt.Sprintf("label_replace((\n%s\n), %q, %q, \"\", \"\")", q, partLabel, strconv.Itoa(i)))
	}
	return strings.Join(parts, " or ")
}

// apart gives each of n queries its series back, at most so many.
func apart(result model.Value, n, most int) ([]map[string]float64, *Failure) {
	vector, ok := result.(model.Vector)
	if !ok {
		return nil, failed("the query gives a %s instead of counters", result.Type())
	}
	counters := make([]map[string]float64, n)
	for i := range counters {
		counters[i] = map[string]float64{}
	}
	for _, s := range vector {
		part, err := strconv.Atoi(string(s.Metric[partLabel]))
		if err != nil || part < 0 || part >= n {
			return nil, failed("the answer has the series %s, which was not asked for", s.Metric)
		}
		delete(s.Metric, partLabel)
		value := float64(s.Value)
		switch {
		case s.Histogram != nil:
			return nil, failed("the query gives a native histogram, which is no counter: write histogram_count()")
		case math.IsNaN(value) || math.IsInf(value, 0):
			return nil, failed("the series %s is %v, which is no counter", s.Metric, value)
		}
		counters[part][fmt.Sprintf("%x", uint64(s.Metric.Fingerprint()))] = value
		if len(counters[part]) > most {
			return nil, failed("more than %d series: aggregate them with sum by (pod), or part the metrics of the analysis among several", most)
		}
	}
	return counters, nil
}
