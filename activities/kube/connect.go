package kube

import (
	"fmt"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// Connection says how to reach a cluster.
type Connection struct {
	// Kubeconfig is a file; where empty, KUBECONFIG, ~/.kube/config or the service
	// account of the pod are used as kubectl does.
	Kubeconfig string
	// Context of the kubeconfig; its current one where empty.
	Context string
	// Namespace overrides that of the context.
	Namespace string
	// QPS and Burst bound the requests per second; client-go's where zero.
	QPS   float32
	Burst int
	// UserAgent is told to the API server.
	UserAgent string
}

// Resolve returns how to connect, and the namespace that is meant where none is
// named. It connects to nothing.
func (c Connection) Resolve() (*rest.Config, string, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = c.Kubeconfig
	overrides := &clientcmd.ConfigOverrides{CurrentContext: c.Context, Context: clientcmdapi.Context{Namespace: c.Namespace}}
	loader := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, overrides)
	config, err := loader.ClientConfig()
	if err != nil {
		return nil, "", fmt.Errorf("reading how to reach the cluster (set --kubeconfig, KUBECONFIG, or run in a pod): %w", err)
	}
	namespace, _, err := loader.Namespace()
	if err != nil {
		return nil, "", fmt.Errorf("reading the namespace of the kubeconfig: %w", err)
	}
	config.QPS, config.Burst, config.UserAgent = c.QPS, c.Burst, c.UserAgent
	// Warnings are for people at a terminal; a worker meets the same ones again
	// and again.
	config.WarningHandler = rest.NoWarnings{}
	// Protobuf is smaller and cheaper to decode than JSON for built-in types.
	config.AcceptContentTypes = "application/vnd.kubernetes.protobuf,application/json"
	config.ContentType = "application/vnd.kubernetes.protobuf"
	return config, namespace, nil
}
