// Package lego is the client of a certificate authority that cannot be made.
//
// The module has the names of github.com/go-acme/lego/v4 that Traefik refers
// to and none of its working: whoever configures a certificate resolver is told
// so by [challenge.ErrNoACME].
package lego

import (
	"crypto/x509"
	"net/http"
	"time"

	"github.com/go-acme/lego/v4/certcrypto"
	"github.com/go-acme/lego/v4/certificate"
	"github.com/go-acme/lego/v4/challenge"
	"github.com/go-acme/lego/v4/challenge/dns01"
	"github.com/go-acme/lego/v4/challenge/http01"
	"github.com/go-acme/lego/v4/challenge/tlsalpn01"
	"github.com/go-acme/lego/v4/registration"
)

// LEDirectoryProduction is the default of Traefik's setting caServer.
const LEDirectoryProduction = "https://acme-v02.api.letsencrypt.org/directory"

// CertificateConfig says what kind of certificates are wanted.
type CertificateConfig struct {
	KeyType           certcrypto.KeyType
	DisableCommonName bool
	Timeout           time.Duration
}

// Config is what a Client would be made from.
type Config struct {
	CADirURL    string
	UserAgent   string
	HTTPClient  *http.Client
	Certificate CertificateConfig
}

// NewConfig returns an empty Config; the user is not needed.
func NewConfig(registration.User) *Config { return &Config{} }

// CreateCertPool always answers [challenge.ErrNoACME].
func CreateCertPool([]string, bool) (*x509.CertPool, error) {
	return nil, challenge.ErrNoACME
}

// Client would talk to a certificate authority; none is ever made.
type Client struct {
	Certificate  *certificate.Certifier
	Challenge    *Solvers
	Registration *registration.Registrar
}

// NewClient always answers [challenge.ErrNoACME].
func NewClient(*Config) (*Client, error) { return nil, challenge.ErrNoACME }

// Solvers would keep one provider per kind of challenge.
type Solvers struct{}

// SetDNS01Provider always answers [challenge.ErrNoACME].
func (*Solvers) SetDNS01Provider(challenge.Provider, ...dns01.ChallengeOption) error {
	return challenge.ErrNoACME
}

// SetHTTP01Provider always answers [challenge.ErrNoACME].
func (*Solvers) SetHTTP01Provider(challenge.Provider, ...http01.ChallengeOption) error {
	return challenge.ErrNoACME
}

// SetTLSALPN01Provider always answers [challenge.ErrNoACME].
func (*Solvers) SetTLSALPN01Provider(challenge.Provider, ...tlsalpn01.ChallengeOption) error {
	return challenge.ErrNoACME
}
