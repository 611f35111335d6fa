package kube_test

import (
	"errors"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clienttesting "k8s.io/client-go/testing"

	"sluice.dev/sluice/activities/kube"
	"sluice.dev/sluice/activities/kube/kubetest"
	"sluice.dev/sluice/activities/release"
)

const canary = "demo-canary"

// ports is a mutation of a Service to one port.
func ports(n int32) func(*corev1.Service) {
	return func(s *corev1.Service) { s.Spec.Ports = []corev1.ServicePort{{Port: n}} }
}

// owned is a Service of ours as it is stored.
func owned(id, seq string, n int32) *corev1.Service {
	s := service(canary, n)
	s.Spec.Ports = []corev1.ServicePort{{Port: n}}
	s.Labels = map[string]string{release.LabelRollout: id, release.LabelWorkload: "demo"}
	s.Annotations = map[string]string{release.AnnotationSeq: seq, release.AnnotationMark: kube.Mark(s)}
	return s
}

func TestEnsureCreatesWithOurMarks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := kubetest.New()
		c := kubetest.Cluster(t, server)
		s, wrote, err := c.EnsureService(t.Context(), kubetest.Ref(4), canary, kube.Own{}, ports(80))
		require.NoError(t, err)
		require.True(t, wrote)
		require.Equal(t, map[string]string{release.LabelRollout: "r1", release.LabelWorkload: "demo"}, s.Labels)
		require.Equal(t, map[string]string{release.AnnotationSeq: "4", release.AnnotationMark: kube.Mark(s)}, s.Annotations)
		require.Empty(t, s.OwnerReferences)
		require.Equal(t, []string{"create services demo-canary"}, server.Writes())
		require.Empty(t, server.Reads())
	})
}

func TestEnsureOfAnExistingObject(t *testing.T) {
	cases := []struct {
		name   string
		have   *corev1.Service
		how    kube.Own
		want   string
		writes int
		reads  int
		seq    string
	}{
		{"changes it", owned("r1", "3", 1), kube.Own{}, "", 1, 0, "5"},
		{"leaves what is right, after a live read", owned("r1", "3", 80), kube.Own{}, "", 0, 1, "3"},
		{"leaves what is right, trusting the cache", owned("r1", "3", 80), kube.Own{TrustCache: true}, "", 0, 0, "3"},
		{"fences what is right", owned("r1", "3", 80), kube.Own{Fence: true}, "", 1, 0, "5"},
		{"does not fence twice", owned("r1", "5", 80), kube.Own{Fence: true}, "", 0, 1, "5"},
		{"loses to a later operation", owned("r1", "6", 1), kube.Own{}, kube.ErrSuperseded, 0, 1, "6"},
		{"does not touch another rollout's", owned("r2", "1", 1), kube.Own{}, kube.ErrRefused, 0, 1, "1"},
		{"does not touch the user's", service(canary, 1), kube.Own{}, kube.ErrRefused, 0, 1, ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := kubetest.New(c.have)
				cluster := kubetest.Cluster(t, server)
				_, wrote, err := cluster.EnsureService(t.Context(), kubetest.Ref(5), canary, c.how, ports(80))
				require.Len(t, server.Writes(), c.writes)
				require.Len(t, server.Reads(), c.reads)
				require.Equal(t, c.writes > 0, wrote)
				if c.want != "" {
					require.True(t, kube.IsType(err, c.want), "%v", err)
				} else {
					require.NoError(t, err)
				}
				synctest.Wait()
				s, err := cluster.Services(kubetest.Namespace).Get(canary)
				require.NoError(t, err)
				require.Equal(t, c.seq, s.Annotations[release.AnnotationSeq])
			})
		})
	}
}

func TestEnsureMeetsALaterOperationUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := kubetest.New(owned("r1", "3", 1))
		c := kubetest.Cluster(t, server)
		interrupted := false
		_, _, err := c.EnsureService(t.Context(), kubetest.Ref(5), canary, kube.Own{}, func(s *corev1.Service) {
			if !interrupted {
				interrupted = true
				server.Put(owned("r1", "6", 7))
			}
			ports(80)(s)
		})
		require.True(t, kube.IsType(err, kube.ErrSuperseded), "%v", err)
		synctest.Wait()
		require.Equal(t, int32(7), port(c, canary), "the later operation stands")
	})
}

func TestEnsureSurvivesALostAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := kubetest.New()
		c := kubetest.Cluster(t, server)
		lost := false
		server.PrependReactor("create", "services", func(a clienttesting.Action) (bool, runtime.Object, error) {
			if lost {
				return false, nil, nil
			}
			lost = true
			action, _ := a.(clienttesting.CreateAction)
			server.Put(action.GetObject())
			return true, nil, errors.New("connection reset by peer")
		})
		_, _, err := c.EnsureService(t.Context(), kubetest.Ref(5), canary, kube.Own{}, ports(80))
		require.True(t, kube.IsType(err, kube.ErrUnavailable), "%v", err)
		_, wrote, err := c.EnsureService(t.Context(), kubetest.Ref(5), canary, kube.Own{}, ports(80))
		require.NoError(t, err)
		require.False(t, wrote)
	})
}

func TestRemove(t *testing.T) {
	cases := []struct {
		name   string
		have   []runtime.Object
		want   string
		found  bool
		writes int
	}{
		{"ours", []runtime.Object{owned("r1", "3", 1)}, "", true, 1},
		{"gone already", nil, "", false, 0},
		{"not ours", []runtime.Object{service(canary, 1)}, "", false, 0},
		{"of a later operation", []runtime.Object{owned("r1", "6", 1)}, kube.ErrSuperseded, false, 0},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := kubetest.New(c.have...)
				cluster := kubetest.Cluster(t, server)
				found, err := cluster.RemoveService(t.Context(), kubetest.Ref(5), canary)
				if c.want != "" {
					require.True(t, kube.IsType(err, c.want), "%v", err)
				} else {
					require.NoError(t, err)
				}
				require.Equal(t, c.found, found)
				require.Len(t, server.Writes(), c.writes)
			})
		})
	}
}

func TestLabelValue(t *testing.T) {
	long := string(make([]byte, 0))
	for range 100 {
		long += "a"
	}
	require.Equal(t, "demo", kube.LabelValue("demo"))
	require.Len(t, kube.LabelValue(long), 63)
	require.NotEqual(t, kube.LabelValue(long), kube.LabelValue(long+"b"))
}

func TestEnsureDoesNotBringBackWhatVanishes(t *testing.T) {
	cases := []struct {
		name string
		have int32
	}{
		{"before a change", 1}, {"before it is believed that nothing is to be done", 80},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := kubetest.New(owned("r1", "3", c.have))
				cluster := kubetest.Cluster(t, server)
				gone := false
				_, _, err := cluster.EnsureService(t.Context(), kubetest.Ref(5), canary, kube.Own{}, func(s *corev1.Service) {
					if !gone {
						gone = true
						server.Delete(owned("r1", "3", 1))
					}
					ports(80)(s)
				})
				require.True(t, kube.IsType(err, kube.ErrConflict), "%v", err)
				synctest.Wait()
				require.Zero(t, port(cluster, canary))
			})
		})
	}
}
