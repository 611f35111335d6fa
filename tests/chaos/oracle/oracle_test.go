package oracle_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
	netv1 "k8s.io/api/networking/v1"

	"sluice.dev/sluice/activities/kube/kubetest"
	"sluice.dev/sluice/activities/traffic"
	"sluice.dev/sluice/config"
	"sluice.dev/sluice/tests/chaos/oracle"
)

// The words that documents and requests are made of: few, so that they meet
// often, and such that what one product takes for another meets too.
var (
	headers  = []string{"user-agent", "User-Agent", "x-user", "x_user", "X-User-Id"}
	values   = []string{"android", "Android", "a.b", "axb", "always", "never", "foo", "bar", "foobar", "a|b", "a", "x/y:z", "in side", "1.0"}
	patterns = []string{"android", "(?i)android", "^a.b$", "foo|bar", "^foo|bar$", "a{2}", "[^a]b", "^$", "(a|b)c?", `^\S+\s\S+$`, "(", "(?=a)"}
	cookies  = []string{"beta", "Beta", "beta.user", "b"}
)

func pick(r *rand.Rand, from []string) string { return from[r.IntN(len(from))] }

// request draws a request.
func request(r *rand.Rand) oracle.Request {
	h := http.Header{}
	for range r.IntN(3) {
		h.Set(pick(r, headers), pick(r, values))
	}
	if r.IntN(3) > 0 {
		h.Set("Cookie", pick(r, cookies)+"="+pick(r, []string{"always", "never", "1", "always2"})+"; other=always")
	}
	return oracle.Request{Path: "/version", Header: h}
}

// route draws what a document may say, also what no gateway can express.
func route(r *rand.Rand) traffic.Route {
	out := traffic.Route{Weight: []int{0, 0, 5, 30, 100}[r.IntN(5)]}
	for range r.IntN(3) {
		var m config.Match
		if r.IntN(3) > 0 {
			h := config.ValueMatch{Name: pick(r, headers), Type: config.MatchExact, Value: pick(r, values)}
			if r.IntN(2) == 0 {
				h.Type, h.Value = config.MatchRegex, pick(r, patterns)
			}
			m.Headers = append(m.Headers, h)
		}
		if r.IntN(3) == 0 {
			m.Cookies = append(m.Cookies, config.ValueMatch{Name: pick(r, cookies), Type: config.MatchExact, Value: pick(r, []string{"always", "never", "1"})})
		}
		out.Matches = append(out.Matches, m)
	}
	return out
}

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
		wanted := route(r)
		canary, err := adapter.Render(base, kubetest.Ref(1), wanted)
		if err != nil {
			var unsupported *traffic.UnsupportedError
			require.ErrorAs(t, err, &unsupported)
			continue
		}
		accepted++
		for range requests {
			asked := request(r)
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
