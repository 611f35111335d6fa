// Package oracle says which requests go to canary, according to the documented
// behaviour of each product that reads canary annotations, and according to the
// document. It is written from descriptions of that behaviour and shares no code
// with the rendering that it judges.
package oracle

import (
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"sluice.dev/sluice/activities/traffic"
	"sluice.dev/sluice/config"
)

// Request is what a gateway looks at. Cookies are in the header Cookie.
type Request struct {
	Path   string
	Header http.Header
}

// Decision is where a request goes: to one side, or to canary with a share.
type Decision struct {
	// Share of requests like this one that go to canary, of Total.
	Share, Total int
}

// Canary and Stable are the decisions that no weight has a part in.
var (
	Canary = Decision{Share: 1, Total: 1}
	Stable = Decision{Share: 0, Total: 1}
)

// weighted is the decision by a weight; its ends are certain.
func weighted(weight, total int) Decision {
	switch {
	case weight <= 0:
		return Stable
	case weight >= total:
		return Canary
	}
	return Decision{Share: weight, Total: total}
}

// Product decides from the annotations of a canary Ingress.
type Product func(annotations map[string]string, r Request) Decision

// The annotations, below either prefix.
const (
	nginxPrefix   = "nginx.ingress.kubernetes.io/"
	higressPrefix = "higress.io/"
)

func note(annotations map[string]string, name string) string { return annotations[nginxPrefix+name] }

func number(annotations map[string]string, name string) int {
	n, _ := strconv.Atoi(note(annotations, name))
	return n
}

// What the validators of ingress-nginx let pass; another value counts as none.
var (
	validValue   = regexp.MustCompile(`^[-._~A-Za-z0-9/: ]*$`)
	validPattern = regexp.MustCompile(`^[-._~A-Za-z0-9/:^$\[\](){}*+?|&=\\]*$`)
)

func valid(text string, characters *regexp.Regexp) string {
	if characters.MatchString(text) {
		return text
	}
	return ""
}

// Nginx decides like ingress-nginx: header, then cookie, then weight. Values are
// compared letter by letter, patterns are searched for; a header that fits
// neither falls through, unless the rule is about always and never.
func Nginx(annotations map[string]string, r Request) Decision {
	if note(annotations, "canary") != "true" {
		return Stable
	}
	if name := valid(note(annotations, "canary-by-header"), validValue); name != "" {
		header, present := nginxHeader(r.Header, name)
		value := valid(note(annotations, "canary-by-header-value"), validValue)
		pattern := valid(note(annotations, "canary-by-header-pattern"), validPattern)
		switch {
		case !present:
		case value != "":
			if header == value {
				return Canary
			}
		case pattern != "":
			expr, err := regexp.Compile(pattern)
			if err != nil {
				return Stable
			}
			if expr.MatchString(header) {
				return Canary
			}
		case header == "always":
			return Canary
		case header == "never":
			return Stable
		}
	}
	if name := valid(note(annotations, "canary-by-cookie"), validValue); name != "" {
		switch cookie(r.Header, name) {
		case "always":
			return Canary
		case "never":
			return Stable
		}
	}
	total := number(annotations, "canary-weight-total")
	if total <= 100 {
		total = 100
	}
	return weighted(number(annotations, "canary-weight"), total)
}

// nginxHeader looks a header up as nginx does: by a variable, in whose name a
// dash is an underscore. Headers that have an underscore themselves are dropped
// on arrival; several values of one are joined, as since nginx 1.23.
func nginxHeader(h http.Header, name string) (string, bool) {
	variable := strings.ReplaceAll(strings.ToLower(name), "-", "_")
	for key, values := range h {
		if strings.Contains(key, "_") || len(values) == 0 {
			continue
		}
		if strings.ReplaceAll(strings.ToLower(key), "-", "_") == variable {
			return strings.Join(values, ", "), true
		}
	}
	return "", false
}

// cookie returns the value of a cookie, of the first with that name.
func cookie(h http.Header, name string) string {
	r := http.Request{Header: h}
	c, err := r.Cookie(name)
	if err != nil {
		return ""
	}
	return c.Value
}

// Traefik decides like its provider for the annotations of ingress-nginx: a rule
// of its own for header or cookie, which any of several headers of a name can
// meet; one for never only beside a weight.
func Traefik(annotations map[string]string, r Request) Decision {
	if note(annotations, "canary") != "true" {
		return Stable
	}
	total := number(annotations, "canary-weight-total")
	if total < 100 {
		total = 100
	}
	weight := min(max(0, number(annotations, "canary-weight")), total)
	name, value, pattern := note(annotations, "canary-by-header"), note(annotations, "canary-by-header-value"), note(annotations, "canary-by-header-pattern")
	side := func(fits func(string) bool) bool {
		for _, v := range r.Header.Values(name) {
			if fits(v) {
				return true
			}
		}
		return false
	}
	equals := func(text string) func(string) bool { return func(v string) bool { return v == text } }
	crumbs := note(annotations, "canary-by-cookie")
	switch {
	case name == "":
	case value != "":
		if side(equals(value)) {
			return Canary
		}
	case pattern != "":
		if expr, err := regexp.Compile(pattern); err == nil && side(expr.MatchString) {
			return Canary
		}
	case side(equals("always")):
		return Canary
	case weight > 0 && side(equals("never")):
		return Stable
	}
	if crumbs != "" {
		switch said := traefikCookie(r.Header, crumbs); {
		case said("always"):
			return Canary
		case weight > 0 && said("never"):
			return Stable
		}
	}
	return weighted(weight, total)
}

