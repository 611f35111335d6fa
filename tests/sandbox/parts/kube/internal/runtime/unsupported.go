package runtime

import (
	"context"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// unsupported answers what a runtime of plain processes has no answer to:
// sessions in a container, snapshots, and statistics, of which there are none.
type unsupported struct{}

func refuse(what string) error {
	return status.Errorf(codes.Unimplemented, "%s: containers of the sandbox are plain processes and do not support it", what)
}

func (unsupported) Exec(context.Context, *runtimeapi.ExecRequest) (*runtimeapi.ExecResponse, error) {
	return nil, refuse("opening a session")
}

func (unsupported) Attach(context.Context, *runtimeapi.AttachRequest) (*runtimeapi.AttachResponse, error) {
	return nil, refuse("attaching")
}

func (unsupported) PortForward(context.Context, *runtimeapi.PortForwardRequest) (*runtimeapi.PortForwardResponse, error) {
	return nil, refuse("forwarding a port")
}

func (unsupported) CheckpointContainer(context.Context, *runtimeapi.CheckpointContainerRequest) error {
	return refuse("checkpointing a container")
}

func (unsupported) CheckpointPod(context.Context, *runtimeapi.CheckpointPodRequest) error {
	return refuse("checkpointing a pod")
}

func (unsupported) RestorePod(context.Context, *runtimeapi.RestorePodRequest) (*runtimeapi.RestorePodResponse, error) {
	return nil, refuse("restoring a pod")
}

func (unsupported) ContainerStats(context.Context, string) (*runtimeapi.ContainerStats, error) {
	return nil, refuse("measuring a container")
}

func (unsupported) PodSandboxStats(context.Context, string) (*runtimeapi.PodSandboxStats, error) {
	return nil, refuse("measuring a pod")
}

func (unsupported) ListContainerStats(context.Context, *runtimeapi.ContainerStatsFilter) ([]*runtimeapi.ContainerStats, error) {
	return nil, nil
}

func (unsupported) ListPodSandboxStats(context.Context, *runtimeapi.PodSandboxStatsFilter) ([]*runtimeapi.PodSandboxStats, error) {
	return nil, nil
}

func (unsupported) ListMetricDescriptors(context.Context) ([]*runtimeapi.MetricDescriptor, error) {
	return nil, nil
}

func (unsupported) ListPodSandboxMetrics(context.Context) ([]*runtimeapi.PodSandboxMetrics, error) {
	return nil, nil
}
