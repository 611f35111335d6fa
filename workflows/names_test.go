package workflows_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice.dev/sluice/workflows"
)

// send lets a signal of any name arrive after a virtual delay.
func (b *bench) send(delay time.Duration, name string, payload any) {
	b.at(delay, func() { b.SignalWorkflow(name, payload) })
}

// together lets signals without payload arrive with the next event of the history.
func (b *bench) together(names ...string) {
	for _, name := range names {
		b.SignalWorkflowSkippingWorkflowTask(name, nil)
	}
}

func TestSignalsByOtherNamesAct(t *testing.T) {
	cases := map[string]struct {
		name   string
		paused bool
		want   workflows.Phase
		step   int
	}{
		"approve promotes":      {name: "approve", want: workflows.PhaseHolding, step: 2},
		"continue promotes":     {name: "continue", want: workflows.PhaseHolding, step: 2},
		"Promote promotes":      {name: "Promote", want: workflows.PhaseHolding, step: 2},
		"spaces do not count":   {name: " APPROVE ", want: workflows.PhaseHolding, step: 2},
		"rollback aborts":       {name: "rollback", want: workflows.PhaseRolledBack, step: 1},
		"Cancel aborts":         {name: "Cancel", want: workflows.PhaseRolledBack, step: 1},
		"unpause resumes":       {name: "unpause", paused: true, want: workflows.PhaseHolding, step: 1},
		"approve never resumes": {name: "approve", paused: true, want: workflows.PhaseHolding, step: 1},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			if c.paused {
				b.signal(time.Minute, workflows.VerbPause, nil)
			}
			b.send(2*time.Minute, c.name, nil)
			b.at(time.Hour, func() {
				s := b.status()
				require.Equal(t, c.want, s.Phase)
				require.Equal(t, c.step, s.Step)
				require.Equal(t, c.paused && c.name != "unpause", s.Paused)
			})
			b.signal(2*time.Hour, workflows.VerbAbort, nil)
			result, err := b.run(seed())
			require.NoError(t, err)
			require.Equal(t, workflows.RolledBack, result.Outcome)
		})
	}
}

// TestASynonymActsEveryTime: with and without a payload, and named steps count.
func TestASynonymActsEveryTime(t *testing.T) {
	b := newBench(t)
	b.send(time.Minute, "approve", map[string]any{"step": 1, "by": "ann"})
	b.send(2*time.Minute, "approve", map[string]any{"step": 1})
	b.send(3*time.Minute, "approve", nil)
	result, err := b.run(seed())
	require.NoError(t, err)
	require.Equal(t, workflows.Promoted, result.Outcome)
	require.Len(t, result.Decisions, 3)
	require.Equal(t, "ann", result.Decisions[0].By)
	require.Equal(t, workflows.VerbPromote, result.Decisions[0].Verb)
	require.Contains(t, refusals(result.Decisions)[0], "promoted already")
}

func TestUnknownSignalsAreRefusedOnce(t *testing.T) {
	b := newBench(t)
	b.at(time.Minute, func() { b.together("zeta", "stop", "aprove", "yes", "go") })
	b.send(2*time.Minute, "stop", nil)
	b.send(3*time.Minute, "rolback", "please")
	b.at(time.Hour, func() {
		s := b.status()
		require.Equal(t, workflows.PhaseHolding, s.Phase)
		require.Contains(t, s.Timeline[len(s.Timeline)-1].Text, "rolback by somebody through signal: refused")
	})
	b.signal(2*time.Hour, workflows.VerbPromote, workflows.Message{Full: true})
	result, err := b.run(seed())
	require.NoError(t, err)
	var names []string
	for _, d := range result.Decisions[:len(result.Decisions)-1] {
		require.False(t, d.Accepted)
		require.Contains(t, d.Text, "send one of promote, pause, resume, abort")
		names = append(names, string(d.Verb))
	}
	require.Equal(t, []string{"aprove", "go", "stop", "yes", "zeta", "rolback"}, names)
	require.Contains(t, result.Decisions[0].Text, "did you mean promote?")
	require.Contains(t, result.Decisions[5].Text, "did you mean abort?")
	require.NotContains(t, result.Decisions[2].Text, "did you mean")
}

// TestUnknownSignalsAreAnsweredAfterACancellation: the context of the workflow is
// cancelled then, and nobody is left without an answer.
func TestUnknownSignalsAreAnsweredAfterACancellation(t *testing.T) {
	b := newBench(t)
	b.cluster.block = func(op string) bool { return op == "unroute" && b.cluster.blocked == nil }
	b.at(time.Minute, b.CancelWorkflow)
	b.send(2*time.Minute, "yes", nil)
	b.send(3*time.Minute, "approve", nil)
	b.at(4*time.Minute, func() {
		require.NoError(t, b.CompleteActivity(b.cluster.blocked, nil, nil))
	})
	_, err := b.run(seed())
	require.Error(t, err)
	texts := refusals(b.status().Decisions)
	require.Len(t, texts, 2)
	require.Contains(t, texts[0], "there is no such signal")
	require.Contains(t, texts[1], "too late: the rollout is RollingBack")
}
