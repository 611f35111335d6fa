package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"sluice.dev/sluice/tests/sandbox/load"
)

// printer returns what writes a report in a format.
func printer(format string) (func(io.Writer, load.Report) error, error) {
	switch format {
	case "text":
		return printText, nil
	case "json":
		return func(w io.Writer, rep load.Report) error {
			enc := json.NewEncoder(w)
			enc.SetIndent("", "  ")
			return enc.Encode(rep)
		}, nil
	}
	return nil, fmt.Errorf("-o %q: want text or json", format)
}

// liveLine says how a run is doing in less than 80 columns.
func liveLine(w load.Window) string {
	line := fmt.Sprintf("%4.0f s %7d requests  lost %d  gap %s ", w.To.Sub(w.From).Seconds(), w.Requests, w.Lost(), short(w.Gap.Longest))
	for _, v := range versions(w) {
		line += fmt.Sprintf(" %s %.1f%%", name(v), 100*w.Share(v))
	}
	if len(line) > 79 {
		line = line[:79]
	}
	return line
}

// printText writes the account of the whole run and one line per mark.
func printText(out io.Writer, rep load.Report) error {
	tab := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	w := rep.Whole
	seconds := w.To.Sub(w.From).Seconds()
	fmt.Fprintf(tab, "requests\t%d in %.1f s (%.1f a second), %d lost\n", w.Requests, seconds, float64(w.Requests)/seconds, w.Lost())
	fmt.Fprintf(tab, "failures\t%d answers 5xx, %d transport errors, %d other answers that are not 2xx\n",
		w.Server5xx, w.TransportErrors, w.Lost()-w.Server5xx-w.TransportErrors)
	fmt.Fprintf(tab, "longest gap\t%s from %s\n", short(w.Gap.Longest), clock(w.Gap.At))
	fmt.Fprintf(tab, "latency\tp50 %s, p99 %s, at most %s; sent at most %s late\n",
		short(w.Latency.P50), short(w.Latency.P99), short(w.Latency.Max), short(w.MaxLag))
	fmt.Fprintf(tab, "answers\t%s\n", shares(w.Versions, w.Good))
	fmt.Fprintf(tab, "status\t%s\n", counts(w.Statuses))
	if len(w.Errors) > 0 {
		fmt.Fprintf(tab, "errors\t%s\n", counts(w.Errors))
	}
	printGroups(tab, "cohort", w.Cohorts)
	printGroups(tab, "kind", w.Kinds)
	for _, m := range rep.Marks {
		fmt.Fprintf(tab, "since %q\t%d requests\t%d lost\tgap %s\t%s\n", m.Name, m.Requests, m.Lost(), short(m.Gap.Longest), shares(m.Versions, m.Good))
	}
	if err := tab.Flush(); err != nil {
		return err
	}
	return printExamples(out, w.Examples)
}

func printGroups[K ~string](out io.Writer, what string, groups map[K]load.Group) {
	for _, key := range slices.Sorted(maps.Keys(groups)) {
		g := groups[key]
		fmt.Fprintf(out, "%s %s\t%d requests\t%d lost\t%s\n", what, key, g.Requests, g.Requests-g.Good, shares(g.Versions, g.Good))
	}
}

func printExamples(out io.Writer, examples []load.Failure) error {
	for i, f := range examples {
		if i == 0 {
			if _, err := fmt.Fprintln(out, "first failures:"); err != nil {
				return err
			}
		}
		what := f.Error
		if what == "" {
			what = fmt.Sprintf("status %d", f.Status)
		}
		if _, err := fmt.Fprintf(out, "  %s  %s  %s  after %s  %s\n", clock(f.At), f.Cohort, f.Kind, short(f.Took), what); err != nil {
			return err
		}
	}
	return nil
}

func versions(w load.Window) []string { return slices.Sorted(maps.Keys(w.Versions)) }

func shares(byVersion map[string]int64, of int64) string {
	var parts []string
	for _, v := range slices.Sorted(maps.Keys(byVersion)) {
		parts = append(parts, fmt.Sprintf("%s %d (%.1f %%)", name(v), byVersion[v], 100*float64(byVersion[v])/float64(of)))
	}
	return strings.Join(parts, ", ")
}

func name(version string) string {
	if version == "" {
		return "no version"
	}
	return version
}

func counts[K interface{ ~int | ~string }](m map[K]int64) string {
	var parts []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		parts = append(parts, fmt.Sprintf("%v: %d", k, m[k]))
	}
	return strings.Join(parts, ", ")
}

// short rounds to what a person reads.
func short(d time.Duration) string {
	switch {
	case d >= 10*time.Second:
		return d.Round(100 * time.Millisecond).String()
	case d >= 10*time.Millisecond:
		return d.Round(time.Millisecond).String()
	default:
		return d.Round(10 * time.Microsecond).String()
	}
}

func clock(t time.Time) string { return t.Format("15:04:05.000") }
