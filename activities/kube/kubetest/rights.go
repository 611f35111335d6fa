package kubetest

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	rbacv1 "k8s.io/api/rbac/v1"
	clienttesting "k8s.io/client-go/testing"
	"sigs.k8s.io/yaml"
)

// Right is one thing that may be done, or that was. Namespace is set where it may be
// done in one only, Name where it may be done to one object only.
type Right struct {
	Namespace, Group, Resource, Verb, Name string
}

// Covers says that what was done is within a right.
func (r Right) Covers(done Right) bool {
	return (r.Namespace == "" || r.Namespace == done.Namespace) && r.Group == done.Group && r.Resource == done.Resource &&
		r.Verb == done.Verb && (r.Name == "" || r.Name == done.Name)
}

// Use is the right that a request has made use of, without the name of the object.
func Use(a clienttesting.Action) Right {
	r := Right{Namespace: a.GetNamespace(), Group: a.GetResource().Group, Resource: a.GetResource().Resource, Verb: a.GetVerb()}
	if a.GetSubresource() != "" {
		r.Resource += "/" + a.GetSubresource()
	}
	return r
}

// Rights returns what the roles of a manifest allow.
func Rights(t *testing.T, path string) []Right {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	var all []Right
	for _, document := range strings.Split(string(text), "\n---\n") {
		var role rbacv1.ClusterRole // a Role has the same fields
		require.NoError(t, yaml.Unmarshal([]byte(document), &role))
		if role.Kind != "ClusterRole" && role.Kind != "Role" {
			continue
		}
		for _, rule := range role.Rules {
			all = append(all, rightsOf(role.Namespace, rule)...)
		}
	}
	return all
}

func rightsOf(namespace string, rule rbacv1.PolicyRule) []Right {
	names := rule.ResourceNames
	if len(names) == 0 {
		names = []string{""}
	}
	var all []Right
	for _, group := range rule.APIGroups {
		for _, resource := range rule.Resources {
			for _, verb := range rule.Verbs {
				for _, name := range names {
					all = append(all, Right{namespace, group, resource, verb, name})
				}
			}
		}
	}
	return all
}

// RequireSmallest requires that everything that was done is within the rights, and
// that no right was left unused.
func RequireSmallest(t *testing.T, rights, done []Right) {
	t.Helper()
	var missing, unused []Right
	for _, d := range done {
		if !slices.ContainsFunc(rights, func(r Right) bool { return r.Covers(d) }) {
			missing = append(missing, d)
		}
	}
	for _, r := range rights {
		if !slices.ContainsFunc(done, r.Covers) {
			unused = append(unused, r)
		}
	}
	require.Empty(t, missing, "what it may not do")
	require.Empty(t, unused, "what it never does")
}
