package config

import "strings"

// Confirm says how it is made sure that the gateway has taken a change.
type Confirm struct {
	// Level that is pinned; the best that there is where empty.
	Level ConfirmLevel `json:"level,omitempty"`
	// Probe says how to see which side answers; nil where the document does not.
	Probe *Probe `json:"probe,omitempty"`
}

// ConfirmLevel is a rung of the confirmation ladder.
type ConfirmLevel string

// The levels, best first.
const (
	// ConfirmState reads the gateway's own state on every replica.
	ConfirmState ConfirmLevel = "state"
	// ConfirmProbe sends requests that only the new route sends to canary through
	// every replica.
	ConfirmProbe ConfirmLevel = "probe"
	// ConfirmGrace waits for the time that the gateway needs at most.
	ConfirmGrace ConfirmLevel = "grace"
)

// confirmRoute is a level that exists for routes that report a status.
const confirmRoute ConfirmLevel = "route"

// Probe is a request and how its answer tells canary from stable.
type Probe struct {
	// Host that is asked for; that of the Ingress where empty.
	Host string `json:"host,omitempty"`
	// Path that is asked for; that of the Ingress where empty.
	Path string `json:"path,omitempty"`
	// Header of the answer that is looked at, or JSON, the field of its body, with
	// dots between the names; the whole body where both are empty.
	Header string `json:"header,omitempty"`
	JSON   string `json:"json,omitempty"`
	// Equals or Contains is what canary alone answers, with the placeholders
	// {tag}, {tag:CONTAINER} and {pod}. Where both are empty, canary's answers are
	// those that differ from stable's.
	Equals   string `json:"equals,omitempty"`
	Contains string `json:"contains,omitempty"`
	// Metrics takes the place of the answer: the gateway's own counters tell which
	// probes have come to canary by the new route.
	Metrics bool `json:"metrics,omitempty"`
}

// The placeholders of a probe.
const (
	// PlaceholderTag is the tag of the canary's first image; {tag:main} that of
	// container main.
	PlaceholderTag = "tag"
	// PlaceholderPod is the name of any canary pod.
	PlaceholderPod = "pod"
)

// Expand returns what canary alone answers, with the placeholders filled in: one
// text for each of the canary's pods where they are named, else one. Tag returns
// the tag of the image of a container, of the first where the name is empty.
// There is none where canary's answers are whatever differs from stable's.
func (p Probe) Expand(tag func(container string) string, pods []string) []string {
	expected := p.Expects()
	if expected == "" {
		return nil
	}
	named := false
	texts := []string{}
	fill := func(pod string) string {
		return placeholders.ReplaceAllStringFunc(expected, func(found string) string {
			name, container, _ := strings.Cut(strings.Trim(found, "{}"), ":")
			switch name {
			case PlaceholderTag:
				return tag(container)
			case PlaceholderPod:
				named = true
				return pod
			}
			return found
		})
	}
	if once := fill(""); !named {
		return []string{once}
	}
	for _, pod := range pods {
		texts = append(texts, fill(pod))
	}
	return texts
}

// NamesPods says whether canary's answers are told by the names of its pods, so
// that they differ from stable's whatever revision both run.
func (p Probe) NamesPods() bool { return strings.Contains(p.Expects(), "{"+PlaceholderPod+"}") }

// Expects returns what canary alone answers, empty where that is whatever
// differs from stable.
func (p Probe) Expects() string {
	if p.Equals != "" {
		return p.Equals
	}
	return p.Contains
}

// String says what is looked at: "header X-Version of GET /version".
func (p Probe) String() string {
	what := "the body"
	switch {
	case p.Metrics:
		what = "the gateway's count"
	case p.Header != "":
		what = "header " + p.Header
	case p.JSON != "":
		what = "field " + p.JSON
	}
	path := p.Path
	if path == "" {
		path = "the path of the Ingress"
	}
	return what + " of GET " + p.Host + path
}
