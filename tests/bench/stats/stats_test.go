package stats

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestSample(t *testing.T) {
	cases := map[string]struct {
		sample                 Sample
		median, p95, max, mean float64
	}{
		"one":       {Sample{7}, 7, 7, 7, 7},
		"even":      {Sample{4, 1, 3, 2}, 2.5, 4, 4, 2.5},
		"odd":       {Sample{9, 1, 2}, 2, 9, 9, 4},
		"hundred":   {hundred(), 50.5, 95, 100, 50.5},
		"durations": {Milliseconds([]time.Duration{time.Second, 2 * time.Second}), 1500, 2000, 2000, 1500},
		"seconds":   {Seconds([]time.Duration{500 * time.Millisecond}), 0.5, 0.5, 0.5, 0.5},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			require.InDelta(t, c.median, c.sample.Median(), 1e-9)
			require.InDelta(t, c.p95, c.sample.Percentile(95), 1e-9)
			require.InDelta(t, c.max, c.sample.Max(), 1e-9)
			require.InDelta(t, c.mean, c.sample.Mean(), 1e-9)
		})
	}
}

func hundred() Sample {
	var s Sample
	for i := 100; i > 0; i-- {
		s = append(s, float64(i))
	}
	return s
}

func TestNothingMeasured(t *testing.T) {
	for _, v := range []float64{Sample{}.Median(), Sample{}.Percentile(95), Sample{}.Max(), Sample{}.Mean()} {
		require.True(t, math.IsNaN(v))
	}
}
