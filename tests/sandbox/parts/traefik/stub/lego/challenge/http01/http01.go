// Package http01 has the path and the options of the HTTP challenge.
package http01

import "time"

// PathPrefix is where RFC 8555 wants the answers to HTTP challenges.
const PathPrefix = "/.well-known/acme-challenge/"

// ChallengeOption would change how the challenge is carried out.
type ChallengeOption func()

// SetDelay does nothing.
func SetDelay(time.Duration) ChallengeOption { return func() {} }
