package cluster

import (
	"fmt"

	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"

	"sluice.dev/sluice/tests/sandbox/certs"
	"sluice.dev/sluice/tests/sandbox/layout"
)

// Names of kubeconfigs, one per user.
const (
	adminUser             = "admin"
	controllerManagerUser = "controller-manager"
	schedulerUser         = "scheduler"
	fakeNodesUser         = "fake-nodes"
	gatewayUser           = "gateway"
	prometheusUser        = "prometheus"
)

// masters is the group that may do everything.
const masters = "system:masters"

// Files of the certificate authority.
const (
	apiserverCert     = "apiserver.crt"
	apiserverKey      = "apiserver.key"
	gatewayCert       = "gateway.crt"
	gatewayKey        = "gateway.key"
	kubeletClientCert = "apiserver-kubelet-client.crt"
	kubeletClientKey  = "apiserver-kubelet-client.key"
	serviceAccountKey = "service-account.key"
)

// identity is a user of the API server.
type identity struct {
	kubeconfig, user string
	groups           []string
}

// identities returns the users of the parts. The sandbox's own are masters,
// so that none waits for roles to appear; nodes have a node's rights.
func (p Plan) identities() []identity {
	users := []identity{
		{adminUser, "admin", []string{masters}},
		{controllerManagerUser, "system:kube-controller-manager", []string{masters}},
		{schedulerUser, "system:kube-scheduler", []string{masters}},
		{fakeNodesUser, "sandbox:fake-nodes", []string{masters}},
		{gatewayUser, "sandbox:gateway", []string{masters}},
		{prometheusUser, "sandbox:prometheus", []string{masters}},
	}
	for i := range p.Options.Nodes {
		name := nodeName(i + 1)
		users = append(users, identity{name, "system:node:" + name, []string{"system:nodes"}})
	}
	return users
}

// writeCredentials writes certificates, keys and kubeconfigs.
func (p Plan) writeCredentials(outside layout.Addresses) error {
	authority, err := certs.Open(p.Dir.Join("certs"))
	if err != nil {
		return err
	}
	if err := certs.EnsureKey(p.Dir.Cert(serviceAccountKey)); err != nil {
		return err
	}
	if err := p.writeServerCertificates(authority); err != nil {
		return err
	}
	server := insideAddresses(p.Dir).APIServer
	for _, who := range p.identities() {
		pair, err := authority.Client(who.user, who.groups...)
		if err != nil {
			return fmt.Errorf("issuing the certificate of %s: %w", who.user, err)
		}
		if err := writeKubeconfig(p.Dir.InnerKubeconfig(who.kubeconfig), server, p.Name, who.user, authority, pair); err != nil {
			return err
		}
		if who.kubeconfig != adminUser {
			continue
		}
		if err := writeKubeconfig(p.Dir.Kubeconfig(), outside.APIServer, p.Name, who.user, authority, pair); err != nil {
			return err
		}
	}
	return nil
}

func (p Plan) writeServerCertificates(authority *certs.Authority) error {
	server, err := authority.Server("kube-apiserver",
		apiserverIP, "127.0.0.1", "10.96.0.1", "localhost",
		"kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local")
	if err != nil {
		return err
	}
	if err := server.Write(p.Dir.Cert(apiserverCert), p.Dir.Cert(apiserverKey)); err != nil {
		return err
	}
	gateway, err := authority.Server("traefik", "localhost")
	if err != nil {
		return err
	}
	if err := gateway.Write(p.Dir.Cert(gatewayCert), p.Dir.Cert(gatewayKey)); err != nil {
		return err
	}
	client, err := authority.Client("kube-apiserver-kubelet-client", masters)
	if err != nil {
		return err
	}
	return client.Write(p.Dir.Cert(kubeletClientCert), p.Dir.Cert(kubeletClientKey))
}

// writeKubeconfig writes a kubeconfig that holds all it needs, so that it can
// be copied elsewhere.
func writeKubeconfig(path, server, name, user string, authority *certs.Authority, pair certs.Pair) error {
	config := api.NewConfig()
	context := "sluice-" + name
	config.Clusters[context] = &api.Cluster{Server: server, CertificateAuthorityData: authority.PEM}
	config.AuthInfos[user] = &api.AuthInfo{ClientCertificateData: pair.Cert, ClientKeyData: pair.Key}
	config.Contexts[context] = &api.Context{Cluster: context, AuthInfo: user}
	config.CurrentContext = context
	text, err := clientcmd.Write(*config)
	if err != nil {
		return fmt.Errorf("encoding the kubeconfig of %s: %w", user, err)
	}
	return layout.WriteFile(path, text)
}
