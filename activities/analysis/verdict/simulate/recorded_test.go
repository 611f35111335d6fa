package simulate_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice.dev/sluice/activities/analysis/verdict/simulate"
	"sluice.dev/sluice/config"
)

// TestRecordedRollout lets both rules look at the requests of a real rollout.
func TestRecordedRollout(t *testing.T) {
	recorded, err := simulate.Sandbox()
	require.NoError(t, err)
	test, rule := recorded.Replay(config.DefaultTest(), simulate.RecordedThreshold)
	t.Logf("sequential test: %s, %.0f bad answers; three one-minute failures: %s, %.0f bad answers", test.After, test.Bad, rule.After, rule.Bad)
	require.Positive(t, test.After)
	require.Less(t, test.After, 5*time.Second)
	require.Less(t, test.Bad, 30.0)
	require.InDelta(t, 180, rule.After.Seconds(), 2)
	require.Greater(t, rule.Bad, 20*test.Bad)
}

func TestReplay(t *testing.T) {
	read := func(second string, n int) simulate.Recorded {
		seconds := strings.TrimSuffix(strings.Repeat(second+",", n), ",")
		recorded, err := simulate.ReadRecorded(strings.NewReader(`{"about":"x","seconds":[` + seconds + `]}`))
		require.NoError(t, err)
		return recorded
	}
	test, rule := read(`{"canary":[50,0],"stable":[500,0]}`, 300).Replay(config.DefaultTest(), 0.05)
	require.Equal(t, simulate.Found{}, test, "no alarm")
	require.Equal(t, simulate.Found{}, rule, "no alarm")
	test, rule = read(`{"canary":[50,25],"stable":[500,0]}`, 300).Replay(config.DefaultTest(), 0.05)
	require.Equal(t, simulate.Found{After: time.Second, Bad: 25}, test)
	require.Equal(t, simulate.Found{After: 3 * time.Minute, Bad: 25 * 180}, rule)
	_, err := simulate.ReadRecorded(strings.NewReader("{"))
	require.ErrorContains(t, err, "reading a recording")
}
