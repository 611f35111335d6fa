package kube_test

import (
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	clienttesting "k8s.io/client-go/testing"

	"sluice.dev/sluice/activities/kube"
	"sluice.dev/sluice/activities/kube/kubetest"
)

func TestStartSaysWhatItMayNotList(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := kubetest.New()
		server.PrependReactor("list", "pods", func(clienttesting.Action) (bool, runtime.Object, error) {
			return true, nil, apierrors.NewForbidden(schema.GroupResource{Resource: "pods"}, "", nil)
		})
		c := kube.New(kube.Options{Client: server, Namespaces: []string{"shop"}, SyncTimeout: 5 * time.Second, Logger: slog.New(slog.DiscardHandler)})
		err := c.Start(t.Context())
		c.Stop()
		require.ErrorContains(t, err, "listing pods in namespace shop: ")
		require.ErrorContains(t, err, "grant the service account of the worker get, list and watch on pods in namespace shop")
		require.NotContains(t, err.Error(), "services")
	})
}

func TestStartOutlivesAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := kubetest.New(kubetest.Service())
		begun := time.Now()
		server.PrependReactor("list", "*", func(clienttesting.Action) (bool, runtime.Object, error) {
			if time.Since(begun) < 20*time.Second {
				return true, nil, errors.New("dial tcp: connect: connection refused")
			}
			return false, nil, nil
		})
		c := kube.New(kube.Options{Client: server, Logger: slog.New(slog.DiscardHandler)})
		require.NoError(t, c.Start(t.Context()))
		defer c.Stop()
		// The longest pause is 2 s and half of it, and caches are looked at every 100 ms.
		require.LessOrEqual(t, time.Since(begun), 23*time.Second+100*time.Millisecond, "it is fresh soon after the end of the outage")
	})
}

func TestExpiredVersionsAreLeftToTheInformer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := kubetest.New(kubetest.Service())
		lists := 0
		server.PrependReactor("list", "services", func(clienttesting.Action) (bool, runtime.Object, error) {
			lists++
			if lists == 1 {
				return true, nil, apierrors.NewResourceExpired("too old")
			}
			return false, nil, nil
		})
		c := kube.New(kube.Options{Client: server, Logger: slog.New(slog.DiscardHandler)})
		require.NoError(t, c.Start(t.Context()))
		defer c.Stop()
		require.Equal(t, 2, lists)
	})
}

func TestWatchedNamespaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		other := kubetest.Service()
		other.Namespace = "other"
		server := kubetest.New(kubetest.Service(), other)
		c := kube.New(kube.Options{Client: server, Namespaces: []string{"shop"}, Logger: slog.New(slog.DiscardHandler)})
		require.NoError(t, c.Start(t.Context()))
		defer c.Stop()
		require.True(t, c.Watches("shop"))
		require.False(t, c.Watches("other"))
		_, err := c.Services("shop").Get("demo")
		require.NoError(t, err)
		_, err = c.Services("other").Get("demo")
		require.True(t, apierrors.IsNotFound(err))
	})
}

func TestCacheKeepsLittle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := kubetest.Deployment(2)
		d.Annotations[corev1.LastAppliedConfigAnnotation] = "long"
		server := kubetest.New(d)
		c := kubetest.Cluster(t, server)

		cached, err := c.Deployments(kubetest.Namespace).Get("demo")
		require.NoError(t, err)
		value, present := cached.Annotations[corev1.LastAppliedConfigAnnotation]
		require.True(t, present, "patches have to know the map as it is")
		require.Empty(t, value)
		require.Equal(t, "kubectl", cached.ManagedFields[0].Manager)

		sets := c.ReplicaSetsOf(cached)
		require.Len(t, sets, 1)
		require.NotEmpty(t, sets[0].Spec.Template.Spec.Containers, "the running revision")
		pods := c.PodsOf(sets[0])
		require.Len(t, pods, 2)
		require.Empty(t, pods[0].Spec.Containers)
		require.NotEmpty(t, pods[0].Status.Conditions)
	})
}

func TestRetiredTemplatesAreReadLive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := kubetest.New(kubetest.Deployment(2))
		next := kubetest.Deployment(2)
		next.Spec.Template.Spec.Containers[0].Image = "version:v2"
		server.Put(next)
		c := kubetest.Cluster(t, server)
		d, err := c.Deployments(kubetest.Namespace).Get("demo")
		require.NoError(t, err)
		for _, rs := range c.ReplicaSetsOf(d) {
			live, err := c.LiveReplicaSet(t.Context(), kubetest.Namespace, rs.Name)
			require.NoError(t, err)
			require.Len(t, live.Spec.Template.Spec.Containers, 1)
		}
		require.Len(t, server.Reads(), 1, "only the retired one")
		_, err = c.LiveReplicaSet(t.Context(), kubetest.Namespace, "none")
		require.True(t, kube.IsType(err, kube.ErrNotFound))
	})
}

func TestEndpoints(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := kubetest.New(kubetest.Deployment(2), kubetest.Service())
		c := kubetest.Cluster(t, server)
		require.Len(t, c.Endpoints(kubetest.Namespace, "demo"), 2)
		for _, e := range c.Endpoints(kubetest.Namespace, "demo") {
			require.True(t, e.Ready)
		}
		server.PodsReady(func(map[string]string) bool { return false }, "CrashLoopBackOff")
		synctest.Wait()
		for _, e := range c.Endpoints(kubetest.Namespace, "demo") {
			require.False(t, e.Ready)
		}
		require.Empty(t, c.Endpoints(kubetest.Namespace, "none"))
	})
}

// TestEndpointsOfEveryFamily publishes a pod to IPv4 first.
func TestEndpointsOfEveryFamily(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := kubetest.New()
		server.Freeze()
		c := kubetest.Cluster(t, server)
		publish := func(family discoveryv1.AddressType, uids ...string) {
			s := &discoveryv1.EndpointSlice{AddressType: family, ObjectMeta: metav1.ObjectMeta{
				Namespace: kubetest.Namespace, Name: "demo-" + strings.ToLower(string(family)), Labels: map[string]string{discoveryv1.LabelServiceName: "demo"},
			}}
			for _, uid := range uids {
				s.Endpoints = append(s.Endpoints, discoveryv1.Endpoint{Addresses: []string{"::1"}, TargetRef: &corev1.ObjectReference{Kind: "Pod", Name: uid, UID: types.UID(uid)}})
			}
			server.Put(s)
			synctest.Wait()
		}
		publish(discoveryv1.AddressTypeIPv4, "a", "b")
		require.True(t, c.Endpoints(kubetest.Namespace, "demo")["b"].Ready)
		publish(discoveryv1.AddressTypeIPv6, "a")
		found := c.Endpoints(kubetest.Namespace, "demo")
		require.Len(t, found, 2)
		require.True(t, found["a"].Ready)
		require.False(t, found["b"].Ready, "clients by IPv6 cannot reach it yet")
		publish(discoveryv1.AddressTypeIPv6, "a", "b")
		require.True(t, c.Endpoints(kubetest.Namespace, "demo")["b"].Ready)
	})
}

func TestAtLeast(t *testing.T) {
	cases := []struct {
		have, want string
		is         bool
	}{
		{"9", "9", true}, {"10", "9", true}, {"9", "10", false}, {"", "1", false}, {"9", "", true}, {"x", "x", true}, {"x", "y", false},
	}
	for _, c := range cases {
		d := &appsv1.Deployment{}
		d.ResourceVersion = c.have
		require.Equal(t, c.is, kube.AtLeast(d, c.want), "%q at least %q", c.have, c.want)
	}
}
