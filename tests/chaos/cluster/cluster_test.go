package cluster_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/watch"

	"sluice.dev/sluice/activities/kube/kubetest"
	"sluice.dev/sluice/tests/chaos/cluster"
)

var delays = cluster.Delays{React: 10 * time.Millisecond, PodReady: time.Second, PodGone: 2 * time.Second, Publish: 300 * time.Millisecond}

// inCluster runs a test in a bubble with the application of the fixtures.
func inCluster(t *testing.T, test func(t *testing.T, c *cluster.Cluster)) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		c := cluster.New(delays)
		go c.Run(ctx)
		c.Put(kubetest.Deployment(3))
		c.Put(kubetest.Service())
		time.Sleep(10 * time.Second)
		test(t, c)
		cancel()
	})
}

func edit(t *testing.T, c *cluster.Cluster, change func(*appsv1.Deployment)) {
	t.Helper()
	d := c.Deployments()[0]
	change(d)
	_, err := c.AppsV1().Deployments(d.Namespace).Update(t.Context(), d, metav1.UpdateOptions{})
	require.NoError(t, err)
}

func open(c *cluster.Cluster) int {
	n := 0
	for _, s := range c.Slices() {
		for _, e := range s.Endpoints {
			if *e.Conditions.Ready {
				n++
			}
		}
	}
	return n
}

func images(c *cluster.Cluster) map[string]int {
	found := map[string]int{}
	for _, p := range c.Pods() {
		found[p.Spec.Containers[0].Image]++
	}
	return found
}

func TestDeploymentComesUp(t *testing.T) {
	inCluster(t, func(t *testing.T, c *cluster.Cluster) {
		d := c.Deployments()[0]
		require.Equal(t, appsv1.DeploymentStatus{
			ObservedGeneration: d.Generation, Replicas: 3, UpdatedReplicas: 3, ReadyReplicas: 3, AvailableReplicas: 3,
		}, d.Status)
		require.Equal(t, 3, open(c))
		for _, p := range c.Pods() {
			require.True(t, c.Answers(p.Status.PodIP))
			require.Equal(t, "version:v1", c.ImageOf(p.Status.PodIP))
		}
		require.False(t, c.Answers("10.9.9.9"))
	})
}

// TestRollingUpdateKeepsItsBounds replaces all pods with maxUnavailable 0.
func TestRollingUpdateKeepsItsBounds(t *testing.T) {
	inCluster(t, func(t *testing.T, c *cluster.Cluster) {
		least := 3
		c.Watch(func(_ watch.EventType, _ runtime.Object) { least = min(least, open(c)) })
		edit(t, c, func(d *appsv1.Deployment) {
			d.Spec.Template.Spec.Containers[0].Image = "version:v2"
			d.Spec.Strategy.RollingUpdate = &appsv1.RollingUpdateDeployment{MaxUnavailable: new(intstr.FromInt32(0)), MaxSurge: new(intstr.FromInt32(1))}
		})
		time.Sleep(time.Minute)
		require.Equal(t, map[string]int{"version:v2": 3}, images(c))
		require.GreaterOrEqual(t, least, 2, "a pod that is told to stop leaves the endpoints before its successor is published, at most one")
		require.Equal(t, 3, open(c))
	})
}

func TestPausedDeploymentKeepsItsPods(t *testing.T) {
	inCluster(t, func(t *testing.T, c *cluster.Cluster) {
		edit(t, c, func(d *appsv1.Deployment) {
			d.Spec.Paused = true
			d.Spec.Template.Spec.Containers[0].Image = "version:v2"
			d.Spec.Replicas = new(int32(4))
		})
		time.Sleep(time.Minute)
		require.Equal(t, map[string]int{"version:v1": 4}, images(c))
		require.Equal(t, int32(0), c.Deployments()[0].Status.UpdatedReplicas)
	})
}

// TestPodsDieWhenTheyAreTold checks who knows what of a pod that ends.
func TestPodsDieWhenTheyAreTold(t *testing.T) {
	inCluster(t, func(t *testing.T, c *cluster.Cluster) {
		var ordered []string
		c.WatchOrders(func(p *corev1.Pod) { ordered = append(ordered, p.Status.PodIP) })
		edit(t, c, func(d *appsv1.Deployment) { d.Spec.Replicas = new(int32(2)) })
		time.Sleep(200 * time.Millisecond)
		require.Len(t, ordered, 1)
		require.False(t, c.Answers(ordered[0]), "it dies at once")
		require.Equal(t, 3, open(c), "the endpoints are late")
		time.Sleep(300 * time.Millisecond)
		require.Equal(t, 2, open(c))
		require.Len(t, c.Pods(), 3)
		time.Sleep(3 * time.Second)
		require.Len(t, c.Pods(), 2)
	})
}

func TestWhatLostItsOwnerGoes(t *testing.T) {
	inCluster(t, func(t *testing.T, c *cluster.Cluster) {
		c.Delete(c.Deployments()[0])
		c.Delete(c.Services()[0])
		time.Sleep(time.Minute)
		require.Empty(t, c.Pods())
		require.Empty(t, c.Slices())
	})
}
