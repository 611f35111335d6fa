package runtime

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	internalapi "k8s.io/cri-api/pkg/apis"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// Options are what a Runtime needs; all are required.
type Options struct {
	// Root is the absolute path of the folder that the runtime owns.
	Root string
	// NodeIP is the address of pods in the host's network.
	NodeIP    string
	Addresses *Addresses
	Images    *Images
}

// Runtime keeps pod sandboxes and runs their containers as processes. It
// implements the kubelet's RuntimeService and is safe for concurrent use.
type Runtime struct {
	unsupported
	root, nodeIP string
	addresses    *Addresses
	images       *ImageService
	spawner      *spawner
	events       chan *runtimeapi.ContainerEventResponse
	now          func() time.Time

	mu         sync.Mutex
	closed     bool
	sandboxes  map[string]*sandbox
	containers map[string]*container
	logs       map[string]*logFile
}

var _ internalapi.RuntimeService = (*Runtime)(nil)

// New returns an empty runtime and the service of its images.
func New(o Options) (*Runtime, *ImageService) {
	images := newImageService(o.Images)
	return &Runtime{
		root: o.Root, nodeIP: o.NodeIP, addresses: o.Addresses, images: images,
		spawner: newSpawner(), now: time.Now,
		events:     make(chan *runtimeapi.ContainerEventResponse, 1000),
		sandboxes:  map[string]*sandbox{},
		containers: map[string]*container{},
		logs:       map[string]*logFile{},
	}, images
}

// Shutdown kills all containers and waits until they are gone, at most for as
// long as ctx lasts. No container starts any more.
func (r *Runtime) Shutdown(ctx context.Context) {
	r.mu.Lock()
	r.closed = true
	var running []*process
	for _, c := range r.containers {
		if c.state() == runtimeapi.ContainerState_CONTAINER_RUNNING {
			running = append(running, c.process)
		}
	}
	r.mu.Unlock()
	for _, p := range running {
		p.kill()
	}
	for _, p := range running {
		select {
		case <-p.done:
		case <-ctx.Done():
			return
		}
	}
}

// Version returns the version of this runtime and of the interface.
func (r *Runtime) Version(context.Context, string) (*runtimeapi.VersionResponse, error) {
	return &runtimeapi.VersionResponse{
		Version: "0.1.0", RuntimeName: "process", RuntimeVersion: "1.0.0", RuntimeApiVersion: "v1",
	}, nil
}

// Status reports a runtime and a network that are ready: there is nothing to
// wait for.
func (r *Runtime) Status(context.Context, bool) (*runtimeapi.StatusResponse, error) {
	return &runtimeapi.StatusResponse{Status: &runtimeapi.RuntimeStatus{
		Conditions: []*runtimeapi.RuntimeCondition{
			{Type: runtimeapi.RuntimeReady, Status: true},
			{Type: runtimeapi.NetworkReady, Status: true},
		},
	}}, nil
}

// RuntimeConfig returns an empty configuration: there are no cgroups.
func (r *Runtime) RuntimeConfig(context.Context) (*runtimeapi.RuntimeConfigResponse, error) {
	return &runtimeapi.RuntimeConfigResponse{}, nil
}

// UpdateRuntimeConfig does nothing: the pod range comes from a flag.
func (r *Runtime) UpdateRuntimeConfig(context.Context, *runtimeapi.RuntimeConfig) error { return nil }

// Close does nothing: there is no connection.
func (r *Runtime) Close(context.Context) error { return nil }

// GetContainerEvents delivers events until ctx ends.
func (r *Runtime) GetContainerEvents(ctx context.Context, events chan *runtimeapi.ContainerEventResponse, connected func(runtimeapi.RuntimeService_GetContainerEventsClient)) error {
	if connected != nil {
		connected(nil)
	}
	for {
		select {
		case event := <-r.events:
			events <- event
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// hints are when the kubelet is told of a change, counted from it. The later
// ones are for its pod workers: these want a look that began after their own
// last step, which may still be under way when the change happens.
var hints = []time.Duration{0, 30 * time.Millisecond, 150 * time.Millisecond}

// changed tells the kubelet to look at a pod now. Without it the kubelet looks
// once a second.
func (r *Runtime) changed(sandboxID, containerID string) {
	for _, after := range hints {
		time.AfterFunc(after, func() { r.hint(sandboxID, containerID) })
	}
}

// hint sends one event. The kubelet only reacts to that of a stop, so that is
// what every change is reported as: the event is a hint, the state is read.
func (r *Runtime) hint(sandboxID, containerID string) {
	r.mu.Lock()
	s := r.sandboxes[sandboxID]
	if s == nil {
		r.mu.Unlock()
		return
	}
	event := &runtimeapi.ContainerEventResponse{
		ContainerId:        containerID,
		ContainerEventType: runtimeapi.ContainerEventType_CONTAINER_STOPPED_EVENT,
		CreatedAt:          r.now().UnixNano(),
		PodSandboxStatus:   s.status(),
	}
	r.mu.Unlock()
	select {
	case r.events <- event:
	default: // Nobody listens or too many at once; the regular look will do.
	}
}

func newID() string {
	var id [32]byte
	rand.Read(id[:])
	return hex.EncodeToString(id[:])
}

func notFound(what, id string) error {
	return status.Errorf(codes.NotFound, "finding %s %s: not found", what, id)
}
