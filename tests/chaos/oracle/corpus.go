package oracle

import (
	"math/rand/v2"
	"net/http"

	"sluice.dev/sluice/activities/traffic"
	"sluice.dev/sluice/config"
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

// Nonce is what a route may carry for probes.
const Nonce = "5a1ce0"

// RandomRequest draws a request. A header may have several values, but for that of
// the client's name, of which Go's client sends one; some requests are probes, of
// this route or of another one.
func RandomRequest(r *rand.Rand) Request {
	h := http.Header{}
	for range r.IntN(3) {
		name := pick(r, headers)
		if h.Get(name) != "" && http.CanonicalHeaderKey(name) != "User-Agent" {
			h.Add(name, pick(r, values))
			continue
		}
		h.Set(name, pick(r, values))
		if r.IntN(4) == 0 && http.CanonicalHeaderKey(name) != "User-Agent" {
			h.Add(name, pick(r, values))
		}
	}
	if r.IntN(8) == 0 {
		h.Set(config.ProbeHeader, pick(r, []string{Nonce, "always", "never", "0ther"}))
	}
	if r.IntN(3) > 0 {
		h.Set("Cookie", pick(r, cookies)+"="+pick(r, []string{"always", "never", "1", "always2"})+"; other=always")
	}
	return Request{Path: "/version", Header: h}
}

// RandomRoute draws what a document may say, also what no gateway can express.
func RandomRoute(r *rand.Rand) traffic.Route {
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

// RandomAnnotations draws what a canary Ingress may say, whoever has written it.
func RandomAnnotations(r *rand.Rand) map[string]string {
	notes := map[string]string{nginxPrefix + "canary": "true", nginxPrefix + "canary-weight": pick(r, []string{"0", "30", "100"})}
	if r.IntN(4) > 0 {
		notes[nginxPrefix+"canary-by-header"] = pick(r, headers)
		switch r.IntN(3) {
		case 0:
			notes[nginxPrefix+"canary-by-header-value"] = pick(r, values)
		case 1:
			notes[nginxPrefix+"canary-by-header-pattern"] = pick(r, patterns)
		}
	}
	if r.IntN(2) == 0 {
		notes[nginxPrefix+"canary-by-cookie"] = pick(r, cookies)
	}
	return notes
}
