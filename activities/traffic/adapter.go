package traffic

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	networkingv1 "k8s.io/api/networking/v1"

	"sluice.dev/sluice/activities/release"
	"sluice.dev/sluice/activities/traffic/gateway"
)

// Adapter translates between a Route and the objects of one class of gateways.
// It is pure data and rendering: it neither talks to anything nor knows the
// order of operations. A new gateway is a new Adapter in adapters.
type Adapter interface {
	// Render returns the canary Ingress that sends the requests of route, out of
	// those that base sends to the user's Service, to the canary Service. The
	// error is an *UnsupportedError where the class cannot express the route or
	// where base has nothing to route.
	Render(base *networkingv1.Ingress, ref release.Ref, route Route) (*networkingv1.Ingress, error)
	// Reroute returns a copy of a canary Ingress that exists with route instead
	// of the one that it has; what it does not own stays. It needs no base, so
	// that a way back exists when the user's Ingress is gone.
	Reroute(live *networkingv1.Ingress, ref release.Ref, route Route) (*networkingv1.Ingress, error)
	// Decode reads the route of a canary Ingress back. It is the inverse of
	// Render for every route that Render accepts; anything that a Route cannot
	// say is an error.
	Decode(live *networkingv1.Ingress) (Route, error)
	// Capabilities says what the class can express.
	Capabilities() Capabilities
}

// Capabilities is what a class of gateways can express and how it behaves at
// the edges: a row of data that validation and planner decide by.
type Capabilities struct {
	// Headers and Cookies are how many conditions of each kind a route may have;
	// each is a match of its own, all its conditions in one match are not.
	Headers int
	Cookies int
	// Query and Path say whether a match may look at those.
	Query bool
	Path  bool
	// WeightWithMatches says that a route may have a weight and matches at once.
	WeightWithMatches bool
	// StablePods is how many ready stable pods must remain while a canary route
	// exists: some gateways answer 503 for both sides when stable is empty.
	StablePods int
	// StickyAtZero says that clients with a session cookie may stay on canary at
	// weight 0, so that only removing the route empties it.
	StickyAtZero bool
	// OwnPathsOnly says that a canary takes requests of the paths of its own
	// Ingress only, and none of those that reach the same Service by another.
	OwnPathsOnly bool
}

// ClassNginx is the class of gateways that read the annotations of
// ingress-nginx.
const ClassNginx = "nginx"

// adapters by the class that a document names.
var adapters = map[string]Adapter{
	ClassNginx:   nginx{},
	ClassHigress: higress{},
}

// AdapterFor returns the adapter of a class. The error of an unknown one is an
// *UnsupportedError that names the classes that exist.
func AdapterFor(class string) (Adapter, error) {
	if adapter, ok := adapters[class]; ok {
		return adapter, nil
	}
	known := strings.Join(slices.Sorted(maps.Keys(adapters)), ", ")
	return nil, &UnsupportedError{Class: class, Field: "class", Reason: "is not a known class of gateways: use one of " + known}
}

// adapterOf returns the adapter of the product that serves a class, as far as the
// worker knows it: Higress reads the annotations of ingress-nginx in another way,
// whatever its class is called. Gateways may be nil.
func adapterOf(gateways *gateway.Gateways, class string) (Adapter, error) {
	adapter, err := AdapterFor(class)
	if err == nil && gateways != nil && gateways.Kind(class) == gateway.KindHigress {
		return higress{}, nil
	}
	return adapter, err
}

// UnsupportedError says that a class of gateways cannot express a part of a
// route. Retrying does not help; the document has to change.
type UnsupportedError struct {
	// Class of the gateway.
	Class string
	// Field of the route or of the user's Ingress that cannot be expressed, for
	// example matches[0].headers[1].value.
	Field string
	// Reason and remedy, to be read after the field.
	Reason string
}

// Error returns field, reason and remedy in one line.
func (e *UnsupportedError) Error() string {
	return fmt.Sprintf("class %q: %s %s", e.Class, e.Field, e.Reason)
}
