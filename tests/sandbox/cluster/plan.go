package cluster

import (
	"fmt"
	"strings"

	"sluice.dev/sluice/tests/sandbox/inside"
	"sluice.dev/sluice/tests/sandbox/layout"
	"sluice.dev/sluice/tests/sandbox/outside"
	"sluice.dev/sluice/tests/sandbox/proc"
)

// Plan is a sandbox that is ready to be started.
type Plan struct {
	Name     string
	Dir      layout.Dir
	Options  Options
	Binaries Binaries
}

// Forwards returns what is reached from outside. ports are those that must
// be had, prefer those to take if they are free.
func (p Plan) Forwards(ports, prefer map[string]int) []outside.Forward {
	var gateways []string
	for replica := range p.Options.Gateways {
		gateways = append(gateways, hostPort(gatewayIP(replica+1), webPort))
	}
	forwards := []outside.Forward{
		{Name: ForwardGateway, Targets: gateways},
		{Name: ForwardTemporal, Targets: []string{hostPort(temporalIP, temporalPort)}},
		{Name: ForwardTemporalUI, Targets: []string{hostPort(temporalIP, temporalUIPort)}},
		{Name: ForwardAPIServer, Targets: []string{hostPort(apiserverIP, apiserverPort)}},
		{Name: ForwardPrometheus, Targets: []string{hostPort(prometheusIP, prometheusPort)}},
	}
	for i := range forwards {
		forwards[i].Port, forwards[i].Prefer = ports[forwards[i].Name], prefer[forwards[i].Name]
	}
	return forwards
}

// State returns what the sandbox writes about itself, except for the process
// that runs it.
func (p Plan) State(listeners *outside.Listeners) layout.State {
	state := layout.State{
		Name: p.Name, Dir: p.Dir,
		Outside: outsideAddresses(p.Dir, listeners.Address), Inside: insideAddresses(p.Dir),
		Ports: listeners.Ports(),
	}
	for replica := range p.Options.Gateways {
		state.Gateways = append(state.Gateways, gatewayIP(replica+1))
	}
	return state
}

// Prepare writes certificates, kubeconfigs and configuration files, and
// returns what the inner half is to run.
func (p Plan) Prepare(state layout.State) (inside.Spec, error) {
	if err := p.writeCredentials(state.Outside); err != nil {
		return inside.Spec{}, fmt.Errorf("preparing the credentials: %w", err)
	}
	if err := p.writeConfigs(); err != nil {
		return inside.Spec{}, fmt.Errorf("preparing the parts: %w", err)
	}
	return inside.Spec{
		Dir:      p.Dir,
		Networks: networks(p.Options),
		Parts:    p.parts(),
		Env:      environment(state),
	}, nil
}

// environment is what commands that run inside are told.
func environment(state layout.State) []string {
	return []string{
		"KUBECONFIG=" + state.Inside.Kubeconfig,
		"TEMPORAL_ADDRESS=" + state.Inside.Temporal,
		"SLUICE_SANDBOX_NAME=" + state.Name,
		"SLUICE_SANDBOX_DIR=" + string(state.Dir),
		"SLUICE_SANDBOX_GATEWAY_URL=" + state.Inside.GatewayURL,
		"SLUICE_SANDBOX_GATEWAY_API=" + state.Inside.GatewayAPI,
		"SLUICE_SANDBOX_GATEWAYS=" + strings.Join(state.Gateways, ","),
		"SLUICE_SANDBOX_TEMPORAL_UI=" + state.Inside.TemporalUI,
		"SLUICE_SANDBOX_PROMETHEUS_URL=" + state.Inside.PrometheusURL,
		// A proxy of the user's is not to be found inside.
		"NO_PROXY=*", "no_proxy=*",
	}
}

// parts returns all parts, each behind those that it needs.
func (p Plan) parts() []proc.Part {
	parts := p.controlPlane()
	parts = append(parts, p.nodes()...)
	parts = append(parts, p.gateways()...)
	parts = append(parts, p.temporal(), p.prometheus())
	return append(parts, p.settled(parts))
}

// part fills in what all programs have in common.
func (p Plan) part(name, binary string, args ...string) proc.Part {
	return proc.Part{
		Name: name,
		Path: binary,
		Args: args,
		Log:  p.Dir.Log(name),
		Env:  []string{"NO_PROXY=*", "no_proxy=*"},
	}
}
