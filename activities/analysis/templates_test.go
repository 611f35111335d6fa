package analysis_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice.dev/sluice/activities/analysis"
	"sluice.dev/sluice/config"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// TestReadyTemplatesRendered keeps what every ready-made template asks for, for
// both sides of shop/web.
func TestReadyTemplatesRendered(t *testing.T) {
	pages := map[string]*strings.Builder{}
	for _, name := range config.ReadyTemplates() {
		gateway, _, _ := strings.Cut(name, "/")
		if pages[gateway] == nil {
			pages[gateway] = &strings.Builder{}
		}
		document := strings.ReplaceAll(ofTraefik, "traefik/success-rate", name)
		rollouts, err := config.Parse([]byte(document), config.Options{Namespace: "shop"})
		require.NoError(t, err, name)
		metric := rollouts[0].Steps[0].Analysis.Metrics[0]
		for _, side := range []analysis.Side{analysis.Canary, analysis.Stable} {
			queries, err := subject().Fill(metric, side)
			require.NoError(t, err, name)
			fmt.Fprintf(pages[gateway], "# %s, %s\n", name, side)
			for _, q := range []struct{ name, text string }{
				{"query", queries.Value}, {"requests", queries.Requests}, {"bad", queries.Bad}, {"good", queries.Good},
			} {
				if q.text != "" {
					fmt.Fprintf(pages[gateway], "%s: %s\n", q.name, q.text)
				}
			}
		}
	}
	for gateway, page := range pages {
		path := filepath.Join("testdata", gateway+".golden")
		if *update {
			require.NoError(t, os.MkdirAll("testdata", 0o755))
			require.NoError(t, os.WriteFile(path, []byte(page.String()), 0o600))
		}
		want, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, string(want), page.String(), "run go test -update if this is meant")
	}
}
