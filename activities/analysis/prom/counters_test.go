package prom_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice.dev/sluice/config/expression"
)

// part of a question for several counters is told by this label.
func part(n int, labels, value string) string {
	return sample(fmt.Sprintf(`"sluice_part":"%d",%s`, n, labels), value)
}

func vectorOf(samples ...string) string { return answer("vector", "["+strings.Join(samples, ",")+"]") }

// TestCountersAreOneQuestion: what is stored between two questions would be in the
// second answer only.
func TestCountersAreOneQuestion(t *testing.T) {
	var asked []string
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.FormValue("query"))
		fmt.Fprint(w, vectorOf(part(0, `"pod":"a"`, "10"), part(0, `"pod":"b"`, "20"), part(2, `"pod":"a"`, "3")))
	})
	c := client(t, s)
	queries := []string{"sum by (pod) (requests) # all of them", "bad", `sum by (pod) (requests{stable="yes"})`}
	counters, _, err := c.Counters(t.Context(), queries, at, 500)
	require.NoError(t, err)
	require.Len(t, asked, 1)
	require.NoError(t, expression.CheckQuery(asked[0]), asked[0])
	require.Len(t, counters, 3)
	require.Len(t, counters[0], 2)
	require.Empty(t, counters[1])
	require.Len(t, counters[2], 1)
	for id, value := range counters[2] {
		require.InDelta(t, 3, value, 0)
		require.InDelta(t, 10, counters[0][id], 0, "the name of a series does not depend on the query")
	}
	again, _, err := c.Counters(t.Context(), queries, at, 500)
	require.NoError(t, err)
	require.Equal(t, counters, again, "the same series have the same names")
}

func TestCountersThatAreNone(t *testing.T) {
	many := make([]string, 501)
	for i := range many {
		many[i] = part(0, fmt.Sprintf(`"pod":"%d"`, i), "1")
	}
	for text, c := range map[string]struct{ answer, problem string }{
		"scalar":       {answer("scalar", `[1700000000,"2"]`), "gives a scalar instead of counters"},
		"NaN":          {vectorOf(part(0, `"pod":"a"`, "NaN")), "which is no counter"},
		"infinite":     {vectorOf(part(1, `"pod":"a"`, "-Inf")), "which is no counter"},
		"too many":     {vectorOf(many...), "more than 500 series"},
		"no part":      {vectorOf(sample(`"pod":"a"`, "1")), "which was not asked for"},
		"another part": {vectorOf(part(2, `"pod":"a"`, "1")), "which was not asked for"},
	} {
		t.Run(text, func(t *testing.T) {
			s := server(t, 200, c.answer)
			s.MaxBytes = 1 << 20
			_, _, err := client(t, s).Counters(t.Context(), []string{"q", "r"}, at, 500)
			require.ErrorContains(t, err, c.problem)
		})
	}
	counters, _, err := client(t, server(t, 200, answer("vector", "[]"))).Counters(t.Context(), []string{"q", "r"}, at, 500)
	require.NoError(t, err)
	require.Equal(t, []map[string]float64{{}, {}}, counters)
}
