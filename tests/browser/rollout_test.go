package browser

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice.dev/sluice/tests/harness"
	"sluice.dev/sluice/tests/sandbox"
	"sluice.dev/sluice/tests/sandbox/build"
	"sluice.dev/sluice/workflows"
)

// limit bounds the test, the building of programs not counted.
const limit = 6 * time.Minute

// artefacts returns the folder for pictures: a folder of $SLUICE_ARTEFACTS, or of
// the repository's artefacts, which are not kept in its history.
func artefacts(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("SLUICE_ARTEFACTS")
	if dir == "" {
		tests, err := sandbox.Root()
		require.NoError(t, err)
		dir = filepath.Join(filepath.Dir(tests), "artefacts")
	}
	dir = filepath.Join(dir, "browser")
	require.NoError(t, os.MkdirAll(dir, 0o700))
	return dir
}

// story is a rollout of the seed's application that a person follows.
type story struct {
	*harness.Bed
	t         *testing.T
	ctx       context.Context
	namespace string
	run       string
	page      *page
	load      *harness.Load
}

// newStory brings up everything that is needed and deploys the application.
func newStory(t *testing.T) *story {
	t.Helper()
	chromium, err := findChromium()
	require.NoError(t, err)
	programs, err := harness.BuildPrograms(t.Context(), build.Progress{Out: os.Stderr})
	require.NoError(t, err)
	shared := sandbox.Shared(t)
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	t.Cleanup(cancel)
	bed, err := harness.NewBed(ctx, shared, programs)
	require.NoError(t, err)
	t.Cleanup(bed.Close)
	worker, err := bed.StartWorker(ctx)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, worker.Kill()) })
	s := &story{Bed: bed, t: t, ctx: ctx, namespace: fmt.Sprintf("browser-%d", time.Now().Unix()%100000)}
	t.Cleanup(s.remove)
	require.NoError(t, bed.DeployDemo(ctx, s.namespace))
	require.NoError(t, bed.AwaitAnswers(ctx, "v1"))
	s.load, err = bed.StartLoad(ctx, harness.LoadOptions{Duration: limit})
	require.NoError(t, err)
	s.page = openBrowser(t, chromium, artefacts(t))
	return s
}

// remove ends what is left of a rollout that has failed, and its objects.
func (s *story) remove() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if s.t.Failed() {
		_ = s.Temporal.TerminateWorkflow(ctx, s.id(), "", "the test has failed")
	}
	require.NoError(s.t, s.RemoveDemo(ctx, s.namespace))
}

func (s *story) id() string { return harness.DemoWorkflow(s.namespace) }

// start runs `sluice start` with the seed's canary document.
func (s *story) start() {
	s.t.Helper()
	file, err := harness.SeedFile("rollout-canary.yaml")
	require.NoError(s.t, err)
	out, err := s.Sluice(s.ctx, s.namespace, "start", "-f", file, "--image", "main="+harness.Image("v2"))
	require.NoError(s.t, err)
	require.Zero(s.t, out.Code, "%s%s", out.Stdout, out.Stderr)
}

// await waits until the rollout is in a phase at a step.
func (s *story) await(phase workflows.Phase, step int) workflows.Status {
	s.t.Helper()
	var last workflows.Status
	err := harness.Await(s.ctx, fmt.Sprintf("the rollout is %s at step %d", phase, step), func(ctx context.Context) (bool, error) {
		var err error
		last, err = s.Status(ctx, s.namespace)
		return err == nil && last.Phase == phase && last.Step == step, err
	})
	require.NoError(s.t, err, "last seen: %s %s", last.Phase, last.Message)
	return last
}

// told are the texts of a status that the current details have to show.
func told(status workflows.Status) []string {
	texts := []string{string(status.Phase), status.Message}
	for _, event := range status.Timeline {
		texts = append(texts, event.Text)
	}
	return texts
}

// finish ends the load and requires that nothing was lost.
func (s *story) finish() {
	s.t.Helper()
	const after = "after the end"
	_, err := s.load.Mark(s.ctx, after)
	require.NoError(s.t, err)
	require.NoError(s.t, harness.Await(s.ctx, "v2 has answered for a while", func(ctx context.Context) (bool, error) {
		w, err := s.load.Window(ctx, after)
		return err == nil && w.Good >= 400 && w.Versions["v2"] == w.Good, err
	}))
	report, err := s.load.Finish(s.ctx)
	require.NoError(s.t, err)
	w := report.Whole
	require.Zero(s.t, w.Lost(), "not answered with 2xx: %v", w.Examples)
	s.t.Logf("%d requests, 0 lost, versions %v", w.Requests, w.Versions)
}

func TestRolloutByTheWebUI(t *testing.T) {
	s := newStory(t)
	s.start()
	s.firstHold()
	s.page.openSignals()
	s.page.picture("3-signals")
	s.page.sendSignal(string(workflows.VerbPromote), "", "4-signal-without-payload")
	s.secondHold()
	s.page.openSignals()
	s.page.sendSignal(string(workflows.VerbPromote), `{"step":2,"by":"ann","reason":"from the web"}`, "6-signal-with-payload")
	s.promoted()
	s.finish()
}

// firstHold sees, at the hold of step 1, what was done and what is waited for.
func (s *story) firstHold() {
	s.t.Helper()
	hold := s.await(workflows.PhaseHolding, 1)
	s.run = hold.Run
	s.open(tabTimeline)
	s.page.see("", append(s.summaries(), "canary to 1", "route weight 10")...)
	s.page.picture("1-hold-timeline")
	s.open(tabMetadata)
	s.page.see(keyFreshen, append(told(hold), "step 1 of 3", "10 confirmed", harness.Image("v2"))...)
	s.page.picture("2-hold-details")
}

// secondHold sees on the same page that the rollout has gone on.
func (s *story) secondHold() {
	s.t.Helper()
	s.page.see(keyFreshen, "step 1 of 3 completed", "step 2 of 3", "30 confirmed")
	s.page.see(keyFreshen, told(s.await(workflows.PhaseHolding, 2))...)
	s.page.picture("5-second-hold")
}

// promoted sees the end: the decisions, all that was done, and the result.
func (s *story) promoted() {
	s.t.Helper()
	s.page.see(keyFreshen, "promote by ann through signal: from the web: promoting step 2")
	end := s.await(workflows.PhasePromoted, 3)
	s.open(tabMetadata)
	s.page.see(keyFreshen, append(told(end), completed)...)
	s.page.picture("7-promoted-details")
	s.open(tabTimeline)
	s.page.see("", s.summaries()...)
	s.page.picture("8-promoted-timeline")
	s.open(tabHistory)
	s.page.click("[data-testid=compact]", "Compact")
	s.page.see("", append(s.summaries(), completed, `"outcome": "Promoted"`, "ann")...)
	s.page.picture("9-promoted-history")
}
