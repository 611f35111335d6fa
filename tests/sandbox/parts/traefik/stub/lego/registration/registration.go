// Package registration describes an account at a certificate authority.
package registration

import (
	"crypto"

	"github.com/go-acme/lego/v4/challenge"
)

// Resource is an account and its address.
type Resource struct {
	URI string `json:"uri,omitempty"`
}

// User is who an account belongs to.
type User interface {
	GetEmail() string
	GetRegistration() *Resource
	GetPrivateKey() crypto.PrivateKey
}

// RegisterOptions says what is agreed to on registration.
type RegisterOptions struct {
	TermsOfServiceAgreed bool
}

// RegisterEABOptions is RegisterOptions with an external account.
type RegisterEABOptions struct {
	TermsOfServiceAgreed bool
	Kid                  string
	HmacEncoded          string
}

// Registrar would register accounts.
type Registrar struct{}

// Register always answers [challenge.ErrNoACME].
func (*Registrar) Register(RegisterOptions) (*Resource, error) {
	return nil, challenge.ErrNoACME
}

// RegisterWithExternalAccountBinding always answers [challenge.ErrNoACME].
func (*Registrar) RegisterWithExternalAccountBinding(RegisterEABOptions) (*Resource, error) {
	return nil, challenge.ErrNoACME
}
