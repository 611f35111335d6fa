package cluster

import (
	"bytes"
	_ "embed"
	"fmt"
	"path/filepath"
	"text/template"
)

//go:embed prometheus.yml.tmpl
var prometheusTemplate string

// prometheusConfig returns the configuration of Prometheus: gateways by their
// addresses, pods as the cluster says.
func (p Plan) prometheusConfig() []byte {
	var targets []string
	for i := range p.Options.Gateways {
		targets = append(targets, hostPort(gatewayIP(i+1), gatewayAPIPort))
	}
	var text bytes.Buffer
	// The template is part of this package and the writer cannot fail.
	_ = template.Must(template.New("prometheus").Parse(prometheusTemplate)).Execute(&text, map[string]any{
		// Prometheus knows no fractions of a second.
		"Interval":   fmt.Sprintf("%dms", p.Options.ScrapeInterval.Milliseconds()),
		"Gateways":   targets,
		"Temporal":   hostPort(temporalIP, temporalMetricsPort),
		"Kubeconfig": p.Dir.InnerKubeconfig(prometheusUser),
		"Added":      filepath.Join(p.Dir.Targets(false), "*.json"),
		"Honoured":   filepath.Join(p.Dir.Targets(true), "*.json"),
	})
	return text.Bytes()
}
