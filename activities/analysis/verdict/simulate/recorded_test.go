package simulate_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice.dev/sluice/activities/analysis/verdict/simulate"
	"sluice.dev/sluice/config"
)

// TestRecordings lets both rules look at the requests of every bad version.
func TestRecordings(t *testing.T) {
	all, err := simulate.Recordings()
	require.NoError(t, err)
	require.Len(t, all, 5)
	for _, r := range all {
		test, rule := r.Replay(config.DefaultTest(), time.Second)
		t.Logf("%s: sequential test: %s, %.0f bad answers; three one-minute failures: %s, %.0f bad answers", r.About, test.After, test.Bad, rule.After, rule.Bad)
		require.Positive(t, test.After, r.Case)
		require.Less(t, test.After, 20*time.Second, r.Case)
		require.Greater(t, rule.After, 2*time.Minute, r.Case)
		require.Greater(t, rule.Bad, 10*test.Bad, r.Case)
		usual, _ := r.Replay(config.DefaultTest(), config.DefaultInterval.Std())
		require.Positive(t, usual.After, r.Case)
		require.LessOrEqual(t, usual.After, config.DefaultInterval.Std(), "the first sample tells: %s", r.Case)
		require.Greater(t, rule.Bad, 4*usual.Bad, r.Case)
	}
}

// recorded is a second again and again, as a file says it.
func recorded(t *testing.T, head, second string, n int) simulate.Recorded {
	t.Helper()
	seconds := strings.Join(slices.Repeat([]string{second}, n), ",")
	r, err := simulate.ReadRecorded(strings.NewReader(`{` + head + `"threshold":0.05,"seconds":[` + seconds + `]}`))
	require.NoError(t, err)
	return r
}

func TestReplay(t *testing.T) {
	tests := map[string]struct {
		head, second string
		test, rule   simulate.Found
	}{
		"no bad answer":       {"", `{"canary":[50,0],"stable":[500,0]}`, simulate.Found{}, simulate.Found{}},
		"half of the answers": {"", `{"canary":[50,25],"stable":[500,0]}`, simulate.Found{After: time.Second, Bad: 25}, simulate.Found{After: 3 * time.Minute, Bad: 25 * 180}},
		"as bad as stable":    {"", `{"canary":[50,25],"stable":[500,250]}`, simulate.Found{Bad: 25 * 300}, simulate.Found{After: 3 * time.Minute, Bad: 25 * 180}},
		"above a bound":       {`"bound":0.02,`, `{"canary":[50,25],"stable":[0,0]}`, simulate.Found{After: time.Second, Bad: 25}, simulate.Found{After: 3 * time.Minute, Bad: 25 * 180}},
		"below both":          {`"bound":0.06,`, `{"canary":[50,2],"stable":[0,0]}`, simulate.Found{Bad: 600}, simulate.Found{Bad: 600}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			test, rule := recorded(t, tc.head, tc.second, 300).Replay(config.DefaultTest(), time.Second)
			require.Equal(t, tc.test, test)
			require.Equal(t, tc.rule, rule)
		})
	}
}

func TestRecordingsAreReadAsTheyAreWritten(t *testing.T) {
	bound := 0.02
	for _, n := range []int{0, 1, 3} {
		r := recorded(t, `"case":"x","about":"y",`, `{"canary":[50,25],"stable":[500,0]}`, n)
		r.Bound = &bound
		var file bytes.Buffer
		require.NoError(t, r.Write(&file))
		require.Equal(t, max(n, 0)+1, strings.Count(file.String(), "\n"))
		again, err := simulate.ReadRecorded(&file)
		require.NoError(t, err)
		require.Equal(t, r, again)
	}
	_, err := simulate.ReadRecorded(strings.NewReader("{"))
	require.ErrorContains(t, err, "reading a recording")
}
