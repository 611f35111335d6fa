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
	// Service of the gateway as namespace/name. Its endpoints are the replicas
	// that are asked: Traefik's for their state, others by probes. Where it is
	// empty, Grace alone is waited.
	Service string `mapstructure:"service"`
	// APIPort of Traefik's replicas for their state, by name or number.
	APIPort string `mapstructure:"apiPort"`
	// ProbePort of the replicas for probes, by name or number; where empty, web,
	// http, websecure or https, whichever the Service has.
	ProbePort string `mapstructure:"probePort"`
	// MetricsPort of Traefik's replicas for their metrics, by name or number;
	// APIPort where empty.
	MetricsPort string `mapstructure:"metricsPort"`
	// Grace replaces the time that is waited where the gateway cannot be asked;
	// that of the kind where nil. 0 is honoured.
	Grace *time.Duration `mapstructure:"grace"`
}

// ConfirmGrace returns how long to wait for the gateway to consume a change
// where it cannot be asked.
func (g Gateway) ConfirmGrace() time.Duration {
	if g.Grace != nil {
		return *g.Grace
	}
	return gatewayGrace[g.Kind]
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

// gatewayForm is the form of the flag and the environment variable.
const gatewayForm = "class=kind[:namespace/service[:port[:probePort[:metricsPort]]]]"

// parseGateway reads the gatewayForm. The one port that is given of a gateway
// without state API is that for probes.
func parseGateway(text string) (class string, g Gateway, err error) {
	class, rest, ok := strings.Cut(text, "=")
	if !ok || class == "" {
		return "", g, fmt.Errorf("gateway %q: write %s, such as nginx=traefik:gateway/traefik:api", text, gatewayForm)
	}
	parts := append(strings.SplitN(rest, ":", 5), "", "", "", "")
	g.Kind, g.Service, g.APIPort, g.ProbePort, g.MetricsPort = GatewayKind(parts[0]), parts[1], parts[2], parts[3], parts[4]
	if g.Kind != GatewayTraefik && g.ProbePort == "" {
		g.APIPort, g.ProbePort = "", g.APIPort
	}
	return class, g, nil
}

// complete fills in the default port and returns what is wrong.
func (g *Gateway) complete() []string {
	var problems []string
	if _, known := gatewayGrace[g.Kind]; !known {
		problems = append(problems, fmt.Sprintf("unknown kind %q: write traefik, ingress-nginx, higress, aliyun-alb or none", g.Kind))
	}
	if g.ConfirmGrace() < 0 {
		problems = append(problems, fmt.Sprintf("grace cannot be negative (found %s)", g.ConfirmGrace()))
	}
	if g.Service == "" {
		for _, port := range g.ports() {
			if port.port != "" {
				problems = append(problems, port.key+" needs a service")
			}
		}
		return problems
	}
	return append(problems, g.completeService()...)
}

// completeService does so for what belongs to the replicas.
func (g *Gateway) completeService() []string {
	var problems []string
	switch {
	case g.Kind == GatewayNone:
		problems = append(problems, "gateways of kind none are not there: leave service out")
	case g.Kind == GatewayTraefik:
		g.APIPort = cmp.Or(g.APIPort, defaultAPIPort)
	case g.APIPort != "":
		problems = append(problems, fmt.Sprintf("gateways of kind %s have no state API: leave apiPort out", g.Kind))
	case g.MetricsPort != "":
		problems = append(problems, fmt.Sprintf("the metrics of gateways of kind %s do not tell probes from other requests: leave metricsPort out", g.Kind))
	}
	namespace, name := g.ServiceRef()
	if len(validation.IsDNS1123Label(namespace)) > 0 || len(validation.IsDNS1123Label(name)) > 0 {
		problems = append(problems, fmt.Sprintf("service %q: write namespace/name", g.Service))
	}
	for _, port := range g.ports() {
		if port.port != "" && !validPort(port.port) {
			problems = append(problems, fmt.Sprintf("%s %q: write the name of a port or its number", port.key, port.port))
		}
	}
	return problems
}

// namedPort is a port by the name of its field.
type namedPort struct{ key, port string }

// ports are the ports of the replicas, set or not.
func (g *Gateway) ports() []namedPort {
	return []namedPort{{"apiPort", g.APIPort}, {"probePort", g.ProbePort}, {"metricsPort", g.MetricsPort}}
}

func validPort(port string) bool {
	if n, err := strconv.Atoi(port); err == nil {
		return len(validation.IsValidPortNum(n)) == 0
	}
	return len(validation.IsValidPortName(port)) == 0
}
