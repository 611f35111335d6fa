package chaos

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice.dev/sluice/config"
	fakegateway "sluice.dev/sluice/tests/chaos/gateway"
)

// TestWatcherSeesHarm makes sure that the watcher and the clients are worth
// something: behind a gateway that is slower than the worker is told, requests
// are lost and invariants broken, and both say so.
func TestWatcherSeesHarm(t *testing.T) {
	report := Play(t, Run{Scenario: Scenarios()[0], Personality: fakegateway.GatewayAPI, Fault: None, Seed: 1, careless: true})
	text := strings.Join(report.Problems, "\n")
	for _, invariant := range []string{"I4", "I7", "I20"} {
		require.Contains(t, text, invariant+" at ", "all that was seen: %s", text)
	}
}

func TestRunNames(t *testing.T) {
	run := Run{Scenario: Scenarios()[1], Personality: fakegateway.Nginx, Fault: CrashLate, Write: 4, Seed: 9}
	got, err := ParseRun(run.Name())
	require.NoError(t, err)
	require.Equal(t, run, got)
	for _, name := range []string{"", "canary/traefik/crash-sent/3", "canary/traefik/crash/3/1", "canary/haproxy/none/3/1", "other/traefik/none/0/1", "canary/traefik/none/x/1"} {
		_, err := ParseRun(name)
		require.Error(t, err, name)
	}
}

func TestJudge(t *testing.T) {
	state := func(image, more string) map[string]string {
		return map[string]string{"Deployment shop/demo": "image " + image + more, "pods run": "map[" + image + ":true]"}
	}
	undisturbed := Report{Outcome: "Promoted", State: state("version:v2", "")}
	run := Run{Scenario: Scenarios()[0], Fault: CrashSent}
	require.Empty(t, Judge(run, undisturbed, undisturbed))
	require.Len(t, Judge(run, Report{Outcome: "Promoted", State: state("version:v2", " and more")}, undisturbed), 1)
	require.Len(t, Judge(run, Report{Outcome: "RolledBack", State: state("version:v1", "")}, undisturbed), 2)
	run.Fault = Abort
	require.Empty(t, Judge(run, Report{Outcome: "RolledBack", State: state("version:v1", "")}, undisturbed))
	require.Len(t, Judge(run, Report{Outcome: "RolledBack", State: state("version:v2", "")}, undisturbed), 1)
	left := state("version:v1", "")
	left["Ingress shop/demo-canary"] = "left"
	require.Len(t, Judge(run, Report{Outcome: "RolledBack", State: left}, undisturbed), 1)
}

// TestJudgeOfTakenNames: a rollout whose name is taken stops. It ends as if
// nothing had happened when there is room, and with the old revision otherwise.
func TestJudgeOfTakenNames(t *testing.T) {
	state := func(image string) map[string]string {
		return map[string]string{"Deployment shop/demo": "image " + image, "pods run": "map[" + image + ":true]"}
	}
	undisturbed := Report{Outcome: "Promoted", State: state("version:v2")}
	run := Run{Scenario: Scenarios()[0], Fault: Conflict}
	require.Empty(t, Judge(run, Report{Outcome: "Promoted", State: state("version:v2"), Taken: true, Refused: true}, undisturbed))
	require.Empty(t, Judge(run, Report{Outcome: "RolledBack", State: state("version:v1"), Taken: true, Refused: true, GivenUp: true}, undisturbed))
	require.Len(t, Judge(run, Report{Outcome: "Promoted", State: state("version:v2"), Taken: true}, undisturbed), 1, "it was adopted")
	require.Len(t, Judge(run, Report{Outcome: "RolledBack", State: state("version:v1"), Taken: true, Refused: true}, undisturbed), 2)
}

func TestDocumentsOfScenariosAreWhole(t *testing.T) {
	for _, s := range Scenarios() {
		doc := s.document("shop")
		require.Positive(t, doc.Traffic.Grace.Std())
		require.Greater(t, doc.Traffic.ConfirmTimeout, config.Duration(freezing+10*time.Second), "a frozen replica must be waited for")
		require.NotEmpty(t, s.Steps)
	}
}
