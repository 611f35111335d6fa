package oracle_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice.dev/sluice/activities/traffic"
	"sluice.dev/sluice/tests/chaos/oracle"
)

// readers are the products that read the annotations of each class.
var readers = map[string]map[string]oracle.Product{
	traffic.ClassNginx:   {"ingress-nginx": oracle.Nginx, "traefik": oracle.Traefik},
	traffic.ClassHigress: {"higress": oracle.Higress},
}

// TestProducts checks the oracle itself against the described behaviour, line by
// line, also where Sluice never writes such annotations.
func TestProducts(t *testing.T) {
	const p = "nginx.ingress.kubernetes.io/"
	type notes = map[string]string
	header := func(name, value string) http.Header { return http.Header{http.CanonicalHeaderKey(name): {value}} }
	share := func(n, total int) oracle.Decision { return oracle.Decision{Share: n, Total: total} }
	byHeader := notes{p + "canary": "true", p + "canary-by-header": "x-track", p + "canary-weight": "20"}
	byValue := notes{p + "canary": "true", p + "canary-by-header": "x-track", p + "canary-by-header-value": "a.b", p + "canary-weight": "20"}
	byPattern := notes{p + "canary": "true", p + "canary-by-header": "x-track", p + "canary-by-header-pattern": "foo|bar"}
	byCookie := notes{p + "canary": "true", p + "canary-by-cookie": "beta", p + "canary-weight": "20"}
	for name, c := range map[string]struct {
		notes                   notes
		header                  http.Header
		nginx, traefik, higress oracle.Decision
	}{
		"not enabled":                  {notes{p + "canary-weight": "20"}, nil, oracle.Stable, oracle.Stable, oracle.Stable},
		"weight":                       {notes{p + "canary": "true", p + "canary-weight": "20"}, nil, share(20, 100), share(20, 100), share(20, 100)},
		"weight of a larger total":     {notes{p + "canary": "true", p + "canary-weight": "20", p + "canary-weight-total": "1000"}, nil, share(20, 1000), share(20, 1000), share(2, 100)},
		"weight of a smaller total":    {notes{p + "canary": "true", p + "canary-weight": "20", p + "canary-weight-total": "50"}, nil, share(20, 100), share(20, 100), share(40, 100)},
		"weight of a permille":         {notes{p + "canary": "true", p + "canary-weight": "6", p + "canary-weight-total": "1000"}, nil, share(6, 1000), share(6, 1000), oracle.Stable},
		"always":                       {byHeader, header("x-track", "always"), oracle.Canary, oracle.Canary, oracle.Canary},
		"never":                        {byHeader, header("x-track", "never"), oracle.Stable, oracle.Stable, oracle.Stable},
		"neither falls through":        {byHeader, header("x-track", "other"), share(20, 100), share(20, 100), oracle.Stable},
		"value":                        {byValue, header("x-track", "a.b"), oracle.Canary, oracle.Canary, oracle.Canary},
		"value is no pattern":          {byValue, header("x-track", "axb"), share(20, 100), share(20, 100), oracle.Canary},
		"value hides always":           {byValue, header("x-track", "always"), share(20, 100), share(20, 100), oracle.Canary},
		"value hides never":            {byValue, header("x-track", "never"), share(20, 100), share(20, 100), oracle.Stable},
		"pattern is searched for":      {byPattern, header("x-track", "a foo b"), oracle.Canary, oracle.Canary, oracle.Stable},
		"pattern, its second half":     {byPattern, header("x-track", "barrel"), oracle.Canary, oracle.Canary, oracle.Canary},
		"cookie always":                {byCookie, header("Cookie", "a=b; beta=always"), oracle.Canary, oracle.Canary, oracle.Canary},
		"cookie never":                 {byCookie, header("Cookie", "beta=never"), oracle.Stable, oracle.Stable, oracle.Stable},
		"cookie of another value":      {byCookie, header("Cookie", "beta=1"), share(20, 100), share(20, 100), oracle.Stable},
		"two values, one fits":         {byValue, http.Header{"X-Track": {"foo", "a.b"}}, share(20, 100), oracle.Canary, oracle.Stable},
		"pattern, two values":          {byPattern, http.Header{"X-Track": {"x", "bar"}}, oracle.Canary, oracle.Canary, oracle.Stable},
		"value with a wrong character": {notes{p + "canary": "true", p + "canary-by-header": "x-track", p + "canary-by-header-value": "a;b"}, header("x-track", "always"), oracle.Canary, oracle.Stable, oracle.Canary},
		"underscore for a dash":        {notes{p + "canary": "true", p + "canary-by-header": "x_track", p + "canary-by-header-value": "v"}, header("x-track", "v"), oracle.Canary, oracle.Stable, oracle.Stable},
		"broken pattern":               {notes{p + "canary": "true", p + "canary-by-header": "x-track", p + "canary-by-header-pattern": "(", p + "canary-weight": "20"}, header("x-track", "v"), oracle.Stable, share(20, 100), oracle.Stable},
	} {
		t.Run(name, func(t *testing.T) {
			asked := oracle.Request{Path: "/", Header: c.header}
			require.Equal(t, c.nginx, oracle.Nginx(c.notes, asked), "ingress-nginx")
			require.Equal(t, c.traefik, oracle.Traefik(c.notes, asked), "Traefik")
			require.Equal(t, c.higress, oracle.Higress(c.notes, asked), "Higress")
		})
	}
}
