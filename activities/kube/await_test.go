package kube_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	corev1 "k8s.io/api/core/v1"

	"sluice.dev/sluice/activities/kube"
	"sluice.dev/sluice/activities/kube/kubetest"
)

// service is a fixture with a port, so that it can be told from another.
func service(name string, port int32) *corev1.Service {
	s := kubetest.Service()
	s.Name, s.Spec.Ports[0].Port = name, port
	return s
}

func port(c *kube.Cluster, name string) int32 {
	s, err := c.Services(kubetest.Namespace).Get(name)
	if err != nil {
		return 0
	}
	return s.Spec.Ports[0].Port
}

func TestAwaitWakesOnChangeWithoutPolling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := kubetest.New(service("a", 1))
		c := kubetest.Cluster(t, server)
		begun, looks := time.Now(), 0
		done := make(chan error)
		go func() {
			done <- c.Await(t.Context(), kubetest.Namespace, nil, func() (bool, string, error) {
				looks++
				return port(c, "a") == 2, "", nil
			})
		}()
		synctest.Wait()
		require.Equal(t, 1, looks)
		server.Put(service("a", 2))
		require.NoError(t, <-done)
		require.Zero(t, time.Since(begun), "it woke by the change, not by a timer")
		require.Empty(t, server.Reads())
	})
}

func TestAwaitLooksAgainWithoutEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := kubetest.Cluster(t, kubetest.New())
		begun := time.Now()
		err := c.Await(t.Context(), kubetest.Namespace, nil, func() (bool, string, error) {
			return time.Since(begun) >= 5*time.Second, "", nil
		})
		require.NoError(t, err)
		require.LessOrEqual(t, time.Since(begun), 6*time.Second)
	})
}

func TestAwaitIgnoresOtherTopics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := kubetest.New(service("a", 1), service("b", 1))
		c := kubetest.Cluster(t, server)
		ctx, cancel := context.WithCancel(t.Context())
		looks := 0
		done := make(chan error)
		go func() {
			wait := kube.Wait{Namespace: kubetest.Namespace, Topics: []kube.Topic{kube.AboutService("a")}}
			done <- c.AwaitState(ctx, wait, func() (kube.State, error) {
				looks++
				return kube.State{}, nil
			})
		}()
		synctest.Wait()
		server.Put(service("b", 2))
		synctest.Wait()
		require.Equal(t, 1, looks)
		server.Put(service("a", 2))
		synctest.Wait()
		require.Equal(t, 2, looks)
		cancel()
		require.ErrorIs(t, <-done, context.Canceled)
	})
}

func TestAwaitSettles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := kubetest.Cluster(t, kubetest.New())
		begun := time.Now()
		marks := []string{"a", "b"}
		wait := kube.Wait{Namespace: kubetest.Namespace, Settle: 250 * time.Millisecond}
		err := c.AwaitState(t.Context(), wait, func() (kube.State, error) {
			mark := marks[min(1, int(time.Since(begun)/(100*time.Millisecond)))]
			return kube.State{Done: true, Mark: mark}, nil
		})
		require.NoError(t, err)
		// The mark is seen to have changed when the first settling ends.
		require.Equal(t, 500*time.Millisecond, time.Since(begun))
	})
}

func TestAwaitReturnsTheErrorOfCheck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := kubetest.Cluster(t, kubetest.New())
		failure := errors.New("no")
		err := c.Await(t.Context(), kubetest.Namespace, nil, func() (bool, string, error) { return false, "", failure })
		require.ErrorIs(t, err, failure)
	})
}

func TestAwaitTellsProgressAtOnceAndThenInRhythm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := kubetest.Cluster(t, kubetest.New())
		begun := time.Now()
		var told []string
		beat := func(p string) { told = append(told, p) }
		err := c.Await(t.Context(), kubetest.Namespace, beat, func() (bool, string, error) {
			if time.Since(begun) < 2*time.Second {
				return false, "early", nil
			}
			return time.Since(begun) >= 3*time.Second, "late", nil
		})
		require.NoError(t, err)
		require.Equal(t, []string{"early", "early", "late", "late"}, told)
	})
}

func TestAwaitEndsWhenTheWorkerStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := kubetest.Cluster(t, kubetest.New())
		stop := make(chan struct{})
		env := (&testsuite.WorkflowTestSuite{}).NewTestActivityEnvironment()
		env.SetWorkerStopChannel(stop)
		activity := func(ctx context.Context) error {
			go close(stop)
			return c.Await(ctx, kubetest.Namespace, kube.Beat(ctx), func() (bool, string, error) { return false, "waiting", nil })
		}
		env.RegisterActivity(activity)
		_, err := env.ExecuteActivity(activity)
		var app *temporal.ApplicationError
		require.ErrorAs(t, err, &app)
		require.Equal(t, kube.ErrWorkerStopping, app.Type())
		require.False(t, app.NonRetryable())
	})
}
