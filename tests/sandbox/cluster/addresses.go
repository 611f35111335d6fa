// Package cluster knows what a sandbox consists of: which binaries its parts
// are, with which flags and files they run, on which addresses they listen,
// what they need before they start, and which objects the cluster begins with.
package cluster

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"

	"sluice.dev/sluice/tests/sandbox/layout"
)

// The addresses inside are the same in every sandbox: each has a network of
// its own. Those of the parts are from a range kept for documentation, so
// that they can never mean something outside.
const (
	podNetwork     = "10.244.0.0/16"
	serviceNetwork = "10.96.0.0/16"
	partNetwork    = "192.0.2.0/24"
	fakePodNetwork = "10.245.0.0/16"

	apiserverIP  = "192.0.2.10"
	etcdIP       = "192.0.2.11"
	temporalIP   = "192.0.2.30"
	prometheusIP = "192.0.2.40"

	apiserverPort  = 6443
	etcdPort       = 2379
	etcdPeerPort   = 2380
	kubeletPort    = 10250
	webPort        = 80
	gatewayAPIPort = 8080
	temporalPort   = 7233
	temporalUIPort = 8233
	// temporalMetricsPort serves the Temporal server's own metrics.
	temporalMetricsPort = 9233
	prometheusPort      = 9090
)

// MaxGateways and MaxNodes bound Options: their addresses are counted up.
const (
	MaxGateways = 9
	MaxNodes    = 50
)

// The names of the forwards, in the order in which they are listed.
const (
	ForwardGateway    = "gateway"
	ForwardTemporal   = "temporal"
	ForwardTemporalUI = "temporal-ui"
	ForwardAPIServer  = "apiserver"
	ForwardPrometheus = "prometheus"
)

// gatewayIP returns the address of a replica of the gateway, counted from 1.
func gatewayIP(replica int) string { return fmt.Sprintf("192.0.2.%d", 20+replica) }

// nodeIP returns the address of a node, counted from 1.
func nodeIP(node int) string { return fmt.Sprintf("192.0.2.%d", 100+node) }

// nodePodNetwork returns the range of a node's pods.
func nodePodNetwork(node int) string { return fmt.Sprintf("10.244.%d.0/24", node) }

func nodeName(node int) string { return fmt.Sprintf("node-%d", node) }

func gatewayName(replica int) string { return fmt.Sprintf("traefik-%d", replica) }

func hostPort(ip string, port int) string { return net.JoinHostPort(ip, strconv.Itoa(port)) }

func httpURL(ip string, port int) string {
	if port == webPort {
		return "http://" + ip
	}
	return "http://" + hostPort(ip, port)
}

// networks returns what is made local inside. Nodes and the API server look
// for their addresses on the interfaces, so theirs are named one by one.
func networks(o Options) []netip.Prefix {
	all := []netip.Prefix{
		netip.MustParsePrefix(podNetwork),
		netip.MustParsePrefix(partNetwork),
		netip.MustParsePrefix(apiserverIP + "/32"),
	}
	for node := range o.Nodes {
		all = append(all, netip.MustParsePrefix(nodeIP(node+1)+"/32"))
	}
	return all
}

// insideAddresses returns how commands inside reach the sandbox.
func insideAddresses(dir layout.Dir) layout.Addresses {
	return layout.Addresses{
		Kubeconfig:    dir.InnerKubeconfig(adminUser),
		APIServer:     "https://" + hostPort(apiserverIP, apiserverPort),
		GatewayURL:    httpURL(gatewayIP(1), webPort),
		GatewayAPI:    httpURL(gatewayIP(1), gatewayAPIPort),
		Temporal:      hostPort(temporalIP, temporalPort),
		TemporalUI:    httpURL(temporalIP, temporalUIPort),
		PrometheusURL: httpURL(prometheusIP, prometheusPort),
	}
}

// outsideAddresses returns how the machine that the sandbox runs on reaches it.
func outsideAddresses(dir layout.Dir, address func(forward string) string) layout.Addresses {
	return layout.Addresses{
		Kubeconfig:    dir.Kubeconfig(),
		APIServer:     "https://" + address(ForwardAPIServer),
		GatewayURL:    "http://" + address(ForwardGateway),
		Temporal:      address(ForwardTemporal),
		TemporalUI:    "http://" + address(ForwardTemporalUI),
		PrometheusURL: "http://" + address(ForwardPrometheus),
	}
}
