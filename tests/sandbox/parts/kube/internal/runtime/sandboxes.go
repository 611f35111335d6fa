package runtime

import (
	"context"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// RunPodSandbox reserves an address for a pod. The route of the pod range makes
// every address of it one that processes can listen on; nothing is set up.
func (r *Runtime) RunPodSandbox(_ context.Context, config *runtimeapi.PodSandboxConfig, handler string) (string, error) {
	s := &sandbox{id: newID(), config: config, handler: handler, createdAt: r.now()}
	if !hostNetwork(config) {
		address, err := r.addresses.Take()
		if err != nil {
			return "", status.Error(codes.ResourceExhausted, err.Error())
		}
		s.address = address
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sandboxes[s.id] = s
	return s.id, nil
}

// StopPodSandbox kills what still runs in the pod and frees its address.
// Stopping again or an unknown sandbox is no error.
func (r *Runtime) StopPodSandbox(ctx context.Context, id string) error {
	for _, container := range r.containersOf(id) {
		if err := r.StopContainer(ctx, container, 0); err != nil {
			return err
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.sandboxes[id]
	if s == nil || s.stopped {
		return nil
	}
	s.stopped = true
	r.changed(id, id)
	if s.address.IsValid() {
		r.addresses.Free(s.address)
	}
	return nil
}

// RemovePodSandbox stops a sandbox and forgets it and its containers.
func (r *Runtime) RemovePodSandbox(ctx context.Context, id string) error {
	if err := r.StopPodSandbox(ctx, id); err != nil {
		return err
	}
	for _, container := range r.containersOf(id) {
		if err := r.RemoveContainer(ctx, container); err != nil {
			return err
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.sandboxes, id)
	return nil
}

func (r *Runtime) containersOf(sandboxID string) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var ids []string
	for id, c := range r.containers {
		if c.sandboxID == sandboxID {
			ids = append(ids, id)
		}
	}
	return ids
}

// PodSandboxStatus returns the status of one sandbox with the pod's address.
func (r *Runtime) PodSandboxStatus(_ context.Context, id string, _ bool) (*runtimeapi.PodSandboxStatusResponse, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.sandboxes[id]
	if s == nil {
		return nil, notFound("sandbox", id)
	}
	return &runtimeapi.PodSandboxStatusResponse{Status: s.status()}, nil
}

// ListPodSandbox returns the sandboxes that pass the filter.
func (r *Runtime) ListPodSandbox(_ context.Context, filter *runtimeapi.PodSandboxFilter) ([]*runtimeapi.PodSandbox, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var list []*runtimeapi.PodSandbox
	for _, s := range r.sandboxes {
		if s.matches(filter) {
			list = append(list, s.summary())
		}
	}
	return list, nil
}

// UpdatePodSandboxResources does nothing: processes here have no limits.
func (r *Runtime) UpdatePodSandboxResources(context.Context, *runtimeapi.UpdatePodSandboxResourcesRequest) (*runtimeapi.UpdatePodSandboxResourcesResponse, error) {
	return &runtimeapi.UpdatePodSandboxResourcesResponse{}, nil
}
