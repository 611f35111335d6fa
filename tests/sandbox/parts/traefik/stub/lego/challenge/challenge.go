// Package challenge describes how a domain would be proven to a certificate
// authority, and holds the error that everything here answers with.
package challenge

import "errors"

// ErrNoACME is what every call that would need a certificate authority answers.
// The gateway of the sandbox is built without ACME: its DNS providers are more
// than half of the time that a build of Traefik takes, and nothing uses them.
var ErrNoACME = errors.New("using ACME: the sandbox's gateway is built without it; serve plain HTTP or give a certificate by file")

// Provider proves that a domain is ours.
type Provider interface {
	Present(domain, token, keyAuth string) error
	CleanUp(domain, token, keyAuth string) error
}
