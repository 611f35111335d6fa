package cluster

import (
	"fmt"
	"strconv"

	"sluice.dev/sluice/tests/sandbox/proc"
)

// The parts of the control plane.
const (
	partEtcd              = "etcd"
	partAPIServer         = "apiserver"
	partControllerManager = "controller-manager"
	partScheduler         = "scheduler"
	partObjects           = "objects"
	partFakeNodes         = "fake-nodes"
	partSettled           = "settled"
)

// controlPlane returns etcd, the API server, the two controllers' programs,
// and the task that creates the first objects.
func (p Plan) controlPlane() []proc.Part {
	return []proc.Part{
		p.etcd(),
		p.apiserver(),
		p.controller(partControllerManager, controllerManagerUser,
			"--root-ca-file="+p.Dir.Cert("ca.crt"),
			"--service-account-private-key-file="+p.Dir.Cert(serviceAccountKey),
			// Its default is a folder of the machine, which it would create.
			"--flex-volume-plugin-dir="+p.Dir.Join("flexvolumes"),
		),
		p.controller(partScheduler, schedulerUser),
		{Name: partObjects, Task: taskObjects, Needs: []string{partAPIServer}},
	}
}

func (p Plan) etcd() proc.Part {
	part := p.part(partEtcd, p.Binaries.Kube, "etcd",
		"--data-dir="+p.Dir.Join("etcd"),
		"--listen-client="+httpURL(etcdIP, etcdPort),
		"--listen-peer="+httpURL(etcdIP, etcdPeerPort),
	)
	part.Ready = &proc.Probe{URL: httpURL(etcdIP, etcdPort) + "/health"}
	return part
}

func (p Plan) apiserver() proc.Part {
	args := []string{
		"apiserver",
		"--etcd-servers=" + httpURL(etcdIP, etcdPort),
		"--bind-address=" + apiserverIP,
		"--secure-port=" + strconv.Itoa(apiserverPort),
		"--advertise-address=" + apiserverIP,
		// Nothing inside reaches services by their cluster addresses.
		"--endpoint-reconciler-type=none",
		"--service-cluster-ip-range=" + serviceNetwork,
		"--client-ca-file=" + p.Dir.Cert("ca.crt"),
		"--tls-cert-file=" + p.Dir.Cert(apiserverCert),
		"--tls-private-key-file=" + p.Dir.Cert(apiserverKey),
		"--kubelet-client-certificate=" + p.Dir.Cert(kubeletClientCert),
		"--kubelet-client-key=" + p.Dir.Cert(kubeletClientKey),
		"--kubelet-preferred-address-types=InternalIP",
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file=" + p.Dir.Cert(serviceAccountKey),
		"--service-account-signing-key-file=" + p.Dir.Cert(serviceAccountKey),
		"--authorization-mode=Node,RBAC",
		"--enable-admission-plugins=NodeRestriction",
		"--allow-privileged=true",
		"--profiling=false",
		// Open watches would hold an orderly end up for a minute; so, two seconds.
		"--shutdown-send-retry-after=true",
	}
	if p.Options.Audit {
		args = append(args,
			"--audit-policy-file="+p.Dir.Join(auditPolicyFile),
			"--audit-log-path="+p.Dir.Log("audit"),
			// A terabyte: whoever counts the requests of a test reads one file.
			"--audit-log-maxsize=1000000",
		)
	}
	part := p.part(partAPIServer, p.Binaries.Kube, args...)
	part.Needs = []string{partEtcd}
	part.Ready = &proc.Probe{
		URL:  fmt.Sprintf("https://%s/readyz", hostPort(apiserverIP, apiserverPort)),
		CA:   p.Dir.Cert("ca.crt"),
		Cert: p.Dir.Cert(kubeletClientCert),
		Key:  p.Dir.Cert(kubeletClientKey),
	}
	return part
}

// controller returns the controller manager or the scheduler. There is one of
// each, so nobody has to be elected; its limits of requests are far away, as
// tests measure the project's speed and not theirs.
func (p Plan) controller(name, user string, more ...string) proc.Part {
	args := []string{
		name,
		"--kubeconfig=" + p.Dir.InnerKubeconfig(user),
		"--leader-elect=false",
		"--secure-port=0",
		"--kube-api-qps=500", "--kube-api-burst=1000",
		"--profiling=false",
	}
	part := p.part(name, p.Binaries.Kube, append(args, more...)...)
	part.Needs = []string{partAPIServer}
	return part
}

// nodes returns the nodes, and the one part that plays all fake ones.
func (p Plan) nodes() []proc.Part {
	var parts []proc.Part
	for i := range p.Options.Nodes {
		name := nodeName(i + 1)
		part := p.part(name, p.Binaries.Kube, "node",
			"--kubeconfig="+p.Dir.InnerKubeconfig(name),
			"--name="+name,
			"--root-dir="+p.Dir.Join(name),
			"--pod-cidr="+nodePodNetwork(i+1),
			"--node-ip="+nodeIP(i+1),
			"--image="+demoImage+"="+p.Binaries.Demoapp,
			"--max-pods=250",
		)
		part.Needs = []string{partAPIServer}
		part.Ready = &proc.Probe{TCP: []string{hostPort(nodeIP(i+1), kubeletPort)}}
		parts = append(parts, part)
	}
	if p.Options.FakeNodes > 0 {
		part := p.part(partFakeNodes, p.Binaries.Kube, "fake-nodes",
			"--kubeconfig="+p.Dir.InnerKubeconfig(fakeNodesUser),
			"--nodes="+strconv.Itoa(p.Options.FakeNodes),
			"--pod-cidr="+fakePodNetwork,
		)
		part.Needs = []string{partAPIServer}
		parts = append(parts, part)
	}
	return parts
}

// settled returns the task that waits until the cluster can be used, behind
// all other parts.
func (p Plan) settled(others []proc.Part) proc.Part {
	part := proc.Part{Name: partSettled, Task: taskSettled}
	for _, other := range others {
		part.Needs = append(part.Needs, other.Name)
	}
	return part
}
