package cluster

import (
	"errors"
	"fmt"
	"time"
)

// Options say how large a sandbox is and how its parts are set.
type Options struct {
	// Gateways is the number of replicas of the gateway, 1 to MaxGateways.
	Gateways int
	// GatewayThrottle is how long the gateway collects changes before it
	// applies them; 0 applies each at once.
	GatewayThrottle time.Duration
	// Nodes is the number of nodes whose pods run, 1 to MaxNodes.
	Nodes int
	// FakeNodes is the number of nodes whose pods exist only in the API, 0 to
	// 1000.
	FakeNodes int
	// ScrapeInterval is how often Prometheus looks at gateways and pods.
	ScrapeInterval time.Duration
	// SearchAttributes are registered with Temporal at the start, as
	// NAME=TYPE, for example "SluicePhase=Keyword".
	SearchAttributes []string
	// Audit makes the API server write every request to logs/audit.log.
	Audit bool
}

// Defaults returns the options of a sandbox that was asked for nothing
// special: one node, one gateway with its usual throttle.
func Defaults() Options {
	return Options{Gateways: 1, GatewayThrottle: 2 * time.Second, Nodes: 1, ScrapeInterval: time.Second}
}

// Validate reports every value that is out of range.
func (o Options) Validate() error {
	var errs []error
	within := func(name string, value, least, most int) {
		if value < least || value > most {
			errs = append(errs, fmt.Errorf("%s is %d: use %d to %d", name, value, least, most))
		}
	}
	within("the number of gateways", o.Gateways, 1, MaxGateways)
	within("the number of nodes", o.Nodes, 1, MaxNodes)
	within("the number of fake nodes", o.FakeNodes, 0, 1000)
	if o.GatewayThrottle < 0 {
		errs = append(errs, fmt.Errorf("the gateway's throttle is %s: use 0 or more", o.GatewayThrottle))
	}
	if o.ScrapeInterval < 100*time.Millisecond {
		errs = append(errs, fmt.Errorf("the scrape interval is %s: use 100ms or more", o.ScrapeInterval))
	}
	return errors.Join(errs...)
}
