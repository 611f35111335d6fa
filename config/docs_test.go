package config

import (
	"os"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// TestDocs parses the examples of the reference page.
func TestDocs(t *testing.T) {
	page, err := os.ReadFile("../docs/document.md")
	require.NoError(t, err)
	examples := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllSubmatch(page, -1)
	require.Len(t, examples, 3)
	for i, name := range []string{"seed-canary", "seed-ab"} {
		seed, err := os.ReadFile("testdata/" + name + "/in.yaml")
		require.NoError(t, err)
		require.Equal(t, string(seed), string(examples[i][1]))
	}
	r, err := ParseOne(examples[2][1], Options{})
	require.NoError(t, err)
	for _, finding := range Warnings(r, 5) {
		require.Equal(t, SeverityInfo, finding.Severity, finding.Error())
	}
}

// TestDocsOfMetrics parses the document that a reader of the page saves, and what
// the page says can be added to it.
func TestDocsOfMetrics(t *testing.T) {
	page, err := os.ReadFile("../docs/metrics.md")
	require.NoError(t, err)
	examples := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllSubmatch(page, -1)
	document := string(examples[0][1])
	r, err := ParseOne([]byte(document), Options{})
	require.NoError(t, err)
	require.Len(t, r.Analyses(), 2)
	onlyInfos(t, r)

	snippets, templates, shared := 0, "", map[string]string{}
	for _, example := range examples[1:] {
		var said struct {
			Kind     string
			Data     map[string]string
			Analysis any
		}
		require.NoError(t, yaml.Unmarshal(example[1], &said), "%s", example[1])
		switch said.Kind {
		case kindTemplate:
			templates += "\n---\n" + string(example[1])
		case "ConfigMap":
			shared = said.Data
		default:
			require.NotNil(t, said.Analysis, "%s", example[1])
			snippets++
			r, err := ParseOne([]byte(measuredBy(t, document, said.Analysis)+templates), Options{})
			require.NoError(t, err, "%s", example[1])
			r, err = Resolve(r, func(name string) (map[string]string, error) {
				require.Equal(t, "sluice-metrics", name)
				return shared, nil
			})
			require.NoError(t, err)
			require.Len(t, r.Steps[0].Analysis.Metrics, 1)
			onlyInfos(t, r)
		}
	}
	require.Equal(t, 4, snippets)
}

// measuredBy is a document whose first step is measured by an analysis.
func measuredBy(t *testing.T, document string, analysis any) string {
	t.Helper()
	var tree map[string]any
	require.NoError(t, yaml.Unmarshal([]byte(document), &tree))
	steps := tree["spec"].(map[string]any)["strategy"].(map[string]any)["canary"].(map[string]any)["steps"].([]any)
	steps[0].(map[string]any)["analysis"] = analysis
	text, err := yaml.Marshal(tree)
	require.NoError(t, err)
	return string(text)
}

func onlyInfos(t *testing.T, r Rollout) {
	t.Helper()
	for _, finding := range Warnings(r, 5) {
		require.Equal(t, SeverityInfo, finding.Severity, finding.Error())
	}
}
