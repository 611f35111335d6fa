package cluster

import (
	"context"
	"fmt"
	"strings"
	"time"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"sluice.dev/sluice/tests/sandbox/inside"
	"sluice.dev/sluice/tests/sandbox/layout"
	"sluice.dev/sluice/tests/sandbox/proc"
)

// The supervisor's own tasks.
const (
	taskObjects = "objects"
	taskSettled = "settled"
)

// lookEvery is the pause between two looks at what the cluster has come to.
const lookEvery = 50 * time.Millisecond

// Tasks returns the functions behind the tasks of a plan.
func Tasks(spec inside.Spec) map[string]proc.Task {
	return map[string]proc.Task{
		taskObjects: func(ctx context.Context) error { return createObjects(ctx, spec) },
		taskSettled: func(ctx context.Context) error { return settle(ctx, spec) },
	}
}

// newClient returns a client of the administrator's for use inside.
func newClient(dir layout.Dir) (kubernetes.Interface, error) {
	config, err := clientcmd.BuildConfigFromFlags("", dir.InnerKubeconfig(adminUser))
	if err != nil {
		return nil, fmt.Errorf("reading the kubeconfig: %w", err)
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("making the API client: %w", err)
	}
	return client, nil
}

// settle waits until pods can be created and scheduled: every node is ready
// and without taints, and the default namespace has its service account.
func settle(ctx context.Context, spec inside.Spec) error {
	client, err := newClient(spec.Dir)
	if err != nil {
		return err
	}
	want := wantedNodes(spec.Parts)
	var missing error
	err = wait.PollUntilContextCancel(ctx, lookEvery, true, func(ctx context.Context) (bool, error) {
		missing = unsettled(ctx, client, want)
		return missing == nil, nil
	})
	if err != nil {
		return fmt.Errorf("waiting for the cluster to settle: %w: %w", err, missing)
	}
	return nil
}

// wantedNodes returns the names of the nodes that are parts.
func wantedNodes(parts []proc.Part) []string {
	var names []string
	for _, part := range parts {
		if strings.HasPrefix(part.Name, "node-") {
			names = append(names, part.Name)
		}
	}
	return names
}

// unsettled returns what is still missing, or nil.
func unsettled(ctx context.Context, client kubernetes.Interface, nodes []string) error {
	for _, name := range nodes {
		node, err := client.CoreV1().Nodes().Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		if !ready(node) || len(node.Spec.Taints) > 0 {
			return fmt.Errorf("node %s is not ready", name)
		}
	}
	_, err := client.CoreV1().ServiceAccounts(metav1.NamespaceDefault).Get(ctx, "default", metav1.GetOptions{})
	return err
}

func ready(node *v1.Node) bool {
	for _, c := range node.Status.Conditions {
		if c.Type == v1.NodeReady {
			return c.Status == v1.ConditionTrue
		}
	}
	return false
}
