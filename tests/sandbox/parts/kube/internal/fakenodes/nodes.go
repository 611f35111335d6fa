package fakenodes

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	coordination "k8s.io/api/coordination/v1"
	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clientset "k8s.io/client-go/kubernetes"
	"k8s.io/utils/ptr"
)

const (
	labelKey   = "type"
	labelValue = "fake"
	taintKey   = "sluice.dev/fake"
	nodePrefix = "fake-"

	podsPerNode = 1000
	// leaseSeconds is how long a node counts as alive after a renewal.
	leaseSeconds  = 40
	renewInterval = 10 * time.Second
)

// nodeName returns the name of the node with the number i.
func nodeName(i int) string { return fmt.Sprintf("%s%d", nodePrefix, i) }

// runNodes registers count nodes, and renews their leases in the background
// until ctx ends.
func runNodes(ctx context.Context, client clientset.Interface, count int) error {
	for i := range count {
		if err := register(ctx, client, nodeName(i)); err != nil {
			return err
		}
		if err := renew(ctx, client, nodeName(i)); err != nil {
			return err
		}
	}
	go func() {
		tick := time.NewTicker(renewInterval)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			for i := range count {
				// The next tick tries again; a node survives three failures.
				if err := renew(ctx, client, nodeName(i)); err != nil && ctx.Err() == nil {
					slog.Error("cannot renew a lease", "error", err)
				}
			}
		}
	}()
	return nil
}

// register creates the node or, where there is one, sets its status anew.
func register(ctx context.Context, client clientset.Interface, name string) error {
	nodes := client.CoreV1().Nodes()
	node, err := nodes.Create(ctx, newNode(name), metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		node, err = nodes.Get(ctx, name, metav1.GetOptions{})
	}
	if err != nil {
		return fmt.Errorf("registering node %s: %w", name, err)
	}
	node.Status = readyStatus(name, metav1.Now())
	if _, err := nodes.UpdateStatus(ctx, node, metav1.UpdateOptions{}); err != nil {
		return fmt.Errorf("setting the status of node %s: %w", name, err)
	}
	return nil
}

func newNode(name string) *v1.Node {
	return &v1.Node{
		ObjectMeta: metav1.ObjectMeta{
			Name: name,
			Labels: map[string]string{
				labelKey: labelValue, v1.LabelHostname: name, v1.LabelOSStable: "linux", v1.LabelArchStable: "amd64",
			},
		},
		Spec: v1.NodeSpec{
			ProviderID: "fake://" + name,
			Taints:     []v1.Taint{{Key: taintKey, Value: "true", Effect: v1.TaintEffectNoSchedule}},
		},
	}
}

func readyStatus(name string, now metav1.Time) v1.NodeStatus {
	resources := v1.ResourceList{
		v1.ResourceCPU:              resource.MustParse("1000"),
		v1.ResourceMemory:           resource.MustParse("4Ti"),
		v1.ResourceEphemeralStorage: resource.MustParse("16Ti"),
		v1.ResourcePods:             *resource.NewQuantity(podsPerNode, resource.DecimalSI),
	}
	return v1.NodeStatus{
		Capacity: resources, Allocatable: resources,
		Conditions: []v1.NodeCondition{{
			Type: v1.NodeReady, Status: v1.ConditionTrue, Reason: "FakeNode", Message: "this node runs nothing",
			LastHeartbeatTime: now, LastTransitionTime: now,
		}},
		Addresses: []v1.NodeAddress{{Type: v1.NodeHostName, Address: name}},
		NodeInfo:  v1.NodeSystemInfo{OperatingSystem: "linux", Architecture: "amd64", KubeletVersion: "fake"},
	}
}

// renew says that the node is alive.
func renew(ctx context.Context, client clientset.Interface, name string) error {
	leases := client.CoordinationV1().Leases(v1.NamespaceNodeLease)
	now := metav1.NowMicro()
	spec := coordination.LeaseSpec{HolderIdentity: &name, LeaseDurationSeconds: ptr.To[int32](leaseSeconds), RenewTime: &now}
	lease, err := leases.Get(ctx, name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		_, err = leases.Create(ctx, &coordination.Lease{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: spec}, metav1.CreateOptions{})
	case err == nil:
		lease.Spec = spec
		_, err = leases.Update(ctx, lease, metav1.UpdateOptions{})
	}
	if err != nil {
		return fmt.Errorf("renewing the lease of node %s: %w", name, err)
	}
	return nil
}
