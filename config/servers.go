package config

import "strings"

// Prometheus is a server that metrics are read from.
type Prometheus struct {
	// Name by which metrics choose the server.
	Name string `json:"name"`
	// Address is its URL, without /api.
	Address string `json:"address"`
	// Timeout bounds one query.
	Timeout Duration `json:"timeout"`
	// MaxBytes bounds one answer.
	MaxBytes int64 `json:"maxBytes"`
	// Headers of every request, for a tenant for example.
	Headers map[string]string `json:"headers,omitempty"`
	// Username of basic authentication, and where its password is.
	Username string      `json:"username,omitempty"`
	Password *Credential `json:"password,omitempty"`
	// Bearer is where the bearer token is.
	Bearer *Credential `json:"bearer,omitempty"`
	TLS    *TLS        `json:"tls,omitempty"`
}

// Credential says where a secret text is: in a file of the worker, or in a
// Secret of the document's namespace.
type Credential struct {
	File   string `json:"file,omitempty"`
	Secret string `json:"secret,omitempty"`
	// Key of the Secret.
	Key string `json:"key,omitempty"`
}

// TLS of the connection to a server.
type TLS struct {
	// CA that signed the server's certificate; the system's where nil.
	CA *Credential `json:"ca,omitempty"`
	// Cert and PrivateKey authenticate the client.
	Cert       *Credential `json:"cert,omitempty"`
	PrivateKey *Credential `json:"privateKey,omitempty"`
	ServerName string      `json:"serverName,omitempty"`
	// Insecure accepts any certificate.
	Insecure bool `json:"insecure,omitempty"`
}

// At is the same server at another address, as through a port-forward: with its
// headers, such as a tenant. Its password, token and client certificate are left
// out unless they are wanted there, since whoever answers gets them; what it is
// known by is left out where nothing is asked by TLS.
func (p Prometheus) At(address string, credentials bool) Prometheus {
	p.Address = address
	switch {
	case p.TLS == nil:
	case !strings.HasPrefix(address, "https:"):
		p.TLS = nil
	case !credentials:
		p.TLS = &TLS{CA: p.TLS.CA, ServerName: p.TLS.ServerName, Insecure: p.TLS.Insecure}
	}
	if !credentials {
		p.Username, p.Password, p.Bearer = "", nil, nil
	}
	return p
}

// Authenticated says whether the server is told who asks.
func (p Prometheus) Authenticated() bool {
	return p.Password != nil || p.Bearer != nil || p.TLS != nil && p.TLS.Cert != nil
}

// Credentials are all that the server names.
func (p Prometheus) Credentials() []Credential {
	var all []Credential
	named := []*Credential{p.Password, p.Bearer}
	if p.TLS != nil {
		named = append(named, p.TLS.CA, p.TLS.Cert, p.TLS.PrivateKey)
	}
	for _, c := range named {
		if c != nil {
			all = append(all, *c)
		}
	}
	return all
}
