package cli

import (
	"fmt"
	"math"
	"strings"
	"time"

	"sluice.dev/sluice/activities/analysis"
	"sluice.dev/sluice/activities/analysis/verdict"
	"sluice.dev/sluice/starter/control"
	"sluice.dev/sluice/workflows"
)

// sparkWidth is how many samples a sparkline shows, tableSamples how many of the
// latest are listed with their numbers.
const (
	sparkWidth   = 16
	tableSamples = 5
)

// drawAnalyses draws the analyses that run and the last one that has ended.
func drawAnalyses(p *page, s control.Status, now time.Time) {
	last := -1
	for i, a := range s.Analyses {
		if !a.Running && len(a.State.Metrics) > 0 {
			last = i
		}
	}
	for i, a := range s.Analyses {
		if a.Running || i == last {
			drawAnalysis(p, a, now)
		}
	}
}

// drawAnalysis draws the verdict on each metric and its latest samples.
func drawAnalysis(p *page, a workflows.AnalysisStatus, now time.Time) {
	p.lines = append(p.lines, "")
	title := strings.ToUpper(a.Where[:1]) + a.Where[1:]
	switch {
	case a.Running:
		title += fmt.Sprintf(", measured for %s", age(now.Sub(a.Since)))
	default:
		title += fmt.Sprintf(", until %s", clock(a.Ended, now))
	}
	p.line(styleBold, title)
	if len(a.State.Metrics) == 0 {
		p.paragraph(styleDim, gap, gap, "no sample yet")
		return
	}
	rows := [][]string{{"METRIC", "VERDICT", "SAMPLES", "CANARY", "STABLE"}}
	for _, m := range a.State.Metrics {
		canary, stable := "-", "-"
		if n := len(m.Samples); n > 0 {
			canary, stable = optional(m.Samples[n-1].Value), optional(m.Samples[n-1].Stable)
		}
		rows = append(rows, []string{m.Metric, string(m.Outcome), sparkline(m.Samples), canary, stable})
	}
	p.rows(gap, rows, func(row int) style {
		if row == 0 {
			return styleBold
		}
		return outcomeStyle(a.State.Metrics[row-1].Outcome)
	})
	for _, m := range a.State.Metrics {
		p.paragraph(styleDim, gap+m.Metric+": ", gap+gap, m.Reason)
	}
	drawSamples(p, a.State)
}

// drawSamples lists the latest samples of the metric that decides, or of the
// first.
func drawSamples(p *page, s analysis.State) {
	m := s.Metrics[0]
	for _, other := range s.Metrics {
		if other.Metric == s.Decision.Metric {
			m = other
		}
	}
	rows := [][]string{{"AT", m.Metric, "CANARY", "STABLE", "REQUESTS", ""}}
	for _, sample := range m.Samples[max(0, len(m.Samples)-tableSamples):] {
		rows = append(rows, []string{
			sample.At.UTC().Format(time.TimeOnly), string(sample.Outcome),
			optional(sample.Value), optional(sample.Stable), optional(sample.Requests), sample.Reason,
		})
	}
	if len(rows) > 1 {
		p.rows(gap, rows, headed)
	}
}

func outcomeStyle(o verdict.Outcome) style {
	switch o {
	case verdict.Pass:
		return styleGood
	case verdict.Fail:
		return styleBad
	case verdict.NoData, verdict.Error:
		return styleNotice
	case verdict.Measuring:
	}
	return stylePlain
}

// optional writes a number that may be missing.
func optional(v *float64) string {
	if v == nil {
		return "-"
	}
	return fmt.Sprintf("%.4g", *v)
}

// sparkline draws the values of the latest samples, from the lowest to the
// highest of them; a sample without a value is a gap. Dots, because all terminals
// draw them in one column, which blocks are not in some languages.
func sparkline(samples []verdict.Sample) string {
	samples = samples[max(0, len(samples)-sparkWidth):]
	low, high := math.Inf(1), math.Inf(-1)
	for _, s := range samples {
		if s.Value != nil {
			low, high = min(low, *s.Value), max(high, *s.Value)
		}
	}
	levels := []rune("⡀⣀⣄⣤⣦⣶⣷⣿")
	var b strings.Builder
	for _, s := range samples {
		switch {
		case s.Value == nil:
			b.WriteByte('.')
		case high == low:
			b.WriteRune(levels[0])
		default:
			b.WriteRune(levels[int((*s.Value-low)/(high-low)*float64(len(levels)-1))])
		}
	}
	return b.String()
}
