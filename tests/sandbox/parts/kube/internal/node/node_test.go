package node

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
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
