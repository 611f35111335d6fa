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

// TestFaults sends two reads, a dry run and two writes: the process dies at the
// second write, which has been done or not, and whose answer comes or not.
func TestFaults(t *testing.T) {
	for _, c := range []struct {
		fault    fault
		done     int
		answered bool
	}{{before, 1, false}, {sent, 2, false}, {after, 2, true}} {
		t.Run(string(c.fault), func(t *testing.T) {
			done := 0
			api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Method != http.MethodGet && r.URL.RawQuery == "" {
					done++
				}
				w.Header().Set("X-From", "api")
			}))
			defer api.Close()
			p, err := newProxy(&rest.Config{Host: api.URL}, c.fault, 2)
			require.NoError(t, err)
			worker := exec.Command("sleep", "60")
			require.NoError(t, worker.Start())
			p.watch(worker.Process)
			last := (*httptest.ResponseRecorder)(nil)
			for _, request := range []string{"GET /a", "PATCH /a?dryRun=All", "PATCH /a", "GET /b", "PUT /b"} {
				require.False(t, p.killed())
				method, target, _ := strings.Cut(request, " ")
				last = httptest.NewRecorder()
				p.ServeHTTP(last, httptest.NewRequest(method, target, nil))
			}
			require.True(t, p.killed())
			require.False(t, p.killed())
			require.Error(t, worker.Wait())
			require.Equal(t, c.done, done)
			require.Equal(t, c.answered, last.Header().Get("X-From") == "api")
		})
	}
}

func TestUnknownFault(t *testing.T) {
	_, err := newProxy(&rest.Config{}, "later", 1)
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
