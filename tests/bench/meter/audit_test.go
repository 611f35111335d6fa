package meter

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const auditLines = `{"stage":"ResponseComplete","verb":"patch","userAgent":"sluice-worker","objectRef":{"resource":"ingresses"},"responseStatus":{"code":200}}
{"stage":"ResponseComplete","verb":"patch","userAgent":"sluice-worker","objectRef":{"resource":"ingresses"},"responseStatus":{"code":409}}
{"stage":"ResponseComplete","verb":"get","userAgent":"sluice-worker","objectRef":{"resource":"deployments","subresource":"scale"},"responseStatus":{"code":200}}
{"stage":"ResponseStarted","verb":"watch","userAgent":"sluice-worker","objectRef":{"resource":"pods"},"responseStatus":{"code":200}}
{"stage":"ResponseComplete","verb":"watch","userAgent":"sluice-worker","objectRef":{"resource":"pods"},"responseStatus":{"code":200}}
{"stage":"ResponseComplete","verb":"get","userAgent":"kubelet","objectRef":{"resource":"pods","name":"sluice-worker"},"responseStatus":{"code":200}}
{"stage":"ResponseComplete","verb":"get","userAgent":"sluice-worker","objec`

func TestCount(t *testing.T) {
	r, err := count(strings.NewReader(auditLines), WorkerAgent)
	require.NoError(t, err)
	require.Equal(t, Requests{
		Counted: map[Kind]int{{"patch", "ingresses"}: 2, {"get", "deployments/scale"}: 1},
		Failed:  map[int]int{409: 1},
		Watches: 1,
	}, r)
	require.Equal(t, 3, r.Total())
	require.Equal(t, []Kind{{"patch", "ingresses"}, {"get", "deployments/scale"}}, r.Kinds())
	_, err = count(strings.NewReader("\"sluice-worker\" is no JSON\n"), WorkerAgent)
	require.ErrorContains(t, err, "reading the audit log")
}

func TestSince(t *testing.T) {
	first, rest, _ := strings.Cut(auditLines, "\n")
	audit := Audit{Path: filepath.Join(t.TempDir(), "audit.log")}
	_, err := audit.Mark()
	require.ErrorContains(t, err, "looking at the audit log")
	require.NoError(t, os.WriteFile(audit.Path, []byte(first+"\n"), 0o600))
	mark, err := audit.Mark()
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(audit.Path, []byte(first+"\n"+rest), 0o600))
	r, err := audit.Since(mark, WorkerAgent)
	require.NoError(t, err)
	require.Equal(t, 2, r.Total())
}
