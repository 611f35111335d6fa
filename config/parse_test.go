package config

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	own "sluice.dev/sluice/config/v1alpha1"
)

// stream puts documents into one input.
func stream(documents ...string) []byte {
	return []byte(strings.Join(documents, "\n---\n"))
}

const deployment = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {anything: [1, 2]}\n"

func TestOtherKinds(t *testing.T) {
	input := stream(deployment, ownDocument, "# only a comment", deployment)

	rollouts, err := Parse(input, Options{SkipOtherKinds: true})
	require.NoError(t, err)
	require.Len(t, rollouts, 1)

	_, err = Parse(input, Options{})
	require.ErrorContains(t, err, "only Rollout documents are accepted (found Deployment)")

	_, err = Parse(stream(deployment), Options{SkipOtherKinds: true})
	require.ErrorContains(t, err, "the input holds no Rollout document")

	_, err = Parse(stream(strings.Replace(ownDocument, own.APIVersion, "argoproj.io/v1alpha1", 1)), Options{SkipOtherKinds: true})
	require.ErrorContains(t, err, "unknown version of the Rollout document (found argoproj.io/v1alpha1)", "a Rollout is never skipped")
}

func TestEmptyInput(t *testing.T) {
	for _, input := range []string{"", " \n", "---\n---\n", "# comment\n", "null"} {
		_, err := Parse([]byte(input), Options{})
		require.ErrorContains(t, err, "the input holds no Rollout document", "%q", input)
	}
}

func TestParseOne(t *testing.T) {
	r, err := ParseOne([]byte(ownDocument), Options{Namespace: "shop"})
	require.NoError(t, err)
	require.Equal(t, "shop", r.Namespace)

	named := edit(t, ownDocument, "annotations: {}", "namespace: prod")
	r, err = ParseOne([]byte(named), Options{Namespace: "shop"})
	require.NoError(t, err)
	require.Equal(t, "prod", r.Namespace, "the document's own namespace wins")

	_, err = ParseOne(stream(ownDocument, strings.Replace(ownDocument, "name: web", "name: other", 1)), Options{})
	require.ErrorContains(t, err, "the input holds 2 Rollout documents: web, other")

	_, err = ParseOne(nil, Options{})
	require.Error(t, err)
}

func TestErrorsNameTheirPlace(t *testing.T) {
	bad := edit(t, ownDocument, "traffic: 20%", "traffic: 200%")
	_, err := Parse([]byte(bad), Options{})
	require.EqualError(t, err, `line 14: spec.strategy.canary.steps[1].traffic: traffic must be percentage with "0%" < traffic <= "100%" in canary strategy (found "200%"); write a percentage in quotes, such as "10%"`)

	_, err = Parse(stream(ownDocument, bad), Options{})
	var errs Errors
	require.ErrorAs(t, err, &errs)
	require.Len(t, errs, 1)
	require.Equal(t, "web", errs[0].Document)
	require.Equal(t, strings.Count(ownDocument, "\n")+2+14, errs[0].Line, "lines count from the start of the input")
	require.Equal(t, `"200%"`, errs[0].Found)
}

func TestManyErrorsAreCut(t *testing.T) {
	many := edit(t, ownDocument, "steps:\n", "steps:\n"+strings.Repeat("      - {replicas: 0}\n", 148))
	_, err := Parse([]byte(many), Options{})
	var errs Errors
	require.ErrorAs(t, err, &errs)
	require.Len(t, errs, 149, "148 steps and their number")
	require.Equal(t, 1+maxPrinted, strings.Count(err.Error(), "\n"))
	require.Contains(t, err.Error(), "149 errors:")
	require.Contains(t, err.Error(), "and 49 more")
}

func TestFoundIsShortened(t *testing.T) {
	_, err := Parse([]byte(edit(t, ownDocument, "traffic: 20%", "traffic: "+strings.Repeat("é", 500))), Options{})
	var errs Errors
	require.ErrorAs(t, err, &errs)
	require.Equal(t, `"`+strings.Repeat("é", maxFound-1)+`…"`, errs[0].Found)
}

func TestHostileInput(t *testing.T) {
	bomb := "a0: &a0 [x, x, x, x, x, x, x, x, x]\n"
	for i := 1; i < 12; i++ {
		level := string(rune('a' + i))
		below := string(rune('a' + i - 1))
		bomb += level + "0: &" + level + "0 [" + strings.Repeat("*"+below+"0, ", 9) + "]\n"
	}
	cases := []struct{ name, input, want string }{
		{"too large", strings.Repeat("#", MaxInputBytes+1), "are more than the 1048576 that are accepted"},
		{"alias bomb", bomb, "more than 100000 values, with aliases expanded"},
		{"alias of itself", "a: &a [*a]\n", "nested more than 64 levels deep"},
		{"deep lists", strings.Repeat("[", 5000), "reading documents"},
		{"deep closed lists", strings.Repeat("[", 5000) + strings.Repeat("]", 5000), "nested more than 64 levels deep"},
		{"deep maps", strings.Repeat("a: {", 100) + strings.Repeat("}", 100), "nested more than 64 levels deep"},
		{"many values", "[" + strings.Repeat("1,", 200_000) + "]", "more than 100000 values"},
		{"not UTF-8", "a: \xff\xfe", "reading documents"},
		{"merge of a text", edit(t, ownDocument, "annotations: {}", "<<: text"), "only a map can be merged"},
		{"a list as a name", edit(t, ownDocument, "annotations: {}", "? [a]\n  : b"), "the name of a field must be a text"},
		{"unknown alias", "a: *b", "unknown anchor"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := Parse([]byte(c.input), Options{})
			require.ErrorContains(t, err, c.want)
		})
	}
}

func TestRepeatedMergeFields(t *testing.T) {
	twice := edit(t, ownDocument, "annotations: {}", "annotations: {a: b, a: c}")
	_, err := Parse([]byte(twice), Options{})
	requireProblem(t, err, "metadata.annotations.a", "the field stands here twice")
}

// TestSeed reads both documents of the seed in one input, in which the second
// replaces the first as it does in the text.
func TestSeed(t *testing.T) {
	var documents []string
	for _, name := range []string{"seed-canary", "seed-ab"} {
		data, err := os.ReadFile("testdata/" + name + "/in.yaml")
		require.NoError(t, err)
		documents = append(documents, string(data))
	}
	rollouts, err := Parse(stream(documents...), Options{})
	require.NoError(t, err)
	require.Len(t, rollouts, 2)
	require.Len(t, Conflicts(rollouts), 1)
	require.Equal(t, Amount{Value: 2}, rollouts[0].Steps[1].Replicas)
	require.Equal(t, []Match{{Headers: []ValueMatch{{Name: "user-agent", Type: MatchExact, Value: "android"}}}}, rollouts[1].Steps[0].Matches)
}

func TestNearest(t *testing.T) {
	known := []string{"traffic", "replicas", "matches", "pause"}
	require.Equal(t, "traffic", Nearest("trafic", known))
	require.Equal(t, "replicas", Nearest("Replica", known))
	require.Equal(t, "pause", Nearest("paused", known))
	require.Empty(t, Nearest("analysis", known))
	require.Empty(t, Nearest("", known))
}
