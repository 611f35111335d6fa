package runtime

import (
	"maps"
	"time"

	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// container is the record of one container. The store's lock guards it, except
// for what never changes after creation.
type container struct {
	id, sandboxID string
	config        *runtimeapi.ContainerConfig
	image         Image
	logPath       string
	createdAt     time.Time

	process    *process
	startedAt  time.Time
	finishedAt time.Time
	exitCode   int32
	reason     string
	message    string
}

// state derives the state from what has happened, so that there is no second
// truth that could disagree.
func (c *container) state() runtimeapi.ContainerState {
	switch {
	case !c.finishedAt.IsZero():
		return runtimeapi.ContainerState_CONTAINER_EXITED
	case c.startedAt.IsZero():
		return runtimeapi.ContainerState_CONTAINER_CREATED
	default:
		return runtimeapi.ContainerState_CONTAINER_RUNNING
	}
}

// exited records the end of the process.
func (c *container) exited(at time.Time, e exit) {
	c.finishedAt, c.exitCode = at, e.code
	c.reason = "Completed"
	if e.code != 0 {
		c.reason = "Error"
	}
}

// cannotStart records that there never was a process, with the exit code and
// reason that container runtimes use for it.
func (c *container) cannotStart(at time.Time, err error) {
	c.startedAt, c.finishedAt = at, at
	c.exitCode, c.reason, c.message = 128, "StartError", err.Error()
}

func (c *container) summary() *runtimeapi.Container {
	return &runtimeapi.Container{
		Id:           c.id,
		PodSandboxId: c.sandboxID,
		Metadata:     &runtimeapi.ContainerMetadata{Name: c.config.Metadata.Name, Attempt: c.config.Metadata.Attempt},
		Image:        &runtimeapi.ImageSpec{Image: c.image.Ref, UserSpecifiedImage: c.image.Ref},
		ImageRef:     c.image.ID(),
		ImageId:      c.image.ID(),
		State:        c.state(),
		CreatedAt:    c.createdAt.UnixNano(),
		Labels:       maps.Clone(c.config.Labels),
		Annotations:  maps.Clone(c.config.Annotations),
	}
}

func (c *container) status() *runtimeapi.ContainerStatus {
	s := &runtimeapi.ContainerStatus{
		Id:          c.id,
		Metadata:    &runtimeapi.ContainerMetadata{Name: c.config.Metadata.Name, Attempt: c.config.Metadata.Attempt},
		State:       c.state(),
		CreatedAt:   c.createdAt.UnixNano(),
		ExitCode:    c.exitCode,
		Image:       &runtimeapi.ImageSpec{Image: c.image.Ref, UserSpecifiedImage: c.image.Ref},
		ImageRef:    c.image.ID(),
		ImageId:     c.image.ID(),
		Reason:      c.reason,
		Message:     c.message,
		Labels:      maps.Clone(c.config.Labels),
		Annotations: maps.Clone(c.config.Annotations),
		Mounts:      c.config.Mounts,
		LogPath:     c.logPath,
	}
	if !c.startedAt.IsZero() {
		s.StartedAt = c.startedAt.UnixNano()
	}
	if !c.finishedAt.IsZero() {
		s.FinishedAt = c.finishedAt.UnixNano()
	}
	return s
}

// matches tells whether the filter, which may be nil, lets the container through.
func (c *container) matches(f *runtimeapi.ContainerFilter) bool {
	if f == nil {
		return true
	}
	return (f.Id == "" || f.Id == c.id) &&
		(f.PodSandboxId == "" || f.PodSandboxId == c.sandboxID) &&
		(f.State == nil || f.State.State == c.state()) &&
		hasLabels(c.config.Labels, f.LabelSelector)
}

// hasLabels tells whether labels contain every pair of want.
func hasLabels(labels, want map[string]string) bool {
	for key, value := range want {
		if got, ok := labels[key]; !ok || got != value {
			return false
		}
	}
	return true
}
