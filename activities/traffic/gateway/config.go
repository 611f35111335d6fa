package gateway

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Kind is a product that reads Ingresses. The same class of annotations may be
// read by several.
type Kind string

// The kinds of gateways that are known.
const (
	KindTraefik Kind = "traefik"
	KindNginx   Kind = "ingress-nginx"
	KindHigress Kind = "higress"
	KindALB     Kind = "aliyun-alb"
	// KindNone stands for nothing between client and Service: no change has to be
	// waited for.
	KindNone Kind = "none"
	// KindUnknown is a gateway of which nothing is known.
	KindUnknown Kind = ""
)

// graces are the times after which a gateway of a kind has certainly taken a
// change. They are longer than its own worst case: ingress-nginx synchronises
// every 3.3 s and its workers look every second, Traefik holds changes back for
// 2 s by default and may be busy with the one before.
var graces = map[Kind]time.Duration{
	KindTraefik: 5 * time.Second,
	KindNginx:   10 * time.Second,
	KindHigress: 10 * time.Second,
	KindALB:     60 * time.Second,
	KindNone:    0,
	KindUnknown: 10 * time.Second,
}

// The dwells are how long a replica must show the change before it counts.
const (
	// stateDwell is for the state, which a replica shows when it is about to be
	// used, a moment before each of its listeners uses it.
	stateDwell = 100 * time.Millisecond
	// probeDwell is for probes: the processes of one ingress-nginx look for news
	// once a second, and each request meets one of them.
	probeDwell = time.Second
)

// Config says which gateway serves a class of Ingresses and where it can be
// asked for its state. The zero value is a gateway of which nothing is known.
type Config struct {
	// Kind of the gateway.
	Kind Kind
	// Service in front of the gateway's replicas, as namespace/name. Without it
	// they cannot be asked and the grace is waited instead.
	Service string
	// APIPort of every replica for its state: the name of a port of Service, or a
	// number, which Service need not have. Only Traefik has one.
	APIPort string
	// ProbePort of every replica for probes, in the same way. Where it is empty,
	// the port of Service that is named like one for HTTP.
	ProbePort string
	// MetricsPort of every replica for its metrics, in the same way; APIPort where
	// empty. Only Traefik counts what tells probes.
	MetricsPort string
	// Grace is waited where the replicas cannot be asked; that of the kind where
	// nil. 0 is honoured.
	Grace *time.Duration
	// Dwell is how long every replica must show the change without interruption
	// before it is confirmed; where zero, 100 ms for the state and 1 s for probes.
	Dwell time.Duration
}

// Validate returns an error that names the first field that is wrong and what to
// write instead.
func (c Config) Validate() error {
	if _, known := graces[c.Kind]; !known {
		return fmt.Errorf("kind: %q is not known: use %s, %s, %s, %s or %s", c.Kind, KindTraefik, KindNginx, KindHigress, KindALB, KindNone)
	}
	if c.Service == "" && c.APIPort != "" || c.Kind == KindTraefik && c.Service != "" && c.APIPort == "" {
		return fmt.Errorf("service and apiPort: one of them is missing: set both, or none to wait for the grace instead")
	}
	if c.Service != "" {
		if namespace, name := c.service(); namespace == "" || name == "" || strings.Contains(name, "/") {
			return fmt.Errorf("service: %q is not a Service: use namespace/name", c.Service)
		}
	}
	for _, port := range []struct{ field, value string }{{"apiPort", c.APIPort}, {"probePort", c.ProbePort}, {"metricsPort", c.MetricsPort}} {
		if n, err := strconv.Atoi(port.value); err == nil && (n < 1 || n > 65535) {
			return fmt.Errorf("%s: %d is not a port: use 1 to 65535, or the name of a port", port.field, n)
		}
	}
	if c.grace() < 0 || c.Dwell < 0 {
		return fmt.Errorf("grace and dwell: must not be negative")
	}
	return nil
}

// readable reports whether the state of the gateway can be asked for.
func (c Config) readable() bool { return c.Kind == KindTraefik && c.Service != "" && c.APIPort != "" }

// meterPort is the port of the metrics; empty where it is not known.
func (c Config) meterPort() string {
	if c.Kind != KindTraefik {
		return ""
	}
	return cmp.Or(c.MetricsPort, c.APIPort)
}

// headerHidesWeight is why a gateway that headerHidesWeight cannot be probed.
const headerHidesWeight = "the gateway ignores the weight of a route that compares a header, as a probe needs it"

// headerHidesWeight reports whether the header of a probe would keep the weight
// from counting.
func (c Config) headerHidesWeight() bool { return c.Kind == KindHigress }

// grace is the time after which the gateway has certainly taken a change.
func (c Config) grace() time.Duration {
	if c.Grace != nil {
		return *c.Grace
	}
	return graces[c.Kind]
}

// dwell of a level.
func (c Config) dwell(level Level) time.Duration {
	switch {
	case c.Dwell > 0:
		return c.Dwell
	case level == LevelProbe:
		return probeDwell
	}
	return stateDwell
}

func (c Config) service() (namespace, name string) {
	namespace, name, _ = strings.Cut(c.Service, "/")
	return namespace, name
}
