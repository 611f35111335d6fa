package config

import "regexp"

// Capability says what the annotations of one class of Ingress can express. It
// is data: a class is added by a row here and a renderer in the activities.
type Capability struct {
	// Class as it is written in ingress.classType.
	Class string
	// Supported classes have a renderer; the others are known by name only.
	Supported bool
	// Headers and Cookies are how many conditions of the kind all matches of a
	// step may have together.
	Headers, Cookies int
	// Query and Path tell whether query parameters and paths can be compared.
	Query, Path bool
	// HeaderOrCookie tells whether a header and a cookie can be alternatives in
	// one step.
	HeaderOrCookie bool
	// WeightWithMatch tells whether a step may have a weight and matches.
	WeightWithMatch bool
	// CookieValues are the only values that a cookie can be compared with.
	CookieValues []string
	// ReservedValues of a header mean something else to the gateway.
	ReservedValues []string
	// HeaderName, HeaderValue, HeaderPattern and CookieName are the characters
	// that the gateway accepts; it silently drops a rule that has others.
	HeaderName, HeaderValue, HeaderPattern, CookieName Characters
}

// Characters is a set of texts by the characters that they may consist of.
type Characters struct {
	// Allowed names the characters for people.
	Allowed string
	expr    *regexp.Regexp
}

// Accept tells whether text consists of allowed characters only.
func (c Characters) Accept(text string) bool {
	return c.expr == nil || c.expr.MatchString(text)
}

// The values with which a cookie chooses its side on nginx-style gateways.
const (
	CookieAlways = "always"
	cookieNever  = "never"
)

// What validators of ingress-nginx let pass; others have not been seen to refuse
// any of it.
var (
	headerValue = Characters{
		"letters, digits, - . _ ~ / : and spaces inside",
		regexp.MustCompile(`^[A-Za-z0-9._~/:-]([A-Za-z0-9._~/: -]*[A-Za-z0-9._~/:-])?$`),
	}
	headerPattern = Characters{
		`letters, digits, - . _ ~ / : and ^ $ [ ] ( ) { } * + ? | & = \, no space`,
		regexp.MustCompile(`^[A-Za-z0-9._~/:^$\[\](){}*+?|&=\\-]+$`),
	}
)

// capabilities by class. What the classes without a renderer can express is as
// their documentation says; their accepted characters are not known yet.
var capabilities = []Capability{
	{
		Class:           "nginx",
		Supported:       true,
		Headers:         1,
		Cookies:         1,
		HeaderOrCookie:  true,
		WeightWithMatch: true,
		CookieValues:    []string{CookieAlways},
		// "never" keeps a request away from canary wherever a header alone
		// decides; as a value it would send it there.
		ReservedValues: []string{cookieNever},
		// To ingress-nginx an underscore in the name of a header stands for a dash:
		// the rule would be about another header.
		HeaderName:    Characters{"letters, digits and -", regexp.MustCompile(`^[A-Za-z0-9-]+$`)},
		HeaderValue:   headerValue,
		HeaderPattern: headerPattern,
		CookieName:    Characters{"letters, digits, - . _ and ~", regexp.MustCompile(`^[A-Za-z0-9._~-]+$`)},
	},
	{
		// A match hides the weight there, and a header a cookie. Every comparison is
		// a regular expression: what does not mean itself is escaped, or refused.
		Class:          "higress",
		Supported:      true,
		Headers:        1,
		Cookies:        1,
		CookieValues:   []string{CookieAlways},
		ReservedValues: []string{cookieNever},
		HeaderName:     Characters{"letters, digits and -", regexp.MustCompile(`^[A-Za-z0-9-]+$`)},
		HeaderValue:    headerValue,
		HeaderPattern:  headerPattern,
		CookieName:     Characters{"letters, digits, - and _", regexp.MustCompile(`^[A-Za-z0-9_-]+$`)},
	},
	{Class: "aliyun-alb", Headers: 1, Cookies: 1, CookieValues: []string{CookieAlways}},
	{Class: "mse", Headers: 1, Cookies: 1, Query: true, CookieValues: []string{CookieAlways}},
}

// CapabilityOf returns the row of a class; false where the class is unknown.
func CapabilityOf(class string) (Capability, bool) {
	for _, c := range capabilities {
		if c.Class == class {
			return c, true
		}
	}
	return Capability{}, false
}

// Classes returns the names of all classes that are known, supported or not.
func Classes() []string {
	names := make([]string, 0, len(capabilities))
	for _, c := range capabilities {
		names = append(names, c.Class)
	}
	return names
}
