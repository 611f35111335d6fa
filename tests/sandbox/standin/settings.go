package standin

// Serving is what the command prints when it can be asked.
const Serving = "serving"

// Settings of the command sluice-standin.
type Settings struct {
	App App
	// Gateways are the addresses of the metrics of the gateway's replicas.
	Gateways []string
	// MetricsAddress is where the metrics are served, as host:port.
	MetricsAddress string

	// GuardAddress is where Backend is served to those who have the Credentials,
	// by TLS with the certificate and key in the files.
	GuardAddress, Backend, CertFile, KeyFile string
	Credentials                              Credentials
}
