package expression_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice.dev/sluice/config/expression"
)

func TestFill(t *testing.T) {
	values := map[string]string{"pods": "web-.*", "label": "ns"}
	got, err := expression.Fill(`up{{{label}}="x",pod=~"{{ pods }}"}`, values)
	require.NoError(t, err)
	require.Equal(t, `up{ns="x",pod=~"web-.*"}`, got)
	_, err = expression.Fill("up{{pod}}", values)
	require.EqualError(t, err, "unknown variable pod")
	_, err = expression.Fill("up{{1}}", values)
	require.ErrorContains(t, err, "{{ begins a variable")
	_, err = expression.Fill(strings.Repeat("{{x}}", 1000), map[string]string{"x": strings.Repeat("x", 1000)})
	require.ErrorContains(t, err, "longer than 16384 bytes")
	require.Equal(t, []string{"a", "b"}, expression.Variables("{{b}} {{a}} {{b}}"))
}

func TestCheckQuery(t *testing.T) {
	for _, good := range []string{"up", "1", "sum(rate(x[1m]))", "histogram_quantile(0.9, sum by (le) (rate(x_bucket[1m])))"} {
		require.NoError(t, expression.CheckQuery(good), good)
	}
	for bad, problem := range map[string]string{
		"sum(": "not valid PromQL", "rate(x)": "not valid PromQL", "up[5m]": "range vector", `"text"`: "string",
		strings.Repeat("(", 9000) + "1" + strings.Repeat(")", 9000): "longer than 16384 bytes",
	} {
		require.ErrorContains(t, expression.CheckQuery(bad), problem, bad)
	}
}

func TestCheckCounter(t *testing.T) {
	require.NoError(t, expression.CheckCounter("sum by (pod) (x_total)"))
	require.ErrorContains(t, expression.CheckCounter("sum(increase(x_total[1m]))"), "increase() is not a counter")
	require.ErrorContains(t, expression.CheckCounter("scalar(x_total)"), "a scalar is no counter")
}

func TestReadsLatest(t *testing.T) {
	for query, want := range map[string]bool{
		"up": true, "sum(up)": true, "max(up) / sum(rate(x[1m]))": true, "up offset 1m": true,
		"sum(last_over_time(up[1m]))": false, "rate(x[1m])": false, "1": false, "vector(1)": false,
		"up and time() - timestamp(up) < 60": false, "up[": false,
	} {
		require.Equal(t, want, expression.ReadsLatest(query), query)
	}
}

func TestCondition(t *testing.T) {
	c, err := expression.CompileCondition("value < 0.1 || ratio < 2")
	require.NoError(t, err)
	require.True(t, c.NeedsStable())
	holds, err := c.Holds(map[string]any{"value": 0.5, "ratio": 1.5})
	require.NoError(t, err)
	require.True(t, holds)
	c, err = expression.CompileCondition("samples.all(s, s < 1.0)")
	require.NoError(t, err)
	require.False(t, c.NeedsStable())
	holds, err = c.Holds(map[string]any{"samples": []float64{0.5, 2}})
	require.NoError(t, err)
	require.False(t, holds)
	_, err = expression.CompileCondition("value")
	require.ErrorContains(t, err, "it has to be true or false")
}

func FuzzQuery(f *testing.F) {
	f.Add("sum(rate(x[{{window}}]))")
	f.Fuzz(func(t *testing.T, query string) {
		filled, err := expression.Fill(query, map[string]string{"window": "1m"})
		if err == nil {
			_ = expression.CheckCounter(filled)
			_ = expression.ReadsLatest(filled)
		}
	})
}

func FuzzCondition(f *testing.F) {
	f.Add("value < 0.1")
	f.Fuzz(func(t *testing.T, text string) {
		if c, err := expression.CompileCondition(text); err == nil {
			_, _ = c.Holds(map[string]any{"value": 1.0, "samples": []float64{1}})
		}
	})
}
