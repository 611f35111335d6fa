package settings

import (
	"net/url"
	"strings"

	"sluice.dev/sluice/config"
)

// Prometheus is where metrics are read from if a document names no server.
type Prometheus struct {
	// Address is its URL; where empty, documents have to name a server.
	Address string `mapstructure:"address"`
	// Headers of every request, each as name=value: a tenant, for example.
	Headers []string `mapstructure:"headers"`
	// BearerTokenFile holds a token for the server, PasswordFile the password of
	// Username, and CAFile the authority that signed its certificate. They are
	// below Credentials.
	BearerTokenFile string `mapstructure:"bearerTokenFile"`
	Username        string `mapstructure:"username"`
	PasswordFile    string `mapstructure:"passwordFile"`
	CAFile          string `mapstructure:"caFile"`
	// Credentials is the folder below which documents may name files with
	// passwords, tokens and certificates.
	Credentials string `mapstructure:"credentials"`
}

func (p Prometheus) check(wrong func(key, format string, args ...any)) {
	parsed, err := url.Parse(p.Address)
	if p.Address != "" && (err != nil || parsed.Host == "" || parsed.Scheme != "http" && parsed.Scheme != "https") {
		wrong("prometheus.address", "%q is not an address: write it as http://prometheus.monitoring:9090", p.Address)
	}
	for _, header := range p.Headers {
		name, text, ok := strings.Cut(header, "=")
		if problem, _ := config.HeaderProblem(name, text); !ok || problem != "" {
			wrong("prometheus.headers", "%q is no header for every request: write it as X-Scope-OrgID=shop; credentials are read from files", header)
		}
	}
	if (p.Username == "") != (p.PasswordFile == "") {
		wrong("prometheus.passwordFile", "username and passwordFile go together: write both or none")
	}
	if p.Username != "" && p.BearerTokenFile != "" {
		wrong("prometheus.bearerTokenFile", "the server is told either a token or a password: leave one of them out")
	}
	for _, file := range []struct{ key, path string }{
		{"bearerTokenFile", p.BearerTokenFile}, {"passwordFile", p.PasswordFile}, {"caFile", p.CAFile},
	} {
		if file.path != "" && p.Credentials == "" {
			wrong("prometheus."+file.key, "the folder of the file is not known: set prometheus.credentials, too")
		}
	}
}

// Server returns the description of the server.
func (p Prometheus) Server() config.Prometheus {
	server := config.Prometheus{
		Name: config.DefaultServer, Address: p.Address, Username: p.Username,
		Timeout: config.DefaultQueryTimeout, MaxBytes: config.DefaultMaxBytes,
		Bearer: fileOf(p.BearerTokenFile), Password: fileOf(p.PasswordFile),
	}
	for _, header := range p.Headers {
		if server.Headers == nil {
			server.Headers = map[string]string{}
		}
		name, text, _ := strings.Cut(header, "=")
		server.Headers[name] = text
	}
	if p.CAFile != "" {
		server.TLS = &config.TLS{CA: fileOf(p.CAFile)}
	}
	return server
}

// Secrets are the files that only the worker's own server may get.
func (p Prometheus) Secrets() []string {
	var files []string
	for _, file := range []string{p.BearerTokenFile, p.PasswordFile} {
		if file != "" {
			files = append(files, file)
		}
	}
	return files
}

func fileOf(path string) *config.Credential {
	if path == "" {
		return nil
	}
	return &config.Credential{File: path}
}
