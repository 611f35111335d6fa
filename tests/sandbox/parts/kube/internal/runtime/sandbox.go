package runtime

import (
	"maps"
	"net/netip"
	"time"

	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// sandbox is the record of one pod sandbox: here, the pod's address.
type sandbox struct {
	id        string
	config    *runtimeapi.PodSandboxConfig
	handler   string
	createdAt time.Time
	// address is invalid for a pod in the host's network.
	address netip.Addr
	stopped bool
}

func (s *sandbox) state() runtimeapi.PodSandboxState {
	if s.stopped {
		return runtimeapi.PodSandboxState_SANDBOX_NOTREADY
	}
	return runtimeapi.PodSandboxState_SANDBOX_READY
}

// hostNetwork tells whether the pod wants the node's own address.
func hostNetwork(config *runtimeapi.PodSandboxConfig) bool {
	return config.GetLinux().GetSecurityContext().GetNamespaceOptions().GetNetwork() == runtimeapi.NamespaceMode_NODE
}

func (s *sandbox) metadata() *runtimeapi.PodSandboxMetadata {
	m := s.config.Metadata
	return &runtimeapi.PodSandboxMetadata{Name: m.Name, Namespace: m.Namespace, Uid: m.Uid, Attempt: m.Attempt}
}

func (s *sandbox) summary() *runtimeapi.PodSandbox {
	return &runtimeapi.PodSandbox{
		Id:             s.id,
		Metadata:       s.metadata(),
		State:          s.state(),
		CreatedAt:      s.createdAt.UnixNano(),
		Labels:         maps.Clone(s.config.Labels),
		Annotations:    maps.Clone(s.config.Annotations),
		RuntimeHandler: s.handler,
	}
}

func (s *sandbox) status() *runtimeapi.PodSandboxStatus {
	network := &runtimeapi.PodSandboxNetworkStatus{}
	if s.address.IsValid() {
		network.Ip = s.address.String()
	}
	return &runtimeapi.PodSandboxStatus{
		Id:          s.id,
		Metadata:    s.metadata(),
		State:       s.state(),
		CreatedAt:   s.createdAt.UnixNano(),
		Network:     network,
		Linux:       &runtimeapi.LinuxPodSandboxStatus{Namespaces: &runtimeapi.Namespace{Options: s.config.GetLinux().GetSecurityContext().GetNamespaceOptions()}},
		Labels:      maps.Clone(s.config.Labels),
		Annotations: maps.Clone(s.config.Annotations),
		// Empty for the default handler, as with every runtime.
		RuntimeHandler: s.handler,
	}
}

// matches tells whether the filter, which may be nil, lets the sandbox through.
func (s *sandbox) matches(f *runtimeapi.PodSandboxFilter) bool {
	if f == nil {
		return true
	}
	return (f.Id == "" || f.Id == s.id) &&
		(f.State == nil || f.State.State == s.state()) &&
		hasLabels(s.config.Labels, f.LabelSelector)
}
