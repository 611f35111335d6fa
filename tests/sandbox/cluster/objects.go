package cluster

import (
	"context"
	"fmt"
	"strings"

	v1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corev1 "k8s.io/client-go/applyconfigurations/core/v1"
	discoveryac "k8s.io/client-go/applyconfigurations/discovery/v1"
	networkingac "k8s.io/client-go/applyconfigurations/networking/v1"
	"k8s.io/client-go/kubernetes"

	"sluice.dev/sluice/tests/sandbox/inside"
)

// The gateway as the cluster shows it. Whoever wants to ask every replica
// finds them in the EndpointSlice, as with a gateway that runs in pods.
const (
	GatewayNamespace = "gateway"
	GatewayService   = "traefik"
	// GatewayClass is the class of Ingress objects that the gateway serves.
	GatewayClass = "nginx"
)

// owner is the field manager of the objects that the sandbox itself creates.
const owner = "sluice-sandbox"

// createObjects creates what every sandbox begins with.
func createObjects(ctx context.Context, spec inside.Spec) error {
	client, err := newClient(spec.Dir)
	if err != nil {
		return err
	}
	options := metav1.ApplyOptions{FieldManager: owner, Force: true}
	namespace := corev1.Namespace(GatewayNamespace)
	if _, err := client.CoreV1().Namespaces().Apply(ctx, namespace, options); err != nil {
		return fmt.Errorf("creating Namespace %s: %w", GatewayNamespace, err)
	}
	class := networkingac.IngressClass(GatewayClass).WithSpec(
		networkingac.IngressClassSpec().WithController("k8s.io/ingress-nginx"))
	if _, err := client.NetworkingV1().IngressClasses().Apply(ctx, class, options); err != nil {
		return fmt.Errorf("creating IngressClass %s: %w", GatewayClass, err)
	}
	return createGatewayService(ctx, client, gatewayAddresses(spec), options)
}

// gatewayAddresses returns the addresses of the replicas, of which the spec
// knows where connections from outside go.
func gatewayAddresses(spec inside.Spec) []string {
	var addresses []string
	for _, f := range spec.Forwards {
		if f.Name != ForwardGateway {
			continue
		}
		for _, target := range f.Targets {
			ip, _, _ := strings.Cut(target, ":")
			addresses = append(addresses, ip)
		}
	}
	return addresses
}

// createGatewayService creates a Service without a selector and its one
// EndpointSlice: the gateway does not run in pods.
func createGatewayService(ctx context.Context, client kubernetes.Interface, addresses []string, options metav1.ApplyOptions) error {
	service := corev1.Service(GatewayService, GatewayNamespace).WithSpec(corev1.ServiceSpec().WithPorts(
		corev1.ServicePort().WithName("web").WithPort(webPort).WithProtocol(v1.ProtocolTCP),
		corev1.ServicePort().WithName("api").WithPort(gatewayAPIPort).WithProtocol(v1.ProtocolTCP),
	))
	if _, err := client.CoreV1().Services(GatewayNamespace).Apply(ctx, service, options); err != nil {
		return fmt.Errorf("creating Service %s/%s: %w", GatewayNamespace, GatewayService, err)
	}
	slice := discoveryac.EndpointSlice(GatewayService+"-replicas", GatewayNamespace).
		WithLabels(map[string]string{
			discoveryv1.LabelServiceName: GatewayService,
			discoveryv1.LabelManagedBy:   owner,
		}).
		WithAddressType(discoveryv1.AddressTypeIPv4).
		WithPorts(
			discoveryac.EndpointPort().WithName("web").WithPort(webPort).WithProtocol(v1.ProtocolTCP),
			discoveryac.EndpointPort().WithName("api").WithPort(gatewayAPIPort).WithProtocol(v1.ProtocolTCP),
		)
	for _, address := range addresses {
		slice.WithEndpoints(discoveryac.Endpoint().WithAddresses(address).
			WithConditions(discoveryac.EndpointConditions().WithReady(true).WithServing(true).WithTerminating(false)))
	}
	if _, err := client.DiscoveryV1().EndpointSlices(GatewayNamespace).Apply(ctx, slice, options); err != nil {
		return fmt.Errorf("creating EndpointSlice %s/%s: %w", GatewayNamespace, GatewayService, err)
	}
	return nil
}
