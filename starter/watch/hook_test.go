package watch

import (
	"testing"

	"github.com/google/cel-go/cel"
	"github.com/stretchr/testify/require"

	"sluice.dev/sluice/activities/release"
)

// TestHoldIsNotAskedAboutOurOwnWrites evaluates the condition as an API server
// does: over the request as a map.
func TestHoldIsNotAskedAboutOurOwnWrites(t *testing.T) {
	env, err := cel.NewEnv(cel.Variable("request", cel.DynType))
	require.NoError(t, err)
	ast, issues := env.Compile(notBySluice)
	require.NoError(t, issues.Err())
	program, err := env.Program(ast)
	require.NoError(t, err)
	by := func(manager string) map[string]any {
		return map[string]any{"options": map[string]any{"kind": "UpdateOptions", "fieldManager": manager}}
	}
	for name, c := range map[string]struct {
		request map[string]any
		asked   bool
	}{
		"watcher":    {request: by(release.WatchManager)},
		"worker":     {request: by(release.FieldManager)},
		"kubectl":    {request: by("kubectl-set"), asked: true},
		"like ours":  {request: by(release.FieldManager + "-cli"), asked: true},
		"no manager": {request: map[string]any{"options": map[string]any{}}, asked: true},
		"no options": {request: map[string]any{}, asked: true},
	} {
		t.Run(name, func(t *testing.T) {
			result, _, err := program.Eval(map[string]any{"request": c.request})
			require.NoError(t, err)
			require.Equal(t, c.asked, result.Value())
		})
	}
}
