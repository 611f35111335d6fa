// Package dns would know the DNS providers; the sandbox has none.
package dns

import (
	"fmt"

	"github.com/go-acme/lego/v4/challenge"
)

// NewDNSChallengeProviderByName always answers [challenge.ErrNoACME].
func NewDNSChallengeProviderByName(name string) (challenge.Provider, error) {
	return nil, fmt.Errorf("making DNS provider %q: %w", name, challenge.ErrNoACME)
}
