package workflows_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"sluice.dev/sluice/activities/workload"
	"sluice.dev/sluice/config"
	"sluice.dev/sluice/workflows"
)

func TestWorkflowIDRoundTrip(t *testing.T) {
	id := workflows.WorkflowID("prod", "shop", config.ObjectRef{Kind: "Deployment", Name: "web"})
	require.Equal(t, "rollout:prod:shop:Deployment:web", id)
	cluster, namespace, kind, name, err := workflows.ParseWorkflowID(id)
	require.NoError(t, err)
	require.Equal(t, []string{"prod", "shop", "Deployment", "web"}, []string{cluster, namespace, kind, name})
	for _, bad := range []string{"", "rollout:a:b:c", "other:a:b:c:d", "rollout:a:b:c:d:e"} {
		_, _, _, _, err := workflows.ParseWorkflowID(bad)
		require.Error(t, err, bad)
	}
}

// refusals tells the texts of all refused decisions.
func refusals(decisions []workflows.Decision) []string {
	var texts []string
	for _, d := range decisions {
		if !d.Accepted {
			texts = append(texts, d.Text)
		}
	}
	return texts
}

func TestTwoAnonymousClicksPromoteOneStep(t *testing.T) {
	b := newBench(t)
	b.signal(time.Minute, workflows.VerbPromote, nil)
	b.signal(time.Minute+time.Second, workflows.VerbPromote, nil)
	b.at(time.Hour, func() { require.Equal(t, 2, b.status().Step) })
	b.signal(2*time.Hour, workflows.VerbPromote, nil)
	result, err := b.run(seed())
	require.NoError(t, err)
	require.Len(t, refusals(result.Decisions), 1)
	require.Contains(t, refusals(result.Decisions)[0], "promoted less than")
}

// TestLongMessagesDoNotFillTheStatus: Temporal carries 2 MB at most, so that a
// status with everything that anybody sent could be neither asked for nor kept.
func TestLongMessagesDoNotFillTheStatus(t *testing.T) {
	b := newBench(t)
	long := strings.Repeat("é", 100_000)
	for range 12 {
		b.signal(time.Minute, workflows.VerbPromote, workflows.Message{By: long, Reason: long})
		b.signal(time.Minute, workflows.VerbPause, workflows.Message{Revision: long})
	}
	b.signal(time.Hour, workflows.VerbAbort, nil)
	result, err := b.run(seed())
	require.NoError(t, err)
	require.Len(t, refusals(result.Decisions), 24)
	text, err := json.Marshal(result)
	require.NoError(t, err)
	require.Less(t, len(text), 100_000)
	for _, d := range result.Decisions {
		require.True(t, utf8.ValidString(d.By+d.Reason+d.Text))
	}
}

func TestAMessageThatArrivesTwiceActsOnce(t *testing.T) {
	b := newBench(t)
	again := workflows.Message{Step: 1, ID: "one"}
	b.signal(time.Minute, workflows.VerbPromote, again)
	b.signal(2*time.Minute, workflows.VerbJump, workflows.Message{Step: 1, ID: "two"})
	b.signal(3*time.Minute, workflows.VerbPromote, again)
	b.signal(3*time.Minute, workflows.VerbJump, workflows.Message{Step: 2, ID: "two"})
	b.at(time.Hour, func() {
		s := b.status()
		require.Equal(t, 1, s.Step)
		require.Len(t, s.Decisions, 2)
	})
	b.signal(2*time.Hour, workflows.VerbPromote, workflows.Message{Full: true})
	_, err := b.run(seed())
	require.NoError(t, err)
}

