package crds_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic/fake"

	"sluice.dev/sluice/deploy/crds"
)

// property returns the schema of a field by its path; "[]" steps into items.
func property(t *testing.T, version any, path ...string) map[string]any {
	t.Helper()
	s, found, err := unstructured.NestedMap(version.(map[string]any), "schema", "openAPIV3Schema")
	require.NoError(t, err)
	require.True(t, found)
	for _, name := range path {
		var ok bool
		if name == "[]" {
			s, ok = s["items"].(map[string]any)
		} else {
			s, ok = s["properties"].(map[string]any)[name].(map[string]any)
		}
		require.True(t, ok, "%s of %v", name, path)
	}
	return s
}

func TestBothVersionsOfKruiseKnowTheFieldsOfBoth(t *testing.T) {
	kruise := crds.All()[0]
	require.Equal(t, "rollouts.rollouts.kruise.io", kruise.GetName())
	versions := kruise.Object["spec"].(map[string]any)["versions"].([]any)
	require.Len(t, versions, 2)
	for _, v := range versions {
		require.Equal(t, "string", property(t, v, "spec", "objectRef", "workloadRef", "name")["type"])
		require.Equal(t, "string", property(t, v, "spec", "workloadRef", "name")["type"])
		step := []string{"spec", "strategy", "canary", "steps", "[]"}
		require.Equal(t, "integer", property(t, v, append(step, "weight")...)["type"])
		require.Equal(t, "string", property(t, v, append(step, "traffic")...)["type"])
		require.Equal(t, true, property(t, v, append(step, "replicas")...)["x-kubernetes-int-or-string"])
		require.Equal(t, "integer", property(t, v, append(step, "pause", "duration")...)["type"])
		require.Equal(t, "integer", property(t, v, "status", "canaryStatus", "nextStepIndex")["type"])
		require.Equal(t, "date-time", property(t, v, "status", "conditions", "[]", "lastUpdateTime")["format"])
	}
}

func TestOwnVersionKnowsWhatKruiseLacks(t *testing.T) {
	own := crds.All()[1]
	version := own.Object["spec"].(map[string]any)["versions"].([]any)[0]
	require.Equal(t, true, property(t, version, "spec", "deadline")["x-kubernetes-int-or-string"])
	match := []string{"spec", "strategy", "canary", "steps", "[]", "matches", "[]"}
	property(t, version, append(match, "cookies")...)
	property(t, version, append(match, "headers")...)
}

func TestOnlyOurOwnGroupHasAShortName(t *testing.T) {
	for i, want := range []any{nil, []any{"slr"}} {
		names := crds.All()[i].Object["spec"].(map[string]any)["names"].(map[string]any)
		require.Equal(t, want, names["shortNames"])
	}
}

func TestInstallLeavesOthersDefinitionsAlone(t *testing.T) {
	theirs := crds.All()[0]
	theirs.SetLabels(nil)
	scheme := runtime.NewScheme()
	kinds := map[schema.GroupVersionResource]string{crds.Definitions: "CustomResourceDefinitionList"}
	client := fake.NewSimpleDynamicClientWithCustomListKinds(scheme, kinds, theirs)
	ctx := context.Background()

	done, err := crds.Install(ctx, client)
	require.NoError(t, err)
	require.Equal(t, []crds.Installed{
		{What: "CustomResourceDefinition rollouts.rollouts.kruise.io", Result: "there already"},
		{What: "CustomResourceDefinition rollouts.sluice.dev", Result: "created"},
	}, done)
	kept, err := client.Resource(crds.Definitions).Get(ctx, theirs.GetName(), metav1.GetOptions{})
	require.NoError(t, err)
	require.Empty(t, kept.GetLabels())

	done, err = crds.Install(ctx, client)
	require.NoError(t, err)
	require.Equal(t, "there already", done[1].Result)
}
