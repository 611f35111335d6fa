package config

import (
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"
	k8svalidation "k8s.io/apimachinery/pkg/util/validation"

	own "sluice.dev/sluice/config/v1alpha1"
)

// What holds where a document says nothing about a server.
const (
	// DefaultServer is the name of the server of the worker's settings.
	DefaultServer = "default"
	// DefaultQueryTimeout bounds one query.
	DefaultQueryTimeout = Duration(5 * time.Second)
	// DefaultMaxBytes bounds one answer.
	DefaultMaxBytes = 1 << 20
)

func buildServer(s own.Prometheus) Prometheus {
	built := Prometheus{
		Name: s.Name, Address: s.Address, Headers: s.Headers,
		Timeout: period(s.Timeout, DefaultQueryTimeout), MaxBytes: value(s.MaxBytes, DefaultMaxBytes),
		Bearer: buildCredential(s.BearerToken),
	}
	if s.BasicAuth != nil {
		built.Username, built.Password = s.BasicAuth.Username, buildCredential(s.BasicAuth.Password)
	}
	if t := s.TLS; t != nil {
		built.TLS = &TLS{
			CA: buildCredential(t.CA), Cert: buildCredential(t.Cert), PrivateKey: buildCredential(t.PrivateKey),
			ServerName: t.ServerName, Insecure: t.InsecureSkipVerify,
		}
	}
	return built
}

func buildCredential(c *own.Credential) *Credential {
	if c == nil {
		return nil
	}
	return new(Credential(*c))
}

func validateServers(r *report, d *draft) {
	seen := map[string]bool{}
	for i, s := range d.doc.Spec.Prometheus {
		path := indexPath("spec.prometheus", i)
		if d.serversAt != "" {
			checkAddress(r, d.serversAt, s.Address)
			continue
		}
		if s.Name == "" {
			r.add(path+".name", "a server needs a name", "write default")
		}
		if seen[s.Name] {
			r.add(path+".name", "two servers have this name", "name one of them otherwise")
		}
		seen[s.Name] = true
		checkAddress(r, path+".address", s.Address)
		checkServer(r, path, s)
	}
}

func checkAddress(r *report, path, address string) {
	parsed, err := url.Parse(address)
	switch {
	case address == "":
		r.add(path, "the address is missing", "write it as http://prometheus.monitoring:9090")
	case err != nil, parsed.Host == "", parsed.Scheme != "http" && parsed.Scheme != "https":
		r.add(path, "not an address", "write it as http://prometheus.monitoring:9090")
	case parsed.User != nil:
		r.add(path, "the address holds a password", "write basicAuth")
	case strings.HasPrefix(parsed.Path, "/api"), strings.Contains(parsed.Path, "/api/v1"), parsed.RawQuery != "":
		r.add(path, "the address names a page of the server", "leave out what begins with /api")
	}
}

func checkServer(r *report, path string, s own.Prometheus) {
	if s.Timeout != nil && *s.Timeout <= 0 {
		r.add(path+".timeout", "the timeout must be longer than no time", "write a length of time such as 5s")
	}
	if s.MaxBytes != nil && *s.MaxBytes < 1024 {
		r.add(path+".maxBytes", "no answer is that short", "write 1048576, or leave it out")
	}
	for name, text := range s.Headers {
		if problem, remedy := HeaderProblem(name, text); problem != "" {
			r.add(joinPath(path+".headers", name), problem, remedy)
		}
	}
	if s.BasicAuth != nil && s.BearerToken != nil {
		r.add(path+".bearerToken", "a server has either basicAuth or bearerToken", "remove one of them")
	}
	if b := s.BasicAuth; b != nil {
		if b.Username == "" || b.Password == nil {
			r.add(path+".basicAuth", "username or password is missing", "write both")
		}
		checkCredential(r, path+".basicAuth.password", b.Password)
	}
	checkCredential(r, path+".bearerToken", s.BearerToken)
	if t := s.TLS; t != nil {
		checkCredential(r, path+".tls.ca", t.CA)
		checkCredential(r, path+".tls.cert", t.Cert)
		checkCredential(r, path+".tls.privateKey", t.PrivateKey)
		if (t.Cert == nil) != (t.PrivateKey == nil) {
			r.add(path+".tls.privateKey", "cert and privateKey go together", "write both or none")
		}
	}
}

// HeaderProblem says why a header cannot be sent with every request, and what to
// write instead; both are empty where it can.
func HeaderProblem(name, text string) (problem, remedy string) {
	switch {
	case !httpguts.ValidHeaderFieldName(name), !httpguts.ValidHeaderFieldValue(text):
		return "not a valid header", ""
	case strings.EqualFold(name, "authorization"):
		return "a document is no place for a secret", "write basicAuth or bearerToken"
	}
	return "", ""
}

func checkCredential(r *report, path string, c *own.Credential) {
	if c == nil {
		return
	}
	switch {
	case c.File != "" && (c.Secret != "" || c.Key != ""):
		r.add(path, "it is either in a file or in a Secret", "remove file, or secret and key")
	case c.File == "" && (c.Secret == "" || c.Key == ""):
		r.add(path, "nothing says where it is", "write file, or secret and key")
	case c.Secret != "" && len(k8svalidation.IsDNS1123Subdomain(c.Secret)) > 0:
		r.add(path+".secret", "not a valid name", "")
	}
}

// Server returns the server that a metric is read from; false where the document
// has none and that of the worker is meant.
func (r *Rollout) Server(m Metric) (Prometheus, bool) {
	if len(r.Prometheus) == 0 {
		return Prometheus{}, false
	}
	i := max(0, slices.IndexFunc(r.Prometheus, func(p Prometheus) bool { return p.Name == m.Server }))
	return r.Prometheus[i], true
}
