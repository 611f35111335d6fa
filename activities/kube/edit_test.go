package kube_test

import (
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clienttesting "k8s.io/client-go/testing"

	"sluice.dev/sluice/activities/kube"
	"sluice.dev/sluice/activities/kube/kubetest"
	"sluice.dev/sluice/activities/release"
)

// pause is an edit: it pauses a Deployment that is not.
func pause(d *appsv1.Deployment) (kube.Patch, error) {
	var p kube.Patch
	if !d.Spec.Paused {
		p.Set(true, "spec", "paused")
	}
	return p, nil
}

func record(d *appsv1.Deployment, text string) *appsv1.Deployment {
	d.Annotations[release.AnnotationRelease] = text
	return d
}

func TestEditWritesOnceFromTheCache(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := kubetest.New(kubetest.Deployment(2))
		c := kubetest.Cluster(t, server)
		d, wrote, err := c.EditDeployment(t.Context(), kubetest.Ref(1), kube.Editing{}, pause)
		require.NoError(t, err)
		require.True(t, wrote)
		require.True(t, d.Spec.Paused)
		require.Equal(t, []string{"patch deployments demo"}, server.Writes())
		require.Empty(t, server.Reads())
	})
}

func TestEditBelievesNothingToDoFromALiveReadOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := kubetest.New(kubetest.Deployment(2))
		c := kubetest.Cluster(t, server)
		for range 2 {
			_, _, err := c.EditDeployment(t.Context(), kubetest.Ref(1), kube.Editing{}, pause)
			require.NoError(t, err)
			synctest.Wait()
		}
		require.Equal(t, []string{"patch deployments demo"}, server.Writes())
		require.Equal(t, []string{"get deployments demo"}, server.Reads())
	})
}

func TestEditOfAStaleCacheReadsLiveAndDecidesAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := kubetest.New(kubetest.Deployment(2))
		cluster := kubetest.Cluster(t, server)
		edit := func(d *appsv1.Deployment) (kube.Patch, error) {
			if *d.Spec.Replicas == 2 {
				// Somebody scales between the read and the write.
				server.Put(kubetest.Deployment(3))
			}
			return pause(d)
		}
		d, _, err := cluster.EditDeployment(t.Context(), kubetest.Ref(1), kube.Editing{}, edit)
		require.NoError(t, err)
		require.Equal(t, int32(3), *d.Spec.Replicas)
		require.True(t, d.Spec.Paused)
		require.Len(t, server.Writes(), 2)
	})
}

func TestEditGivesUpOnAWorkloadThatNeverRests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := kubetest.New(kubetest.Deployment(2))
		c := kubetest.Cluster(t, server)
		n := int32(2)
		_, _, err := c.EditDeployment(t.Context(), kubetest.Ref(1), kube.Editing{}, func(d *appsv1.Deployment) (kube.Patch, error) {
			n++
			server.Put(kubetest.Deployment(n))
			return pause(d)
		})
		require.True(t, kube.IsType(err, kube.ErrConflict), "%v", err)
	})
}

func TestEditIsFenced(t *testing.T) {
	cases := []struct{ name, record, want string }{
		{"earlier operation", `{"id":"r1","seq":3}`, ""},
		{"same operation", `{"id":"r1","seq":5}`, ""},
		{"later operation", `{"id":"r1","seq":6}`, kube.ErrSuperseded},
		{"another rollout", `{"id":"r2","seq":1}`, kube.ErrSuperseded},
		{"unreadable", `{`, kube.ErrDrift},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := kubetest.New(record(kubetest.Deployment(2), c.record))
				cluster := kubetest.Cluster(t, server)
				_, _, err := cluster.EditDeployment(t.Context(), kubetest.Ref(5), kube.Editing{}, pause)
				if c.want == "" {
					require.NoError(t, err)
					return
				}
				require.True(t, kube.IsType(err, c.want), "%v", err)
				require.Empty(t, server.Writes())
			})
		})
	}
}

func TestEditMapsErrorsOfTheAPI(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := kubetest.New(kubetest.Deployment(2))
		c := kubetest.Cluster(t, server)
		server.PrependReactor("patch", "deployments", func(clienttesting.Action) (bool, runtime.Object, error) {
			return true, nil, apierrors.NewForbidden(schema.GroupResource{Group: "apps", Resource: "deployments"}, "demo", nil)
		})
		_, _, err := c.EditDeployment(t.Context(), kubetest.Ref(1), kube.Editing{}, pause)
		require.True(t, kube.IsType(err, kube.ErrForbidden), "%v", err)
		require.Contains(t, err.Error(), "changing Deployment shop/demo: ")

		ref := kubetest.Ref(1)
		ref.Workload.Name = "gone"
		_, _, err = c.EditDeployment(t.Context(), ref, kube.Editing{}, pause)
		require.True(t, kube.IsType(err, kube.ErrNotFound), "%v", err)
	})
}

func TestDryRunStoresNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := kubetest.New(kubetest.Deployment(2))
		c := kubetest.Cluster(t, server)
		d, err := c.Deployments(kubetest.Namespace).Get("demo")
		require.NoError(t, err)
		patch, err := pause(d)
		require.NoError(t, err)
		dry, err := c.DryRunDeployment(t.Context(), d, patch)
		require.NoError(t, err)
		require.True(t, dry.Spec.Paused)
		synctest.Wait()
		d, err = c.Deployments(kubetest.Namespace).Get("demo")
		require.NoError(t, err)
		require.False(t, d.Spec.Paused)
	})
}

func TestOpenWorkload(t *testing.T) {
	cases := []struct{ name, record, want string }{
		{"open", `{"id":"r1","seq":3}`, ""},
		{"no rollout", "", kube.ErrSuperseded},
		{"another rollout", `{"id":"r2","seq":1}`, kube.ErrSuperseded},
		{"later operation", `{"id":"r1","seq":6}`, kube.ErrSuperseded},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := kubetest.Deployment(2)
				if c.record != "" {
					record(d, c.record)
				}
				server := kubetest.New(d)
				cluster := kubetest.Cluster(t, server)
				_, err := cluster.OpenWorkload(t.Context(), kubetest.Ref(5))
				if c.want == "" {
					require.NoError(t, err)
					require.Empty(t, server.Reads())
					return
				}
				require.True(t, kube.IsType(err, c.want), "%v", err)
				require.Equal(t, []string{"get deployments demo"}, server.Reads(), "it says no only after a live read")
			})
		})
	}
}

func TestEditThatTestsItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := kubetest.New(kubetest.Deployment(2))
		c := kubetest.Cluster(t, server)
		names := []string{}
		scaled := false
		d, _, err := c.EditDeployment(t.Context(), kubetest.Ref(1), kube.Editing{Tested: true}, func(d *appsv1.Deployment) (kube.Patch, error) {
			if !scaled {
				scaled = true
				// The version changes, and with it nothing that matters here.
				server.Put(kubetest.Deployment(3))
			}
			names = append(names, d.ManagedFields[0].Manager)
			var p kube.Patch
			p.Test("kubectl", "metadata", "managedFields", "0", "manager")
			p.Remove("metadata", "managedFields", "0")
			return p, nil
		})
		require.NoError(t, err)
		require.Empty(t, d.ManagedFields)
		require.Len(t, names, 1)
		require.Empty(t, server.Reads())
	})
}
