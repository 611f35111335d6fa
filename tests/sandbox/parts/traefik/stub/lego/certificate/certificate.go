// Package certificate asks for certificates and, in the sandbox, is refused.
package certificate

import "github.com/go-acme/lego/v4/challenge"

// Resource is a certificate with its key and where it came from.
type Resource struct {
	Domain            string
	PrivateKey        []byte
	Certificate       []byte
	IssuerCertificate []byte
}

// ObtainRequest says for which domains a certificate is wanted.
type ObtainRequest struct {
	Domains        []string
	Bundle         bool
	EmailAddresses []string
	Profile        string
	PreferredChain string
}

// RenewOptions says how a certificate is renewed.
type RenewOptions struct {
	Bundle         bool
	EmailAddresses []string
	Profile        string
	PreferredChain string
}

// Certifier would talk to the certificate authority.
type Certifier struct{}

// Obtain always answers [challenge.ErrNoACME].
func (*Certifier) Obtain(ObtainRequest) (*Resource, error) {
	return nil, challenge.ErrNoACME
}

// RenewWithOptions always answers [challenge.ErrNoACME].
func (*Certifier) RenewWithOptions(Resource, *RenewOptions) (*Resource, error) {
	return nil, challenge.ErrNoACME
}
