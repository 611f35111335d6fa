package cluster

import (
	"fmt"
	"os"
	"strings"

	"sluice.dev/sluice/tests/sandbox/layout"
	"sluice.dev/sluice/tests/sandbox/proc"
)

const (
	partTemporal   = "temporal"
	partPrometheus = "prometheus"
)

// Files in the sandbox's folder.
const (
	prometheusFile  = "prometheus.yml"
	auditPolicyFile = "audit-policy.yaml"
	gatewayFile     = "traefik.yaml"
	temporalFile    = "temporal.db"
)

// gateways returns the replicas of the gateway. Each follows the cluster by
// itself, as on a real one.
func (p Plan) gateways() []proc.Part {
	var addresses []string
	for i := range p.Options.Gateways {
		addresses = append(addresses, gatewayIP(i+1))
	}
	parts := make([]proc.Part, 0, p.Options.Gateways)
	for i, ip := range addresses {
		name := gatewayName(i + 1)
		part := p.part(name, p.Binaries.Traefik,
			"--global.checknewversion=false",
			"--global.sendanonymoususage=false",
			"--entrypoints.web.address="+hostPort(ip, webPort),
			"--entrypoints.traefik.address="+hostPort(ip, gatewayAPIPort),
			// The dashboard's files are not part of the module.
			"--api=true", "--api.insecure=true", "--api.dashboard=false", "--ping=true",
			"--metrics.prometheus=true",
			"--metrics.prometheus.addentrypointslabels=true",
			"--metrics.prometheus.addrouterslabels=true",
			"--metrics.prometheus.addserviceslabels=true",
			"--metrics.prometheus.buckets=0.005,0.01,0.025,0.05,0.1,0.25,0.5,1,2.5,5",
			"--providers.file.filename="+p.Dir.Join(gatewayFile), "--providers.file.watch=false",
			"--providers.kubernetesingressnginx=true",
			"--providers.kubernetesingressnginx.publishstatusaddress="+strings.Join(addresses, ","),
			fmt.Sprintf("--providers.providersthrottleduration=%s", p.Options.GatewayThrottle),
			"--log.level=INFO", "--log.nocolor=true",
			// Only what went wrong: a request that was lost is looked for here.
			"--accesslog=true", "--accesslog.filters.statuscodes=500-599",
			"--accesslog.filepath="+p.Dir.Join("logs", name+".errors.log"),
		)
		// The second name would make it believe that it runs in a pod.
		part.Env = append(part.Env, "KUBECONFIG="+p.Dir.InnerKubeconfig(gatewayUser), "KUBERNETES_SERVICE_HOST=")
		// The gateway waits a second if the API server is not there yet.
		part.Needs = []string{partAPIServer}
		part.Ready = &proc.Probe{
			TCP: []string{hostPort(ip, webPort)},
			URL: httpURL(ip, gatewayAPIPort) + "/ping",
		}
		parts = append(parts, part)
	}
	return parts
}

func (p Plan) temporal() proc.Part {
	args := []string{
		"--grpc=" + hostPort(temporalIP, temporalPort),
		"--ui=" + hostPort(temporalIP, temporalUIPort),
		"--metrics=" + hostPort(temporalIP, temporalMetricsPort),
		"--db=" + p.Dir.Join(temporalFile),
		"--namespace=default",
	}
	for _, attribute := range p.Options.SearchAttributes {
		args = append(args, "--search-attribute="+attribute)
	}
	part := p.part(partTemporal, p.Binaries.Temporal, args...)
	part.Ready = &proc.Probe{
		TCP: []string{hostPort(temporalIP, temporalPort)},
		// Served last, once the namespace answers.
		URL: httpURL(temporalIP, temporalUIPort) + "/api/v1/namespaces/default",
	}
	return part
}

func (p Plan) prometheus() proc.Part {
	part := p.part(partPrometheus, p.Binaries.Prometheus,
		"--config.file="+p.Dir.Join(prometheusFile),
		"--storage.tsdb.path="+p.Dir.Join("prometheus"),
		"--storage.tsdb.retention.time=1d",
		"--web.listen-address="+hostPort(prometheusIP, prometheusPort),
		// New pods are looked at within a second, not five.
		"--scrape.discovery-reload-interval=1s",
		"--log.level=warn",
	)
	part.Ready = &proc.Probe{URL: httpURL(prometheusIP, prometheusPort) + "/-/ready"}
	return part
}

// writeConfigs writes the files that parts read at their start.
func (p Plan) writeConfigs() error {
	if err := layout.WriteFile(p.Dir.Join(auditPolicyFile), []byte(auditPolicy)); err != nil {
		return err
	}
	for _, honoured := range []bool{false, true} {
		if err := os.MkdirAll(p.Dir.Targets(honoured), 0o755); err != nil {
			return fmt.Errorf("creating the folder of Prometheus' targets: %w", err)
		}
	}
	if err := layout.WriteFile(p.Dir.Join(gatewayFile), p.gatewayConfig()); err != nil {
		return err
	}
	return layout.WriteFile(p.Dir.Join(prometheusFile), p.prometheusConfig())
}

// gatewayConfig gives the gateway a certificate, as whoever runs one does. Without
// it Traefik makes itself an RSA key whenever anything changes, also where nobody
// speaks TLS: nearly 40 % of all its work here, before each change takes effect.
func (p Plan) gatewayConfig() []byte {
	return fmt.Appendf(nil, `tls:
  stores:
    default:
      defaultCertificate:
        certFile: %q
        keyFile: %q
`, p.Dir.Cert(gatewayCert), p.Dir.Cert(gatewayKey))
}

// auditPolicy notes who asked for what, once per request.
const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: Metadata
`
