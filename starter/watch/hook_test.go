package watch

import (
	"testing"

	"github.com/google/cel-go/cel"
	"github.com/stretchr/testify/require"
	arv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

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

// TestWebhooksAreAskedAboutWatchedNamespacesOnly: of the others the caches know
// nothing.
func TestWebhooksAreAskedAboutWatchedNamespacesOnly(t *testing.T) {
	inBench(t, nil, func(b *bench) {
		h := &Hook{URL: "https://h", FailurePolicy: arv1.Ignore}
		selectors := func() []*metav1.LabelSelector {
			return []*metav1.LabelSelector{h.mutating(b.Watcher, nil).Webhooks[0].NamespaceSelector, h.validating(b.Watcher, nil).Webhooks[0].NamespaceSelector}
		}
		for _, s := range selectors() {
			require.Equal(t, &metav1.LabelSelector{}, s)
		}
		b.Namespaces = []string{"shop", "blog"}
		for _, s := range selectors() {
			require.Equal(t, "kubernetes.io/metadata.name in (blog,shop)", metav1.FormatLabelSelector(s))
		}
	})
}

// TestWebhooksOfAnotherInstallStay: two that overwrite each other's would leave one
// half of the changes unheld.
func TestWebhooksOfAnotherInstallStay(t *testing.T) {
	inBench(t, nil, func(b *bench) {
		h := &Hook{Service: "sluice-watch", FailurePolicy: arv1.Ignore}
		require.NoError(t, h.register(b.ctx, b.Watcher, nil))
		require.NoError(t, h.register(b.ctx, b.Watcher, nil), "its own")
		other := &Watcher{Options: b.Options, caches: b.caches}
		other.Home = "team-b"
		require.ErrorContains(t, h.register(b.ctx, other, nil), "the webhooks sluice-watch are those of watchers in namespace sluice-system: give these a --class")
		other.Class = "team-b"
		require.NoError(t, h.register(b.ctx, other, nil))
		have, err := b.server.AdmissionregistrationV1().MutatingWebhookConfigurations().Get(b.ctx, "sluice-watch", metav1.GetOptions{})
		require.NoError(t, err)
		require.Equal(t, b.Home, have.Webhooks[0].ClientConfig.Service.Namespace)
	})
}
