package gateway

import (
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
	// KindNone is a gateway of which nothing is known.
	KindNone Kind = "none"
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
	KindNone:    10 * time.Second,
}

// defaultDwell is how long a replica must show the change before it counts. It
// shows it when the change is about to be used, a moment before each of its
// listeners uses it.
const defaultDwell = 100 * time.Millisecond

// Config says which gateway serves a class of Ingresses and where it can be
// asked for its state. The zero value is a gateway of which nothing is known.
type Config struct {
	// Kind of the gateway; KindNone where empty.
	Kind Kind
	// Service in front of the gateway's replicas, as namespace/name. Without it
	// the state cannot be read and the grace is waited instead.
	Service string
	// APIPort of every replica: the name of a port of Service, or a number,
	// which Service need not have.
	APIPort string
	// Grace is waited where the state cannot be read; that of the kind where
	// zero.
	Grace time.Duration
	// Dwell is how long every replica must show the change without interruption
	// before it is confirmed; 100 ms where zero.
	Dwell time.Duration
}

// Validate returns an error that names the first field that is wrong and what to
// write instead.
func (c Config) Validate() error {
	if _, known := graces[c.kind()]; !known {
		return fmt.Errorf("kind: %q is not known: use %s, %s, %s, %s or %s", c.Kind, KindTraefik, KindNginx, KindHigress, KindALB, KindNone)
	}
	if (c.Service == "") != (c.APIPort == "") {
		return fmt.Errorf("service and apiPort: one of them is missing: set both, or none to wait for the grace instead")
	}
	if c.Service != "" {
		if namespace, name := c.service(); namespace == "" || name == "" || strings.Contains(name, "/") {
			return fmt.Errorf("service: %q is not a Service: use namespace/name", c.Service)
		}
	}
	if n, err := strconv.Atoi(c.APIPort); err == nil && (n < 1 || n > 65535) {
		return fmt.Errorf("apiPort: %d is not a port: use 1 to 65535, or the name of a port", n)
	}
	if c.Grace < 0 || c.Dwell < 0 {
		return fmt.Errorf("grace and dwell: must not be negative")
	}
	return nil
}

func (c Config) kind() Kind {
	if c.Kind == "" {
		return KindNone
	}
	return c.Kind
}

// readable reports whether the state of the gateway can be asked for.
func (c Config) readable() bool { return c.kind() == KindTraefik && c.Service != "" && c.APIPort != "" }

func (c Config) grace() time.Duration {
	if c.Grace > 0 {
		return c.Grace
	}
	if grace, ok := graces[c.kind()]; ok {
		return grace
	}
	return graces[KindNone]
}

func (c Config) dwell() time.Duration {
	if c.Dwell > 0 {
		return c.Dwell
	}
	return defaultDwell
}

func (c Config) service() (namespace, name string) {
	namespace, name, _ = strings.Cut(c.Service, "/")
	return namespace, name
}
