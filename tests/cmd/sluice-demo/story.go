package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"sluice.dev/sluice/tests/harness"
	"sluice.dev/sluice/tests/sandbox"
	"sluice.dev/sluice/tests/sandbox/load"
)

// story is the demonstration: three rollouts of one application under load.
type story struct {
	*stage
	settings
	load *harness.Load
	// stable is the number of the version that serves, latest that of the one
	// that was released last.
	stable, latest int
}

// rate of requests a second: enough for a share to be seen within seconds.
const rate = 200

// version of the application by its number.
func version(number int) string { return fmt.Sprintf("v%d", number) }

// tell tells the whole story, ending with the account of all requests.
func (s *story) tell(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		select {
		case <-s.worker.Ended():
			cancel(fmt.Errorf("the worker has ended: see %s", s.Sandbox.Dir().Log("sluice-worker")))
		case <-s.Sandbox.Ended():
			cancel(errors.New("the sandbox has ended by itself"))
		case <-ctx.Done():
		}
	}()
	err := s.chapters(ctx)
	if s.load == nil {
		return errors.Join(err, context.Cause(ctx))
	}
	if err != nil {
		s.load.Close()
		if cause := context.Cause(ctx); cause != nil {
			return cause
		}
		return err
	}
	return s.account(ctx)
}

func (s *story) chapters(ctx context.Context) error {
	for _, chapter := range []func(context.Context) error{s.deploy, s.canary, s.header, s.abort} {
		if err := chapter(ctx); err != nil {
			return err
		}
	}
	return nil
}

// deploy applies the seed's objects and starts the load.
func (s *story) deploy(ctx context.Context) error {
	s.title("2/5 The application, and clients that count")
	ctx, cancel := context.WithTimeout(ctx, stepLimit)
	defer cancel()
	if err := s.DeployDemo(ctx, namespace); err != nil {
		return err
	}
	if err := s.AwaitAnswers(ctx, version(s.stable)); err != nil {
		return err
	}
	s.say("Applied as it is: " + seed("app.yaml") + ", a Deployment of 5 pods, a Service and an Ingress.")
	if err := s.showPods(ctx); err != nil {
		return err
	}
	var err error
	s.load, err = s.StartLoad(ctx, harness.LoadOptions{Rate: rate, Duration: s.loadLimit()})
	if err != nil {
		return err
	}
	s.say(fmt.Sprintf("From now to the end clients send %d requests a second through the gateway, "+
		"GET and POST, on kept and on new connections, half of them with `user-agent: %s`. "+
		"A request without a good answer is lost; none is sent twice.", rate, harness.Android))
	if !s.interactive {
		return nil
	}
	return s.writeEnvironment()
}

func (s *story) canary(ctx context.Context) error {
	s.latest++
	s.title(fmt.Sprintf("3/5 Canary by weight: %s to %s", version(s.stable), version(s.latest)))
	return s.release(ctx, "rollout-canary.yaml", s.promoteNext)
}

func (s *story) header(ctx context.Context) error {
	s.latest++
	s.title(fmt.Sprintf("4/5 A/B test by header: %s to %s", version(s.stable), version(s.latest)))
	return s.release(ctx, "rollout-ab.yaml", s.promoteNext)
}

// seed names one of the seed's files as a person in the project's folder does.
func seed(name string) string {
	return filepath.Join("tests", "sandbox", "testdata", "seed", name)
}

// sluice shows and runs a command of the command line tool.
func (s *story) sluice(ctx context.Context, args ...string) error {
	s.run(append([]string{"sluice"}, args...))
	cmd := s.SluiceCommand(ctx, namespace, args...)
	tests, err := sandbox.Root()
	if err != nil {
		return err
	}
	// The project's folder, so that the line works for those who copy it.
	cmd.Dir = filepath.Dir(tests)
	text, err := cmd.CombinedOutput()
	for _, line := range strings.Split(strings.TrimRight(string(text), "\n"), "\n") {
		s.line(plain, line)
	}
	if err != nil {
		return fmt.Errorf("running sluice %s: %w", args[0], err)
	}
	return nil
}

// errLost says that requests were lost.
var errLost = errors.New("requests were lost")

// account ends the load and tells what became of every request.
func (s *story) account(ctx context.Context) error {
	report, err := s.load.Finish(ctx)
	if err != nil {
		return err
	}
	return s.conclude(report.Whole)
}

// conclude tells what became of the requests, and where the story is to be read.
// Its error says that some were lost.
func (s *story) conclude(w load.Window) error {
	s.title("The account")
	if w.Lost() > 0 {
		s.showLosses(w)
	}
	style := good
	if w.Lost() > 0 {
		style = bad
	}
	if s.stays() {
		s.say(kept)
	}
	s.line(plain, fmt.Sprintf("Total time     %s", clock(time.Since(s.begun))))
	s.line(plain, fmt.Sprintf("Longest gap    %s without a good answer", milliseconds(w.Gap.Longest)))
	s.line(plain, fmt.Sprintf("Requests sent  %d, in %s", w.Requests, clock(w.To.Sub(w.From))))
	s.line(style, fmt.Sprintf("Requests lost  %d", w.Lost()))
	s.line(plain, "Temporal UI    "+s.whereToRead())
	if w.Lost() > 0 {
		return fmt.Errorf("%d %w", w.Lost(), errLost)
	}
	return nil
}

// kept says how long the sandbox stays.
const kept = "The sandbox stays, with the story of each rollout in the Temporal UI. Ctrl-C takes it down."

// whereToRead says where the Temporal UI shows the story.
func (s *story) whereToRead() string {
	if s.stays() {
		return s.storyURL()
	}
	return "ends with the sandbox; `make demo " + keepVariable + "=1` keeps both until Ctrl-C"
}

// showLosses shows the first requests that were lost.
func (s *story) showLosses(w load.Window) {
	for _, f := range w.Examples {
		what := f.Error
		if what == "" {
			what = fmt.Sprintf("status %d", f.Status)
		}
		text := fmt.Sprintf("%s %s %s: %s", f.At.Format("15:04:05.000"), f.Cohort, f.Kind, what)
		for _, line := range wrap(text, width-2) {
			s.line(bad, "  "+line)
		}
	}
}

// storyURL is where the Temporal UI shows the rollouts.
func (s *story) storyURL() string {
	return s.Sandbox.State().Outside.TemporalUI + "/namespaces/default/workflows"
}
