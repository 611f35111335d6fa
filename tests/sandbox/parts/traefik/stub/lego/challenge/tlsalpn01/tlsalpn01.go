// Package tlsalpn01 has the protocol name and the options of the TLS challenge.
package tlsalpn01

import (
	"time"

	"github.com/go-acme/lego/v4/challenge"
)

// ACMETLS1Protocol is the ALPN protocol of RFC 8737. Traefik compares with it
// on every TLS handshake, so the value is the real one.
const ACMETLS1Protocol = "acme-tls/1"

// ChallengeOption would change how the challenge is carried out.
type ChallengeOption func()

// SetDelay does nothing.
func SetDelay(time.Duration) ChallengeOption { return func() {} }

// ChallengeBlocks always answers [challenge.ErrNoACME].
func ChallengeBlocks(_, _ string) (certificate, key []byte, err error) {
	return nil, nil, challenge.ErrNoACME
}
