package traffic

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"

	networkingv1 "k8s.io/api/networking/v1"

	"sluice.dev/sluice/activities/kube"
	"sluice.dev/sluice/activities/release"
	"sluice.dev/sluice/activities/traffic/gateway"
	"sluice.dev/sluice/config"
)

// earlier is a route that may be in force until a later one is confirmed: its
// weight, and the header with which it sends a request to canary.
type earlier struct {
	Weight int    `json:"weight"`
	Name   string `json:"name,omitempty"`
	Value  string `json:"value,omitempty"`
	// Matched says that users could come by a match.
	Matched bool `json:"matched,omitempty"`
}

func (e earlier) header() gateway.Header { return gateway.Header{Name: e.Name, Value: e.Value} }

// carried says that it sent requests of users to canary.
func (e earlier) carried() bool { return e.Weight > 0 || e.Matched }

// maxEarlier bounds what the annotation holds.
const maxEarlier = 16

// earlierOf returns the routes that may be in force until that of the change is:
// the one that an Ingress has, and, where that was not confirmed, those before it.
// An attempt that is repeated finds them in the annotation.
func (c *change) earlierOf(ingress *networkingv1.Ingress) []earlier {
	if ingress == nil {
		return nil
	}
	var known []earlier
	_ = json.Unmarshal([]byte(ingress.Annotations[release.AnnotationBefore]), &known)
	if kube.SeqOf(ingress) == c.req.Ref.Seq && !c.req.Absent {
		return known
	}
	route, err := c.adapter.Decode(ingress)
	if err != nil {
		// Somebody has written what is no route: nothing is known about it.
		route = Route{Weight: 100, Matches: []config.Match{{}}}
	}
	last := earlier{Weight: route.Weight, Matched: len(route.Matches) > 0}
	if header := headerOf(route); header.Name != "" {
		last.Name, last.Value = header.Name, header.Value
	}
	if !c.req.Unsure {
		return []earlier{last}
	}
	return together(known, []earlier{last})
}

// together returns the routes of both, each once, as many as the annotation holds.
func together(known, later []earlier) []earlier {
	all := slices.Clone(known)
	for _, e := range later {
		if i := slices.Index(all, e); i >= 0 {
			all = slices.Delete(all, i, i+1)
		}
		all = append(all, e)
	}
	return all[max(0, len(all)-maxEarlier):]
}

// mark puts the routes that may be in force on the canary Ingress.
func (c *change) mark(ingress *networkingv1.Ingress) {
	delete(ingress.Annotations, release.AnnotationBefore)
	if c.probing && len(c.before) > 0 {
		// Numbers and texts cannot fail to become JSON.
		text, _ := json.Marshal(c.before)
		ingress.Annotations[release.AnnotationBefore] = string(text)
	}
}

// headerOf returns the header with which a route sends a request to canary
// whatever its weight is: that of the probe, or of a match that compares the
// whole value; none where a pattern takes its place, or where the header is one
// that a client cannot choose.
func headerOf(route Route) gateway.Header {
	for _, match := range route.Matches {
		if len(match.Headers) != 1 {
			continue
		}
		header := match.Headers[0]
		if header.Type != config.MatchExact || unsendable[header.Name] {
			return gateway.Header{}
		}
		return gateway.Header{Name: header.Name, Value: header.Value}
	}
	if route.Nonce == "" {
		return gateway.Header{}
	}
	return gateway.Header{Name: config.ProbeHeader, Value: route.Nonce}
}

// unsendable headers mean something to the client itself.
var unsendable = map[string]bool{"host": true, "Host": true, "connection": true, "Connection": true}

// nonce is the value of the probe's header for one operation: the same whenever
// it is tried, and not to be guessed by those who do not know the rollout's ID.
func nonce(ref release.Ref) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "sluice probe %s %d", ref.ID, ref.Seq))
	return hex.EncodeToString(sum[:12])
}
