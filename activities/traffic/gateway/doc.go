// Package gateway proves that gateways have taken a change of a route. It asks
// every replica of a gateway for its own state where the gateway can be asked,
// and waits as long as the gateway needs at most where it cannot. It writes
// nothing, and knows nothing of how a route gets into the cluster.
package gateway
