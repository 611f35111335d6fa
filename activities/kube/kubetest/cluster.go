package kubetest

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"sluice.dev/sluice/activities/kube"
)

// Cluster returns a started cache over a server. It ends with the test; call it
// inside of a synctest bubble, where waits cost no time.
func Cluster(t *testing.T, s *Server) *kube.Cluster {
	t.Helper()
	c := kube.New(kube.Options{Client: s, Logger: slog.New(slog.DiscardHandler)})
	ctx, cancel := context.WithCancel(context.Background())
	require.NoError(t, c.Start(ctx))
	t.Cleanup(func() {
		cancel()
		c.Stop()
	})
	synctest.Wait()
	s.ClearActions()
	return c
}
