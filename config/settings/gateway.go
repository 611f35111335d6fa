package settings

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/validation"
)

// GatewayKind is a product that serves Ingresses.
type GatewayKind string

// The kinds of gateways.
const (
	GatewayTraefik GatewayKind = "traefik"
	GatewayNginx   GatewayKind = "ingress-nginx"
	GatewayHigress GatewayKind = "higress"
	GatewayALB     GatewayKind = "aliyun-alb"
	// GatewayNone stands for nothing between client and Service: no change has
	// to be waited for.
	GatewayNone GatewayKind = "none"
)

// gatewayGrace is how long a gateway of a kind may take until it has consumed a
// change, at worst, with its default settings.
var gatewayGrace = map[GatewayKind]time.Duration{
	GatewayTraefik: 5 * time.Second,
	GatewayNginx:   10 * time.Second,
	GatewayHigress: 10 * time.Second,
	GatewayALB:     time.Minute,
	GatewayNone:    0,
}

// kindOfClass is the gateway that is assumed for a class of Ingress of which
// the settings say nothing.
var kindOfClass = map[string]GatewayKind{
	"nginx":      GatewayNginx,
	"higress":    GatewayHigress,
	"mse":        GatewayHigress,
	"aliyun-alb": GatewayALB,
}

// defaultAPIPort is the name of the port of Traefik's state API.
const defaultAPIPort = "api"

// Gateway says how to find out that the gateway of a class of Ingress has
// consumed a change.
type Gateway struct {
	Kind GatewayKind `mapstructure:"kind"`
	// Service of the gateway as namespace/name. Where it is set, the state API of
	// every one of its endpoints is asked; only Traefik has one. Where it is
	// empty, Grace alone is waited.
	Service string `mapstructure:"service"`
	// APIPort of Service, by name or number.
	APIPort string `mapstructure:"apiPort"`
	// Grace replaces the time that is waited where the gateway cannot be asked.
	Grace time.Duration `mapstructure:"grace"`
}

// ConfirmGrace returns how long to wait for the gateway to consume a change
// where it cannot be asked.
func (g Gateway) ConfirmGrace() time.Duration {
	return cmp.Or(g.Grace, gatewayGrace[g.Kind])
}

// Observable tells whether the gateway's state can be asked for.
func (g Gateway) Observable() bool { return g.Kind == GatewayTraefik && g.Service != "" }

// ServiceRef returns namespace and name of Service.
func (g Gateway) ServiceRef() (namespace, name string) {
	namespace, name, _ = strings.Cut(g.Service, "/")
	return namespace, name
}

// GatewayFor returns the gateway of a class of Ingress: as set, or the product
// that the class is named after, or the slowest known.
func (s Settings) GatewayFor(class string) Gateway {
	if g, ok := s.Gateways[class]; ok {
		return g
	}
	return Gateway{Kind: cmp.Or(kindOfClass[class], GatewayALB)}
}

// parseGateway reads class=kind[:namespace/service[:port]], the form of the
// flag and the environment variable.
func parseGateway(text string) (class string, g Gateway, err error) {
	class, rest, ok := strings.Cut(text, "=")
	if !ok || class == "" {
		return "", g, fmt.Errorf("gateway %q: write class=kind[:namespace/service[:port]], such as nginx=traefik:gateway/traefik:api", text)
	}
	parts := strings.SplitN(rest, ":", 3)
	g.Kind = GatewayKind(parts[0])
	if len(parts) > 1 {
		g.Service = parts[1]
	}
	if len(parts) > 2 {
		g.APIPort = parts[2]
	}
	return class, g, nil
}

// complete fills in the default port and returns what is wrong.
func (g *Gateway) complete() []string {
	var problems []string
	if _, known := gatewayGrace[g.Kind]; !known {
		problems = append(problems, fmt.Sprintf("unknown kind %q: write traefik, ingress-nginx, higress, aliyun-alb or none", g.Kind))
	}
	if g.Grace < 0 {
		problems = append(problems, fmt.Sprintf("grace cannot be negative (found %s)", g.Grace))
	}
	if g.Service == "" {
		if g.APIPort != "" {
			problems = append(problems, "apiPort needs a service")
		}
		return problems
	}
	if g.Kind != GatewayTraefik {
		problems = append(problems, fmt.Sprintf("gateways of kind %s have no state API: leave service out", g.Kind))
	}
	namespace, name := g.ServiceRef()
	if len(validation.IsDNS1123Label(namespace)) > 0 || len(validation.IsDNS1123Label(name)) > 0 {
		problems = append(problems, fmt.Sprintf("service %q: write namespace/name", g.Service))
	}
	g.APIPort = cmp.Or(g.APIPort, defaultAPIPort)
	if !validPort(g.APIPort) {
		problems = append(problems, fmt.Sprintf("apiPort %q: write the name of a port or its number", g.APIPort))
	}
	return problems
}

func validPort(port string) bool {
	if n, err := strconv.Atoi(port); err == nil {
		return len(validation.IsValidPortNum(n)) == 0
	}
	return len(validation.IsValidPortName(port)) == 0
}
