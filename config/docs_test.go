package config

import (
	"os"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
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

// TestDocsOfMetrics parses the document that a reader of the page saves.
func TestDocsOfMetrics(t *testing.T) {
	page, err := os.ReadFile("../docs/metrics.md")
	require.NoError(t, err)
	examples := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllSubmatch(page, -1)
	require.Len(t, examples, 1)
	r, err := ParseOne(examples[0][1], Options{})
	require.NoError(t, err)
	require.Len(t, r.Analyses(), 2)
	for _, finding := range Warnings(r, 5) {
		require.Equal(t, SeverityInfo, finding.Severity, finding.Error())
	}
}
