package replay

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	historypb "go.temporal.io/api/history/v1"
)

// present is the folder of the release that is being made.
const present = "histories/v0.3.0"

// scenarios are the cases whose histories have to be there, of rollouts that the
// present release has begun, by what they show.
var scenarios = map[string][]string{
	"the seed's canary":                {"SeedCanary"},
	"the seed's A/B":                   {"SeedAB"},
	"abort at each step":               {"AbortAtEachStep-step_1", "AbortAtEachStep-step_2", "AbortOfAB"},
	"new revision at step 2":           {"NewRevisionAtStep2"},
	"never ready, policy pause":        {"NeverReadyPausesThenIsRepaired"},
	"never ready, policy rollback":     {"NeverReadyRollsBack"},
	"scaled during step 1":             {"ScaleUpAndBackDuringStep1"},
	"worker killed at each step":       {"WorkerKilledAtEachHold"},
	"worker killed during a return":    {"WorkerKilledWhileRollingBack-requests_in_flight_finish", "WorkerKilledWhileRollingBack-remove_the_canary_route"},
	"Temporal restarted at step 1":     {"TemporalRestartedAtStep1"},
	"API server restarted at step 2":   {"APIServerRestartedAtStep2"},
	"API server away during a return":  {"APIServerAwayForMinutesDuringAnAbort"},
	"selector mode":                    {"SelectorSeedCanary"},
	"a revision of the bypass mode":    {"BypassOtherTemplates"},
	"metrics":                          {"MetricsPromoteAlone"},
	"verbs, and signals by many names": {"VerbsOfTheCommandLine", "SignalsByOtherNames"},
}

func TestEachScenarioHasAHistory(t *testing.T) {
	for scenario, cases := range scenarios {
		t.Run(scenario, func(t *testing.T) {
			for _, name := range cases {
				require.FileExists(t, filepath.Join(present, name+".json.gz"))
			}
		})
	}
}

// unrecorded are patches that no history takes, and why.
var unrecorded = map[string]string{
	"return-to-stable-before-the-history-is-full":     "it takes 40,000 events; workflows/history_test.go goes through both sides of it",
	"let-time-decide-where-all-metrics-are-dry-runs":  "a hold whose metrics are all dry runs is rare; workflows/analyse_test.go goes through each kind of hold",
	"narrow-the-service-again-before-the-canary-goes": "somebody has to change the Service between two writes; workflows/selector_test.go and make chaos go through it",
	"measure-a-new-revision-after-a-skipped-analysis": "somebody has to skip the analysis and revise; workflows/analyse_test.go goes through it",
	"go-on-after-a-reset-without-canary-pods":         "somebody has to widen the Service just then; workflows/cover_test.go goes through it",
	"count-a-match-of-others-as-all-requests":         "somebody has to write a match; workflows/drift_test.go goes through it",
	"refuse-a-full-promotion-that-is-stale":           "somebody has to send one at the wrong moment; workflows/full_test.go goes through both sides of it",
	"guard-a-rollout-that-metrics-have-stopped":       "metrics have to pause a rollout that has an analysis of the whole rollout; workflows/guard_test.go goes through both sides of it",
	"end-a-guarded-bake-only-when-metrics-answer":     "a bake has to end without an analysis of its own beside one of the whole rollout; workflows/bake_test.go goes through both sides of it",
	"forget-a-verdict-that-an-order-overtakes":        "both have to come in one workflow task; workflows/orders_test.go goes through both sides of it",
	"retry-ends-the-pause-of-a-compensation":          "it takes an operation of the return that fails for good; workflows/branches_test.go goes through it",
}

// TestEachPatchIsTakenByAHistory: a patch that no history takes could be changed,
// and nothing would fail.
func TestEachPatchIsTakenByAHistory(t *testing.T) {
	taken := map[string]bool{}
	for _, path := range histories(t, "histories") {
		for _, id := range patchesOf(t, read(t, path)) {
			taken[id] = true
		}
	}
	all := patches(t)
	for _, id := range all {
		if reason, is := unrecorded[id]; is {
			require.False(t, taken[id], "%s is recorded by now: strike it from those that are not (%s)", id, reason)
			continue
		}
		require.True(t, taken[id], "record a history that takes %s", id)
	}
	require.Subset(t, all, slices.Collect(maps.Keys(unrecorded)))
	require.Subset(t, all, slices.Collect(maps.Keys(taken)), "the IDs of patches that were taken stay")
}

// patches are the IDs in workflows/versions.go.
func patches(t *testing.T) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "../../workflows/versions.go", nil, parser.SkipObjectResolution)
	require.NoError(t, err)
	var ids []string
	for _, d := range file.Decls {
		constants, is := d.(*ast.GenDecl)
		if !is || constants.Tok != token.CONST {
			continue
		}
		for _, spec := range constants.Specs {
			for _, value := range spec.(*ast.ValueSpec).Values {
				id, err := strconv.Unquote(value.(*ast.BasicLit).Value)
				require.NoError(t, err)
				ids = append(ids, id)
			}
		}
	}
	require.NotEmpty(t, ids)
	return ids
}

// versionMarker is the name of the SDK's event for a patch.
const versionMarker = "Version"

// patchesOf are the IDs of the patches that a history takes.
func patchesOf(t *testing.T, history *historypb.History) []string {
	t.Helper()
	var ids []string
	for _, event := range history.GetEvents() {
		marker := event.GetMarkerRecordedEventAttributes()
		if marker.GetMarkerName() != versionMarker {
			continue
		}
		var id string
		require.NoError(t, json.Unmarshal(marker.GetDetails()["change-id"].GetPayloads()[0].GetData(), &id))
		ids = append(ids, id)
	}
	return ids
}
