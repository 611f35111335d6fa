package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/client-go/rest"
)

// TestFaults sends reads, a dry run, writes that do not count and two that do: at
// the second one the process dies or gets an error. It has been done or not.
func TestFaults(t *testing.T) {
	for _, c := range []struct {
		fault fault
		done  int
		dies  bool
		code  int
	}{
		{before, 1, true, http.StatusServiceUnavailable}, {sent, 2, true, http.StatusServiceUnavailable},
		{after, 2, true, http.StatusOK}, {confirming, 2, true, http.StatusOK},
		{conflict, 1, false, http.StatusConflict},
		{timeoutApplied, 2, false, http.StatusGatewayTimeout}, {timeoutLost, 1, false, http.StatusGatewayTimeout},
	} {
		t.Run(string(c.fault), func(t *testing.T) {
			done, happened := 0, 0
			api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Method != http.MethodGet && r.URL.RawQuery == "" && counted.MatchString(r.URL.Path) {
					done++
				}
			}))
			defer api.Close()
			p, err := newProxy(&rest.Config{Host: api.URL}, c.fault, 2, func() { happened++ })
			require.NoError(t, err)
			worker := exec.Command("sleep", "60")
			require.NoError(t, worker.Start())
			p.watch(worker.Process)
			last := (*httptest.ResponseRecorder)(nil)
			for _, request := range []string{"GET /services/a", "PATCH /services/a?dryRun=All", "POST /events", "PATCH /horizontalpodautoscalers/a", "GET /ingresses/b", "POST /ingresses"} {
				require.False(t, p.killed())
				method, target, _ := strings.Cut(request, " ")
				last = httptest.NewRecorder()
				p.ServeHTTP(last, httptest.NewRequest(method, target, nil))
			}
			if !c.dies {
				require.False(t, p.killed())
				require.NoError(t, worker.Process.Kill())
			}
			require.Error(t, worker.Wait())
			require.Equal(t, c.dies, p.killed())
			require.False(t, p.killed())
			require.Equal(t, c.done, done)
			require.Equal(t, 1, happened)
			require.Equal(t, c.code, last.Code)
		})
	}
}

func TestUnknownFault(t *testing.T) {
	_, err := newProxy(&rest.Config{}, "later", 1, func() {})
	require.ErrorContains(t, err, `fault "later" does not exist`)
}

func TestKubeconfig(t *testing.T) {
	path, remove, err := writeKubeconfig("http://127.0.0.1:1")
	require.NoError(t, err)
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Contains(t, string(text), "http://127.0.0.1:1")
	remove()
	require.NoFileExists(t, path)
}
