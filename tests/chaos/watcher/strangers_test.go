package watcher_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sluice.dev/sluice/activities/kube/kubetest"
	"sluice.dev/sluice/config"
	"sluice.dev/sluice/tests/chaos/cluster"
	"sluice.dev/sluice/tests/chaos/watcher"
)

// TestStrangersAreWatched does to the object of a stranger what Sluice must not.
func TestStrangersAreWatched(t *testing.T) {
	for name, c := range map[string]struct {
		harm func(clu *cluster.Cluster, w *watcher.Watcher, s *corev1.Service)
		want string
	}{
		"left alone": {func(*cluster.Cluster, *watcher.Watcher, *corev1.Service) {}, ""},
		"adopted": {func(clu *cluster.Cluster, _ *watcher.Watcher, s *corev1.Service) {
			s.Labels, s.Annotations = map[string]string{"sluice.dev/rollout": "r1"}, nil
			clu.Put(s)
		}, "of a stranger was changed"},
		"deleted": {func(clu *cluster.Cluster, _ *watcher.Watcher, s *corev1.Service) { clu.Delete(s) }, "of a stranger was deleted"},
		"gone by itself": {func(clu *cluster.Cluster, w *watcher.Watcher, s *corev1.Service) {
			w.Leaves()
			clu.Delete(s)
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(context.Background())
				defer cancel()
				clu, w := watched(ctx, config.IsolateByLabel)
				s := &corev1.Service{ObjectMeta: metav1.ObjectMeta{
					Name: "demo-canary", Namespace: kubetest.Namespace, Annotations: map[string]string{watcher.Stranger: "yes"},
				}}
				clu.Put(s.DeepCopy())
				c.harm(clu, w, s)
				time.Sleep(time.Second)
				text := strings.Join(w.Seen(), "\n")
				require.Equal(t, c.want == "", text == "", text)
				require.Contains(t, text, c.want)
			})
		})
	}
}