func traefikCookie(h http.Header, name string) func(value string) bool {
	return func(value string) bool {
		expr := regexp.MustCompile(`(^|;\s*)` + regexp.QuoteMeta(name) + `=` + value + `(;|$)`)
		return expr.MatchString(h.Get("Cookie"))
	}
}

// Higress decides like Higress: values are regular expressions for the whole
// header, beside the word always; a rule for a header hides one for a cookie,
// and either hides the weight.
func Higress(annotations map[string]string, r Request) Decision {
	get := func(name string) string {
		if v, ok := annotations[nginxPrefix+name]; ok {
			return v
		}
		return annotations[higressPrefix+name]
	}
	if get("canary") != "true" {
		return Stable
	}
	// Envoy compares a header that is there, and several values of one as one text:
	// none fits no expression, not even one that the empty text fits.
	whole := func(pattern, name string) Decision {
		expr, err := regexp.Compile(`^(?:` + pattern + `)$`)
		if values := r.Header.Values(name); err == nil && len(values) > 0 && expr.MatchString(strings.Join(values, ",")) {
			return Canary
		}
		return Stable
	}
	header := get("canary-by-header")
	switch {
	case header != "" && get("canary-by-header-value") != "":
		return whole("always|"+get("canary-by-header-value"), header)
	case header != "" && get("canary-by-header-pattern") != "":
		return whole(".*"+get("canary-by-header-pattern")+".*", header)
	case header != "":
		return whole("always", header)
	case get("canary-by-cookie") != "":
		return whole(`(.*;\s*)?`+get("canary-by-cookie")+`=always(;.*)?`, "Cookie")
	}
	total, err := strconv.Atoi(get("canary-weight-total"))
	if err != nil {
		total = 100
	}
	weight, _ := strconv.Atoi(get("canary-weight"))
	return weighted(int(float32(weight)/float32(total)*100), 100)
}

// Means is what a route says, whatever reads it: a request that fits one of the
// matches goes to canary, and one with the nonce of the route, unless a match looks
// at a header, which takes its place; of the others the weight's share.
func Means(route traffic.Route, r Request) Decision {
	headers := slices.ContainsFunc(route.Matches, func(m config.Match) bool { return len(m.Headers) > 0 })
	if route.Nonce != "" && !headers && r.Header.Get(config.ProbeHeader) == route.Nonce {
		return Canary
	}
	for _, m := range route.Matches {
		if fits(m, r) {
			return Canary
		}
	}
	return weighted(route.Weight, 100)
}

// fits says whether every condition of a match holds.
func fits(m config.Match, r Request) bool {
	for _, h := range m.Headers {
		if len(r.Header.Values(h.Name)) == 0 || !compare(h, r.Header.Get(h.Name)) {
			return false
		}
	}
	for _, c := range m.Cookies {
		if !compare(c, cookie(r.Header, c.Name)) {
			return false
		}
	}
	return len(m.Query) == 0 && m.Path == nil
}

func compare(v config.ValueMatch, text string) bool {
	if v.Type == config.MatchRegex {
		expr, err := regexp.Compile(v.Value)
		return err == nil && expr.MatchString(text)
	}
	return v.Value == text
}

// Readings are the requests that one may be taken for: where a header has several
// values no document says which of them counts, and products take the first, any,
// or all of them as one text.
func Readings(r Request) []Request {
	readings := []Request{{Path: r.Path, Header: r.Header.Clone()}}
	for name, values := range r.Header {
		if len(values) < 2 {
			continue
		}
		var more []Request
		for _, reading := range readings {
			for _, value := range append(slices.Clone(values), strings.Join(values, ", "), strings.Join(values, ",")) {
				one := Request{Path: r.Path, Header: reading.Header.Clone()}
				one.Header[name] = []string{value}
				more = append(more, one)
			}
		}
		readings = more
	}
	return readings
}

// Declines says that a request asks to be kept away from canary: the cookie of a
// rule with the value never. Products with the annotations of ingress-nginx
// honour that; no document can say it.
func Declines(route traffic.Route, r Request) bool {
	for _, m := range route.Matches {
		for _, c := range m.Cookies {
			if cookie(r.Header, c.Name) == "never" {
				return true
			}
		}
	}
	return false
}
