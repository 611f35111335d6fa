package report

import (
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice.dev/sluice/tests/bench/meter"
)

func sample(t *testing.T) *Report {
	t.Helper()
	r := &Report{
		Date: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Version: "v1.2.3",
		Machine:  meter.Machine{CPUs: 2, Memory: 24, Load: [3]float64{1.5, 1, 0.5}, Pressure: -1},
		Settings: map[string]string{"gateway throttle": "2s"},
		Details:  []Detail{{Case: "seed", Title: "events", Header: []string{"type", "n"}, Lines: [][]string{{"ActivityTaskScheduled", "18"}}}},
	}
	require.NoError(t, r.Set(PromoteP95, 130.4, 50))
	require.NoError(t, r.Set(PromoteP50, 42, 50))
	require.NoError(t, r.Set(WarmStart, 25, 1))
	require.NoError(t, r.Set(MassRequests, 26.25, 200))
	r.Fail("held", errors.New("the cluster is full"))
	return r
}

func TestSetRefuses(t *testing.T) {
	r := &Report{}
	require.ErrorContains(t, r.Set("speed", 1, 1), "there is no such figure")
	require.ErrorContains(t, r.Set(PromoteP50, math.NaN(), 0), "nothing was measured")
	require.Empty(t, r.Rows)
}

func TestTable(t *testing.T) {
	var b strings.Builder
	require.NoError(t, sample(t).WriteTable(&b))
	text := b.String()
	require.Contains(t, text, "sluice v1.2.3, 2026-01-02, 2 processors, 24 GiB, load 1.5 1.0 0.5\n")
	require.Regexp(t, `p50 +42 ms +50 +50 ms +met +120 +7800 +4200\n +p95 +130 ms +50 +100 ms +MISSED by 30.4 ms +570 +9400 +8000\n`, text)
	require.Contains(t, text, "\nMissed, and why:\n  sandbox.start, by 5 s: the API server and Temporal start")
	require.Contains(t, text, "\n  promote.p95, by 30.4 ms: not known: look at the details")
	require.NotContains(t, text, "promote.p50, by")
	require.Regexp(t, `per rollout, mean +26.2 +200\n`, text)
	require.Contains(t, text, "seed: events")
	require.Contains(t, text, "ActivityTaskScheduled")
	require.Contains(t, text, "held FAILED: the cluster is full")
}

func TestJSON(t *testing.T) {
	var b strings.Builder
	require.NoError(t, sample(t).WriteJSON(&b))
	var back Report
	require.NoError(t, json.Unmarshal([]byte(b.String()), &back))
	require.Equal(t, sample(t), &back)
	require.Contains(t, b.String(), `"argoRollouts": "120"`)
}

func TestReasonsBelongToTargets(t *testing.T) {
	for id := range reasons {
		at := slices.IndexFunc(catalogue, func(d definition) bool { return d.id == id })
		require.GreaterOrEqual(t, at, 0, id)
		require.Positive(t, catalogue[at].target, id)
	}
}

func TestNothingIsSaidOfTargetsThatAreMet(t *testing.T) {
	r := &Report{}
	require.NoError(t, r.Set(WarmStart, 19.9, 1))
	var b strings.Builder
	require.NoError(t, r.WriteTable(&b))
	require.NotContains(t, b.String(), "Missed")
}

func TestCatalogueNamesEveryRowOnce(t *testing.T) {
	seen := map[string]bool{}
	for _, id := range Definitions() {
		require.False(t, seen[id], id)
		seen[id] = true
	}
}
