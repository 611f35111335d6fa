package watcher_test

import (
	"context"
	"maps"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"

	"sluice.dev/sluice/activities/kube/kubetest"
	"sluice.dev/sluice/config"
	"sluice.dev/sluice/tests/chaos/cluster"
	"sluice.dev/sluice/tests/chaos/gateway"
	"sluice.dev/sluice/tests/chaos/watcher"
)

// TestSelectorIsWatched lets the Service of the user be written and canary pods
// appear as they must not be.
func TestSelectorIsWatched(t *testing.T) {
	const hashKey = "pod-template-hash"
	for name, c := range map[string]struct {
		isolation config.Isolation
		// harm is done to the Service, given the template hashes of both sides.
		harm func(s *corev1.Service, stable, canary string)
		want string
	}{
		"narrowed and recorded": {config.IsolateBySelector, func(s *corev1.Service, stable, _ string) { narrow(s, stable, stable) }, ""},
		"of another mode":       {config.IsolateByLabel, func(s *corev1.Service, stable, _ string) { narrow(s, stable, stable) }, "I12"},
		"not recorded":          {config.IsolateBySelector, func(s *corev1.Service, stable, canary string) { narrow(s, stable, canary) }, "I12"},
		"another key":           {config.IsolateBySelector, func(s *corev1.Service, _, _ string) { s.Spec.Selector["tier"] = "web" }, "I12"},
		"to nobody":             {config.IsolateBySelector, func(s *corev1.Service, _, _ string) { narrow(s, "none", "none") }, "which no ready pod has"},
		"to canary":             {config.IsolateBySelector, func(s *corev1.Service, _, canary string) { narrow(s, canary, canary) }, "leaves Service demo"},
		"wide beside canary": {config.IsolateBySelector, func(s *corev1.Service, _, _ string) {
			delete(s.Spec.Selector, hashKey)
		}, "sends requests for stable to demo-canary-"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(context.Background())
				defer cancel()
				clu, w := watched(ctx, c.isolation)
				hashes := map[bool]string{}
				for _, p := range clu.Pods() {
					hashes[strings.HasPrefix(p.Name, "demo-canary-")] = p.Labels[hashKey]
				}
				s := clu.Services()[0]
				c.harm(s, hashes[false], hashes[true])
				clu.Put(s)
				time.Sleep(5 * time.Second)
				synctest.Wait()
				text := strings.Join(w.Seen(), "\n")
				if c.want == "" {
					require.Empty(t, text)
					return
				}
				require.Contains(t, text, c.want)
			})
		})
	}
}

// narrow adds a key to the selector and a record of it.
func narrow(s *corev1.Service, hash, recorded string) {
	selector := maps.Clone(s.Spec.Selector)
	selector["pod-template-hash"] = hash
	s.Spec.Selector = selector
	s.Annotations["sluice.dev/release"] = `{"hash":"` + recorded + `"}`
	s.Labels = map[string]string{"sluice.dev/selected": "2"}
}

// watched returns a cluster whose Service is narrowed to the pods of the workload
// beside pods of canary that have all its labels.
func watched(ctx context.Context, isolation config.Isolation) (*cluster.Cluster, *watcher.Watcher) {
	clu := cluster.New(cluster.Delays{React: time.Millisecond, PodReady: time.Second, PodGone: time.Second, Publish: time.Millisecond})
	g := gateway.New("one", "10.9.0.1:8080", gateway.Traefik, gateway.Lag{})
	w := watcher.New(watcher.Options{
		Cluster: clu, Replicas: []*gateway.Replica{g}, Pods: 2, Path: "/version",
		Document: config.Rollout{
			Namespace: kubetest.Namespace, Isolation: isolation, Workload: config.ObjectRef{Name: "demo"},
			Traffic: config.Traffic{Service: "demo", Ingress: config.IngressRef{Name: "demo"}},
		},
	})
	clu.Watch(func(event watch.EventType, obj runtime.Object) {
		g.See(event, obj)
		w.See(event, obj)
	})
	go clu.Run(ctx)
	clu.Put(kubetest.Ingress())
	clu.Put(kubetest.Deployment(2))
	clu.Put(kubetest.Service())
	time.Sleep(5 * time.Second)
	w.Start()
	s := clu.Services()[0]
	hash := clu.Pods()[0].Labels["pod-template-hash"]
	if isolation == config.IsolateBySelector {
		narrow(s, hash, hash)
		clu.Put(s)
		time.Sleep(time.Second)
	}
	canary := kubetest.Deployment(2)
	canary.Name, canary.UID = "demo-canary", "canary"
	canary.Spec.Template.Labels["sluice.dev/rollout"] = "r1"
	if isolation != config.IsolateBySelector {
		canary.Spec.Template.Labels["app"] = "demo-canary"
	}
	clu.Put(canary)
	time.Sleep(5 * time.Second)
	return clu, w
}
