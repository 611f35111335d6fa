package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestReader(t *testing.T) {
	for name, c := range map[string]struct {
		events  string
		want    counts
		reasons []string
	}{
		"passes": {`
			{"Action":"run","Package":"p","Test":"TestA"}
			{"Action":"output","Package":"p","Test":"TestA","Output":"=== RUN TestA\n"}
			{"Action":"pass","Package":"p","Test":"TestA/sub"}
			{"Action":"pass","Package":"p","Test":"TestA"}
			{"Action":"skip","Package":"p","Test":"TestB"}
			{"Action":"pass","Package":"p"}`,
			counts{passed: 2, skipped: 1}, nil},
		"one fails": {`
			{"Action":"output","Package":"p","Test":"TestA","Output":"why\n"}
			{"Action":"output","Package":"p","Test":"TestB","Output":"fine\n"}
			{"Action":"fail","Package":"p","Test":"TestA"}
			{"Action":"pass","Package":"p","Test":"TestB"}
			{"Action":"fail","Package":"p"}`,
			counts{passed: 1, failed: 1}, []string{"why\n"}},
		"not built": {`
			{"Action":"build-output","ImportPath":"p [p.test]","Output":"undefined: x\n"}
			{"Action":"build-fail","ImportPath":"p [p.test]"}
			{"Action":"output","Package":"p","Output":"FAIL p [build failed]\n"}
			{"Action":"fail","Package":"p","FailedBuild":"p [p.test]"}`,
			counts{failed: 1}, []string{"undefined: x\n", "FAIL p [build failed]\n"}},
		"panic": {`
			{"Action":"output","Package":"p","Test":"TestA","Output":"panic: x\n"}
			{"Action":"output","Package":"p","Output":"exit status 2\n"}
			{"Action":"fail","Package":"p"}`,
			counts{failed: 1}, []string{"panic: x\n", "exit status 2\n"}},
		"not JSON": {`go: downloading x`, counts{}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			r := newTestReader(&log, func(string) {})
			require.NoError(t, r.read(strings.NewReader(strings.TrimSpace(c.events))))
			require.Equal(t, c.want, r.counts)
			require.Equal(t, c.reasons, r.reasons)
			for _, reason := range c.reasons {
				require.Contains(t, log.String(), reason)
			}
		})
	}
}

// TestAssertionsOutliveWhatIsLogged makes sure that a dump after a failure does
// not hide it.
func TestAssertionsOutliveWhatIsLogged(t *testing.T) {
	output := []string{
		"=== RUN   TestA\n", "    a_test.go:7: fine so far\n", "    a_test.go:9: \n",
		"        \tError Trace:\t/a_test.go:9\n", "        \tError:      \tNot equal: \n",
		"        \t            \texpected: 1\n", "        \tTest:       \tTestA\n",
		"    a_test.go:12: status at the end: {\n", "          \"phase\": \"RolledBack\"\n",
	}
	require.Equal(t, []string{"Error Trace:\t/a_test.go:9", "Error:      \tNot equal:", "expected: 1", "Test:       \tTestA"}, assertions(output))
	require.Empty(t, assertions([]string{"    a_test.go:7: fine\n"}))

	long := []string{"        \tError Trace:\t/a_test.go:9\n"}
	for range 100 {
		long = append(long, "        \t            \t"+strings.Repeat("x", 1000)+"\n")
	}
	long = append(long, "        \tTest:       \tTestA\n")
	short := assertions(long)
	require.Len(t, short, blockLines+1)
	require.Equal(t, "Test:       \tTestA", short[len(short)-1])
	require.Less(t, len(short[1]), 300)
}

func TestBrief(t *testing.T) {
	failed := []string{
		"    a_test.go:9: \n", "        \tError Trace:\t/a_test.go:9\n", "        \tError:      \tNot equal: \n",
		"        \t            \texpected: 1\n", "        \tTest:       \tTestA\n",
		"    a_test.go:12: status at the end: {\n",
	}
	require.Equal(t, "TestA: Error Trace: /a_test.go:9 Error: Not equal: expected: 1", brief("TestA", failed))
	require.Equal(t, "TestA: a_test.go:7: reason", brief("TestA", []string{"=== RUN TestA\n", "    a_test.go:7: reason\n", "    a_test.go:8: more\n"}))
	require.Equal(t, "TestA:", brief("TestA", []string{"=== RUN TestA\n"}))
	require.Less(t, len(brief("TestA", []string{"a.go:1: " + strings.Repeat("x ", 1000)})), briefWidth+10)

	var told []string
	r := newTestReader(new(bytes.Buffer), func(string) {})
	r.failure = func(brief string) { told = append(told, brief) }
	require.NoError(t, r.read(strings.NewReader(`{"Action":"output","Package":"p","Test":"TestA/sub","Output":"a_test.go:7: reason\n"}
{"Action":"fail","Package":"p","Test":"TestA/sub"}
{"Action":"fail","Package":"p","Test":"TestA"}
{"Action":"fail","Package":"p","Test":"TestB"}`)))
	require.Equal(t, []string{"TestA/sub: a_test.go:7: reason", "TestB:"}, told)
	require.Equal(t, told, r.briefs)
}
