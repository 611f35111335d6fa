// Package standin shows what the sandbox's real gateway and pods have counted
// under the names and labels that others give it: ingress-nginx, Envoy as Istio
// and Higress configure it, the kubelet's cAdvisor and kube-state-metrics. None
// of those runs on the sandbox; the numbers are real, only their names are not.
// It also guards a server with TLS, credentials and a tenant, as proxies do.
package standin
