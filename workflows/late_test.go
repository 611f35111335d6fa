package workflows_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"sluice.dev/sluice/workflows"
)

// TestMessagesThatComeWithTheEndAreAnswered: what arrives together with the result
// of the last operation is read after the main line has ended, unless it waits.
func TestMessagesThatComeWithTheEndAreAnswered(t *testing.T) {
	cases := map[string]struct {
		verb workflows.Verb
		want workflows.Outcome
	}{
		"promoted":    {workflows.VerbPromote, workflows.Promoted},
		"rolled back": {workflows.VerbAbort, workflows.RolledBack},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.cluster.block = func(op string) bool { return op == "release" }
			b.signal(time.Minute, c.verb, workflows.Message{Full: c.verb == workflows.VerbPromote})
			b.at(time.Hour, func() {
				b.together("pause", "pause", "abort", "approve", "yes")
				require.NoError(t, b.CompleteActivity(b.cluster.blocked, nil, nil))
			})
			result, err := b.run(seed())
			require.NoError(t, err)
			require.Equal(t, c.want, result.Outcome)
			texts := refusals(result.Decisions)
			require.Len(t, texts, 5)
			for _, text := range texts[:3] {
				require.Equal(t, "too late: the rollout is "+string(c.want), text)
			}
			require.Equal(t, result.Decisions, b.status().Result.Decisions)
		})
	}
}

var errRefused = temporal.NewNonRetryableApplicationError("there is no such Service", workflows.ErrorRefused, nil)

func TestMessagesThatComeWithARefusalAreAnswered(t *testing.T) {
	b := newBench(t)
	b.cluster.block = func(op string) bool { return op == "inspect" }
	b.at(time.Minute, func() {
		b.together("promote")
		require.NoError(t, b.CompleteActivity(b.cluster.blocked, nil, errRefused))
	})
	_, err := b.run(seed())
	require.ErrorContains(t, err, "there is no such Service")
	require.Equal(t, []string{"too late: the rollout is Refused"}, refusals(b.status().Decisions))
}
