package analysis

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"sluice.dev/sluice/config"
	"sluice.dev/sluice/config/expression"
)

// The name of a pod is that of its Deployment, a hash and a random text, with
// dashes between them. Kubernetes cuts what comes before the random text, so that
// of a long name there is less of the hash, and no dash after it.
const (
	// letter of hashes and random texts: they have no vowels, so that "canary" is
	// none.
	letter = "[^aeiou-]"
	// longestHash is the most that a number of 32 bits has digits.
	longestHash = 10
	randomText  = 5
	// maxBase is what Kubernetes keeps before the random text.
	maxBase = 58
)

// podsOf is a regular expression, safe inside of a PromQL string, for the names
// of a Deployment's pods.
func podsOf(deployment string) string {
	random := fmt.Sprintf("%s{%d}", letter, randomText)
	// Of the hash and the dash after it.
	room := maxBase - len(deployment+"-")
	whole := letter + "+-" + random
	switch {
	case room < 0:
		return literal(deployment[:maxBase]) + random
	case room < 2:
		return literal(deployment+"-") + fmt.Sprintf("%s{%d}", letter, room+randomText)
	case room <= longestHash:
		return literal(deployment+"-") + fmt.Sprintf("(%s|%s{%d})", whole, letter, room+randomText)
	}
	return literal(deployment+"-") + whole
}

// literal needs no escapes: a dot would need a backslash, and that another one in
// a string.
func literal(name string) string { return strings.ReplaceAll(name, ".", "[.]") }

// checkPods refuses a query that looks for pods of a Deployment and its canary
// whose names are so long that what is left of them may be the same.
func (s Subject) checkPods(query string) error {
	asked := slices.ContainsFunc(expression.Variables(query), func(name string) bool {
		return name == config.VarPods || name == config.VarStablePods || name == config.VarCanaryPods
	})
	stable, canary := s.Ref.Workload.Name, s.Ref.CanaryDeployment()
	if !asked || !alike(stable, canary) && !alike(canary, stable) {
		return nil
	}
	return fmt.Errorf("the pods of %s and %s cannot be told apart by their names, of which Kubernetes keeps %d characters: use {{service}} or another label instead of {{pods}}", stable, canary, maxBase)
}

// alike says whether a pod of the other Deployment may look like one of this.
func alike(deployment, other string) bool {
	pods, err := regexp.Compile("^" + podsOf(deployment) + "$")
	if err != nil {
		return true // a name with characters that no Deployment has
	}
	for hash := 1; hash <= longestHash; hash++ {
		base := other + "-" + strings.Repeat("c", hash) + "-"
		if pods.MatchString(base[:min(len(base), maxBase)] + strings.Repeat("c", randomText)) {
			return true
		}
	}
	return false
}
