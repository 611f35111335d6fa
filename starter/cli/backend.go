package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/pflag"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"sluice.dev/sluice/activities/kube"
	"sluice.dev/sluice/activities/preflight"
	"sluice.dev/sluice/activities/traffic/gateway"
	"sluice.dev/sluice/activities/traffic/gateway/configured"
	"sluice.dev/sluice/config/settings"
	"sluice.dev/sluice/starter/control"
	"sluice.dev/sluice/starter/preview"
)

// backend is the Backend of the real tool: everything as the settings say.
type backend struct {
	env func(string) (string, bool)
	// clients of the cluster, once they are needed.
	clients kubernetes.Interface
}

// defaultNamespace is kubectl's where neither settings nor kubeconfig name one.
const defaultNamespace = "default"

func (b *backend) Scope(flags *pflag.FlagSet) (Scope, error) {
	s, err := settings.Load(flags)
	if err != nil {
		return Scope{}, err
	}
	scope := Scope{Cluster: s.Cluster, Namespace: s.Namespace, Given: s.Namespace != ""}
	if scope.Given {
		return scope, nil
	}
	_, namespace, err := connection(s).Resolve()
	switch {
	case err == nil:
		scope.Namespace = namespace
	case s.Kubeconfig != "" || s.KubeContext != "":
		return Scope{}, err
	default:
		// Rollouts can be controlled without any access to the cluster.
		scope.Namespace = defaultNamespace
	}
	return scope, nil
}

func connection(s settings.Settings) kube.Connection {
	return kube.Connection{
		Kubeconfig: s.Kubeconfig, Context: s.KubeContext, Namespace: s.Namespace,
		QPS: s.Kube.QPS, Burst: s.Kube.Burst, UserAgent: "sluice",
	}
}

func (b *backend) Control(ctx context.Context, flags *pflag.FlagSet) (Control, error) {
	s, err := settings.Load(flags)
	if err != nil {
		return nil, err
	}
	options, err := settings.TemporalOptions(s)
	if err != nil {
		return nil, err
	}
	client, err := control.Dial(ctx, options, b.addressFrom(s, flags))
	if err != nil {
		return nil, err
	}
	return client, nil
}

// addressFrom names the setting that the address of Temporal came from, best
// first.
func (b *backend) addressFrom(s settings.Settings, flags *pflag.FlagSet) string {
	if flag := flags.Lookup("temporal-address"); flag != nil && flag.Changed {
		return "from --temporal-address"
	}
	for _, variable := range []string{"SLUICE_TEMPORAL_ADDRESS", "TEMPORAL_ADDRESS"} {
		if s.Temporal.Address != "" && variable == "TEMPORAL_ADDRESS" {
			return "from temporal.address of the settings file"
		}
		if value, ok := b.env(variable); ok && value != "" {
			return "from $" + variable
		}
	}
	if s.Temporal.Profile != "" {
		return "from Temporal profile " + s.Temporal.Profile
	}
	return "from Temporal's configuration or its default; --temporal-address names another"
}

func (b *backend) Inspect(ctx context.Context, flags *pflag.FlagSet, manifests []byte, request preflight.InspectRequest) (preflight.Observed, error) {
	s, err := settings.Load(flags)
	if err != nil {
		return preflight.Observed{}, err
	}
	var gateways map[string]gateway.Config
	if _, named := s.Gateways[request.Rollout.Traffic.Ingress.Class]; named {
		gateways = configured.Gateways(s)
	}
	if manifests != nil {
		return preview.InspectManifests(ctx, manifests, gateways, request)
	}
	clients, err := b.cluster(flags)
	if err != nil {
		return preflight.Observed{}, err
	}
	return preview.Inspect(ctx, clients, gateways, request)
}

func (b *backend) FindMarked(ctx context.Context, flags *pflag.FlagSet, namespace string) ([]preflight.Marked, error) {
	clients, err := b.cluster(flags)
	if err != nil {
		return nil, err
	}
	return preflight.FindMarked(ctx, clients, namespace)
}

func (b *backend) InspectRemains(ctx context.Context, flags *pflag.FlagSet, request preflight.RemainsRequest) (preflight.Remains, error) {
	clients, err := b.cluster(flags)
	if err != nil {
		return preflight.Remains{}, err
	}
	return preview.InspectRemains(ctx, clients, request)
}

// cluster connects to Kubernetes, once.
func (b *backend) cluster(flags *pflag.FlagSet) (kubernetes.Interface, error) {
	if b.clients != nil {
		return b.clients, nil
	}
	s, err := settings.Load(flags)
	if err != nil {
		return nil, err
	}
	config, _, err := connection(s).Resolve()
	if err != nil {
		return nil, err
	}
	b.clients, err = reach(config)
	return b.clients, err
}

// reachTimeout bounds the first contact with the cluster.
const reachTimeout = 5 * time.Second

// reach asks the cluster for its version first: one clear error beats one for
// each kind of object.
func reach(config *rest.Config) (kubernetes.Interface, error) {
	quick := rest.CopyConfig(config)
	quick.Timeout = reachTimeout
	probe, err := kubernetes.NewForConfig(quick)
	if err == nil {
		_, err = probe.Discovery().ServerVersion()
	}
	if err != nil {
		return nil, fmt.Errorf("the cluster cannot be reached at %s (see --kubeconfig and --kube-context): %w", config.Host, err)
	}
	clients, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("connecting to the cluster at %s: %w", config.Host, err)
	}
	return clients, nil
}