func TestAnonymousPromoteBeforeTheHoldIsNotKept(t *testing.T) {
	b := newBench(t)
	b.cluster.block = func(op string) bool { return op == "canary v2 1" && b.cluster.blocked == nil }
	b.signal(time.Second, workflows.VerbPromote, nil)
	b.at(time.Minute, func() {
		require.NoError(t, b.CompleteActivity(b.cluster.blocked, workload.Pods{Total: 1, Ready: 1}, nil))
	})
	b.at(time.Hour, func() {
		s := b.status()
		require.Equal(t, workflows.PhaseHolding, s.Phase)
		require.Equal(t, 1, s.Step)
	})
	b.signal(2*time.Hour, workflows.VerbPromote, workflows.Message{Full: true})
	result, err := b.run(seed())
	require.NoError(t, err)
	require.Contains(t, refusals(result.Decisions)[0], "nothing to promote")
}

func TestNamedPromotes(t *testing.T) {
	b := newBench(t)
	early := b.update(time.Minute, workflows.VerbPromote, workflows.Message{Step: 2, By: "ann"})
	wrongRevision := b.update(2*time.Minute, workflows.VerbPromote, workflows.Message{Step: 1, Revision: "v9"})
	wrongRun := b.update(3*time.Minute, workflows.VerbPromote, workflows.Message{Step: 1, Run: "another"})
	missing := b.update(4*time.Minute, workflows.VerbPromote, workflows.Message{Step: 7})
	good := b.update(5*time.Minute, workflows.VerbPromote, workflows.Message{Step: 1, Revision: "v2"})
	result, err := b.run(seed())
	require.NoError(t, err)
	require.Equal(t, workflows.Promoted, result.Outcome)
	require.NoError(t, early.rejected)
	require.Equal(t, "noted for step 2", early.text)
	require.ErrorContains(t, wrongRevision.rejected, "meant for revision v9")
	require.ErrorContains(t, wrongRun.rejected, "meant for run another")
	require.ErrorContains(t, missing.rejected, "step 7 has no hold")
	require.NoError(t, good.rejected)
	require.Equal(t, "promoting step 1", good.text)
}

func TestStalePromoteSaysSo(t *testing.T) {
	b := newBench(t)
	b.signal(time.Minute, workflows.VerbPromote, workflows.Message{Step: 1})
	stale := b.update(2*time.Minute, workflows.VerbPromote, workflows.Message{Step: 1})
	b.signal(3*time.Minute, workflows.VerbPromote, workflows.Message{Step: 2})
	_, err := b.run(seed())
	require.NoError(t, err)
	require.ErrorContains(t, stale.rejected, "step 1 is promoted already")
}

func TestWrongSignalIsAnsweredInTheStatus(t *testing.T) {
	b := newBench(t)
	b.signal(time.Minute, workflows.VerbPromote, map[string]any{"stepp": 1})
	b.signal(2*time.Minute, workflows.VerbPromote, []int{1, 2})
	b.signal(3*time.Minute, workflows.VerbPromote, "fine by me")
	b.signal(4*time.Minute, workflows.VerbPromote, workflows.Message{Full: true})
	result, err := b.run(seed())
	require.NoError(t, err)
	require.Len(t, refusals(result.Decisions), 2)
	require.Equal(t, "fine by me", result.Decisions[2].Reason)
}

func TestVerbsThatAreNotLegalNow(t *testing.T) {
	b := newBench(t)
	cases := []struct {
		verb workflows.Verb
		m    workflows.Message
		want string
	}{
		{workflows.VerbRetry, workflows.Message{}, "nothing has failed"},
		{workflows.VerbResume, workflows.Message{}, "not paused"},
		{workflows.VerbJump, workflows.Message{}, "step 0 does not exist"},
		{workflows.VerbJump, workflows.Message{Step: 3}, "step 3 does not exist"},
		{workflows.VerbRevise, workflows.Message{}, "name the new revision"},
	}
	answers := make([]*answer, len(cases))
	for i, c := range cases {
		answers[i] = b.update(time.Duration(i+1)*time.Minute, c.verb, c.m)
	}
	b.signal(time.Hour, workflows.VerbAbort, nil)
	_, err := b.run(seed())
	require.NoError(t, err)
	for i, c := range cases {
		require.True(t, answers[i].done)
		require.ErrorContains(t, answers[i].rejected, c.want)
	}
}
