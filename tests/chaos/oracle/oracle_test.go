package oracle_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	netv1 "k8s.io/api/networking/v1"

	"sluice.dev/sluice/activities/kube/kubetest"
	"sluice.dev/sluice/activities/traffic"
	"sluice.dev/sluice/tests/chaos/oracle"
)

// TestRenderedAnnotationsSelectWhatTheDocumentMeans draws documents: what the
// renderer of a class accepts selects, in every product that reads that class,
// exactly the requests that the document means.
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
	accepted, matched := 0, 0
	for range documents {
		wanted := oracle.RandomRoute(r)
		canary, err := adapter.Render(base, kubetest.Ref(1), wanted)
		if err != nil {
			var unsupported *traffic.UnsupportedError
			require.ErrorAs(t, err, &unsupported)
			continue
		}
		accepted++
		for range requests {
			asked := oracle.RandomRequest(r)
			want := oracle.Means(wanted, asked)
			byMatch := oracle.Means(traffic.Route{Matches: wanted.Matches}, asked) == oracle.Canary
			if byMatch {
				matched++
			} else if oracle.Declines(wanted, asked) && product(canary.Annotations, asked) == oracle.Stable {
				// Whatever the weight, also one of 100: the product's own.
				continue
			}
			require.Equal(t, want, product(canary.Annotations, asked), describe(wanted, canary, asked))
		}
	}
	// It is worth nothing when nothing was accepted or nothing fitted a match.
	require.Greater(t, accepted, documents/20)
	require.Greater(t, matched, 200)
	t.Logf("%d of %d documents could be expressed, %d requests fitted a match", accepted, documents, matched)
}

func describe(wanted traffic.Route, canary *netv1.Ingress, asked oracle.Request) string {
	return fmt.Sprintf("document %+v, annotations %v, request %v", wanted, canary.Annotations, asked.Header)
}
