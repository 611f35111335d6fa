package node

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
)

func TestComplete(t *testing.T) {
	root := filepath.Join(t.TempDir(), "node")
	require.ErrorContains(t, (&options{rootDir: root}).complete(), "--kubeconfig is empty")
	require.ErrorContains(t, (&options{kubeconfig: "k"}).complete(), "--root-dir is empty")
	o := options{kubeconfig: "k", rootDir: root + "/../node"}
	require.NoError(t, o.complete())
	require.Equal(t, root, o.rootDir)
	require.DirExists(t, root)
}

func TestLockRoot(t *testing.T) {
	root := t.TempDir()
	lock, err := lockRoot(t.Context(), root, 0)
	require.NoError(t, err)
	_, err = lockRoot(t.Context(), root, 0)
	require.ErrorContains(t, err, "held by a running node")

	got := make(chan error, 1)
	go func() {
		next, err := lockRoot(t.Context(), root, time.Minute)
		if err == nil {
			err = next.Close()
		}
		got <- err
	}()
	require.NoError(t, lock.Close())
	require.NoError(t, <-got, "the next node waits for one that is ending")
}

func TestWaitForAPI(t *testing.T) {
	var asked atomic.Int32
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if asked.Add(1) < 3 {
			http.Error(w, "starting", http.StatusServiceUnavailable)
			return
		}
		// A node that was never seen before is not there, which is an answer.
		require.Equal(t, "/api/v1/nodes/node-1", req.URL.Path)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"NotFound","code":404}`)
	}))
	defer api.Close()
	require.NoError(t, waitForAPI(t.Context(), &rest.Config{Host: api.URL}, "node-1"))
	require.Equal(t, int32(3), asked.Load())

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := waitForAPI(ctx, &rest.Config{Host: "http://127.0.0.1:1"}, "node-1")
	require.ErrorContains(t, err, "waiting for the API server at http://127.0.0.1:1")
}

func TestServerCertificate(t *testing.T) {
	o := options{name: "node-1", nodeIP: "192.0.2.10", rootDir: t.TempDir()}
	tls, err := serverCertificate(o)
	require.NoError(t, err)
	require.FileExists(t, tls.CertFile)
	info, err := os.Stat(tls.KeyFile)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
}

func TestMachine(t *testing.T) {
	info, err := machine{name: "node-1"}.MachineInfo(klog.Background())
	require.NoError(t, err)
	require.Equal(t, cores, info.NumCores)
	require.Equal(t, "node-1", info.MachineID)
	storageOf := limits{}.GetCapacity(klog.Background(), true)
	require.Equal(t, int64(storage), storageOf.StorageEphemeral().Value())
}
