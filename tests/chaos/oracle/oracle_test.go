package oracle_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	netv1 "k8s.io/api/networking/v1"

	"sluice.dev/sluice/activities/kube/kubetest"
	"sluice.dev/sluice/activities/traffic"
	"sluice.dev/sluice/config"
	"sluice.dev/sluice/tests/chaos/oracle"
)

// TestRenderedAnnotationsSelectWhatTheDocumentMeans draws documents: what the
// renderer of a class accepts selects, in every product that reads that class,
// exactly the requests that the document means. Of one that has several values of a
// header it decides as of one of those that the request may be taken for.
func TestRenderedAnnotationsSelectWhatTheDocumentMeans(t *testing.T) {
	for class, products := range readers {
		for name, product := range products {
			t.Run(class+"/"+name, func(t *testing.T) { requireMeaning(t, class, product) })
		}
	}
}

func requireMeaning(t *testing.T, class string, product oracle.Product) {
	const documents, requests = 3000, 60
	r := rand.New(rand.NewPCG(7, 7))
	adapter, err := traffic.AdapterFor(class)
	require.NoError(t, err)
	base := kubetest.Ingress()
	accepted, matched, probes, several := 0, 0, 0, 0
	for range documents {
		wanted := oracle.RandomRoute(r)
		if class == traffic.ClassNginx && r.IntN(3) == 0 {
			wanted.Nonce = oracle.Nonce
		}
		canary, err := adapter.Render(base, kubetest.Ref(1), wanted)
		if err != nil {
			var unsupported *traffic.UnsupportedError
			require.ErrorAs(t, err, &unsupported)
			continue
		}
		accepted++
		for range requests {
			asked := oracle.RandomRequest(r)
			readings := oracle.Readings(asked)
			allowed := make([]oracle.Decision, len(readings))
			byMatch := false
			for i, reading := range readings {
				allowed[i] = oracle.Means(wanted, reading)
				byMatch = byMatch || oracle.Means(traffic.Route{Matches: wanted.Matches, Nonce: wanted.Nonce}, reading) == oracle.Canary
			}
			if byMatch {
				matched++
			} else if oracle.Declines(wanted, asked) && product(canary.Annotations, asked) == oracle.Stable {
				// Whatever the weight, also one of 100: the product's own.
				continue
			}
			if len(readings) > 1 {
				several++
			}
			if asked.Header.Get(config.ProbeHeader) == wanted.Nonce && wanted.Nonce != "" {
				probes++
			}
			require.Contains(t, allowed, product(canary.Annotations, asked), describe(wanted, canary, asked))
		}
	}
	// It is worth nothing when nothing was accepted or nothing fitted a match.
	require.Greater(t, accepted, documents/20)
	require.Greater(t, matched, 200)
	require.Greater(t, several, 200)
	if class == traffic.ClassNginx {
		require.Greater(t, probes, 200)
	}
	t.Logf("%d of %d documents could be expressed, %d requests fitted a match", accepted, documents, matched)
}

func describe(wanted traffic.Route, canary *netv1.Ingress, asked oracle.Request) string {
	return fmt.Sprintf("document %+v, annotations %v, request %v", wanted, canary.Annotations, asked.Header)
}
