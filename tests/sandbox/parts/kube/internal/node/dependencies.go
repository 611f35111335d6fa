package node

import (
	"context"
	"fmt"
	"os"
	"strings"

	"go.opentelemetry.io/otel/trace/noop"
	v1 "k8s.io/api/core/v1"
	clientset "k8s.io/client-go/kubernetes"
	typedv1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/record"
	"k8s.io/klog/v2"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
	"k8s.io/kubernetes/pkg/kubelet"
	"k8s.io/kubernetes/pkg/kubelet/cm"
	kubecontainer "k8s.io/kubernetes/pkg/kubelet/container"
	"k8s.io/kubernetes/pkg/kubelet/server"
	kubeletutil "k8s.io/kubernetes/pkg/kubelet/util"
	"k8s.io/kubernetes/pkg/util/oom"
	"k8s.io/kubernetes/pkg/volume"
	"k8s.io/kubernetes/pkg/volume/configmap"
	"k8s.io/kubernetes/pkg/volume/downwardapi"
	"k8s.io/kubernetes/pkg/volume/emptydir"
	"k8s.io/kubernetes/pkg/volume/hostpath"
	"k8s.io/kubernetes/pkg/volume/projected"
	"k8s.io/kubernetes/pkg/volume/secret"
	"k8s.io/kubernetes/pkg/volume/util/hostutil"
	"k8s.io/kubernetes/pkg/volume/util/subpath"
	"k8s.io/mount-utils"

	"sluice.dev/sluice/tests/sandbox/parts/kube/internal/runtime"
)

// dependencies puts the kubelet together: real API clients, prober, status and
// volume managers; stand-ins where it would touch cgroups, mounts or the
// kernel's memory killer. Volumes are written to the node's folder but not
// mounted anywhere: processes here see the machine's file system.
func dependencies(ctx context.Context, o options, config *rest.Config, containers *runtime.Runtime, images *runtime.ImageService) (*kubelet.Dependencies, error) {
	client, err := clientset.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("making the node's API client: %w", err)
	}
	// Heartbeats get a client of their own, so that they do not queue behind pods.
	heartbeats, err := clientset.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("making the node's API client: %w", err)
	}
	tls, err := serverCertificate(o)
	if err != nil {
		return nil, err
	}
	return &kubelet.Dependencies{
		KubeClient:                client,
		HeartbeatClient:           heartbeats,
		EventClient:               client.CoreV1(),
		Recorder:                  recorder(ctx, client, o.name),
		RemoteRuntimeService:      containers,
		RemoteImageService:        images,
		CAdvisorInterface:         machine{name: o.name},
		OSInterface:               files{},
		ContainerManager:          limits{cm.NewStubContainerManager()},
		VolumePlugins:             volumePlugins(),
		TLSOptions:                tls,
		OOMAdjuster:               oom.NewFakeOOMAdjuster(),
		Mounter:                   mount.NewFakeMounter(nil),
		Subpather:                 &subpath.FakeSubpath{},
		HostUtil:                  hostutil.NewFakeHostUtil(nil),
		PodStartupLatencyTracker:  kubeletutil.NewPodStartupLatencyTracker(),
		NodeStartupLatencyTracker: kubeletutil.NewNodeStartupLatencyTracker(klog.FromContext(ctx)),
		TracerProvider:            noop.NewTracerProvider(),
	}, nil
}

// recorder returns the recorder of the node's events. With any but the fake
// one the kubelet insists on the kernel's log; where that cannot be opened, as
// in many containers, a node without events is better than none.
func recorder(ctx context.Context, client clientset.Interface, name string) record.EventRecorderLogger {
	if log, err := os.Open("/dev/kmsg"); err != nil {
		return &record.FakeRecorder{}
	} else {
		log.Close()
	}
	broadcaster := record.NewBroadcaster(record.WithContext(ctx))
	broadcaster.StartRecordingToSink(&typedv1.EventSinkImpl{Interface: client.CoreV1().Events("")})
	return broadcaster.NewRecorder(legacyscheme.Scheme, v1.EventSource{Component: server.ComponentKubelet, Host: name})
}

func volumePlugins() []volume.VolumePlugin {
	var plugins []volume.VolumePlugin
	for _, probe := range []func() []volume.VolumePlugin{
		emptydir.ProbeVolumePlugins, secret.ProbeVolumePlugins, configmap.ProbeVolumePlugins,
		downwardapi.ProbeVolumePlugins, projected.ProbeVolumePlugins,
	} {
		plugins = append(plugins, probe()...)
	}
	return append(plugins, hostpath.ProbeVolumePlugins(volume.VolumeConfig{})...)
}

// files is the real file system, but without the links to container logs that
// the kubelet keeps, and tidies up, in the machine's /var/log.
type files struct {
	kubecontainer.RealOS
}

// Symlink does nothing.
func (files) Symlink(string, string) error { return nil }

// Glob finds none of those links.
func (f files) Glob(pattern string) ([]string, error) {
	if strings.HasPrefix(pattern, kubelet.DefaultContainerLogsDir) {
		return nil, nil
	}
	return f.RealOS.Glob(pattern)
}
