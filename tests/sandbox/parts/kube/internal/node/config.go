package node

import (
	"fmt"
	"path/filepath"
	"time"

	kubeletv1beta1 "k8s.io/kubelet/config/v1beta1"
	kubeletconfig "k8s.io/kubernetes/pkg/kubelet/apis/config"
	kubeletscheme "k8s.io/kubernetes/pkg/kubelet/apis/config/scheme"
)

// configuration returns the kubelet's defaults with what a node without
// cgroups needs, and with the waits that would slow a test suite taken out.
// Delays that users of a cluster know, such as back-off, stay as they are.
func configuration(o options) (*kubeletconfig.KubeletConfiguration, error) {
	scheme, _, err := kubeletscheme.NewSchemeAndCodecs()
	if err != nil {
		return nil, fmt.Errorf("reading the kubelet's defaults: %w", err)
	}
	versioned := &kubeletv1beta1.KubeletConfiguration{}
	scheme.Default(versioned)
	c := &kubeletconfig.KubeletConfiguration{}
	if err := scheme.Convert(versioned, c, nil); err != nil {
		return nil, fmt.Errorf("reading the kubelet's defaults: %w", err)
	}
	c.RegisterNode = true
	c.Address, c.Port = o.nodeIP, o.port
	c.MaxPods = o.maxPods
	c.PodCIDR = o.podCIDR
	c.PodLogsDir = filepath.Join(o.rootDir, "logs")
	// Names are not served here, but without a server the kubelet warns on every pod.
	c.ClusterDNS, c.ClusterDomain, c.ResolverConfig = []string{"10.96.0.10"}, "cluster.local", ""

	// Processes have no cgroups, so nothing can be enforced, and pods must not
	// be evicted because the developer's disk is full.
	c.CgroupsPerQOS = false
	c.EnforceNodeAllocatable = nil
	c.EvictionHard = nil
	c.LocalStorageCapacityIsolation = false
	c.EnableControllerAttachDetach = false
	c.ImageGCHighThresholdPercent, c.ImageGCLowThresholdPercent = 100, 99

	// An image is a file on this machine: pulling many at once costs nothing.
	c.SerializeImagePulls = false
	c.RegistryPullQPS = 0
	// Pods in trouble are looked at this often; it is also how soon one that
	// crashes at once shows CrashLoopBackOff.
	c.SyncFrequency.Duration = 3 * time.Second
	c.NodeStatusUpdateFrequency.Duration = 5 * time.Second
	return c, nil
}
