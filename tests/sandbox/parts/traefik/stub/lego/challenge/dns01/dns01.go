// Package dns01 has the options of the DNS challenge, none of which does anything.
package dns01

import (
	"strings"
	"time"
)

// ChallengeOption would change how the challenge is carried out.
type ChallengeOption func()

// AddRecursiveNameservers does nothing.
func AddRecursiveNameservers([]string) ChallengeOption { return func() {} }

// RecursiveNSsPropagationRequirement does nothing.
func RecursiveNSsPropagationRequirement() ChallengeOption { return func() {} }

// DisableAuthoritativeNssPropagationRequirement does nothing.
func DisableAuthoritativeNssPropagationRequirement() ChallengeOption { return func() {} }

// PropagationWait does nothing.
func PropagationWait(time.Duration, bool) ChallengeOption { return func() {} }

// UnFqdn returns the name without the dot that ends a fully qualified name.
func UnFqdn(name string) string { return strings.TrimSuffix(name, ".") }
