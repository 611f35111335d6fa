package fakenodes

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

func TestAddresses(t *testing.T) {
	a, err := newAddresses("10.245.0.0/29")
	require.NoError(t, err)
	a.keep("old", "10.245.0.2")
	take := func(pod types.UID) string {
		t.Helper()
		address, err := a.take(pod)
		require.NoError(t, err)
		return address
	}
	require.Equal(t, "10.245.0.1", take("a"))
	require.Equal(t, "10.245.0.3", take("b"), "a kept address is not given away")
	require.Equal(t, "10.245.0.1", take("a"), "a pod keeps its address")
	require.Equal(t, "10.245.0.2", take("old"))
	for _, pod := range []types.UID{"c", "d", "e", "f"} {
		take(pod)
	}
	_, err = a.take("g")
	require.ErrorContains(t, err, "all of 10.245.0.0/29 are in use")
	a.free("b")
	require.Equal(t, "10.245.0.3", take("g"))
}

func TestAddressesRefuse(t *testing.T) {
	for _, cidr := range []string{"", "10.245.0.0", "fd00::/64", "10.245.0.0/32"} {
		_, err := newAddresses(cidr)
		require.ErrorContains(t, err, "reading --pod-cidr", cidr)
	}
}

func testPod() *v1.Pod {
	return &v1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web-1", UID: "u1"},
		Spec: v1.PodSpec{
			NodeName:       nodeName(3),
			InitContainers: []v1.Container{{Name: "init", Image: "app:v0"}},
			Containers:     []v1.Container{{Name: "main", Image: "app:v1"}, {Name: "side", Image: "side:v1"}},
		},
	}
}

func TestRunningStatus(t *testing.T) {
	now := metav1.Now()
	s := runningStatus(testPod(), "10.245.0.7", now)
	require.Equal(t, v1.PodRunning, s.Phase)
	require.Equal(t, "10.245.0.7", s.PodIP)
	require.Equal(t, []v1.PodIP{{IP: "10.245.0.7"}}, s.PodIPs)
	for _, c := range s.Conditions {
		require.Equal(t, v1.ConditionTrue, c.Status, c.Type)
		require.Equal(t, now, c.LastTransitionTime)
	}
	require.Equal(t, "Completed", s.InitContainerStatuses[0].State.Terminated.Reason)
	require.Len(t, s.ContainerStatuses, 2)
	for i, c := range s.ContainerStatuses {
		require.Equal(t, testPod().Spec.Containers[i].Name, c.Name)
		require.Equal(t, testPod().Spec.Containers[i].Image, c.Image)
		require.True(t, c.Ready)
		require.NotNil(t, c.State.Running)
	}
}

func TestReadyPatch(t *testing.T) {
	a, err := newAddresses("10.245.0.0/16")
	require.NoError(t, err)
	p := &pods{addresses: a}
	patch, err := p.readyPatch(testPod())
	require.NoError(t, err)
	var got struct {
		Metadata struct{ UID string }
		Status   v1.PodStatus
	}
	require.NoError(t, json.Unmarshal(patch, &got))
	require.Equal(t, "u1", got.Metadata.UID)
	require.Equal(t, "10.245.0.1", got.Status.PodIP)
	p.deleted(testPod())
	require.Empty(t, a.used, "a deleted pod gives its address back")
}

func TestIsFake(t *testing.T) {
	require.True(t, isFake(testPod()))
	require.False(t, isFake(&v1.Pod{Spec: v1.PodSpec{NodeName: "node-1"}}))
	require.False(t, isFake(&v1.Pod{}))
}

func TestNewNode(t *testing.T) {
	n := newNode("fake-0")
	require.Equal(t, "fake", n.Labels["type"])
	require.Equal(t, []v1.Taint{{Key: "sluice.dev/fake", Value: "true", Effect: v1.TaintEffectNoSchedule}}, n.Spec.Taints)
	s := readyStatus("fake-0", metav1.Now())
	require.Equal(t, int64(podsPerNode), s.Allocatable.Pods().Value())
	require.Equal(t, v1.NodeReady, s.Conditions[0].Type)
	require.Equal(t, v1.ConditionTrue, s.Conditions[0].Status)
}
